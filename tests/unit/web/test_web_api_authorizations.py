"""The old way to ask whose credential it is."""

import httpx
import pytest
from web_house import ROOT, WebHouse

COOKIE = "jupyterhub-hub-login"


async def test_a_token_tells_whose_it_is_to_whoever_has_it_and_any_token(house: WebHouse) -> None:
    await house.add_user("ada")
    asker = await house.as_user("ada", ["read:users:name!user=ada"])
    token = asker.headers["Authorization"].partition(" ")[2]
    found = (await asker.get(f"/authorizations/token/{ROOT}")).json()
    assert (found["kind"], found["name"]) == ("service", "root")
    found = (await house.root.get(f"/authorizations/token/{token}")).json()
    assert (found["kind"], found["name"], found["groups"]) == ("user", "ada", [])


async def test_the_answer_shows_no_more_than_the_asker_may_read(house: WebHouse) -> None:
    await house.add_user("ada")
    asker = await house.as_user("ada", ["read:users:name!user=ada"])
    token = (await house.as_user("admin")).headers["Authorization"].partition(" ")[2]
    found = (await asker.get(f"/authorizations/token/{token}")).json()
    assert found["name"] == "admin"
    assert "last_activity" not in found
    assert "servers" not in found


@pytest.mark.parametrize("token", ["unknown", "x" * 100, "%0A"])
async def test_an_unknown_token_is_404(house: WebHouse, token: str) -> None:
    assert (await house.root.get(f"/authorizations/token/{token}")).status_code == 404


async def test_strangers_and_browsers_may_not_ask(house: WebHouse) -> None:
    assert (await house.api().get(f"/authorizations/token/{ROOT}")).status_code == 403
    value = await _login_value(house)
    cookies = {"Cookie": f"{COOKIE}={value}"}
    answer = await house.api().get(f"/authorizations/token/{ROOT}", headers=cookies)
    assert answer.status_code == 403


async def _login_value(house: WebHouse) -> str:
    user = await house.rooms.users.find("admin")
    assert user is not None
    return house.rooms.sessions.cookie_value(await house.rooms.sessions.open(user))


async def test_a_login_cookie_tells_whose_it_is(house: WebHouse) -> None:
    value = await _login_value(house)
    path = f"/authorizations/cookie/{COOKIE}"
    escaped = value.replace("|", "%7C").replace("=", "%3D")
    assert (await house.root.get(f"{path}/{escaped}")).json()["name"] == "admin"
    in_body = await house.root.request("GET", path, content=value.encode())
    assert in_body.json()["name"] == "admin"


@pytest.mark.parametrize(
    ("name", "value"),
    [(COOKIE, "forged"), (COOKIE, ""), ("other", "x"), (COOKIE, "2|1:0|x"), (COOKIE, "x" * 3000)],
)
async def test_an_unknown_cookie_is_404(house: WebHouse, name: str, value: str) -> None:
    path = f"/authorizations/cookie/{name}"
    answer = await house.root.request("GET", path, content=value.encode())
    assert answer.status_code == 404


async def test_a_cookie_is_not_believed_under_another_name(house: WebHouse) -> None:
    value = await _login_value(house)
    answer = await house.root.request("GET", "/authorizations/cookie/_xsrf", content=value.encode())
    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["/authorizations/token", "/authorizations/token/x"])
async def test_what_was_removed_long_ago_is_404_and_not_405(house: WebHouse, path: str) -> None:
    answer: httpx.Response = await house.api().post(path)
    assert answer.status_code == 404
