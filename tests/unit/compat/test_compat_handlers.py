"""Plug-ins' tornado handlers over the hub's real rooms, in one process."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jinja2 import ChoiceLoader, DictLoader
from starlette.requests import Request
from tornado.web import HTTPError, RequestHandler, authenticated

from perijove.building.hub import Built, build
from perijove.compat import api
from perijove.compat.api import APIHandler, needs_scope
from perijove.compat.base import BaseHandler
from perijove.compat.login import LoginHandler, LogoutHandler
from perijove.compat.progress import SpawnProgressAPIHandler
from perijove.compat.services import KEY
from perijove.config.load import load_hub
from perijove.config.settings import build_settings
from perijove.domain.errors import Conflict
from perijove.plugins.authenticator import Authenticator

TOKEN = "token-of-the-service"
HUB = "http://hub.test"


class Ticket(BaseHandler):
    async def get(self) -> None:
        user = await self.login_user({"username": self.get_argument("who"), "password": "ticket"})
        if user is None:
            self.set_status(403)
            self.finish("no")
        else:
            self.redirect(self.get_next_url(user))


class Plain(BaseHandler):
    """Signs in without waiting for anything, as older plug-ins do."""

    def get(self) -> None:
        user = self.user_from_username(self.get_argument("who"))
        self.set_login_cookie(user)
        self.redirect(self.get_next_url(user))


class Who(BaseHandler):
    def get(self) -> None:
        user = self.current_user
        self.write({"name": user and user.name, "groups": user and [g.name for g in user.groups]})

    def post(self) -> None:
        self.write(self.get_argument("x"))


class Page(BaseHandler):
    async def get(self) -> None:
        env = self.settings["jinja2_env"]
        own = {
            "own.html": '{% extends "page.html" %}{% block main %}<p id="x">{{ word }} '
            "{{ user.name }} {{ base_url }}</p>{% endblock %}"
        }
        if not isinstance(env.loader, ChoiceLoader) or len(env.loader.loaders) != 2:
            env.loader = ChoiceLoader([env.loader, DictLoader(own)])
        if self.get_argument("sync", None):
            self.finish(self.render_template("own.html", sync=True, word="now"))
        else:
            self.finish(await self.render_template("own.html", word="later"))


class Fail(BaseHandler):
    def get(self) -> None:
        kind = self.get_argument("kind")
        if kind == "web":
            raise HTTPError(418, "short and %s", "stout")
        if kind == "hub":
            raise Conflict("not now")
        if kind == "words":
            error = HTTPError(403)
            error.jupyterhub_message = "Ask <Ada>"
            raise error
        raise RuntimeError("secret detail")


class Members(BaseHandler):
    @authenticated
    def get(self) -> None:
        self.write("members")


class Values(BaseHandler):
    """What plug-ins read of a handler."""

    def get(self) -> None:
        self._set_cookie("signed", "value")
        self._set_cookie("open", "value", encrypted=False, path="/hub/x")
        self.write(
            {
                "base_url": self.base_url,
                "hub": self.hub.server.base_url,
                "authenticator": self.authenticator.login_url(self.hub.base_url),
                "settings": self.settings is self._hub_services.context.settings,
                "next": self.append_query_parameters("/a?b=1#c"),
                "users": [self.users.get("nobody"), "nobody" in self.users],
                "app": self.app is self.settings["app"],
            }
        )


class Ways(BaseHandler):
    """Asks in the ways of older plug-ins who calls."""

    async def get(self) -> None:
        by_cookie, by_token = self.get_current_user_cookie(), self.get_current_user_token()
        fresh = by_cookie and await self.refresh_auth(by_cookie, force=True)
        self.write(
            {
                "cookie": by_cookie and by_cookie.name,
                "token": by_token and by_token.name,
                "fresh": fresh and fresh.name,
            }
        )


class Notices(SpawnProgressAPIHandler):
    """Events of a plug-in's own, with signs of life beside them."""

    keepalive_interval = 0.001
    signs = 0

    def write(self, chunk: Any) -> None:
        self.signs += chunk == "\n\n"
        if self.signs == 3:
            self.thrice.set()
        super().write(chunk)

    async def get(self) -> None:  # type: ignore[override]
        self.thrice = asyncio.Event()
        Notices.beside = asyncio.ensure_future(self.keepalive())
        await asyncio.wait_for(self.thrice.wait(), 5)
        assert not Notices.beside.done()
        await self.send_event({"n": 1})

    beside: asyncio.Future[None]


class ApiProbe(APIHandler):
    @needs_scope("read:users")
    def get(self, user_name: str) -> None:
        self.write({"caller": self.current_user.name, "about": user_name})

    @needs_scope("admin:users")
    async def post(self, user_name: str) -> None:
        self.write({"body": self.get_json_body(), "token": self.get_auth_token() == TOKEN})


