"""A hub for two people: ada with a real single-user server, mallory with one of her own making.

In it runs the service of ``examples/service-fastapi``, open to both, and people
may share their servers. On one domain servers take no WebSocket that has only a
cookie, as the documentation advises. ``Person`` is one of them with a browser profile.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from harness import PASSWORD, PERIJOVE, HubProcess, free_port, wait_for
from playwright.sync_api import Browser, BrowserContext, Page

from perijove.wire.requests import ShareRequest

ROOT = Path(__file__).resolve().parents[2]
PAGE_SERVER = Path(__file__).with_name("page_server.py")
SECRET = "the answer is forty-two"
LIMIT_MS = 60_000

SETTINGS = """
import sys
from urllib.parse import urlsplit

def choose_server(spawner):
    if spawner.user.name == "mallory":
        spawner.cmd = [sys.executable, {page_server!r}]
        spawner.args = []

c.Spawner.pre_spawn_hook = choose_server
c.Spawner.cmd = [{perijove!r}, "singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = 90
c.Spawner.http_timeout = 90
c.JupyterHub.services += [{{
    "name": "notes", "url": "http://127.0.0.1:{service_port}", "cwd": {service!r},
    "command": [sys.executable, "-m", "uvicorn", "notes:app", "--port", "{service_port}"],
}}]
c.JupyterHub.load_roles = [
    {{"name": "user", "scopes": ["self", "shares!user", "read:users:name", "read:groups:name"]}},
    {{"name": "notes", "users": ["ada", "mallory"], "scopes": ["access:services!service=notes"]}},
]
"""
ONE_DOMAIN = """
c.Spawner.environment = {"JUPYTERHUB_ALLOW_WEBSOCKET_COOKIE_AUTH": "0"}
"""
SUBDOMAINS = """
c.JupyterHub.subdomain_host = f"http://hub.localhost:{urlsplit(c.JupyterHub.bind_url).port}"
"""


@dataclass
class House:
    """The hub, and where its parts are for a browser."""

    hub: HubProcess
    subdomains: bool

    @property
    def origin(self) -> str:
        """The hub's."""
        return self._origin("")

    def _origin(self, name: str) -> str:
        if not self.subdomains:
            return self.hub.origin
        return f"http://{name}{'.' if name else ''}hub.localhost:{self.hub.port}"

    def server(self, name: str) -> str:
        """The URL of a person's server."""
        return f"{self._origin(name)}/user/{name}/"

    @property
    def notes(self) -> str:
        """The URL of the service."""
        return f"{self._origin('notes--service')}/services/notes/"

    def start(self, name: str) -> None:
        """Start a person's server, as the operator, or wait for a start that goes on."""
        if not self.running(name):
            self.hub.client.start_server(name, wait_s=90)
        wait_for(f"{name}'s server", lambda: self.hub.servers().get(name, {}).get("ready"), 90)

    def running(self, name: str) -> bool:
        """Whether a person's server runs or is being started."""
        return bool(self.hub.client.user(name).servers)

    def share(self, owner: str, guest: str) -> None:
        """Let ``guest`` in to the server of ``owner``."""
        self.hub.client.grant_share(owner, "", ShareRequest(user=guest))


def build(directory: Path, subdomains: bool) -> House:
    """The house, running."""
    settings = SETTINGS.format(
        page_server=str(PAGE_SERVER),
        perijove=str(PERIJOVE),
        service_port=free_port(),
        service=str(ROOT / "examples" / "service-fastapi"),
    )
    hub = HubProcess(directory / "hub", settings + (SUBDOMAINS if subdomains else ONE_DOMAIN))
    home = hub.directory / "home" / "ada"
    home.mkdir()
    (home / "secret.txt").write_text(SECRET)
    return House(hub.start(), subdomains)


class Person:
    """Somebody with a browser profile of their own."""

    def __init__(self, house: House, browser: Browser, name: str) -> None:
        self.house, self.name = house, name
        self.context: BrowserContext = browser.new_context()
        self.context.set_default_timeout(30_000)
        self.page = self.context.new_page()

    def sign_in(self, following: str = "/hub/home") -> "Person":
        """By the form, and on to ``following`` (empty: wherever the hub leads)."""
        query = f"?next={quote(following, safe='')}" if following else ""
        self.page.goto(f"{self.house.origin}/hub/login{query}")
        self.page.fill("input[name=username]", self.name)
        self.page.fill("input[name=password]", PASSWORD)
        self.page.press("input[name=password]", "Enter")
        if following:
            self.page.wait_for_url(re.compile(re.escape(following)))
        return self

    def open(self, url: str, page: Page | None = None) -> Page:
        """Go somewhere; agree where the hub asks for it."""
        page = page or self.context.new_page()
        page.goto(url, timeout=LIMIT_MS)
        if "/hub/api/oauth2/authorize" in page.url and page.locator("form").count():
            page.locator("form [type=submit]").click()
            page.wait_for_load_state()
        return page

    def sign_out(self) -> None:
        """At the hub."""
        self.page.goto(f"{self.house.origin}/hub/logout")
        self.page.wait_for_url(re.compile(r"/hub/login"))
