"""The configuration files of the guide to hubs behind other pages: each starts and answers."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from harness import HubProcess, wait_for
from launcher_kit import options_of

from perijove.wire.client import Retries, SyncHubClient
from perijove.wire.models import Route

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "api-only"
GUIDE = ROOT / "docs" / "how-to" / "api-only.md"
TOKEN = "token-of-the-application"

pytestmark = pytest.mark.slow

HubOf = Callable[[str, str], HubProcess]


class Site(BaseHTTPRequestHandler):
    """A site of the operator's."""

    def do_GET(self) -> None:
        """Answer anything."""
        self.send_response(299)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    """The site's URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def hub_of(tmp_path: Path, site: str) -> Iterator[HubOf]:
    """``hub_of(name, base_url)``: a hub that runs with this file as it stands."""
    made: list[HubProcess] = []

    def make(name: str, base_url: str) -> HubProcess:
        environment = {"SITE_URL": site, "APP_TOKEN": TOKEN}
        hub = HubProcess(tmp_path / "hub", environment=environment, base_url=base_url)
        hub.config = EXAMPLES / f"{name}.py"
        hub.command += options_of(hub)
        hub.command += ["--Spawner.args=--allow-root"] if os.geteuid() == 0 else []
        made.append(hub)
        return hub.start()

    yield make
    for hub in made:
        hub.end()


SITE = 299
WANTED = {
    "whole_hub": {"": 302, "hub/": 302, "hub/login": 200, "hub/api/": 200, "about/us": SITE},
    "pages_and_api": {"": SITE, "hub/": 302, "hub/login": 200, "hub/api/": 200, "user/a/": SITE},
    "api_only": {"": SITE, "hub/": SITE, "hub/login": SITE, "hub/api/": 200, "user/a/": SITE},
    "below_a_prefix": {"": SITE, "hub/": SITE, "hub/login": SITE, "hub/api/": 200, "../": 404},
}
"""What the paths below the base URL answer."""


def test_the_guide_shows_every_file_and_no_other() -> None:
    shown = re.findall(r"examples/api-only/(\w+)\.py", GUIDE.read_text())
    assert sorted(shown) == sorted(WANTED) == sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", sorted(WANTED))
def test_a_file_of_the_guide_starts_a_hub_that_answers_as_it_says(hub_of: HubOf, name: str) -> None:
    base_url = "/jupyter/" if name == "below_a_prefix" else "/"
    hub = hub_of(name, base_url)
    site_route = "about/us" if name == "whole_hub" else ""
    wait_for("the site's route", lambda: status(hub, site_route) == SITE)
    assert {path: status(hub, path) for path in WANTED[name]} == WANTED[name]


def status(hub: HubProcess, path: str) -> int:
    """The status of a path below the base URL."""
    url = hub.origin + "/" if path == "../" else f"{hub.origin}{hub.base_url}{path}"
    reply = httpx.get(url, headers={"Accept": "text/html"}, trust_env=False)
    return reply.status_code


def test_the_application_of_the_guide_gives_a_visitor_a_server_and_takes_it_back(
    hub_of: HubOf,
) -> None:
    hub = hub_of("api_only", "/")
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    said: list[str] = []
    client = SyncHubClient(hub.origin, TOKEN, retries=Retries(attempts=1))

    class Environment:
        """Stands for the client that reads the environment."""

        from_environment = staticmethod(lambda: client)

    code = blocks[0].replace("SyncHubClient.from_environment()", "Given.from_environment()")
    exec(code, {"Given": Environment, "print": said.append})
    assert re.fullmatch(r"/user/visitor-\w{16}/\?token=[\w-]{32}", said[0])
    assert not hub.server_processes()
    with SyncHubClient(hub.origin, TOKEN) as again:
        routes: list[Route] = list(again.routes())
        assert {route.routespec for route in routes} == {"/", "/hub/api/"}
