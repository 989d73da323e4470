"""A single-user server whose owner wrote the pages, good ones and evil ones.

It lets people in as the hub says (``perijove.hubauth``) and then shows whatever
its owner wants in other people's browsers: ``evil`` is a blank page whose
policy forbids nothing, from which tests run attacks. ``worker.js``, and the prefix
without its slash, are a service worker that would answer for every page it may;
``clear`` bids the browser forget all that it keeps for this site.
"""

import os
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from perijove.hubauth.asgi import VISITOR, HubAuthMiddleware
from perijove.hubauth.gate import HubGate
from perijove.hubauth.settings import HubAuthSettings

OWNER = os.environ["JUPYTERHUB_USER"]
WORKER = b"""
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", event => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", event => event.respondWith(
    new Response("<title>Taken over</title>", {headers: {"Content-Type": "text/html"}})));
"""


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
    if evil:
        headers.append((b"content-security-policy", b"frame-ancestors *"))
        headers.append((b"cross-origin-opener-policy", b"unsafe-none"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": page})


def with_tricks(app: Any, prefix: str) -> Any:
    """The application with answers that it gives to anybody."""
    answers = {
        f"{prefix}worker.js": (WORKER, b"text/javascript", [(b"service-worker-allowed", b"/")]),
        prefix.rstrip("/"): (WORKER, b"text/javascript", []),
        f"{prefix}clear": (b"Cleared", b"text/html", [(b"clear-site-data", b'"*"')]),
    }

    async def call(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] not in answers:
            await app(scope, receive, send)
            return
        body, kind, fields = answers[scope["path"]]
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *fields]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return call


def main() -> None:
    """Listen where the hub says."""
    settings = HubAuthSettings.from_environment(os.environ)
    gate = HubGate(settings, public=["api"])
    address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    app = with_tricks(HubAuthMiddleware(pages, gate), settings.base_url)
    uvicorn.run(app, host=address.hostname or "127.0.0.1", port=address.port or 80)


if __name__ == "__main__":
    main()
