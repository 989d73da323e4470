"""Starts the real ``perijove`` command, watches it, kills it, and leaves nothing behind.

Nothing here imports the hub but its client: it is driven by a configuration file,
signals and HTTP, and by looking at the machine's processes. A hub lives in a directory of
its own, and every process that it starts works below that directory, which is
how strays are found. ``PERIJOVE_TEST_HUB`` names another command to test.
"""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import httpx
import psutil
import pytest

from perijove.wire.client import HubError, Invalid, NotFound, Retries, SyncHubClient
from perijove.wire.requests import ServerRequest

T = TypeVar("T")

HERE = Path(__file__).resolve().parent
GATED_SERVER = HERE / "gated_server.py"
PERIJOVE = Path(sys.executable).with_name("perijove")
HUB_COMMAND = shlex.split(os.environ.get("PERIJOVE_TEST_HUB", str(PERIJOVE)))
ROOT_TOKEN = "hub-tests-root-token-0123456789"
PASSWORD = "correct horse"
READY_LIMIT_S = 60.0
STOP_LIMIT_S = 20.0

CONFIG = """\
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}{base_url}"
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.auth_token = "hub-tests-proxy-token"
c.JupyterHub.db_url = {db_url!r}
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{"admin"}}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {home!r} + "/{{username}}"
c.JupyterHub.services = [{{"name": "root", "api_token": {token!r}, "admin": True}}]
{settings}
"""

GATED_SPAWNER = """
import asyncio, os
from jupyterhub.spawner import SimpleLocalProcessSpawner

async def gate_opens():
    while not os.path.exists({gate!r}):
        await asyncio.sleep(0.05)

class GatedSpawner(SimpleLocalProcessSpawner):
    '''Holds a start at the place that user_options name, until the gate file exists.'''

    @property
    def hold(self):
        return (self.user_options or {{}}).get("hold", "")

    async def start(self):
        if self.hold == "before-process":
            await gate_opens()
        address = await super().start()
        if self.hold == "after-process":
            await gate_opens()
        return address

    def get_env(self):
        env = super().get_env()
        if self.hold == "before-listening":
            env["GATE"] = {gate!r}
        return env

c.JupyterHub.spawner_class = GatedSpawner
c.Spawner.cmd = [{python!r}, "-S", {server!r}]
c.Spawner.args = []
c.Spawner.start_timeout = 90
c.Spawner.http_timeout = 90
c.JupyterHub.concurrent_spawn_limit = 0
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 0}}
"""


def missing(what: str) -> NoReturn:
    """Skip the test for want of a tool, or fail it where nothing may be left out."""
    if os.environ.get("PERIJOVE_TEST_STRICT"):
        pytest.fail(f"PERIJOVE_TEST_STRICT is set, and {what}")
    pytest.skip(what)


def wait_for(what: str, check: Callable[[], T], limit_s: float = 30.0) -> T:
    """The first true value of ``check``; fails after ``limit_s`` seconds, naming the condition."""
    end = time.monotonic() + limit_s
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit_s:g} s in vain for {what}; last seen: {value!r}")
        time.sleep(0.1)


