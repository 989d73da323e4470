"""Known faults of hubs around pages, names, cookies and what is sent to the API."""

import sqlite3
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx
import psutil
import pytest
from harness import GATED_SERVER, PASSWORD, HubProcess, hidden_field, wait_for

pytestmark = pytest.mark.slow

SETTINGS = """
c.Spawner.cmd = [{python!r}, "-S", {server!r}]
c.Spawner.args = []
c.JupyterHub.allow_named_servers = True
c.JupyterHub.default_url = lambda handler: None
c.JupyterHub.services += [
    {{"name": "down", "url": "http://127.0.0.1:1"}},
    {{"name": "app", "api_token": "token-of-the-app-0123", "admin": False,
      "oauth_redirect_uri": "https://app.example/callback"}},
]
c.JupyterHub.load_roles = [{{"name": "user", "scopes": ["self", "access:services"]}}]
c.ConfigurableHTTPProxy.check_running_interval = 1
"""
PAGINATED = {"Accept": "application/jupyterhub-pagination+json"}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub with a service that is down, and an application of somebody else's."""
    settings = SETTINGS.format(python=sys.executable, server=str(GATED_SERVER))
    made = HubProcess(tmp_path_factory.mktemp("known-faults") / "hub", settings)
    try:
        yield made.start()
    finally:
        made.end()


# -- the API -----------------------------------------------------------------------
def test_the_server_of_nobody_is_404_and_makes_nobody(hub: HubProcess) -> None:
    admin = hub.sign_in("admin")
    for path in ("/users/nobody/server", "/users/nobody/servers/x"):
        for method in ("POST", "DELETE"):
            answer = hub.api.request(method, path)
            assert (answer.status_code, answer.json()["status"]) == (404, 404)
    assert admin.get("/hub/spawn/nobody").status_code == 404
    assert hub.api.get("/users/nobody").status_code == 404


def test_a_slash_too_many_is_404(hub: HubProcess) -> None:
    for path in ("/users/", "/users//", "/groups/", "/users/admin/server/"):
        assert hub.api.get(path).status_code == 404


def test_the_total_counts_people_whatever_servers_they_have(hub: HubProcess) -> None:
    hub.add_users(["many", "few"])
    for name in ("s1", "s2"):
        assert hub.api.put(f"/users/many/servers/{name}").status_code == 201
    query = "/users?include_stopped_servers=1&limit=1&offset="
    seen = []
    total = hub.api.get(query + "0", headers=PAGINATED).json()["_pagination"]["total"]
    for offset in range(total):
        (user,) = hub.api.get(f"{query}{offset}", headers=PAGINATED).json()["items"]
        seen.append(user["name"])
    assert len(set(seen)) == total == len(hub.api.get("/users").json())


def test_the_url_of_a_named_server_ends_with_a_slash(hub: HubProcess) -> None:
    hub.api.post("/users/ada")
    assert hub.api.post("/users/ada/servers/n1").status_code == 201
    url = hub.api.get("/users/ada").json()["servers"]["n1"]["url"]
    assert url == "/user/ada/n1/"
    assert hub.api.get("/proxy?limit=1&offset=1").status_code == 200


@pytest.mark.parametrize("name", ["LAB\\ada", "sp ace", "q'uote", "til~de", "per%cent", "ünï"])
def test_whatever_people_are_called_they_reach_their_servers(hub: HubProcess, name: str) -> None:
    known = hub.api.post(f"/users/{quote(name, safe='')}").json()["name"]
    path = f"/users/{quote(known, safe='')}"
    assert hub.api.post(f"{path}/server").status_code == 201
    url = hub.api.get(path).json()["server"]
    assert httpx.get(hub.origin + url, trust_env=False).json()["user"] == known
    assert hub.api.delete(f"{path}/server").status_code in (202, 204)


def test_an_empty_body_of_a_start_keeps_the_options_of_the_last(hub: HubProcess) -> None:
    hub.api.post("/users/keeps")
    hub.api.post("/users/keeps/server", json={"user_options": {"size": "big"}})
    hub.api.delete("/users/keeps/server")
    wait_for("the stop", lambda: not hub.api.get("/users/keeps").json()["servers"])
    assert hub.api.post("/users/keeps/server", json={}).status_code == 201
    model = hub.api.get("/users/keeps/server").json()
    assert model["user_options"] == {"size": "big"}


# -- pages -------------------------------------------------------------------------
def test_head_works_wherever_get_does(hub: HubProcess) -> None:
    browser, stranger = hub.sign_in("carl"), hub.browser()
    for path in ("/hub/logo", "/hub/login", "/hub/home", "/hub/api/", "/hub/health"):
        client = stranger if path == "/hub/login" else browser
        got, headed = client.get(path), client.head(path)
        assert (headed.status_code, headed.content) == (got.status_code, b""), path
        assert headed.headers["content-type"] == got.headers["content-type"]


def test_addresses_that_people_type_lead_somewhere(hub: HubProcess) -> None:
    stranger = hub.browser()
    assert stranger.get("/user/dora").url.path == "/hub/login"
    assert stranger.get("/hub/user/dora").url.path == "/hub/login"
    assert hub.sign_in("dora").get("/hub/user/dora").status_code == 424
    assert stranger.get("/favicon.ico").headers["content-type"].startswith("image/")
    for path, status in (("/hub/error/abc", 404), ("/hub/static/", 404), ("/user/x/%zz", 400)):
        assert stranger.get(path).status_code == status
    assert hub.sign_in("bob").get("/hub/accept-share").status_code == 400


