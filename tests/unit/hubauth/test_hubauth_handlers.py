"""A tornado service that lets a hub identify its visitors, over real sockets."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fake_hub import SERVER_TOKEN, Browser, FakeHub
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler, authenticated
from tornado.websocket import WebSocketHandler, websocket_connect

from free_ports import free_ports
from perijove.hubauth.configurable import HubAuth
from perijove.hubauth.handlers import (
    HubAuthenticated,
    HubOAuthCallbackHandler,
    HubOAuthenticated,
    UserNotAllowed,
)
from perijove.hubauth.hub_oauth import HubOAuth
from perijove.hubauth.oauth import challenge_of

HUB_PORT, SERVICE_PORT = free_ports(2)
SCOPES = {"access:services!service=svc"}
BASE = "/services/svc/"


class Page(HubOAuthenticated, RequestHandler):
    """Shows who is there, takes posts."""

    @authenticated
    def get(self) -> None:
        self.write({"name": self.current_user["name"], "xsrf": self.xsrf_token.decode()})

    @authenticated
    def post(self) -> None:
        self.write({"posted": self.current_user["name"]})


class Api(HubAuthenticated, RequestHandler):
    """Tokens only, without OAuth."""

    @authenticated
    def get(self) -> None:
        self.write({"name": self.current_user["name"]})


class Live(HubOAuthenticated, WebSocketHandler):
    """Says who is there, and what it hears."""

    @authenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        await super().get(*args, **kwargs)

    def open(self) -> None:
        self.write_message(self.current_user["name"])

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)


class Careless(Page):
    """A subclass as they are found: its own prepare, which does not await the mixin's."""

    def prepare(self) -> None:  # type: ignore[override]
        super().prepare()


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    fake = FakeHub(HUB_PORT, client_id="service-svc").start()
    fake.issue_token = lambda code: fake.add_token(  # type: ignore[method-assign]
        f"oauth-{code['name']}", code["name"], list(SCOPES), code["session"]
    )
    yield fake
    fake.stop()


@pytest.fixture
async def service(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HubOAuth]:
    for name in [name for name in os.environ if name.startswith("JUPYTERHUB_")]:
        monkeypatch.delenv(name)
    options = {
        "api_url": f"http://127.0.0.1:{HUB_PORT}/hub/api",
        "api_token": SERVER_TOKEN,
        "base_url": BASE,
        "access_scopes": SCOPES,
    }
    HubAuth.clear_instance()
    auth = HubOAuth(oauth_client_id="service-svc", **options)
    auth.oauth_redirect_uri = f"{BASE}oauth_callback"
    Page._hub_auth = Live._hub_auth = HubOAuthCallbackHandler._hub_auth = auth
    Api._hub_auth = HubAuth(**options)
    app = Application(
        [
            (BASE, Page),
            (f"{BASE}api", Api),
            (f"{BASE}careless", Careless),
            (f"{BASE}live", Live),
            (f"{BASE}oauth_callback", HubOAuthCallbackHandler),
        ],
        cookie_secret="c" * 32,
        xsrf_cookies=True,
        log_function=lambda handler: None,
    )
    server = HTTPServer(app)
    server.listen(SERVICE_PORT, "127.0.0.1")
    yield auth
    server.stop()
    await server.close_all_connections()
    Page._hub_auth = HubOAuthCallbackHandler._hub_auth = Api._hub_auth = Live._hub_auth = None
    await auth.sockets.stop()


@pytest.fixture
def browser(service: HubOAuth) -> Browser:
    return Browser(HUB_PORT, SERVICE_PORT)


async def test_a_browser_is_sent_to_the_hub_and_comes_back_signed_in(browser: Browser) -> None:
    browser.sign_in("bob")
    reply, trail = await asyncio.to_thread(browser.follow, BASE)
    assert reply.status_code == 200
    assert reply.json()["name"] == "bob"
    assert [urlsplit(path).path for path in trail] == [
        BASE,
        "/hub/api/oauth2/authorize",
        f"{BASE}oauth_callback",
        BASE,
    ]
    assert "service-svc" in browser.cookies()
    assert not browser.cookies("service-svc-oauth-state")