class Rich(Authenticator):
    async def authenticate(self, handler: Any, data: Any) -> Any:
        assert isinstance(handler, RequestHandler)
        if data["password"] == "locked":
            raise HTTPError(409, "The account is <locked>")
        if data["password"] not in {"pass", "ticket"}:
            return None
        return {"name": data["username"], "groups": ["all"], "user_info": {"via": "rich"}}

    def get_handlers(self, app: Any) -> list[Any]:
        return [
            *super().get_handlers(app),
            ("/ticket", Ticket),
            ("/plain", Plain),
            ("/who", Who),
            ("/ways", Ways),
            ("/notices", Notices),
            ("/page", Page),
            ("/fail", Fail),
            ("/members", Members),
            (r"/values", Values),
            (r"/own-login", OwnLogin),
            (r"/own-logout", OwnLogout),
        ]


class OwnLogin(LoginHandler):
    """A plug-in's own form."""

    def _render(self, login_error: Any = None, username: Any = None) -> str:  # type: ignore[override]
        return f"own form: {login_error} {username}"


class OwnLogout(LogoutHandler):
    async def handle_logout(self) -> None:
        self.set_header("X-Own", "yes")


CONFIG = f"""
c.JupyterHub.authenticator_class = Rich
c.Authenticator.allow_all = True
c.Authenticator.manage_groups = True
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.redirect_to_server = False
c.JupyterHub.allow_named_servers = True
c.JupyterHub.extra_handlers = [("/by-name", "{__name__}.Who")]
c.Spawner.options_form = "<input name='size'>"
c.JupyterHub.services = [{{"name": "probe", "api_token": "{TOKEN}"}}]
c.JupyterHub.load_roles = [
    {{"name": "probe", "scopes": ["admin:users"], "services": ["probe"]}},
]
"""


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Built]:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config.py"
    config.write_text(
        f"import sys\nRich = sys.modules[{__name__!r}].Rich\nc = get_config()\n{CONFIG}"
    )
    monkeypatch.setattr(api, "default_handlers", [(r"/api/probe/(?P<user_name>[^/]+)", ApiProbe)])
    loaded = load_hub(["-f", str(config)])

    async def shutdown(proxy: bool | None, servers: bool | None) -> None:
        raise AssertionError("nobody asked for the end")

    built = build(
        loaded,
        build_settings(loaded.hub),
        on_lease_lost=lambda: None,
        on_failure_limit=lambda count: None,
        shutdown=shutdown,
    )
    services = built.application.guests[0]._application.settings[KEY]  # type: ignore[attr-defined]
    services.context.database = built.ground.database
    await built.prepare()
    yield built
    await built.close_clients()
    await asyncio.to_thread(built.ground.database.close)


@pytest.fixture
async def browser(hub: Built) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=hub.application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=HUB) as client:
        yield client


# -- signing in ------------------------------------------------------------------
async def test_a_plugins_page_can_sign_people_in(browser: httpx.AsyncClient, hub: Built) -> None:
    reply = await browser.get("/hub/ticket?who=Nina")
    assert reply.status_code == 302
    assert reply.headers["location"] == "/hub/home?who=Nina"
    assert set(browser.cookies) == {"jupyterhub-hub-login", "jupyterhub-session-id", "_xsrf"}
    assert (await browser.get("/hub/who")).json() == {"name": "nina", "groups": ["all"]}
    user = await hub.rooms.users.find("nina")
    assert user is not None
    assert user.user_info == {"via": "rich"}


async def test_a_refused_sign_in_leaves_no_trace(browser: httpx.AsyncClient, hub: Built) -> None:
    reply = await browser.get("/hub/ticket?who=a/b")
    assert (reply.status_code, reply.text) == (403, "no")
    assert not set(browser.cookies)


@pytest.mark.parametrize(
    ("next_url", "target"),
    [
        ("/hub/token", "/hub/token"),
        ("//evil.test/x", "/hub/home?who=nina"),
        ("https:evil", "/hub/home?who=nina"),
        ("http://hub.test/hub/token?a=1", "/hub/token?a=1"),
    ],
)
async def test_next_never_leaves_the_hub(
    browser: httpx.AsyncClient, next_url: str, target: str
) -> None:
    reply = await browser.get("/hub/ticket", params={"who": "nina", "next": next_url})
    assert reply.headers["location"] == target


