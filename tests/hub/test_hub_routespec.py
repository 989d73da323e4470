"""``hub_routespec`` in its three forms, wherever the hub lives and whichever proxy is in front."""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from harness import ROOT_TOKEN, HubProcess, missing, wait_for

from perijove.wire.client import Retries, SyncHubClient

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("PERIJOVE_TEST_PEERS", ROOT / ".cache" / "peers"))
NODE_PROXY = PEERS / "node_modules" / ".bin" / "configurable-http-proxy"
DOMAIN = "hub.test"

pytestmark = pytest.mark.slow


class Operator(BaseHTTPRequestHandler):
    """What an operator has beside the hub."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Say who this is."""
        self.send_response(200)
        self.send_header("X-Operator", "yes")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def operator() -> Iterator[str]:
    """The URL of a server that the operator's route leads to."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Operator)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@dataclass
class RoutedHub(HubProcess):
    """A hub that is asked by host names; its client goes to it past the proxy."""

    domain: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        url = f"http://127.0.0.1:{self.hub_port}{self.base_url}hub/api"
        self.client = SyncHubClient(url, ROOT_TOKEN, retries=Retries(attempts=1))

    def get(self, path: str, subdomain: str = "") -> httpx.Response:
        """Ask the proxy for a path below the base URL, of the hub's host or one below it."""
        host = f"{subdomain}.{self.domain}" if subdomain and self.domain else self.domain
        headers = {"Accept": "text/html", **({"Host": host} if host else {})}
        url = f"{self.origin}{self.base_url}{path}"
        return httpx.get(url, headers=headers, timeout=20, trust_env=False)

    def _answers(self) -> bool:
        try:
            return super()._answers() and self.get("hub/api/").status_code == 200
        except httpx.HTTPError:
            return False


@dataclass(frozen=True)
class Place:
    """Where a hub lives."""

    base_url: str = "/"
    domain: str = ""


PLACES = {"root": Place(), "base": Place("/deep/base/"), "subdomains": Place("/", DOMAIN)}
PATHS = ("", "other", "user/absent/x", "hub/login", "hub/error/404", "hub/api/")
ANSWERED_BY_HUB = {
    "": PATHS,
    "hub/": ("hub/login", "hub/error/404", "hub/api/"),
    "hub/api/": ("hub/api/",),
}
PAGES = (
    *("", "hub/", "hub/login", "hub/logout", "hub/home", "hub/spawn", "hub/token", "hub/admin"),
    *("hub/api-docs", "hub/logo", "hub/error/404", "hub/user/ada/", "user/ada/"),
)

MakeRouted = Callable[..., RoutedHub]


@pytest.fixture(params=["perijove", "node"])
def proxy(request: pytest.FixtureRequest) -> str:
    """Settings that choose the proxy."""
    if request.param == "perijove":
        return ""
    if not NODE_PROXY.exists():
        missing(f"{NODE_PROXY} is not installed (scripts/peer_venv.sh --proxy)")
    return f"c.ConfigurableHTTPProxy.command = [{str(NODE_PROXY)!r}]\n"


@pytest.fixture
def make_routed(
    tmp_path: Path, operator: str, proxy: str, gated_settings: str
) -> Iterator[MakeRouted]:
    """``make_routed(form, place, operators_route, more="")``: a hub with such a route."""
    made: list[RoutedHub] = []

    def make(form: str, place: Place, operators_route: str, more: str = "") -> RoutedHub:
        settings = gated_settings + proxy + more
        if form:
            settings += f"c.JupyterHub.hub_routespec = {place.base_url + form!r}\n"
        settings += f"c.Proxy.extra_routes = {{{operators_route!r}: {operator!r}}}\n"
        if place.domain:
            settings += f"c.JupyterHub.subdomain_host = 'http://{place.domain}'\n"
        path = os.pathsep.join([str(PEERS / "node" / "bin"), os.environ["PATH"]])
        hub = RoutedHub(
            tmp_path / "hub",
            settings,
            base_url=place.base_url,
            environment={"PATH": path},
            domain=place.domain,
        )
        made.append(hub)
        hub.start()
        return hub

    yield make
    for hub in made:
        hub.end()


def answered_by(reply: httpx.Response) -> str:
    """Who answered: the hub, the operator's server, or the proxy for want of a route."""
    if "x-jupyterhub-version" in reply.headers:
        return "hub"
    return "operator" if "x-operator" in reply.headers else f"proxy {reply.status_code}"


@pytest.mark.parametrize("where", sorted(PLACES))
@pytest.mark.parametrize("form", sorted(ANSWERED_BY_HUB))
def test_the_hub_answers_what_its_route_covers_and_the_operator_the_rest(
    make_routed: MakeRouted, form: str, where: str
) -> None:
    place = PLACES[where]
    route = place.base_url
    if not form:
        route = f"{place.domain}{place.base_url}extra/"
    hub = make_routed(form, place, route)

    answers = {path: answered_by(hub.get(path)) for path in PATHS}
    assert answers == {
        path: "hub" if path in ANSWERED_BY_HUB[form] else "operator" for path in PATHS
    }
    said = hub.log.read_text()
    assert ("API only: the hub answers" in said) is (form == "hub/api/")
    assert ("alone: requests to servers that do not run" in said) is (form == "hub/")
    assert (f"c.Proxy.extra_routes answers {place.base_url}" in said) is bool(form)

    hub.client.create_user("ada")
    assert hub.client.start_server("ada", wait_s=30)
    assert hub.get("user/ada/x", "ada").json()["user"] == "ada"
    before = {found.routespec for found in hub.client.routes()}
    assert {route, f"{'ada.' + DOMAIN if place.domain else ''}{place.base_url}user/ada/"} < before
    assert len(before) == 3
    hub.client.check_routes()
    assert {found.routespec for found in hub.client.routes()} == before

    assert hub.client.stop_server("ada", wait_s=30)
    assert answered_by(hub.get("user/ada/x", "ada")) == ("operator" if form else "hub")

    if form == "hub/api/":
        assert_no_page_is_left(hub)


def assert_no_page_is_left(hub: RoutedHub) -> None:
    """Whoever asks the hub itself, past the proxy, finds no page, and no way to one."""
    for path in PAGES:
        url = f"http://127.0.0.1:{hub.hub_port}{hub.base_url}{path}"
        reply = httpx.get(url, headers={"Accept": "text/html"}, trust_env=False)
        assert reply.status_code == 404, path
        assert reply.json()["status"] == 404
        assert "report-uri" not in reply.headers["content-security-policy"]
        assert "set-cookie" not in reply.headers


def test_without_a_route_of_the_operators_the_proxy_shows_the_operators_page(
    make_routed: MakeRouted,
) -> None:
    folder = str(ROOT / "examples" / "api-only" / "error_pages")
    more = f"c.ConfigurableHTTPProxy.error_path = {folder!r}\n"
    hub = make_routed("hub/api/", PLACES["root"], "/elsewhere/", more)
    wait_for("the operator", lambda: answered_by(hub.get("elsewhere/")) == "operator")
    for path in ("", "hub/login", "user/ada/"):
        reply = hub.get(path)
        assert reply.status_code == 404
        assert answered_by(reply) == "proxy 404"
        assert "This address leads nowhere" in reply.text
        assert "location" not in reply.headers
    assert "nothing answers / (see c.Proxy.extra_routes)" in hub.log.read_text()