async def test_no_page_of_a_neighbour_gets_hold_of_an_answer(browser: Browser) -> None:
    await asyncio.to_thread(browser.sign_in, "bob")
    for path in ("", "api", ""):
        headers = (await asyncio.to_thread(browser.get, f"{BASE}{path}")).headers
        assert headers["content-security-policy"] == "frame-ancestors 'none'"
        assert headers["cross-origin-opener-policy"] == "noopener-allow-popups"
        await asyncio.to_thread(browser.follow, BASE)


async def test_posting_with_a_cookie_needs_the_xsrf_token(browser: Browser) -> None:
    browser.sign_in("bob")
    page, _ = await asyncio.to_thread(browser.follow, BASE)
    refused = await asyncio.to_thread(browser.request, "POST", BASE)
    assert refused.status_code == 403
    token = page.json()["xsrf"]
    assert token == browser.cookies()["_xsrf"]
    header = {"X-XSRFToken": token}
    posted = await asyncio.to_thread(browser.request, "POST", BASE, headers=header)
    assert posted.json() == {"posted": "bob"}
    form = {"_xsrf": token}
    assert (await asyncio.to_thread(browser.request, "POST", BASE, data=form)).status_code == 200


async def test_a_token_needs_no_xsrf_token_and_sets_no_cookie(
    browser: Browser, hub: FakeHub
) -> None:
    hub.add_token("t1", "carol", list(SCOPES))
    head = {"Authorization": "token t1"}
    reply = await asyncio.to_thread(browser.request, "POST", BASE, headers=head)
    assert reply.json() == {"posted": "carol"}
    assert "service-svc" not in browser.cookies()


async def test_a_bad_token_does_not_excuse_a_cookie_from_its_proof(browser: Browser) -> None:
    browser.sign_in("bob")
    await asyncio.to_thread(browser.follow, BASE)
    head = {"Authorization": "token wrong"}
    reply = await asyncio.to_thread(browser.request, "POST", BASE, headers=head)
    assert reply.status_code == 403


async def test_somebody_without_the_scope_is_refused_and_not_sent_round_and_round(
    browser: Browser, hub: FakeHub
) -> None:
    hub.add_token("t2", "mallory", ["access:services!service=other"])
    head = {"Authorization": "token t2"}
    reply = await asyncio.to_thread(browser.get, BASE, headers=head)
    assert reply.status_code == 403
    assert (await asyncio.to_thread(browser.get, f"{BASE}api", headers=head)).status_code == 403


async def test_without_oauth_strangers_get_403(browser: Browser) -> None:
    assert (await asyncio.to_thread(browser.get, f"{BASE}api")).status_code == 403


async def test_a_handler_that_does_not_await_prepare_still_knows_its_visitor(
    browser: Browser, hub: FakeHub
) -> None:
    hub.add_token("t3", "dora", list(SCOPES))
    head = {"Authorization": "bearer t3"}
    reply = await asyncio.to_thread(browser.get, f"{BASE}careless", headers=head)
    assert reply.json()["name"] == "dora"


async def test_a_token_in_the_url_counts_only_when_allowed(
    browser: Browser, hub: FakeHub, service: HubOAuth
) -> None:
    hub.add_token("t4", "erin", list(SCOPES))
    refused = await asyncio.to_thread(browser.get, f"{BASE}?token=t4")
    assert refused.status_code == 302
    assert "service-svc" not in browser.cookies()
    service.allow_token_in_url = True
    assert (await asyncio.to_thread(browser.get, f"{BASE}?token=t4")).status_code == 200
    assert "service-svc" in browser.cookies()


