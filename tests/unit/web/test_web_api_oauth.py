"""The OAuth endpoints over HTTP: who may ask, which headers answers carry, where metadata is."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from web_house import Api, WebHouse

CALLBACK = "https://app.example/callback"
SECRET = "secret-of-the-external-app"
SERVICES = f"""
c.JupyterHub.services.append({{
    "name": "app",
    "api_token": {SECRET!r},
    "oauth_redirect_uri": {CALLBACK!r},
    "oauth_client_allowed_scopes": ["read:servers!user", "access:servers!group=class"],
}})
c.JupyterHub.load_roles = [
    {{"name": "user", "scopes": ["self", "access:services!service=app"]}},
]
c.JupyterHub.api_allowed_origins = ["https://spa.example"]
"""
QUERY = urlencode(
    {
        "client_id": "service-app",
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "state": "a state",
    }
)
AUTHORIZE = f"/hub/api/oauth2/authorize?{QUERY}"
WELL_KNOWN = "/.well-known/oauth-authorization-server"


@pytest.fixture
async def app_house(tmp_path: Path) -> AsyncIterator[WebHouse]:
    """A hub with an external application."""
    made = await WebHouse.open(tmp_path, SERVICES)
    yield made
    await made.close()


async def browser(house: WebHouse, name: str = "") -> httpx.AsyncClient:
    """A browser, signed in if a name is given."""
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=house.built.application), base_url="http://hub.test"
    )
    if name:
        user = await house.rooms.users.find(name) or await house.add_user(name)
        signed_in = await house.rooms.sessions.open(user)
        cookie = house.rooms.sessions.cookie_value(signed_in)
        client.cookies.set(house.rooms.jar.login_name, cookie)
    return client


async def agree(client: httpx.AsyncClient) -> httpx.Response:
    """Look at the confirmation page and press the button."""
    page = await client.get(AUTHORIZE)
    assert page.status_code == 200, page.text
    fields = [(name, value) for name, value in _hidden(page.text) if name in ("_xsrf", "scopes")]
    return await client.post(
        AUTHORIZE,
        content=urlencode(fields),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )


def _hidden(page: str) -> list[tuple[str, str]]:
    found = []
    for tag in page.split('<input type="hidden" ')[1:]:
        attributes = dict(part.split('="', 1) for part in tag.split('">')[0].split('" '))
        found.append((attributes["name"], attributes["value"]))
    return found


async def exchange(api: Api, code: str, **extra: str) -> httpx.Response:
    """The application turns its code into a token, with Basic credentials."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **extra}
    return await api.post("/oauth2/token", data=form, auth=("service-app", SECRET))


async def test_external_application_signs_a_person_in_asks_and_ends(app_house: WebHouse) -> None:
    api = app_house.api()
    async with await browser(app_house, "ada") as client:
        back = await agree(client)
    assert back.status_code == 302
    sent = dict(parse_qsl(urlsplit(back.headers["location"]).query))
    assert sent.keys() == {"code", "state"}
    assert sent["state"] == "a state"
    answer = await exchange(api, sent["code"])
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    token = answer.json()["access_token"]
    assert (await app_house.api(token).get("/user")).json()["name"] == "ada"
    about = {"data": {"token": token}, "auth": ("service-app", SECRET)}
    found = (await api.post("/oauth2/introspect", **about)).json()
    assert (found["active"], found["username"]) == (True, "ada")
    ended = await api.post("/oauth2/revoke", **about)
    assert (ended.status_code, ended.content) == (200, b"")
    assert (await app_house.api(token).get("/user")).status_code == 403
    assert (await api.post("/oauth2/introspect", **about)).json() == {"active": False}


async def test_confirmation_page_says_in_words_to_whom_and_what(app_house: WebHouse) -> None:
    async with await browser(app_house, "ada") as client:
        page = (await client.get(AUTHORIZE)).text
    assert "Service app" in page
    assert CALLBACK in page
    assert "ada" in page
    shown = page[page.index("scope-list") : page.index("</ul>", page.index("scope-list"))]
    assert "servers" in shown.lower()
    assert "your own only" in shown
    assert "only services app" in shown
    assert "!user" not in shown
    assert "read:servers" not in shown


