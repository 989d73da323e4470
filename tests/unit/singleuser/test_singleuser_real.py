"""A real single-user server with JupyterLab, walked through as a browser and a script do.

The hub is a fake one; what matters is what the server does. One server serves
all tests, so a browser's sign-in starts from nothing in each.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fake_hub import SERVER_TOKEN, Browser, FakeHub, ServerProcess, wait_until
from singleuser_ports import HUB_PORT, NOBODYS_PORT, OTHER_PORT, SERVER_PORT
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from perijove.singleuser import greeting

pytest.importorskip("jupyter_server", reason="jupyter_server is not installed")
pytestmark = pytest.mark.slow

PREFIX = "/user/alice/"
LAB = f"{PREFIX}lab"
STATUS = f"{PREFIX}api/status"
CORS = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
COOKIE = "jupyterhub-user-alice"
STATE_COOKIE = f"{COOKIE}-oauth-state"


def auth(token: str) -> dict[str, str]:
    return {"Authorization": f"token {token}"}


@pytest.fixture
def alice(browser: Browser) -> Browser:
    """Alice's browser, on the page of JupyterLab."""
    reply, _ = browser.sign_in("alice").follow(LAB)
    assert reply.status_code == 200
    return browser


def page_config(browser: Browser) -> dict[str, object]:
    text = browser.get(LAB).text
    start = text.index(">", text.index('id="jupyter-config-data"')) + 1
    config: dict[str, object] = json.loads(text[start : text.index("</script>", start)])
    return config


# -- signing in ---------------------------------------------------------------


def test_a_page_without_login_leads_to_the_hub_with_pkce_and_a_state_cookie(
    browser: Browser,
) -> None:
    reply = browser.get(LAB)
    assert reply.status_code == 302
    target = urlsplit(reply.headers["Location"])
    assert target.path == "/hub/api/oauth2/authorize"
    assert not target.netloc
    query = {key: values[0] for key, values in parse_qs(target.query).items()}
    assert query["client_id"] == COOKIE
    assert query["redirect_uri"] == f"{PREFIX}oauth_callback"
    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    set_cookie = reply.headers["Set-Cookie"]
    assert set_cookie.startswith(f"{STATE_COOKIE}=")
    for flag in ("HttpOnly", "Max-Age=600", f"Path={PREFIX}"):
        assert flag in set_cookie


def test_the_dance_ends_on_the_page_asked_for_with_login_and_xsrf_cookies(
    browser: Browser,
) -> None:
    reply, trail = browser.sign_in("alice").follow(f"{LAB}/tree/x?a=1&b=%2F")
    assert reply.status_code == 200
    paths = [urlsplit(path).path for path in trail]
    assert paths[1:3] == ["/hub/api/oauth2/authorize", f"{PREFIX}oauth_callback"]
    assert trail[3] == f"{LAB}/tree/x?a=1&b=%2F"
    assert set(browser.cookies()) >= {COOKIE, "_xsrf"}
    assert not browser.cookies(STATE_COOKIE)
    assert len(browser.follow(LAB)[1]) == 1


def test_two_tabs_finish_both_on_their_own_pages(browser: Browser) -> None:
    browser.sign_in("alice")
    pages = [LAB, f"{LAB}/tree/second"]
    authorize = [browser.get(page).headers["Location"] for page in pages]
    callbacks = [browser.get(url).headers["Location"] for url in authorize]
    ends = [browser.get(url).headers["Location"] for url in reversed(callbacks)]
    assert ends == list(reversed(pages))


def test_the_callback_answers_as_the_protocol_says(alice: Browser) -> None:
    callback = f"{PREFIX}oauth_callback"
    assert alice.get(f"{callback}?code=c").status_code == 400
    assert alice.get(f"{callback}?state=s").status_code == 400
    assert alice.get(f"{callback}?error=access_denied&state=s").status_code == 400
    unknown = alice.get(f"{callback}?code=c&state=unknown")
    assert (unknown.status_code, unknown.headers["Location"]) == (302, PREFIX)