async def test_an_older_plugin_signs_in_without_waiting(browser: httpx.AsyncClient) -> None:
    reply = await browser.get("/hub/plain?who=Older")
    assert reply.status_code == 302
    assert (await browser.get("/hub/who")).json()["name"] == "older"
    first = browser.cookies["jupyterhub-hub-login"]
    await browser.get("/hub/plain?who=second")
    assert (await browser.get("/hub/who")).json()["name"] == "second"
    browser.cookies.clear()
    browser.cookies.set("jupyterhub-hub-login", first, domain="hub.test", path="/hub/")
    assert (await browser.get("/hub/who")).json()["name"] is None, "the earlier sign-in lives on"


async def test_the_hubs_own_form_stays_and_asks_the_plugin(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/hub/login")
    assert 'name="password"' in page.text
    form = {"username": "nina", "password": "pass", "_xsrf": browser.cookies["_xsrf"]}
    reply = await browser.post("/hub/login", data=form)
    assert reply.status_code == 302
    assert (await browser.get("/hub/who")).json()["name"] == "nina"


@pytest.mark.parametrize(
    ("password", "status", "words"),
    [
        ("wrong", 403, "own form: Invalid username or password nina"),
        ("locked", 409, "own form: The account is <locked> nina"),
    ],
)
async def test_a_plugins_own_form_comes_back_with_the_problem(
    browser: httpx.AsyncClient, password: str, status: int, words: str
) -> None:
    assert (await browser.get("/hub/own-login")).text == "own form: None "
    await browser.get("/hub/login")
    form = {"username": " nina ", "password": password, "_xsrf": browser.cookies["_xsrf"]}
    reply = await browser.post("/hub/own-login", data=form)
    assert (reply.status_code, reply.text) == (status, words)
    stale = await browser.post("/hub/own-login", data={**form, "_xsrf": "old"})
    assert stale.status_code == 403
    assert "expired" in stale.text
    good = await browser.post("/hub/own-login", data={**form, "password": "pass"})
    assert good.status_code == 302
    assert (await browser.get("/hub/own-login")).status_code == 302


async def test_a_plugins_sign_out_ends_the_sign_in(browser: httpx.AsyncClient) -> None:
    await browser.get("/hub/ticket?who=nina")
    jar = dict(browser.cookies)
    cross = await browser.get("/hub/own-logout", headers={"Sec-Fetch-Site": "cross-site"})
    assert cross.status_code == 200
    assert "Sign out?" in cross.text
    reply = await browser.get("/hub/own-logout")
    assert (reply.status_code, reply.headers["location"]) == (302, "/hub/login")
    assert reply.headers["x-own"] == "yes"
    assert "jupyterhub-hub-login" not in browser.cookies
    for name, value in jar.items():
        browser.cookies.set(name, value, domain="hub.test", path="/hub/")
    assert (await browser.get("/hub/who")).json()["name"] is None


# -- protection ------------------------------------------------------------------
async def test_forms_need_proof_of_their_origin(browser: httpx.AsyncClient) -> None:
    await browser.get("/hub/ticket?who=nina")
    assert (await browser.post("/hub/who", data={"x": "1"})).status_code == 403
    token = browser.cookies["_xsrf"]
    good = await browser.post("/hub/who", data={"x": "1", "_xsrf": token})
    assert (good.status_code, good.text) == (200, "1")


async def test_strangers_are_sent_to_sign_in(browser: httpx.AsyncClient) -> None:
    reply = await browser.get("/hub/members?a=1")
    assert reply.status_code == 302
    assert reply.headers["location"] == "/hub/login?next=%2Fhub%2Fmembers%3Fa%3D1"
    await browser.get("/hub/ticket?who=nina")
    assert (await browser.get("/hub/members")).text == "members"


async def test_pages_do_not_take_tokens_and_endpoints_do(browser: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"token {TOKEN}"}
    assert (await browser.get("/hub/who", headers=headers)).json()["name"] is None
    reply = await browser.get("/hub/api/probe/nina", headers=headers)
    assert reply.json() == {"caller": "probe", "about": "nina"}
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    body = {"a": [1]}
    reply = await browser.post("/hub/api/probe/nina", headers=headers, json=body)
    assert reply.json() == {"body": body, "token": True}
    reply = await browser.post("/hub/api/probe/nina", headers=headers, content=b"{bad")
    assert (reply.status_code, reply.json()["message"]) == (400, "Invalid JSON in body of request")


async def test_endpoints_ask_for_scopes_that_reach_their_target(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/hub/api/probe/nina")).status_code == 403
    await browser.get("/hub/ticket?who=nina")
    assert (await browser.get("/hub/api/probe/nina")).json()["caller"] == "nina"
    other = await browser.get("/hub/api/probe/otto")
    assert other.status_code == 404
    assert other.headers["content-type"].startswith("application/json")
    forged = await browser.get("/hub/api/probe/nina", headers={"Sec-Fetch-Mode": "cors"})
    assert forged.status_code == 403
    token = browser.cookies["_xsrf"]
    ours = {"Sec-Fetch-Mode": "cors", "X-XSRFToken": token}
    assert (await browser.get("/hub/api/probe/nina", headers=ours)).status_code == 200
    posted = await browser.post("/hub/api/probe/nina", headers=ours, json={})
    assert posted.status_code == 403
    assert "requires any of [admin:users]" in posted.json()["message"]


# -- pages and errors --------------------------------------------------------------
@pytest.mark.parametrize(("query", "word"), [("", "later nina"), ("?sync=1", "now")])
async def test_a_plugins_template_extends_the_hubs_page(
    browser: httpx.AsyncClient, query: str, word: str
) -> None:
    await browser.get("/hub/ticket?who=nina")
    reply = await browser.get(f"/hub/page{query}")
    assert reply.status_code == 200
    assert f'<p id="x">{word}' in reply.text
    assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("web", 418, "short and stout"),
        ("hub", 409, "not now"),
        ("words", 403, "Ask &lt;Ada&gt;"),
        ("other", 500, "Internal Server Error"),
    ],
)
async def test_errors_get_the_hubs_page(
    browser: httpx.AsyncClient, kind: str, status: int, words: str
) -> None:
    reply = await browser.get(f"/hub/fail?kind={kind}")
    assert reply.status_code == status
    assert words in reply.text
    assert "secret detail" not in reply.text


