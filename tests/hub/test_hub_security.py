"""Promises that take a whole hub: nothing secret is written down, nobody is led elsewhere."""

import json
import re
import sys
from collections.abc import Iterator
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import httpx
import pytest
from harness import GATED_SERVER, PASSWORD, HubProcess, hidden_field, wait_for

pytestmark = pytest.mark.slow

WRONG = "a-password-that-is-wrong-0123"
SECRET = "secret-of-the-application-0123"
CALLBACK = "https://app.example/callback"
SETTINGS = """
c.Application.log_level = 10
c.JupyterHub.log_level = 10
c.Spawner.cmd = [{python!r}, "-S", {server!r}]
c.Spawner.args = []
c.JupyterHub.services += [
    {{"name": "app", "api_token": {secret!r}, "oauth_redirect_uri": {callback!r},
      "oauth_no_confirm": True}},
    {{"name": "worker", "command": [{python!r}, "-c", "import time; time.sleep(600)"]}},
]
c.JupyterHub.load_roles = [
    {{"name": "user", "scopes": ["self", "access:services!service=app", "shares!user",
                                 "read:users:name"]}},
]
c.JupyterHub.cookie_secret = bytes.fromhex({cookie_secret!r})
"""
COOKIE_SECRET = "5ec7e7" * 10 + "5ec7"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub that logs all it can, with an application and a managed service."""
    made = HubProcess(
        tmp_path_factory.mktemp("security") / "hub",
        SETTINGS.format(
            python=sys.executable,
            server=str(GATED_SERVER),
            secret=SECRET,
            callback=CALLBACK,
            cookie_secret=COOKIE_SECRET,
        ),
        environment={"PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        yield made.start()
    finally:
        made.end()


@pytest.fixture(scope="module")
def ada(hub: HubProcess) -> httpx.Client:
    """Ada's browser; her server runs."""
    client = hub.sign_in("ada")
    client.follow_redirects = False
    hub.request_server("ada")
    wait_for("ada's server", lambda: hub.servers().get("ada", {}).get("ready"))
    return client


# -- nothing secret is written down -----------------------------------------------
def test_a_tour_at_debug_level_leaves_no_secret_in_log_or_command_lines(
    hub: HubProcess, ada: httpx.Client
) -> None:
    secrets = {PASSWORD, WRONG, SECRET, COOKIE_SECRET, "hub-tests-proxy-token"}
    secrets |= {value.strip('"') for value in ada.cookies.values()}
    form = hub.browser().get("/hub/login")
    failed = hub.browser().post(
        "/hub/login",
        data={"username": "ada", "password": WRONG, "_xsrf": hidden_field(form.text, "_xsrf")},
    )
    assert failed.status_code == 403

    state = "a-state-that-nobody-is-to-see"
    query = {"client_id": "service-app", "redirect_uri": CALLBACK, "response_type": "code"}
    for extra in ({"state": state}, {"state": state, "scope": "nope"}):
        back = ada.get("/hub/api/oauth2/authorize", params=query | extra)
        assert back.status_code == 302
        code = parse_qs(urlsplit(back.headers["location"]).query).get("code", [""])[0]
        exchange = {"grant_type": "authorization_code", "code": code or "made-up-code-0123"}
        reply = httpx.post(
            f"{hub.origin}/hub/api/oauth2/token",
            data=exchange,
            auth=("service-app", SECRET),
            trust_env=False,
        )
        secrets |= {state, exchange["code"], reply.json().get("access_token", state)}
    stranger = hub.browser()
    inner = f"/hub/api/oauth2/authorize?client_id=x&code=an-inner-code-0123&state={state}"
    stranger.get("/hub/login", params={"next": inner})
    stranger.get("/hub/home", params={"token": SECRET})
    stranger.get("/user/ada/", params={"token": SECRET})
    secrets.add("an-inner-code-0123")
    made = hub.client.create_token("ada")
    secrets.add(made.token or "")
    own = hub.api_of(made.token or "")
    assert own.get("/user").status_code == 200
    shared = own.post("/share-codes/ada/", json={})
    assert shared.status_code == 200, shared.text
    secrets.add(shared.json()["code"])
    hub.sign_in("bob").get(shared.json()["accept_url"])
    for process in hub.processes():
        environment = process.environ()
        secrets |= {environment[k] for k in ("JUPYTERHUB_API_TOKEN",) if k in environment}

    log = hub.log.read_text(errors="replace")
    assert "/hub/api/oauth2/authorize" in log
    assert {secret for secret in secrets - {""} if secret in log} == set()
    shown = [json.dumps(process.cmdline()) for process in hub.processes()]
    assert len(shown) >= 3, "the hub, its proxy and a server at least"
    assert {s for s in secrets - {""} for line in shown if s in line} == set()
    stored = b"".join(file.read_bytes() for file in hub.directory.glob("hub.sqlite*"))
    kept = secrets - {"", state, PASSWORD, WRONG, *ada.cookies.values()}
    assert {secret for secret in kept if secret.encode() in stored} == set()


# -- nobody is led elsewhere ---------------------------------------------------------
ATTACKS = (
    *("//evil.test", "///evil.test", "////evil.test", "\\\\evil.test", "/\\evil.test"),
    *("http://evil.test", "https:evil.test", "http:/evil.test", "HTTP://EVIL.TEST/"),
    *("javascript:alert(1)", "data:text/html,x", "http://{host}@evil.test/"),
    *("http://{host}//evil.test", "http://{host}///evil.test", "http://evil.test#{host}"),
    *("\t//evil.test", "/\t/evil.test", "/\n/evil.test", "/\r/evil.test", "\x00//evil.test"),
    *("/%09/evil.test", "/%5cevil.test", "//%65vil.test", "\uff0f\uff0fevil.test"),
    *("http://evil.test\\@{host}/", "http://{host}\uff0fevil.test", "/hub\r\nset-cookie: a=b"),
    "/" + "x" * 20_000,
)