@pytest.mark.parametrize(
    "cookie",
    [
        b'jupyterhub-hub-login="2|1:0|bad"',
        b"jupyterhub-hub-login=\xff\xfe",
        b"_xsrf=;;;;=",
        b'a="unterminated',
        b"; ; ;",
    ],
)
def test_garbage_in_cookies_is_nobody_and_no_crash(hub: HubProcess, cookie: bytes) -> None:
    before = hub.log.read_text().count("Traceback")
    for path, status in (("/hub/home", 302), ("/hub/login", 200), ("/hub/api/user", 403)):
        answer = httpx.get(hub.origin + path, headers={"Cookie": cookie}, trust_env=False)
        assert answer.status_code == status
    assert hub.log.read_text().count("Traceback") == before


@pytest.mark.parametrize("accept", ["text/html;q=bogus", ",,,", ";;", "application/json;v="])
def test_odd_accept_headers_are_answered_like_others(hub: HubProcess, accept: str) -> None:
    browser = hub.browser()
    for path, status in (("/hub/user/x/api/y", 424), ("/hub/bogus", 404), ("/hub/home", 200)):
        assert browser.get(path, headers={"Accept": accept}).status_code == status


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=abc"])
def test_a_broken_form_is_a_bad_request(hub: HubProcess, kind: str) -> None:
    for path in ("/hub/login", "/hub/spawn"):
        for body in (b"x", b"--abc\r\nContent-Disposition: nonsense\r\n\r\n"):
            answer = hub.browser().post(path, content=body, headers={"Content-Type": kind})
            assert answer.status_code in (400, 403)
            assert answer.headers["content-type"].startswith("text/html")


def test_an_old_form_brings_a_fresh_one_with_the_name_kept(hub: HubProcess) -> None:
    browser = hub.browser()
    browser.get("/hub/login")
    data = {"username": "ada", "password": PASSWORD, "_xsrf": "of-yesterday"}
    again = browser.post("/hub/login", data=data)
    assert hidden_field(again.text, "_xsrf") not in ("", "of-yesterday")
    assert 'value="ada"' in again.text
    data["_xsrf"] = hidden_field(again.text, "_xsrf")
    assert browser.post("/hub/login", data=data, follow_redirects=False).status_code == 302


def test_who_signs_in_last_is_who_it_is(hub: HubProcess) -> None:
    browser = hub.sign_in("ada")
    token = next(c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == "/hub/")
    data = {"username": "bob", "password": PASSWORD, "_xsrf": token}
    assert browser.post("/hub/login", data=data, follow_redirects=False).status_code == 302
    assert "bob" in browser.get("/hub/home").text
    assert browser.get("/hub/api/user", headers=_proof(browser)).json()["name"] == "bob"


def _proof(browser: httpx.Client) -> dict[str, str]:
    found = (c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == "/hub/")
    return {"X-XSRFToken": next(found) or ""}


def test_a_line_break_in_next_leads_to_the_usual_page(hub: HubProcess) -> None:
    browser = hub.sign_in("bob")
    for value in ("/hub/home\r\nX: y", "\r\nSet-Cookie: a=b"):
        answer = browser.get("/hub/login", params={"next": value}, follow_redirects=False)
        assert answer.headers["location"] == "/hub/spawn"


def test_a_default_url_that_is_none_leads_to_the_usual_page(hub: HubProcess) -> None:
    answer = hub.sign_in("bob").get("/hub/", follow_redirects=False)
    assert answer.headers["location"] == "/hub/spawn"


def test_consent_works_behind_a_proxy_that_ends_https(hub: HubProcess) -> None:
    browser = hub.sign_in("bob")
    outside = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "hub.example"}
    path = "/hub/api/oauth2/authorize?client_id=service-app&response_type=code&state=s"
    page = browser.get(path, headers=outside)
    assert page.status_code == 200
    agreed = browser.post(
        path,
        data={"_xsrf": hidden_field(page.text, "_xsrf"), "scopes": ["access:services!service=app"]},
        headers={
            **outside,
            "Origin": "https://hub.example",
            "Referer": f"https://hub.example{path}",
        },
        follow_redirects=False,
    )
    assert agreed.status_code == 302
    assert agreed.headers["location"].startswith("https://app.example/callback?code=")


# -- neighbours that fail --------------------------------------------------------------
def test_a_service_that_is_down_is_a_warning(hub: HubProcess) -> None:
    assert "down" in hub.api.get("/services").json()
    assert hub.browser().get("/services/down/").status_code == 503


def test_somebody_else_writing_to_the_database_breaks_nothing(hub: HubProcess) -> None:
    other = sqlite3.connect(hub.directory / "hub.sqlite", isolation_level=None)
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(hub.api.post, "/users/patient")
        for _ in range(5):
            assert hub.api.get("/users/admin").status_code == 200
        assert not written.done()
        other.execute("ROLLBACK")
        other.close()
        assert written.result(30).status_code == 201


def _listeners(hub: HubProcess) -> list[psutil.Process]:
    """What holds the public port."""
    return [
        process
        for process in hub.processes()
        if any(
            socket.status == psutil.CONN_LISTEN and socket.laddr.port == hub.port
            for socket in process.net_connections()
        )
    ]


def test_a_killed_proxy_comes_back_with_all_routes(hub: HubProcess) -> None:
    hub.api.post("/users/routed")
    assert hub.api.post("/users/routed/server").status_code == 201

    proxies = _listeners(hub)
    assert proxies
    for proxy in proxies:
        proxy.kill()
    wait_for("another proxy", lambda: _listeners(hub) and not set(proxies) & set(_listeners(hub)))

    def answers() -> bool:
        try:
            return httpx.get(f"{hub.origin}/user/routed/", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    wait_for("the route", answers)