async def test_a_failing_hub_is_an_error_and_never_a_stranger_or_a_user(
    browser: Browser, hub: FakeHub
) -> None:
    head = {"Authorization": "token t5"}
    hub.fail_with = 503
    for path in (BASE, f"{BASE}careless"):
        assert (await asyncio.to_thread(browser.get, path, headers=head)).status_code == 502


async def test_many_rounds_in_one_browser_leave_few_cookies(browser: Browser) -> None:
    for _ in range(40):
        assert (await asyncio.to_thread(browser.get, BASE)).status_code == 302
    assert len(browser.cookies("service-svc-oauth-state")) <= 8


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "application/json"},
        {"X-Requested-With": "XMLHttpRequest"},
        {"Sec-Fetch-Mode": "cors"},
        {"Upgrade": "websocket"},
    ],
)
async def test_background_requests_get_403_and_no_state_cookie(
    browser: Browser, headers: dict[str, str]
) -> None:
    reply = await asyncio.to_thread(browser.get, BASE, headers=headers)
    assert reply.status_code == 403
    assert "set-cookie" not in reply.headers


async def test_the_blocking_methods_ask_and_cache_as_the_others_do(
    service: HubOAuth, hub: FakeHub
) -> None:
    hub.add_token("t6", "frank", list(SCOPES))
    for _ in range(2):
        model = await asyncio.to_thread(service.user_for_token, "t6")
        assert model is not None
    later = service.user_for_token("t6", sync=False)
    assert later is not None
    assert (await later)["name"] == "frank"  # type: ignore[misc,index]
    assert hub.calls["GET /hub/api/user"] == 1
    await asyncio.to_thread(service.user_for_token, "t6", False)
    assert hub.calls["GET /hub/api/user"] == 2
    assert await asyncio.to_thread(service.user_for_token, "unknown") is None


async def test_programs_may_walk_the_rounds_themselves(service: HubOAuth) -> None:
    state = service.generate_state(next_url=f"{BASE}deep?x=1")
    assert service.get_next_url(state) == f"{BASE}deep?x=1"
    assert service.get_state_cookie_name(state) == "service-svc-oauth-state"
    assert service.get_next_url("unknown") == BASE
    query = parse_qs(urlsplit(service.login_url).query)
    assert query["client_id"] == ["service-svc"]


async def test_old_rules_decide_only_when_there_are_no_scopes(service: HubOAuth) -> None:
    class Old(HubAuthenticated, RequestHandler):
        hub_users = {"grace"}
        hub_groups = {"staff"}
        hub_services = {"bot"}
        allow_admin = True

    handler = Old.__new__(Old)
    handler._hub_auth = service
    assert handler.check_hub_user({"name": "grace", "scopes": []}) is None
    service.access_scopes = set()

    def allowed(**model: object) -> bool:
        return handler.check_hub_user({"kind": "user", **model}) is not None

    assert allowed(name="grace")
    assert allowed(name="h", groups=["staff"])
    assert allowed(name="i", admin=True)
    assert allowed(name="bot", kind="service")
    assert not allowed(name="j", groups=["other"], admin=False)
    assert not allowed(name="grace", kind="service")


async def test_a_subclass_may_refuse_by_raising_as_services_do(
    browser: Browser, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handler: Page, model: dict[str, object]) -> None:
        raise UserNotAllowed(model)

    monkeypatch.setattr(Page, "check_hub_user", refuse)
    hub.add_token("t7", "heidi", list(SCOPES))
    reply = await asyncio.to_thread(browser.get, BASE, headers={"Authorization": "token t7"})
    assert reply.status_code == 403


async def test_everybody_enters_only_where_no_rule_of_any_kind_is_set(service: HubOAuth) -> None:
    handler = Page.__new__(Page)
    assert not handler.allow_all
    service.access_scopes = set()
    assert handler.hub_scopes is None
    assert handler.allow_all
    handler.hub_users = set()
    assert not handler.allow_all


