"""The same small service written for each face, served on a real port in a thread.

Pages below the prefix: the start page (JSON: who, XSRF token), ``post`` (takes a
form or JSON), ``staff`` (needs a further scope), ``open`` (public), ``whoever``
(strangers too, where they are let through).
"""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from typing import Annotated, Any

import uvicorn
from fake_hub import SERVER_TOKEN
from fastapi import APIRouter, Depends, FastAPI, Request
from flask import Flask, jsonify
from flask import request as flask_request
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from werkzeug.serving import make_server

from perijove.hubauth import flask as flask_face
from perijove.hubauth import starlette as starlette_face
from perijove.hubauth.asgi import HubAuthMiddleware
from perijove.hubauth.gate import HubGate
from perijove.hubauth.settings import HubAuthSettings

BASE = "/services/svc/"
SCOPE = "access:services!service=svc"
STAFF = "custom:svc:staff"
PUBLIC = ("open", "static/")


def settings_for(hub_port: int, **changes: Any) -> HubAuthSettings:
    """What a hub tells the service."""
    told: dict[str, Any] = {
        "api_token": SERVER_TOKEN,
        "api_url": f"http://127.0.0.1:{hub_port}/hub/api",
        "base_url": BASE,
        "client_id": "service-svc",
        "oauth_redirect_uri": f"{BASE}oauth_callback",
        "access_scopes": frozenset({SCOPE}),
    }
    return HubAuthSettings(**{**told, **changes})


def gate_for(hub_port: int, **changes: Any) -> HubGate:
    """The service's gate."""
    return HubGate(settings_for(hub_port, **changes), public=PUBLIC, cookie_secret=b"s" * 32)


def starlette_app(gate: HubGate, **options: Any) -> Any:
    """Starlette, with the functions of its face."""

    async def page(request: Any) -> JSONResponse:
        user = starlette_face.current_user(request)
        return JSONResponse({"name": user["name"], "xsrf": starlette_face.xsrf_token(request)})

    async def post(request: Any) -> JSONResponse:
        user = starlette_face.current_user(request)
        form = await request.form()
        sizes = {k: v if isinstance(v, str) else len(await v.read()) for k, v in form.items()}
        return JSONResponse({"posted": user["name"], "form": sizes})

    async def staff(request: Any) -> JSONResponse:
        return JSONResponse(starlette_face.require_scopes(STAFF)(request)["name"])

    async def whoever(request: Any) -> JSONResponse:
        user = starlette_face.optional_user(request)
        return JSONResponse(user and user["name"])

    routes = [
        Route(BASE, page),
        Route(f"{BASE}post", post, methods=["POST"]),
        Route(f"{BASE}staff", staff),
        Route(f"{BASE}open", whoever),
        Route(f"{BASE}whoever", whoever),
    ]
    app = Starlette(routes=routes)
    app.add_middleware(HubAuthMiddleware, gate=gate, **options)
    return app


def fastapi_app(gate: HubGate, **options: Any) -> Any:
    """FastAPI, with dependencies."""
    app = FastAPI()
    app.add_middleware(HubAuthMiddleware, gate=gate, **options)
    pages = APIRouter(prefix=BASE.rstrip("/"))
    user_of = Annotated[dict[str, Any], Depends(starlette_face.current_user)]
    anybody = Annotated[dict[str, Any] | None, Depends(starlette_face.optional_user)]
    staff_of = Annotated[dict[str, Any], Depends(starlette_face.require_scopes(STAFF))]

    @pages.get("/")
    def page(user: user_of, xsrf: Annotated[str, Depends(starlette_face.xsrf_token)]) -> Any:
        return {"name": user["name"], "xsrf": xsrf}

    @pages.post("/post")
    async def post(request: Request, user: user_of) -> Any:
        form = await request.form()
        sizes = {k: v if isinstance(v, str) else len(await v.read()) for k, v in form.items()}
        return {"posted": user["name"], "form": sizes}

    @pages.get("/staff")
    def staff(user: staff_of) -> Any:
        return user["name"]

    @pages.get("/open")
    @pages.get("/whoever")
    def whoever(user: anybody) -> Any:
        return user and user["name"]

    app.include_router(pages)
    return app


def flask_app(gate: HubGate, **options: Any) -> Any:
    """Flask, with its decorators."""
    app = Flask("svc")
    flask_face.install(app, gate, **options)

    @app.get(BASE)
    @flask_face.authenticated
    def page() -> Any:
        user = flask_face.current_user()
        assert user is not None
        return jsonify(name=user["name"], xsrf=flask_face.xsrf_token())

    @app.post(f"{BASE}post")
    @flask_face.authenticated
    def post() -> Any:
        user = flask_face.current_user()
        assert user is not None
        sizes: dict[str, Any] = dict(flask_request.form)
        sizes |= {k: len(v.read()) for k, v in flask_request.files.items()}
        return jsonify(posted=user["name"], form=sizes)

    @app.get(f"{BASE}staff")
    @flask_face.require_scopes(STAFF)
    def staff() -> Any:
        user = flask_face.current_user()
        assert user is not None
        return jsonify(user["name"])

    @app.get(f"{BASE}open")
    @app.get(f"{BASE}whoever")
    def whoever() -> Any:
        user = flask_face.current_user()
        return jsonify(user and user["name"])

    return app


def serve_asgi(app: Any, port: int) -> AbstractContextManager[None]:
    """Run an ASGI application on a port, in a thread."""

    @contextmanager
    def run() -> Any:
        config = uvicorn.Config(app, "127.0.0.1", port, log_level="error", ws="websockets-sansio")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        end = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < end, "uvicorn did not start"
            time.sleep(0.01)
        yield
        server.should_exit = True
        thread.join(10)

    return run()


def serve_wsgi(app: Any, port: int) -> AbstractContextManager[None]:
    """Run a WSGI application on a port, with a thread for each request."""

    @contextmanager
    def run() -> Any:
        server = make_server("127.0.0.1", port, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield
        server.shutdown()
        thread.join(10)
        server.server_close()

    return run()


Face = tuple[Callable[..., Any], Callable[[Any, int], AbstractContextManager[None]]]

FACES: dict[str, Face] = {
    "starlette": (starlette_app, serve_asgi),
    "fastapi": (fastapi_app, serve_asgi),
    "flask": (flask_app, serve_wsgi),
}