async def test_the_form_of_a_server_with_a_strange_name_comes_back_to_it(
    browser: httpx.AsyncClient,
) -> None:
    await browser.get("/hub/ticket?who=nina")
    page = (await browser.get("/hub/spawn/nina/a%3Fb")).text
    assert 'action="/hub/spawn/nina/a%3Fb?_xsrf=' in page


async def test_who_calls_can_be_asked_by_kind_of_proof(browser: httpx.AsyncClient) -> None:
    nobody: dict[str, Any] = {"cookie": None, "token": None, "fresh": None}
    assert (await browser.get("/hub/ways")).json() == nobody
    headers = {"Authorization": f"token {TOKEN}"}
    assert (await browser.get("/hub/ways", headers=headers)).json() == nobody | {"token": "probe"}
    await browser.get("/hub/plain?who=ada")
    assert (await browser.get("/hub/ways")).json() == {
        "cookie": "ada",
        "token": None,
        "fresh": "ada",
    }


async def test_a_handler_can_be_given_by_the_path_of_its_class(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/hub/by-name")).json() == {"name": None, "groups": None}


async def test_signs_of_life_go_on_until_the_answer_ends(browser: httpx.AsyncClient) -> None:
    reply = await browser.get("/hub/notices")
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.text.startswith("\n\n\n\n\n\n")
    assert reply.text.rstrip().endswith('data: {"n": 1}')
    await asyncio.wait_for(Notices.beside, 5)


async def test_head_works_wherever_get_does(browser: httpx.AsyncClient) -> None:
    reply = await browser.head("/hub/who")
    assert (reply.status_code, reply.content) == (200, b"")


async def test_handlers_have_what_plugins_read(browser: httpx.AsyncClient) -> None:
    reply = await browser.get("/hub/values?d=2&next=/x")
    assert reply.json() == {
        "base_url": "/",
        "hub": "/hub/",
        "authenticator": "/hub/login",
        "settings": True,
        "next": "/a?b=1&d=2#c",
        "users": [None, False],
        "app": True,
    }
    cookies = reply.headers.get_list("set-cookie")
    assert any(
        c.startswith("signed=") and "HttpOnly" in c and "Path=/;" in c + ";" for c in cookies
    )
    assert any(c.startswith("open=value") and "Path=/hub/x" in c for c in cookies)


async def test_one_object_stands_for_a_request(hub: Built) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/hub/login",
        "query_string": b"a=1",
        "headers": [(b"x-remote-user", b"ada"), (b"host", b"hub.test")],
        "client": ("10.0.0.1", 1),
        "scheme": "https",
    }
    find = hub.rooms.handler_for
    handler: Any = find(Request(scope))
    assert find(Request(scope)) is handler
    assert find(handler) is handler
    assert handler.request.headers["X-Remote-User"] == "ada"
    assert handler.request.remote_ip == "10.0.0.1"
    assert handler.get_argument("a") == "1"
    assert handler.current_user is None
    handler.set_cookie("seen", "yes", path="/hub/", httponly=True)
    assert scope["perijove.cookies"] == ["seen=yes; HttpOnly; Path=/hub/"]
    with pytest.raises(RuntimeError, match="stands for a request"):
        handler.set_login_cookie(handler.user_from_username("ada"))