def test_a_forged_state_is_refused_without_asking_the_hub(
    browser: Browser, fake_hub: FakeHub
) -> None:
    browser.get(LAB)
    before = fake_hub.calls["POST /hub/api/oauth2/token"]
    reply = browser.get(f"{PREFIX}oauth_callback?code=c&state=forged")
    assert reply.status_code == 403
    assert COOKIE not in browser.cookies()
    assert fake_hub.calls["POST /hub/api/oauth2/token"] == before


def test_a_missing_state_cookie_restarts_the_sign_in_once_and_keeps_the_page(
    browser: Browser,
) -> None:
    browser.sign_in("alice")
    authorize = browser.get(f"{LAB}/tree/kept").headers["Location"]
    callback = browser.get(authorize).headers["Location"]
    for name in browser.cookies(STATE_COOKIE):
        browser.client.cookies.delete(name)
    reply, trail = browser.follow(callback)
    assert reply.status_code == 200
    assert trail[-1] == f"{LAB}/tree/kept"


def test_a_browser_without_cookies_is_told_so_and_not_sent_round_for_ever(
    browser: Browser,
) -> None:
    head = {"Cookie": "fakehub-login=alice; jupyterhub-session-id=s"}
    path = LAB
    for _ in range(8):
        browser.client.cookies.clear()
        reply = browser.get(path, headers=head)
        if reply.status_code != 302:
            break
        path = reply.headers["Location"]
    assert reply.status_code == 403
    assert "cookie" in reply.text.lower()


@pytest.mark.parametrize(
    "target", ["//evil.example/x", "http://evil.example", "/%5C/evil.example", "/user/bob/"]
)
def test_a_sign_in_cannot_be_made_to_lead_elsewhere(browser: Browser, target: str) -> None:
    browser.sign_in("alice")
    begun = browser.get(f"{PREFIX}login?next={target}")
    callback = browser.get(begun.headers["Location"]).headers["Location"]
    assert browser.get(callback).headers["Location"] == PREFIX
    assert browser.get(f"{PREFIX}login?next={target}").headers["Location"] == PREFIX
    assert browser.get(f"{PREFIX}login?next={LAB}").headers["Location"] == LAB


def test_background_requests_get_403_and_no_cookie(browser: Browser) -> None:
    for path, headers in [
        (STATUS, {}),
        (f"{PREFIX}api/contents", {"Accept": "application/json"}),
        (LAB, CORS),
        (LAB, {"Accept": "application/json"}),
    ]:
        reply = browser.get(path, headers=headers)
        assert reply.status_code == 403, path
        assert STATE_COOKIE not in reply.headers.get("Set-Cookie", "")
    forbidden = browser.get(STATUS)
    assert forbidden.json() == {"message": "Forbidden", "reason": None}


def test_many_unfinished_rounds_do_not_fill_the_browser(browser: Browser) -> None:
    for _ in range(30):
        browser.get(LAB)
    assert 1 <= len(browser.cookies(STATE_COOKIE)) <= 8


# -- XSRF -----------------------------------------------------------------------


def test_a_cookie_alone_reads_but_scripts_need_the_token(alice: Browser) -> None:
    assert alice.get(STATUS).status_code == 200
    assert alice.get(STATUS, headers=CORS).status_code == 403
    token = alice.cookies()["_xsrf"]
    assert alice.get(STATUS, headers=CORS | {"X-XSRFToken": token}).status_code == 200
    assert alice.get(f"{STATUS}?_xsrf={token}", headers=CORS).status_code == 200
    assert alice.get(STATUS, headers=CORS | {"X-XSRFToken": token + "x"}).status_code == 403


