"""What every face promises, on real sockets: Starlette, FastAPI and Flask alike."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from fake_hub import Browser, FakeHub
from hubauth_faces import BASE, FACES, SCOPE, STAFF, gate_for

from free_ports import free_ports

HUB_PORT, OTHER_PORT = free_ports(2)
Serve = Callable[..., Browser]


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    fake = FakeHub(HUB_PORT, client_id="service-svc").start()
    fake.issue_token = lambda code: fake.add_token(  # type: ignore[method-assign]
        f"oauth-{code['name']}", code["name"], [SCOPE], code["session"]
    )
    yield fake
    fake.stop()


@pytest.fixture(params=sorted(FACES))
def serve(request: pytest.FixtureRequest, hub: FakeHub) -> Iterator[Serve]:
    """``serve(...)``: the service on a port, and a browser for it."""
    make, run = FACES[request.param]
    running = []

    def start(**options: object) -> Browser:
        changes = options.pop("settings", {})
        (port,) = free_ports(1)
        context = run(make(gate_for(HUB_PORT, **changes), **options), port)  # type: ignore[arg-type]
        context.__enter__()
        running.append(context)
        return Browser(HUB_PORT, port)

    yield start
    for context in running:
        context.__exit__(None, None, None)


@pytest.fixture
def browser(serve: Serve) -> Browser:
    return serve()


def token_head(token: str) -> dict[str, str]:
    return {"Authorization": f"token {token}"}


def test_a_browser_goes_to_the_hub_and_comes_back_to_the_page_it_asked_for(
    browser: Browser,
) -> None:
    browser.sign_in("bob")
    reply, trail = browser.follow(f"{BASE}whoever?x=%2F1")
    assert reply.json() == "bob"
    paths = [urlsplit(path).path for path in trail]
    assert paths == [
        f"{BASE}whoever",
        "/hub/api/oauth2/authorize",
        f"{BASE}oauth_callback",
        f"{BASE}whoever",
    ]
    assert trail[-1] == f"{BASE}whoever?x=%2F1"
    assert "service-svc" in browser.cookies()
    assert not browser.cookies("service-svc-oauth-state")


def test_cookies_stay_below_the_prefix_and_away_from_scripts(browser: Browser) -> None:
    browser.sign_in("bob")
    browser.follow(BASE)
    jar = {cookie.name: cookie for cookie in browser.client.cookies.jar}
    login, proof = jar["service-svc"], jar["_xsrf"]
    assert login.path == proof.path == BASE
    assert login.has_nonstandard_attr("HttpOnly")
    assert not proof.has_nonstandard_attr("HttpOnly")
    assert "oauth-bob" not in (login.value or "")


def test_no_page_of_a_neighbour_gets_hold_of_an_answer(browser: Browser) -> None:
    """In a frame or a window it could read the page, and the token that the page's scripts read."""
    browser.sign_in("bob")
    for path in ("", "none", "open", "oauth_callback", "logout", ""):
        headers = browser.get(f"{BASE}{path}").headers
        assert headers["content-security-policy"] == "frame-ancestors 'none'"
        assert headers["cross-origin-opener-policy"] == "noopener-allow-popups"
        if not path:
            browser.follow(BASE)


def test_a_form_needs_its_proof_in_whatever_way_it_is_sent(browser: Browser) -> None:
    browser.sign_in("bob")
    token = browser.follow(BASE)[0].json()["xsrf"]
    assert token == browser.cookies()["_xsrf"]
    url = f"{BASE}post"
    file = {"file": ("big.bin", b"x" * 3_000_000)}
    accepted = [
        browser.request("POST", url, data={"a": "1", "_xsrf": token}),
        browser.request("POST", url, data={"a": "1"}, headers={"X-XSRFToken": token}),
        browser.request("POST", url, data={"_xsrf": token}, files=file),
    ]
    assert [reply.status_code for reply in accepted] == [200, 200, 200]
    assert accepted[0].json() == {"posted": "bob", "form": {"a": "1", "_xsrf": token}}
    assert accepted[2].json()["form"]["file"] == 3_000_000
    wrong = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
    refused = [
        browser.request("POST", url, data={"a": "1"}),
        browser.request("POST", url, data={"_xsrf": wrong}),
        browser.request("POST", url, json={"_xsrf": token}),
        browser.request("POST", url, files={"_xsrf": ("name", token)}),
        browser.request("POST", url, headers={"X-XSRFToken": wrong}),
    ]
    assert [reply.status_code for reply in refused] == [403] * 5