async def test_a_round_may_carry_a_verifier(service: HubOAuth) -> None:
    verifier, challenge, method = service.generate_pkce_code_challenge()
    assert (challenge_of(verifier), method) == (challenge, "S256")
    with pytest.raises(ValueError, match="plain"):
        service.generate_pkce_code_challenge("plain")
    state = service.generate_state(f"{BASE}x", code_verifier=verifier)
    assert service.get_code_verifier(state) == verifier
    service.clear_oauth_state(state)
    known = service.states.get(state)
    assert known is not None
    assert not known.fresh


async def test_names_of_older_versions_still_work_or_say_what_to_use(service: HubOAuth) -> None:
    with pytest.warns(DeprecationWarning, match="cache_max_age"):
        service.cookie_cache_max_age = 7
    assert service.cache_max_age == service.identities.max_age_s == 7
    with pytest.warns(DeprecationWarning, match="access_scopes"):
        assert service.oauth_scopes == SCOPES
    with pytest.raises(RuntimeError, match="HubOAuth"):
        service.user_for_cookie("x")
    assert service.check_scopes("access:services!service=svc", {"scopes": list(SCOPES)}) == SCOPES
    service.identities.remember("t", "", {"name": "x"})
    service.cache.clear()
    assert len(service.cache) == 0


async def open_socket(token: str) -> Any:
    url = f"ws://127.0.0.1:{SERVICE_PORT}{BASE}live"
    request = HTTPRequest(url, headers={"Authorization": f"token {token}"})
    socket = await websocket_connect(request)
    assert await socket.read_message() == "bob"
    return socket


async def test_a_socket_of_a_stranger_or_without_the_scope_does_not_open(
    service: HubOAuth, hub: FakeHub
) -> None:
    hub.add_token("no-scope", "eve", [])
    for token in ("unknown", "no-scope"):
        with pytest.raises(HTTPClientError) as refused:
            await open_socket(token)
        assert refused.value.code == 403


@pytest.mark.parametrize("end", ["token", "scope"])
async def test_an_open_socket_is_closed_when_its_visitor_may_no_longer_be_here(
    service: HubOAuth, hub: FakeHub, end: str
) -> None:
    service.cache_max_age, service.sockets.every_s = 0, 0.05
    hub.add_token("t", "bob", list(SCOPES))
    hub.add_token("u", "bob", list(SCOPES))
    socket, other = await open_socket("t"), await open_socket("u")
    assert len(service.sockets) == 2
    if end == "token":
        del hub.models["t"]
    else:
        hub.models["t"]["scopes"] = []
    assert await asyncio.wait_for(socket.read_message(), 20) is None
    assert socket.close_code == 1008
    assert "signed out or no longer allowed" in socket.close_reason
    other.write_message("still here")
    assert await asyncio.wait_for(other.read_message(), 20) == "still here"
    other.close()


async def test_a_closed_socket_is_not_kept_in_memory(service: HubOAuth, hub: FakeHub) -> None:
    hub.add_token("t", "bob", list(SCOPES))
    socket = await open_socket("t")
    socket.close()
    async with asyncio.timeout(20):
        while len(service.sockets):
            gc.collect()
            await asyncio.sleep(0.05)


async def test_copied_cookies_are_dead_as_soon_as_a_page_of_the_ended_session_asks_again(
    browser: Browser, hub: FakeHub
) -> None:
    def steal() -> list[int]:
        browser.sign_in("bob")
        browser.follow(BASE)
        copied = dict(browser.cookies())
        head = {"Sec-Fetch-Mode": "cors", "X-XSRFToken": copied["_xsrf"]}
        seen = [browser.get(BASE, headers=head).status_code]
        hub.log_out(copied["jupyterhub-session-id"])
        browser.client.cookies.delete("jupyterhub-session-id")
        seen.append(browser.get(BASE, headers=head).status_code)
        jar = "; ".join(f"{name}={value}" for name, value in copied.items())
        browser.client.cookies.clear()
        return [*seen, browser.get(BASE, headers=head | {"Cookie": jar}).status_code]

    assert await asyncio.to_thread(steal) == [200, 403, 403]