def test_a_refused_script_keeps_its_login_cookie(alice: Browser) -> None:
    reply = alice.get(STATUS, headers=CORS)
    assert "Set-Cookie" not in reply.headers
    assert alice.get(STATUS).status_code == 200


def test_changes_need_the_token(alice: Browser) -> None:
    sessions = f"{PREFIX}api/sessions"
    reply = alice.request("POST", sessions, json={})
    assert reply.status_code == 403
    assert "'_xsrf' argument missing from POST" in reply.text
    note = f"{PREFIX}api/contents/note.txt"
    body = {"type": "file", "format": "text", "content": "Übung"}
    assert alice.request("PUT", note, json=body).status_code == 403
    head = {"X-XSRFToken": alice.cookies()["_xsrf"]}
    assert alice.request("PUT", note, json=body, headers=head).status_code == 201
    plain = {"Content-Type": "text/plain"}
    assert alice.request("DELETE", note, headers=plain).status_code == 403
    assert alice.request("DELETE", note, headers=head).status_code == 204


def test_the_token_of_another_session_is_refused(alice: Browser, server: ServerProcess) -> None:
    other = Browser(HUB_PORT, server.port).sign_in("alice")
    other.follow(LAB)
    head = {"X-XSRFToken": other.cookies()["_xsrf"]}
    assert alice.request("DELETE", f"{PREFIX}api/contents/x", headers=head).status_code == 403


def test_a_planted_xsrf_cookie_does_not_help(alice: Browser) -> None:
    jar = "; ".join(f"{name}={value}" for name, value in alice.cookies().items())
    head = {"Cookie": f"_xsrf=planted; {jar}", "X-XSRFToken": "planted"}
    url = alice.url(f"{PREFIX}api/contents/x")
    assert httpx.delete(url, headers=head).status_code == 403
    head["X-XSRFToken"] = alice.cookies()["_xsrf"]
    assert httpx.delete(url, headers=head).status_code == 404


def test_files_can_be_embedded_by_the_own_pages_only(alice: Browser, server: ServerProcess) -> None:
    (server.directory / "home" / "a.txt").write_text("text")
    embedded = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "same-origin"}
    origin = f"http://127.0.0.1:{server.port}"
    for referer, status in [(f"{origin}{LAB}", 200), (f"{origin}/user/bob/evil.html", 403)]:
        head = embedded | {"Referer": referer}
        assert alice.get(f"{PREFIX}files/a.txt", headers=head).status_code == status
    cross = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "cross-site"}
    assert alice.get(f"{PREFIX}files/a.txt", headers=cross).status_code == 403
    old_browser = {"Referer": "http://evil.example/"}
    assert alice.get(f"{PREFIX}files/a.txt", headers=old_browser).status_code == 403
    assert alice.get(f"{PREFIX}files/a.txt").status_code == 200


# -- tokens -------------------------------------------------------------------


def test_a_token_in_the_header_works_without_xsrf_and_without_a_cookie(
    browser: Browser, fake_hub: FakeHub
) -> None:
    fake_hub.add_token("service-token", "svc", ["access:servers"], kind="service")
    for head in (auth("service-token"), {"Authorization": "Bearer service-token"}):
        assert browser.get(STATUS, headers=head).status_code == 200
        assert browser.get(STATUS, headers=head | CORS).status_code == 200
    reply = browser.request(
        "POST", f"{PREFIX}api/contents", json={"type": "file"}, headers=auth("service-token")
    )
    assert reply.status_code == 201
    assert COOKIE not in browser.cookies()


def test_the_servers_own_token_reaches_the_server(browser: Browser) -> None:
    assert browser.get(STATUS, headers=auth(SERVER_TOKEN)).status_code == 200


def test_a_token_in_the_url_is_ignored_by_default(browser: Browser, fake_hub: FakeHub) -> None:
    fake_hub.add_token("url-token", "alice", ["access:servers"])
    assert browser.get(f"{STATUS}?token=url-token").status_code == 403
    page = browser.get(f"{LAB}?token=url-token")
    assert page.status_code == 302
    assert COOKIE not in browser.cookies()


