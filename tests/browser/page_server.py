"""A single-user server whose owner wrote the pages, good ones and evil ones.

It lets people in as the hub says (``perijove.hubauth``) and then shows whatever
its owner wants in other people's browsers: ``evil`` is a blank page without any
policy, from which tests run attacks.
"""

import os
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from perijove.hubauth.asgi import VISITOR, HubAuthMiddleware
from perijove.hubauth.gate import HubGate
from perijove.hubauth.settings import HubAuthSettings

OWNER = os.environ["JUPYTERHUB_USER"]


async def pages(scope: Any, receive: Any, send: Any) -> None:
    """Answer with who owns the server and who visits it."""
    if scope["type"] != "http":
        return
    visitor = scope[VISITOR].user
    name = visitor["name"] if visitor else "nobody"
    evil = scope["path"].endswith("/evil")
    body = "<title>Have a look</title>" if evil else f"<h1>Server of {OWNER}, seen by {name}</h1>"
    page = f"<!doctype html>{body}".encode()
    headers = [(b"content-type", b"text/html"), (b"content-length", str(len(page)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": page})


def main() -> None:
    """Listen where the hub says."""
    settings = HubAuthSettings.from_environment(os.environ)
    gate = HubGate(settings, public=["api"])
    address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    app = HubAuthMiddleware(pages, gate)
    uvicorn.run(app, host=address.hostname or "127.0.0.1", port=address.port or 80)


if __name__ == "__main__":
    main()
