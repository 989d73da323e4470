"""A hub in one thread, just large enough for a single-user server, and a browser without a window.

Also a script: ``python tests/singleuser_harness/fake_hub.py`` runs a real
``perijove singleuser`` against it and prints where to look.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler

SERVER_TOKEN = "5e" * 16
SESSION_COOKIE = "jupyterhub-session-id"
LOGIN_COOKIE = "fakehub-login"


def wait_until(condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """The first true value of ``condition``. Raises AssertionError after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {timeout_s} s in vain for {what}")


@dataclass
class FakeHub:
    """The hub's state, changed freely by tests; a lock is not needed for single assignments."""

    port: int
    client_id: str = "jupyterhub-user-alice"
    version: str = "6.1.1"
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    activity: list[dict[str, Any]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    fail_with: int = 0

    def __post_init__(self) -> None:
        self.add_token(SERVER_TOKEN, "alice", ["access:servers!server=alice/"])
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def add_token(
        self, token: str, name: str, scopes: list[str], session: str = "", kind: str = "user"
    ) -> str:
        """Let ``token`` be known."""
        self.models[token] = {
            "name": name,
            "kind": kind,
            "admin": False,
            "groups": [],
            "scopes": scopes,
            "session_id": session or None,
        }
        return token

    def log_out(self, session: str) -> None:
        """Forget all tokens of a browser session."""
        for token in [t for t, model in self.models.items() if model["session_id"] == session]:
            del self.models[token]

    def issue_token(self, code: dict[str, Any]) -> str:
        """An OAuth access token for a used code."""
        name = code["name"]
        own = ["access:servers!server=alice/"] if name == "alice" else []
        return self.add_token(secrets.token_hex(15), name, own, code["session"])

    def start(self) -> "FakeHub":
        """Listen; returns once it does."""
        self._thread.start()
        assert self._started.wait(10), "the fake hub did not start"
        return self

    def stop(self) -> None:
        """Stop listening."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        routes = [
            (r"/hub/api/?", Info),
            (r"/hub/api/user", WhoAmI),
            (r"/hub/api/oauth2/authorize", Authorize),
            (r"/hub/api/oauth2/token", Token),
            (r"/hub/api/users/alice/activity", Activity),
            (r"/hub/logout", Logout),
            (r"/hub/login", Login),
            (r"/hub/home", Home),
        ]
        app = Application([(path, handler, {"hub": self}) for path, handler in routes])
        app.settings["log_function"] = lambda handler: None
        server = HTTPServer(app)
        server.listen(self.port, "127.0.0.1")
        self._started.set()
        await self._end.wait()
        server.stop()
        await server.close_all_connections()


class HubHandler(RequestHandler):
    """Counts calls, fails when told to, knows who calls."""

    hub: FakeHub

    def initialize(self, hub: FakeHub) -> None:
        self.hub = hub

    def prepare(self) -> None:
        self.hub.calls[f"{self.request.method} {self.request.path}"] += 1
        self.set_header("X-JupyterHub-Version", self.hub.version)
        if self.hub.fail_with:
            raise HTTPError(self.hub.fail_with)

    def caller(self) -> dict[str, Any]:
        token = self.request.headers.get("Authorization", "").removeprefix("token ")
        if token not in self.hub.models:
            raise HTTPError(403)
        return self.hub.models[token]


class Info(HubHandler):
    def get(self) -> None:
        self.write({"version": self.hub.version})


class WhoAmI(HubHandler):
    def get(self) -> None:
        self.write(self.caller())


class Activity(HubHandler):
    def post(self) -> None:
        self.caller()
        self.hub.activity.append(json.loads(self.request.body))


class Authorize(HubHandler):
    def get(self) -> None:
        name = self.get_cookie(LOGIN_COOKIE)
        if not name:
            self.redirect("/hub/login?" + urlencode({"next": self.request.uri}))
            return
        if self.get_query_argument("client_id") != self.hub.client_id:
            raise HTTPError(400)
        code = secrets.token_hex(15)
        self.hub.codes[code] = {
            "name": name,
            "session": self.get_cookie(SESSION_COOKIE),
            "challenge": self.get_query_argument("code_challenge"),
            "redirect_uri": self.get_query_argument("redirect_uri"),
        }
        query = urlencode({"code": code, "state": self.get_query_argument("state")})
        self.redirect(f"{self.get_query_argument('redirect_uri')}?{query}")


class Token(HubHandler):
    def post(self) -> None:
        code = self.hub.codes.pop(self.get_body_argument("code"), None)
        verifier = self.get_body_argument("code_verifier")
        digest = hashlib.sha256(verifier.encode()).digest()
        genuine = (
            code is not None
            and self.get_body_argument("client_id") == self.hub.client_id
            and self.get_body_argument("client_secret") == SERVER_TOKEN
            and self.get_body_argument("redirect_uri") == code["redirect_uri"]
            and base64.urlsafe_b64encode(digest).decode().rstrip("=") == code["challenge"]
        )
        if not genuine or code is None:
            self.set_status(400)
            self.write({"error": "invalid_grant"})
            return
        self.write({"access_token": self.hub.issue_token(code), "token_type": "Bearer"})


class Logout(HubHandler):
    def get(self) -> None:
        self.hub.log_out(self.get_cookie(SESSION_COOKIE) or "-")
        self.clear_cookie(SESSION_COOKIE)
        self.clear_cookie(LOGIN_COOKIE)
        self.redirect("/hub/login")


class Login(HubHandler):
    def get(self) -> None:
        """Sign in as ``?name=``, without a password."""
        if name := self.get_query_argument("name", ""):
            self.set_cookie(LOGIN_COOKIE, name)
            self.set_cookie(SESSION_COOKIE, secrets.token_hex(16))
        self.write("signed in" if name else "please sign in")


class Home(HubHandler):
    def get(self) -> None:
        self.write("control panel")


@dataclass
class ServerProcess:
    """A real ``perijove singleuser`` for alice."""

    port: int
    hub_port: int
    directory: Path
    extra_env: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ("--allow-root",)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def log_path(self) -> Path:
        """Where it writes."""
        return self.directory / "server.log"

    def environment(self) -> dict[str, str]:
        """What a hub would set, and a home of its own."""
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY"))}
        keep.pop("PYTHONPATH", None)
        return keep | {
            "HOME": str(self.directory / "home"),
            "JUPYTERHUB_API_TOKEN": SERVER_TOKEN,
            "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-alice",
            "JUPYTERHUB_API_URL": f"http://127.0.0.1:{self.hub_port}/hub/api",
            "JUPYTERHUB_ACTIVITY_URL": (
                f"http://127.0.0.1:{self.hub_port}/hub/api/users/alice/activity"
            ),
            "JUPYTERHUB_BASE_URL": "/",
            "JUPYTERHUB_SERVICE_PREFIX": "/user/alice/",
            "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{self.port}/user/alice/",
            "JUPYTERHUB_USER": "alice",
            "JUPYTERHUB_SERVER_NAME": "",
            "JUPYTERHUB_HOST": "",
            "JUPYTERHUB_OAUTH_CALLBACK_URL": "/user/alice/oauth_callback",
            "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps(
                ["access:servers!server=alice/", "access:servers!user=alice"]
            ),
            **self.extra_env,
        }

    def start(self) -> "ServerProcess":
        """Start it; does not wait."""
        (self.directory / "home").mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "perijove.singleuser", *self.arguments]
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                env=self.environment(),
                cwd=self.directory / "home",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    def log(self) -> str:
        """What it wrote so far."""
        return self.log_path.read_text(errors="replace")

    def is_up(self) -> bool:
        """Whether it answers the hub's question. Raises AssertionError when it has ended."""
        assert self.process is not None
        assert self.process.poll() is None, f"the server ended:\n{self.log()}"
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/user/alice/api").status_code < 500
        except httpx.HTTPError:
            return False

    def stop(self) -> int:
        """Ask it to end as a hub does (SIGINT); returns the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(2)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class Browser:
    """Cookies by path, and one origin: ``/hub/`` goes to the hub, the rest to the server."""

    def __init__(self, hub_port: int, server_port: int) -> None:
        self.ports = {True: hub_port, False: server_port}
        self.client = httpx.Client(follow_redirects=False, timeout=30)

    def url(self, path: str) -> str:
        """The address behind a path of the public origin."""
        return f"http://127.0.0.1:{self.ports[path.startswith('/hub/')]}{path}"

    def request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """One request without following redirects."""
        return self.client.request(method, self.url(path), **kwargs)

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **kwargs)

    def sign_in(self, name: str) -> "Browser":
        """Sign in at the hub."""
        assert self.get(f"/hub/login?name={name}").status_code == 200
        return self

    def follow(self, path: str, limit: int = 10) -> tuple[httpx.Response, list[str]]:
        """GET and follow redirects; returns the last answer and all paths."""
        trail = [path]
        for _ in range(limit):
            reply = self.get(trail[-1])
            if reply.status_code not in (301, 302, 303, 307):
                return reply, trail
            parts = urlsplit(reply.headers["Location"])
            trail.append(parts.path + (f"?{parts.query}" if parts.query else ""))
        raise AssertionError(f"too many redirects: {trail}")

    def cookies(self, prefix: str = "") -> dict[str, str]:
        """Cookies whose names start with ``prefix``."""
        return {c.name: c.value or "" for c in self.client.cookies.jar if c.name.startswith(prefix)}


def main() -> None:
    """Run both until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hub-port", type=int, default=18360)
    parser.add_argument("--port", type=int, default=18361)
    options = parser.parse_args()
    hub = FakeHub(options.hub_port).start()
    origin = f"http://127.0.0.1:{options.port}"
    with tempfile.TemporaryDirectory() as directory:
        server = ServerProcess(
            options.port,
            options.hub_port,
            Path(directory),
            # Two ports are two origins here, so addresses are whole ones.
            {
                "JUPYTERHUB_HOST": f"http://127.0.0.1:{options.hub_port}",
                "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{origin}/user/alice/oauth_callback",
            },
        ).start()
        try:
            wait_until(server.is_up, 60, "the server")
            print(f"sign in:  http://127.0.0.1:{options.hub_port}/hub/login?name=alice")
            print(f"then see: {origin}/user/alice/")
            assert server.process is not None
            server.process.wait()
        except KeyboardInterrupt:
            pass
        finally:
            server.stop()
            hub.stop()


if __name__ == "__main__":
    main()
