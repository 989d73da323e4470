"""The pages: a form, a page that shows how far a launch is, and one for sessions that ended."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Form, Header, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from launcher.builds import read_environments
from launcher.culling import keep_culling
from launcher.launches import Launch, Launches
from launcher.settings import HERE, IDLE_S, MAX_AGE_S
from perijove.wire.client import HubClient

templates = Jinja2Templates(HERE / "templates")
templates.env.globals["idle_minutes"] = max(1, round(IDLE_S / 60))
templates.env.globals["max_hours"] = max(1, round(MAX_AGE_S / 3600))
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The hub's client and the culling, for as long as the launcher runs."""
    async with HubClient.from_environment() as hub:
        app.state.launches = Launches(hub)
        culling = asyncio.create_task(keep_culling(hub))
        yield
        culling.cancel()


app = FastAPI(title="Launcher", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
app.mount("/static", StaticFiles(directory=HERE / "static"))


def page(request: Request, name: str, status: int = 200, **values: object) -> Response:
    """A page with the headers that all pages have."""
    return templates.TemplateResponse(request, name, values, status, HEADERS)


def launch_of(request: Request, launch_id: str) -> Launch | None:
    """The launch of this id."""
    launches: Launches = request.app.state.launches
    return launches.find(launch_id)


@app.get("/")
async def choose(request: Request) -> Response:
    """The form."""
    return page(request, "choose.html", environments=read_environments().values())


@app.post("/launches")
async def begin(request: Request, environment: Annotated[str, Form()] = "") -> Response:
    """Begin a launch and go to its page."""
    chosen = read_environments().get(environment)
    if chosen is None:
        environments = read_environments().values()
        return page(request, "choose.html", 400, environments=environments, missing=True)
    launches: Launches = request.app.state.launches
    return RedirectResponse(f"/launches/{launches.begin(chosen).id}", 303)


@app.get("/launches/{launch_id}")
async def show(request: Request, launch_id: str) -> Response:
    """How far a launch is."""
    launch = launch_of(request, launch_id)
    if launch is None:
        return page(request, "gone.html", 404)
    return page(request, "launch.html", launch=launch)


@app.get("/launches/{launch_id}/events")
async def follow(
    request: Request, launch_id: str, last_event_id: Annotated[str, Header()] = ""
) -> Response:
    """The launch as server-sent events; a browser that comes back goes on where it was."""
    launch = launch_of(request, launch_id)
    if launch is None:
        return JSONResponse({"message": "There is no such launch"}, 404)
    position = int(last_event_id) + 1 if last_event_id.isascii() and last_event_id.isdigit() else 0

    async def events() -> AsyncIterator[str]:
        async for number, event in launch.follow(position):
            yield f"id: {number}\ndata: {json.dumps(event)}\n\n"

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events(), headers=headers, media_type="text/event-stream")


@app.get("/health")
async def health() -> dict[str, str]:
    """For the hub, which waits for it."""
    return {"status": "ok"}


@app.api_route("/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
async def gone(request: Request, path: str) -> Response:
    """Whatever is routed nowhere else: most likely a server that has stopped."""
    if request.method != "GET" or "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"message": "This session has ended, or never was"}, 404, HEADERS)
    return page(request, "gone.html", 404)