def test_another_persons_proof_is_none(serve: Serve) -> None:
    alice, mallory = serve().sign_in("bob"), serve().sign_in("mallory")
    alice.follow(BASE)
    token = mallory.follow(BASE)[0].json()["xsrf"]
    planted = {"_xsrf": token, **alice.cookies("service-svc"), **alice.cookies("jupyterhub")}
    cookie = "; ".join(f"{name}={value}" for name, value in planted.items())
    head = {"Cookie": cookie, "X-XSRFToken": token}
    alice.client.cookies.clear()
    assert alice.request("POST", f"{BASE}post", headers=head).status_code == 403


def test_a_token_needs_no_proof_and_sets_no_cookie(browser: Browser, hub: FakeHub) -> None:
    hub.add_token("t1", "carol", [SCOPE])
    reply = browser.request("POST", f"{BASE}post", data={"a": "1"}, headers=token_head("t1"))
    assert reply.json()["posted"] == "carol"
    assert not browser.cookies()


def test_a_token_in_the_url_counts_only_when_allowed(serve: Serve, hub: FakeHub) -> None:
    hub.add_token("t2", "erin", [SCOPE])
    assert serve().get(f"{BASE}?token=t2").status_code == 302
    allowed = serve(settings={"allow_token_in_url": True})
    assert allowed.get(f"{BASE}?token=t2").json()["name"] == "erin"


def test_whom_the_hub_knows_but_does_not_admit_is_refused_and_not_sent_round(
    browser: Browser, hub: FakeHub
) -> None:
    hub.add_token("t3", "mallory", ["access:services!service=other"])
    reply = browser.get(BASE, headers=token_head("t3"))
    assert reply.status_code == 403
    assert "mallory" in reply.text
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "application/json"},
        {"X-Requested-With": "XMLHttpRequest"},
        {"Sec-Fetch-Mode": "cors"},
    ],
)
def test_scripts_are_not_sent_to_sign_in(browser: Browser, headers: dict[str, str]) -> None:
    reply = browser.get(BASE, headers=headers)
    assert reply.status_code == 403
    assert "set-cookie" not in reply.headers


def test_a_script_of_another_page_gets_nothing_with_the_cookie(browser: Browser) -> None:
    browser.sign_in("bob")
    browser.follow(BASE)
    reading = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    assert browser.get(BASE, headers=reading).status_code == 403
    reading["X-XSRFToken"] = browser.cookies()["_xsrf"]
    assert browser.get(BASE, headers=reading).json()["name"] == "bob"


def test_public_pages_are_open_and_know_who_is_signed_in(browser: Browser) -> None:
    assert browser.get(f"{BASE}open").json() is None
    browser.sign_in("bob")
    browser.follow(BASE)
    assert browser.get(f"{BASE}open").json() == "bob"


def test_strangers_may_be_let_through_and_pages_decide(serve: Serve) -> None:
    browser = serve(allow_anonymous=True)
    assert browser.get(f"{BASE}whoever").json() is None
    assert browser.get(BASE).status_code == 302
    assert browser.request("POST", f"{BASE}post", data={"a": "1"}).status_code == 403
    browser.sign_in("bob")
    assert browser.follow(BASE)[0].json()["name"] == "bob"


def test_a_page_may_ask_for_a_further_scope(browser: Browser, hub: FakeHub) -> None:
    hub.add_token("t4", "dora", [SCOPE])
    hub.add_token("t5", "grace", [SCOPE, STAFF])
    refused = browser.get(f"{BASE}staff", headers=token_head("t4"))
    assert (refused.status_code, "dora" in refused.text) == (403, True)
    assert browser.get(f"{BASE}staff", headers=token_head("t5")).json() == "grace"


def test_signing_out_here_leads_to_the_hub_and_ends_the_session(browser: Browser) -> None:
    browser.sign_in("bob")
    browser.follow(BASE)
    _, trail = browser.follow(f"{BASE}logout")
    assert trail[1] == "/hub/logout"
    assert "service-svc" not in browser.cookies()
    _, trail = browser.follow(BASE)
    assert trail[-1].startswith("/hub/login")


def test_a_session_that_ended_at_the_hub_is_over_at_once_and_its_cookie_is_dropped(
    browser: Browser,
) -> None:
    browser.sign_in("bob")
    browser.follow(BASE)
    assert browser.get("/hub/logout").status_code == 302
    assert browser.get(f"{BASE}open").json() is None
    assert "service-svc" not in browser.cookies()