@pytest.mark.parametrize(
    "head",
    [
        "token",
        "token unknown",
        f"token {'x' * 5000}",
        "token \u00fc",
        "Basic YWxpY2U6eA==",
        "token a b",
    ],
)
def test_unknown_and_odd_tokens_are_strangers(browser: Browser, head: str) -> None:
    headers = {"Authorization": head.encode("utf-8")}
    reply = httpx.get(browser.url(STATUS), headers=headers)
    assert reply.status_code == 403


@pytest.mark.parametrize("path", [LAB, STATUS])
def test_other_people_are_turned_away(browser: Browser, fake_hub: FakeHub, path: str) -> None:
    fake_hub.add_token("mallorys", "mallory", ["access:servers!user=mallory"])
    reply = browser.get(path, headers=auth("mallorys"))
    assert reply.status_code == 403
    if path == LAB:
        assert "mallory is not allowed" in reply.text


def test_a_stranger_with_a_login_here_gets_403_and_no_loop(browser: Browser) -> None:
    reply, trail = browser.sign_in("stranger").follow(LAB)
    assert reply.status_code == 403
    assert len(trail) == 4
    assert "stranger is not allowed" in reply.text
    assert browser.get(f"{PREFIX}logout").status_code == 302


def test_access_that_was_just_given_counts_soon(browser: Browser, fake_hub: FakeHub) -> None:
    fake_hub.add_token("newcomer", "nora", [])
    assert browser.get(STATUS, headers=auth("newcomer")).status_code == 403
    fake_hub.add_token("newcomer", "nora", ["access:servers!server=alice/"])

    def allowed() -> bool:
        return browser.get(STATUS, headers=auth("newcomer")).status_code == 200

    wait_until(allowed, 20, "access to count")


# -- signing out --------------------------------------------------------------


def test_logging_out_at_the_hub_ends_the_session_here_at_once(alice: Browser) -> None:
    assert alice.get(STATUS).status_code == 200
    alice.get("/hub/logout")
    assert alice.get(STATUS).status_code == 403
    page = alice.get(LAB)
    assert page.status_code == 302
    assert "/hub/api/oauth2/authorize" in page.headers["Location"]


def test_logging_out_here_clears_the_cookie_and_goes_to_the_hub(alice: Browser) -> None:
    reply = alice.get(f"{PREFIX}logout")
    assert (reply.status_code, reply.headers["Location"]) == (302, "/hub/logout")
    assert COOKIE not in alice.cookies()


def test_a_cookie_of_an_unknown_token_is_cleared(alice: Browser, fake_hub: FakeHub) -> None:
    fake_hub.log_out(alice.cookies()["jupyterhub-session-id"])
    alice.client.cookies.set("jupyterhub-session-id", "another", domain="127.0.0.1")
    assert COOKIE in alice.cookies()
    alice.get(LAB)
    assert COOKIE not in alice.cookies()


# -- WebSockets ---------------------------------------------------------------


def start_kernel(browser: Browser, token: str) -> str:
    body = {"name": "python3"}
    reply = browser.request("POST", f"{PREFIX}api/kernels", json=body, headers=auth(token))
    assert reply.status_code == 201
    ident: str = reply.json()["id"]
    return ident