def _port_range() -> tuple[int, int]:
    """This worker's share of the ports that hub tests may use (below the ephemeral ones)."""
    first, last = map(int, os.environ.get("PERIJOVE_TEST_PORTS", "18300-19899").split("-"))
    worker = re.fullmatch(r"gw(\d+)", os.environ.get("PYTEST_XDIST_WORKER", ""))
    if worker:
        share = (last - first + 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        first += share * int(worker[1])
        last = first + share - 1
    return first, last


_used_ports: set[int] = set()


def free_port() -> int:
    """A port that nothing listens on and that this process has not handed out before."""
    first, last = _port_range()
    for port in range(first, last + 1):
        if port in _used_ports:
            continue
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        _used_ports.add(port)
        return port
    raise RuntimeError(f"no free port from {first} to {last}")


@dataclass
class HubProcess:
    """One hub: its directory, its configuration, its processes.

    ``settings`` is Python text put at the end of the configuration file.
    """

    directory: Path
    settings: str = ""
    db_url: str = ""
    command: list[str] = field(default_factory=lambda: list(HUB_COMMAND))
    environment: dict[str, str] = field(default_factory=dict)
    base_url: str = "/"

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "home").mkdir(exist_ok=True)
        self.port, self.hub_port, self.proxy_port = free_port(), free_port(), free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.log = self.directory / "hub.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.api = self.api_of(ROOT_TOKEN)
        self.client = SyncHubClient(
            f"{self.origin}{self.base_url}hub/", ROOT_TOKEN, retries=Retries(attempts=1)
        )
        self.config = self.directory / "jupyterhub_config.py"
        self.config.write_text(
            CONFIG.format(
                port=self.port,
                base_url=self.base_url,
                hub_port=self.hub_port,
                proxy_port=self.proxy_port,
                db_url=self.db_url or f"sqlite:///{self.directory / 'hub.sqlite'}",
                password=PASSWORD,
                home=str(self.directory / "home"),
                token=ROOT_TOKEN,
                settings=self.settings,
            )
        )

    # -- life ------------------------------------------------------------
    def start(self) -> "HubProcess":
        """Run the command and wait until its API answers through the public port."""
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("JUPYTERHUB_", "CONFIGPROXY_"))
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, "-f", str(self.config)],
                cwd=self.directory,
                env={**inherited, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for("the hub's API", self._answers, READY_LIMIT_S)
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the hub ended with {self.process.returncode}:\n{self.log_end()}")
        try:
            return bool(self.client.version())
        except HubError:
            return False

    def kill(self) -> None:
        """SIGKILL to the hub alone: its proxy and servers stay, as after a crash."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code. Fails when the hub does not end in time."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(STOP_LIMIT_S)

    def end(self) -> None:
        """Stop what is left of the hub and of everything it started."""
        self.client.close()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.kill()
        for process in self.processes():
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue

    def log_end(self, lines: int = 60) -> str:
        """The last lines of what the hub logged."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    # -- processes ---------------------------------------------------------
    def processes(self) -> list[psutil.Process]:
        """Everything alive that works below this hub's directory."""
        found = []
        for process in psutil.process_iter():
            try:
                cwd = Path(process.cwd())
            except (psutil.Error, OSError):
                continue
            if cwd.is_relative_to(self.directory) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def server_processes(self) -> dict[str, list[int]]:
        """User name -> process ids of that user's running servers of this hub."""
        found: dict[str, list[int]] = {}
        for process in self.processes():
            try:
                env = process.environ()
            except psutil.Error:
                continue
            if "JUPYTERHUB_SERVICE_PREFIX" in env and "JUPYTERHUB_USER" in env:
                found.setdefault(env["JUPYTERHUB_USER"], []).append(process.pid)
        return found

    # -- clients -----------------------------------------------------------
    def api_of(self, token: str) -> httpx.Client:
        """A client of the REST API with that token; paths start below ``/hub/api``."""
        return httpx.Client(
            base_url=f"{self.origin}{self.base_url}hub/api",
            headers={"Authorization": f"token {token}"},
            timeout=60,
            trust_env=False,
        )

    def browser(self) -> httpx.Client:
        """A client that keeps cookies and follows redirects."""
        return httpx.Client(
            base_url=self.origin, follow_redirects=True, timeout=60, trust_env=False
        )

    def sign_in(self, name: str) -> httpx.Client:
        """A browser-like client after the sign-in form."""
        client = self.browser()
        form = client.get("/hub/login")
        data = {"username": name, "password": PASSWORD, "_xsrf": hidden_field(form.text, "_xsrf")}
        reply = client.post("/hub/login", data=data, follow_redirects=False)
        assert reply.status_code == 302, (reply.status_code, reply.text[:500])
        return client

    # -- servers -------------------------------------------------------------
    def add_users(self, names: list[str]) -> None:
        """Create them in one request."""
        assert len(self.client.create_users(names)) == len(names)

    def request_server(self, user: str, options: dict[str, Any] | None = None) -> None:
        """Ask for the user's default server; does not wait for it."""
        wish = ServerRequest(user_options=options) if options is not None else None
        self.client.start_server(user, "", wish)

    def servers(self) -> dict[str, dict[str, Any]]:
        """User name -> model of the default server, stopped ones left out."""
        return {
            user.name or "": user.servers[""].model_dump(mode="json")
            for user in self.client.users()
            if user.servers
        }

    def last_event(self, user: str) -> dict[str, Any]:
        """The last event of the progress stream of the user's default server; {} if it has none."""
        try:
            events = list(self.client.follow_start(user))
        except (Invalid, NotFound):
            return {}
        return events[-1].model_dump(exclude_unset=True) if events else {}

    def new_token(self, user: str) -> str:
        """A token of the user, with all that the user may do."""
        return self.client.create_token(user).token or ""


MakeHub = Callable[..., HubProcess]


def hidden_field(html: str, name: str) -> str:
    """Value of a form field of that name in a page."""
    for tag in re.findall(r"<input[^>]*>", html):
        attributes = {key: unescape(value) for key, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}
        if attributes.get("name") == name:
            return attributes.get("value", "")
    raise AssertionError(f"no field {name!r} in the page")