def test_copied_cookies_are_dead_as_soon_as_a_page_of_the_ended_session_asks_again(
    browser: Browser, hub: FakeHub
) -> None:
    browser.sign_in("bob")
    browser.follow(BASE)
    copied = dict(browser.cookies())
    script = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Accept": "*/*"}
    proof = {"X-XSRFToken": copied["_xsrf"]}
    assert browser.get(BASE, headers=script | proof).status_code == 200
    hub.log_out(copied["jupyterhub-session-id"])
    browser.client.cookies.delete("jupyterhub-session-id")
    assert browser.get(BASE, headers=script | proof).status_code == 403
    jar = "; ".join(f"{name}={value}" for name, value in copied.items())
    browser.client.cookies.clear()
    assert browser.get(BASE, headers=script | proof | {"Cookie": jar}).status_code == 403


def test_a_revoked_token_is_refused_once_the_answer_is_too_old(serve: Serve, hub: FakeHub) -> None:
    lasting, brief = serve(), serve(cache_max_age_s=0.0)
    hub.add_token("t6", "frank", [SCOPE])
    head = token_head("t6")
    assert [b.get(BASE, headers=head).status_code for b in (lasting, brief)] == [200, 200]
    del hub.models["t6"]
    api = head | {"Accept": "application/json"}
    assert [b.get(BASE, headers=api).status_code for b in (lasting, brief)] == [200, 403]


def test_the_hub_is_asked_once_for_many_requests(browser: Browser, hub: FakeHub) -> None:
    hub.add_token("t7", "gina", [SCOPE])
    for _ in range(5):
        assert browser.get(BASE, headers=token_head("t7")).status_code == 200
    assert hub.calls["GET /hub/api/user"] == 1


def test_a_failing_hub_is_an_error_and_never_a_stranger_or_a_user(
    browser: Browser, hub: FakeHub
) -> None:
    hub.fail_with = 503
    assert browser.get(BASE, headers=token_head("t8")).status_code == 502


def test_many_rounds_in_one_browser_leave_few_cookies_and_two_tabs_both_arrive(
    browser: Browser,
) -> None:
    for _ in range(20):
        assert browser.get(BASE).status_code == 302
    assert len(browser.cookies("service-svc-oauth-state")) <= 8
    browser.sign_in("bob")
    first = browser.get(f"{BASE}whoever?tab=1").headers["Location"]
    second = browser.get(f"{BASE}whoever?tab=2").headers["Location"]
    arrived = [browser.follow(url)[1][-1] for url in (first, second)]
    assert arrived == [f"{BASE}whoever?tab=1", f"{BASE}whoever?tab=2"]


def test_a_callback_of_somebody_else_signs_nobody_in(browser: Browser, hub: FakeHub) -> None:
    browser.sign_in("mallory")
    _, trail = browser.get(BASE), []
    url = browser.get(BASE).headers["Location"]
    callback = browser.get(url).headers["Location"]
    victim = Browser(HUB_PORT, browser.ports[False])
    reply = victim.get(callback)
    assert reply.status_code == 302, trail
    assert reply.headers["Location"].startswith("/hub/api/oauth2/authorize")
    assert "service-svc" not in victim.cookies()


def test_a_browser_that_keeps_no_cookies_is_told_so_and_not_sent_round(browser: Browser) -> None:
    browser.sign_in("bob")
    hub_cookies = {"Cookie": "; ".join(f"{k}={v}" for k, v in browser.cookies().items())}
    browser.client.cookies.clear()
    url = BASE
    for _ in range(8):
        reply = browser.get(url, headers=hub_cookies)
        browser.client.cookies.clear()
        if reply.status_code != 302:
            break
        url = reply.headers["Location"]
    assert reply.status_code == 403
    assert "cookie" in reply.text


@pytest.mark.parametrize("query", ["", "?code=x", "?state=x", "?error=access_denied&state=x"])
def test_a_callback_without_all_it_needs_is_refused(browser: Browser, query: str) -> None:
    assert browser.get(f"{BASE}oauth_callback{query}").status_code == 400


def test_cookies_are_secure_behind_a_proxy_that_ends_tls(browser: Browser) -> None:
    reply = browser.get(BASE, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in reply.headers["set-cookie"]
    assert "Secure" not in browser.get(BASE).headers["set-cookie"]


def test_host_locked_cookies_have_the_prefix_the_root_path_and_no_domain(serve: Serve) -> None:
    locked = {"cookie_host_prefix_enabled": True, "cookie_options": {"domain": "example.org"}}
    header = serve(settings=locked).get(BASE).headers["set-cookie"]
    assert header.startswith("__Host-service-svc-oauth-state-")
    assert "Path=/;" in header
    assert "Secure" in header
    assert "Domain" not in header