def test_websockets_take_cookie_header_or_url_token_but_not_nothing(
    alice: Browser, fake_hub: FakeHub, server: ServerProcess
) -> None:
    fake_hub.add_token("ws-token", "alice", ["access:servers"])
    kernel = start_kernel(alice, "ws-token")
    path = f"{PREFIX}api/kernels/{kernel}/channels"
    url = f"ws://127.0.0.1:{server.port}{path}"
    jar = {"Cookie": "; ".join(f"{name}={value}" for name, value in alice.cookies().items())}
    origin = {"Origin": f"http://127.0.0.1:{server.port}"}
    for target, headers in [
        (url, auth("ws-token")),
        (f"{url}?token=ws-token", {}),
        (url, jar | origin | {"Sec-Fetch-Mode": "websocket"}),
    ]:
        with connect(target, additional_headers=headers):
            pass
    for headers in ({}, jar | {"Origin": "http://evil.example"}, auth("unknown")):
        with pytest.raises(InvalidStatus) as refused:
            connect(url, additional_headers=headers)
        assert refused.value.response.status_code == 403
    alice.request("DELETE", f"{PREFIX}api/kernels/{kernel}", headers=auth("ws-token"))


# -- what pages and the hub see -------------------------------------------------


def test_the_hubs_question_is_answered_without_login_and_names_the_version(
    browser: Browser,
) -> None:
    reply = browser.get(f"{PREFIX}api")
    assert reply.status_code == 200
    assert reply.headers["X-JupyterHub-Version"] == "6.1.1"


def test_pages_cannot_be_framed(alice: Browser) -> None:
    for path in (LAB, STATUS, f"{PREFIX}nothing-here"):
        policy = alice.get(path).headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy


def test_lab_learns_where_its_hub_is(alice: Browser) -> None:
    config = page_config(alice)
    expected = {
        "hubPrefix": "/hub/",
        "hubHost": "",
        "hubUser": "alice",
        "hubServerUser": "alice",
        "hubServerName": "",
        "shareUrl": "/hub/user-redirect",
    }
    assert {key: config[key] for key in expected} == expected


def test_the_token_in_a_page_is_the_visitors_and_never_the_servers(
    alice: Browser, fake_hub: FakeHub
) -> None:
    token = page_config(alice)["token"]
    assert token != SERVER_TOKEN
    assert fake_hub.models[str(token)]["name"] == "alice"
    fake_hub.add_token("guest", "gina", ["access:servers"])
    guest = Browser(HUB_PORT, SERVER_PORT)
    text = guest.get(LAB, headers=auth("guest")).text
    assert '"token": "guest"' in text
    assert str(token) not in text
    assert '"hubUser": "gina"' in text


def test_plain_pages_link_to_the_hub(alice: Browser) -> None:
    text = alice.get(f"{PREFIX}nothing-here").text
    assert 'href="/hub/home"' in text


def test_who_am_i_shows_the_name_and_nothing_of_the_hubs_model(alice: Browser) -> None:
    identity = alice.get(f"{PREFIX}api/me").json()["identity"]
    assert identity["username"] == "alice"
    assert "hub_user" not in identity
    head = {"X-XSRFToken": alice.cookies()["_xsrf"]}
    body = {"name": "Someone Else"}
    changed = alice.request("PATCH", f"{PREFIX}api/me", json=body, headers=head)
    assert changed.status_code in (400, 403)


def test_activity_is_reported_at_the_start_and_again_when_there_is_some(
    browser: Browser, fake_hub: FakeHub
) -> None:
    wait_until(lambda: fake_hub.activity, 10, "the first report")
    first = fake_hub.activity[-1]
    assert set(first) == {"servers", "last_activity"}
    assert first["servers"] == {"": {"last_activity": first["last_activity"]}}
    assert first["last_activity"].endswith("Z")
    head = auth(SERVER_TOKEN)
    assert browser.get(f"{PREFIX}api/contents", headers=head).status_code == 200
    wait_until(
        lambda: fake_hub.activity[-1]["last_activity"] > first["last_activity"], 10, "a newer one"
    )


def test_people_go_on_working_while_the_hub_restarts(alice: Browser, fake_hub: FakeHub) -> None:
    assert alice.get(STATUS).status_code == 200
    fake_hub.fail_with = 503
    try:
        assert alice.get(STATUS).status_code == 200
        reply = alice.get(STATUS, headers=auth("never-seen"))
        assert reply.status_code == 502
    finally:
        fake_hub.fail_with = 0