def lands_at(hub: HubProcess, location: str) -> str:
    """The host that a browser goes to (WHATWG URL standard)."""
    seen = re.sub(r"[\t\r\n]", "", location.strip("".join(map(chr, range(0x21)))))
    path, mark, rest = seen.partition("?")
    absolute = urljoin(f"{hub.origin}/hub/login", path.replace("\\", "/") + mark + rest)
    assert urlsplit(absolute).scheme in ("http", "https")
    return urlsplit(absolute).netloc


def leads_within(hub: HubProcess, reply: httpx.Response) -> None:
    assert reply.status_code < 500, reply.status_code
    assert "set-cookie: a=b" not in reply.headers.get("location", "")
    assert reply.cookies.get("a") is None
    location = reply.headers.get("location")
    if location is not None:
        assert lands_at(hub, location) == urlsplit(hub.origin).netloc, location
    for target in re.findall(r'(?:href|action)="([^"]*)"', reply.text):
        if target.startswith(("https://jupyter", "#")):
            continue
        assert "evil" not in lands_at(hub, target).lower(), target


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: ascii(a)[:40])
def test_next_leads_nowhere_else_wherever_it_is_taken(
    hub: HubProcess, ada: httpx.Client, attack: str
) -> None:
    attack = attack.format(host=f"127.0.0.1:{hub.port}")
    following = quote(attack, safe="")
    for path in (
        *("/hub/login", "/hub/spawn", "/hub/spawn/ada", "/hub/spawn-pending/ada", "/hub/"),
        *("/hub/accept-share?code=x", "/hub/home", "/hub/user/ada/", "/hub/user-redirect/tree"),
    ):
        mark = "&" if "?" in path else "?"
        leads_within(hub, ada.get(f"{path}{mark}next={following}"))
        leads_within(hub, ada.get(f"{path}{mark}next={following}&next={following}"))
    stranger = hub.browser()
    stranger.follow_redirects = False
    form = stranger.get(f"/hub/login?next={following}")
    leads_within(hub, form)
    leads_within(hub, stranger.get(f"/hub/logout?next={following}"))
    data = {"username": "carl", "password": PASSWORD, "_xsrf": hidden_field(form.text, "_xsrf")}
    leads_within(hub, stranger.post(f"/hub/login?next={following}", data=data))


def test_a_path_cannot_be_made_a_host(hub: HubProcess) -> None:
    client = hub.browser()
    client.follow_redirects = False
    for path in ("//evil.test", "//evil.test/%2e%2e", "/hub//evil.test", "///evil.test/..;/"):
        reply = httpx.get(f"{hub.origin}{path}", trust_env=False)
        location = reply.headers.get("location")
        if location is not None:
            assert lands_at(hub, location) == urlsplit(hub.origin).netloc, (path, location)


# -- sessions and cookies ---------------------------------------------------------------
def test_signing_in_replaces_what_was_planted_before(hub: HubProcess) -> None:
    client = hub.browser()
    client.follow_redirects = False
    client.cookies.set("jupyterhub-session-id", "planted", domain="127.0.0.1", path="/")
    form = client.get("/hub/login")
    before = hidden_field(form.text, "_xsrf")
    data = {"username": "dora", "password": PASSWORD, "_xsrf": before}
    reply = client.post("/hub/login", data=data)
    assert reply.status_code == 302
    given = {cookie.name: cookie.value for cookie in reply.cookies.jar}
    assert given["jupyterhub-session-id"] not in ("", "planted")
    assert given["_xsrf"] not in ("", before)


def test_a_copy_of_the_cookies_is_dead_after_signing_out(hub: HubProcess) -> None:
    client = hub.sign_in("emil")
    copy = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    reply = httpx.get(f"{hub.origin}/hub/home", headers={"cookie": copy}, trust_env=False)
    assert reply.status_code == 200
    client.get("/hub/logout")
    for path in ("/hub/home", "/hub/api/oauth2/authorize?client_id=service-app"):
        reply = httpx.get(f"{hub.origin}{path}", headers={"cookie": copy}, trust_env=False)
        assert reply.status_code == 302
        assert urlsplit(reply.headers["location"]).path == "/hub/login"


def test_another_site_cannot_start_or_sign_out_by_a_link(
    hub: HubProcess, ada: httpx.Client
) -> None:
    foreign = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    frank = hub.sign_in("frank")
    frank.follow_redirects = False
    page = frank.get("/hub/spawn", headers=foreign)
    assert page.status_code == 200
    assert "frank" not in hub.servers()
    page = frank.get("/hub/logout", headers=foreign)
    assert "Sign out?" in page.text
    assert frank.get("/hub/home").status_code == 200


def test_a_host_that_was_made_up_appears_in_no_link(hub: HubProcess) -> None:
    for path in ("/hub/login", "/hub/api/users?limit=1", "/user/ada", "/nowhere"):
        reply = httpx.get(
            f"{hub.origin}{path}",
            headers={"x-forwarded-host": "evil.test", "authorization": f"token {SECRET}"},
            trust_env=False,
        )
        assert "evil.test" not in reply.headers.get("location", "")
        assert "evil.test" not in reply.text