async def test_confirmation_page_has_a_way_to_refuse(app_house: WebHouse) -> None:
    async with await browser(app_house, "ada") as client:
        page = (await client.get(AUTHORIZE)).text
    link = page.split('id="deny" href="')[1].split('"')[0].replace("&amp;", "&")
    assert link == f"{CALLBACK}?error=access_denied&state=a+state"


async def test_wrong_credentials_are_401_with_a_challenge(app_house: WebHouse) -> None:
    api = app_house.api()
    for path in ("token", "introspect", "revoke"):
        form = {"grant_type": "authorization_code", "code": "x", "token": "x"}
        answer = await api.post(f"/oauth2/{path}", data=form, auth=("service-app", "wrong"))
        assert answer.status_code == 401
        assert answer.json() == {"error": "invalid_client"}
        assert answer.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize("path", ["token", "introspect", "revoke"])
async def test_clients_must_post(app_house: WebHouse, path: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = await app_house.api().request(method, f"/oauth2/{path}?token=x&code=x")
        assert answer.status_code == 405


@pytest.mark.parametrize("path", ["token", "introspect", "revoke"])
async def test_what_is_no_form_is_an_invalid_request(app_house: WebHouse, path: str) -> None:
    api = app_house.api()
    form = {"content-type": "application/x-www-form-urlencoded"}
    for content, headers in (
        (b'{"token": "x"}', {"content-type": "application/json"}),
        (b"token=\xff\xfe", form),
        (b"x" * 70_000, form),
        (b"token=a&token=b", form),
    ):
        answer = await api.post(f"/oauth2/{path}", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        assert answer.headers["cache-control"] == "no-store"


async def test_authorization_endpoint_is_closed_to_scripts_of_other_origins(
    app_house: WebHouse,
) -> None:
    asked = {"origin": "https://spa.example", "access-control-request-method": "GET"}
    async with await browser(app_house, "ada") as client:
        for method in ("GET", "OPTIONS"):
            answer = await client.request(method, AUTHORIZE, headers=asked)
            assert "access-control-allow-origin" not in answer.headers
        token = await client.options("/hub/api/oauth2/token", headers=asked)
        assert token.headers["access-control-allow-origin"] == "https://spa.example"


async def test_confirmation_page_cannot_be_framed_and_keeps_its_address(
    app_house: WebHouse,
) -> None:
    async with await browser(app_house, "ada") as client:
        page = await client.get(AUTHORIZE)
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "strict-origin"
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "issuer"),
    [
        (WELL_KNOWN, ""),
        (f"{WELL_KNOWN}/hub", "/hub"),
        (f"{WELL_KNOWN}/hub/api", "/hub/api"),
        (f"/hub{WELL_KNOWN}", "/hub"),
        (f"/hub/api{WELL_KNOWN}", "/hub/api"),
    ],
)
async def test_metadata_is_where_clients_look(app_house: WebHouse, path: str, issuer: str) -> None:
    async with await browser(app_house) as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    found = answer.json()
    assert found["issuer"] == f"http://hub.test{issuer}"
    assert found["token_endpoint"] == "http://hub.test/hub/api/oauth2/token"


async def test_metadata_of_other_issuers_is_missing(app_house: WebHouse) -> None:
    async with await browser(app_house) as client:
        for path in (f"{WELL_KNOWN}/user/ada", f"/user/ada{WELL_KNOWN}"):
            assert (await client.get(path)).status_code == 404


async def test_metadata_names_the_public_address_when_it_is_known(tmp_path: Path) -> None:
    settings = (
        "c.JupyterHub.public_url = 'https://hub.example/base/'\nc.JupyterHub.base_url = '/base/'\n"
    )
    house = await WebHouse.open(tmp_path, settings)
    async with await browser(house) as client:
        found = (await client.get(f"/base/hub{WELL_KNOWN}", headers={"host": "evil.test"})).json()
        assert (await client.get(WELL_KNOWN)).status_code == 404
    await house.close()
    assert found["issuer"] == "https://hub.example/base/hub"
    assert found["authorization_endpoint"].startswith("https://hub.example/base/hub/api/")