def test_the_log_at_debug_level_holds_no_secret(
    alice: Browser, server: ServerProcess, fake_hub: FakeHub
) -> None:
    secret = fake_hub.add_token("s3cr3t-in-url", "alice", [])
    alice.get(f"{STATUS}?token={secret}")
    alice.get(f"{PREFIX}nothing?token={secret}")
    alice.get(f"{PREFIX}oauth_callback?code=s3cr3t-code&state=s3cr3t-state&error=x")
    alice.get(f"{PREFIX}oauth_callback?code=s3cr3t-code")
    alice.get(f"{PREFIX}login?next={PREFIX}%3Ftoken%3Ds3cr3t-next")
    token = str(page_config(alice)["token"])
    cookies = [alice.cookies()[name] for name in (COOKIE, "_xsrf", "jupyterhub-session-id")]
    text = server.log()
    assert "oauth_callback" in text
    for word in ("s3cr3t", SERVER_TOKEN, token, *cookies):
        assert word not in text


def test_no_traceback_was_logged(alice: Browser, server: ServerProcess) -> None:
    alice.get(LAB)
    assert "Traceback" not in server.log()


# -- other orders ---------------------------------------------------------------


def read_until_closed(socket: ClientConnection) -> None:
    while True:
        socket.recv(timeout=20)


def run_briefly(directory: Path, port: int, env: dict[str, str]) -> ServerProcess:
    process = ServerProcess(port, HUB_PORT, directory, env).start()
    wait_until(process.is_up, 60, "the server to come up")
    return process


def test_orders_of_the_hub_are_followed_and_user_configuration_can_be_shut_out(
    tmp_path: Path, fake_hub: FakeHub
) -> None:
    home = tmp_path / "home"
    (home / ".jupyter").mkdir(parents=True)
    (home / "work").mkdir()
    (home / ".jupyter" / "jupyter_server_config.py").write_text("1 / 0\n")
    (home / "jupyterlab.py").write_text("raise RuntimeError('planted')\n")
    orders = {
        "JUPYTERHUB_DISABLE_USER_CONFIG": "1",
        "JUPYTERHUB_DEFAULT_URL": "/lab/tree/start.md",
        "JUPYTERHUB_ROOT_DIR": "~/work",
        "JUPYTERHUB_ALLOW_TOKEN_IN_URL": "1",
        "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": "1",
    }
    process = run_briefly(tmp_path, OTHER_PORT, orders)
    try:
        browser = Browser(HUB_PORT, OTHER_PORT)
        start = browser.get(PREFIX, headers=auth(SERVER_TOKEN))
        assert start.headers["Location"].startswith(f"{PREFIX}lab/tree/start.md")
        fake_hub.add_token("by-url", "alice", ["access:servers"])
        page = browser.get(f"{LAB}?token=by-url")
        assert page.status_code == 200
        cookie = next(c for c in page.headers.get_list("Set-Cookie") if c.startswith("__Host-"))
        assert "Path=/;" in cookie + ";"
        assert "Secure" in cookie
        assert str(home / "work") in page.text
        assert "ZeroDivisionError" not in process.log()
        assert "planted" not in process.log()
    finally:
        assert process.stop() == 0


