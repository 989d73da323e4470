"""Stands in for a builder of images that launches them: what BinderHub does at a hub.

A managed service with administrator's rights. ``build/NAME`` is a stream of events: a
"build" that only names an image, a temporary user, a start, and looking again and again
until the server is ready, all with plain requests, as BinderHub does it.
"""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

PREFIX = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
HUB = httpx.AsyncClient(
    base_url=os.environ["JUPYTERHUB_API_URL"],
    headers={"Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}"},
    timeout=60,
    trust_env=False,
)
LIMIT_S = 90.0


def event(phase: str, **more: str) -> str:
    return f"data: {json.dumps({'phase': phase, **more})}\n\n"


async def launch(name: str) -> AsyncIterator[str]:
    yield event("building", message=f"Step 1/1 : FROM {name}")
    yield event("built", imageName=f"registry.example/{name}:1")
    user, token = f"{name}-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    (await HUB.post(f"/users/{user}", json={})).raise_for_status()
    options = {
        "image": f"registry.example/{name}:1",
        "token": token,
        "repo_url": f"https://git.example/{name}",
        "binder_ref_url": f"https://git.example/{name}/tree/main",
        "binder_request": f"v2/git/{name}/main",
    }
    reply = await HUB.post(f"/users/{user}/servers/", json=options)
    if reply.status_code not in (201, 202):
        yield event("failed", message=reply.text)
        return
    yield event("launching", message=f"answered {reply.status_code}")
    async with asyncio.timeout(LIMIT_S):
        while True:
            servers = (await HUB.get(f"/users/{user}")).raise_for_status().json()["servers"]
            if servers.get("", {}).get("ready"):
                break
            if not servers:
                yield event("failed", message="the server stopped")
                return
            await asyncio.sleep(0.5)
    yield event("ready", url=servers[""]["url"], token=token, user=user)


async def build(request: Request) -> Response:
    return StreamingResponse(launch(request.path_params["name"]), media_type="text/event-stream")


async def front_page(request: Request) -> Response:
    return PlainTextResponse("What shall I build?")


app = Starlette(
    routes=[Route(f"{PREFIX}build/{{name}}", build), Route(PREFIX, front_page)],
)

if __name__ == "__main__":
    address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    assert address.hostname is not None
    assert address.port is not None
    uvicorn.run(app, host=address.hostname, port=address.port, log_level="warning")