def test_user_configuration_counts_but_not_against_the_hubs_orders(
    tmp_path: Path, fake_hub: FakeHub
) -> None:
    config = tmp_path / "home" / ".jupyter" / "jupyter_server_config.py"
    config.parent.mkdir(parents=True)
    config.write_text(
        "c.ServerApp.default_url = '/lab/tree/mine.md'\n"
        "c.ServerApp.port = 9\n"
        "c.ServerApp.base_url = '/elsewhere/'\n"
        "c.IdentityProvider.token = 'open-sesame'\n"
        "c.ServerApp.identity_provider_class = 'jupyter_server.auth.PasswordIdentityProvider'\n"
        "c.ServerApp.tornado_settings = {'headers': {'X-Mine': 'kept'}}\n"
    )
    process = run_briefly(tmp_path, OTHER_PORT, {"JUPYTERHUB_DEFAULT_URL": "/ordered"})
    try:
        browser = Browser(HUB_PORT, OTHER_PORT)
        assert browser.get(STATUS, headers=auth("open-sesame")).status_code == 403
        start = browser.get(PREFIX, headers=auth(SERVER_TOKEN))
        assert start.headers["Location"].startswith(f"{PREFIX}lab/tree/mine.md")
        reply = browser.get(f"{PREFIX}api")
        assert reply.headers["X-Mine"] == "kept"
        assert reply.headers["X-JupyterHub-Version"] == "6.1.1"
        assert "frame-ancestors 'none'" in reply.headers["Content-Security-Policy"]
    finally:
        process.stop()


def test_a_thread_of_an_extension_does_not_keep_a_stopped_server_alive(
    tmp_path: Path, fake_hub: FakeHub
) -> None:
    config = tmp_path / "home" / ".jupyter" / "jupyter_server_config.py"
    config.parent.mkdir(parents=True)
    config.write_text("import threading; threading.Thread(target=threading.Event().wait).start()\n")
    process = run_briefly(tmp_path, OTHER_PORT, {})
    assert process.stop() == 0


def test_a_socket_is_closed_with_a_reason_after_its_owner_signed_out(
    tmp_path: Path, fake_hub: FakeHub
) -> None:
    config = tmp_path / "home" / ".jupyter" / "jupyter_server_config.py"
    config.parent.mkdir(parents=True)
    config.write_text(
        "from perijove.hubauth.sockets import OpenSockets; OpenSockets.every_s = 0.2\n"
        "c.HubOAuth.cache_max_age = 0\n"
    )
    process = run_briefly(tmp_path, OTHER_PORT, {})
    try:
        browser = Browser(HUB_PORT, OTHER_PORT).sign_in("alice")
        browser.follow(LAB)
        kernel = start_kernel(browser, SERVER_TOKEN)
        jar = "; ".join(f"{name}={value}" for name, value in browser.cookies().items())
        url = f"ws://127.0.0.1:{OTHER_PORT}{PREFIX}api/kernels/{kernel}/channels"
        with connect(url, additional_headers={"Cookie": jar}) as socket:
            fake_hub.log_out(browser.cookies()["jupyterhub-session-id"])
            with pytest.raises(ConnectionClosed) as closed:
                read_until_closed(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert "signed out" in closed.value.rcvd.reason
    finally:
        process.stop()


def test_root_is_refused_unless_allowed(tmp_path: Path, fake_hub: FakeHub) -> None:
    if os.geteuid() != 0:
        pytest.skip("not running as root")
    process = ServerProcess(OTHER_PORT, HUB_PORT, tmp_path, arguments=()).start()
    try:
        assert process.process is not None
        assert process.process.wait(60) == 1
        assert "root" in process.log()
    finally:
        process.stop()


def test_a_server_whose_hub_is_never_there_ends_with_1(tmp_path: Path) -> None:
    process = ServerProcess(OTHER_PORT, NOBODYS_PORT, tmp_path, {})
    env = process.environment()
    code = (
        "import sys, perijove.singleuser.greeting as g\n"
        "g.greet.__defaults__ = (g.greet.__defaults__[0], (0.1, 0.1))\n"
        "from perijove.singleuser.app import main; sys.exit(main(['--allow-root']))\n"
    )
    assert greeting.WAITS_S == (2.0, 4.0, 8.0, 16.0)
    (tmp_path / "home").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        cwd=tmp_path / "home",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert f"The hub does not answer at http://127.0.0.1:{NOBODYS_PORT}/hub/api" in done.stderr
    assert "of no use without its hub" in done.stderr
