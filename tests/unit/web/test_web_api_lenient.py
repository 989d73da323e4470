"""A creation that may be repeated: what exists is answered as it is, and nothing is made twice."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from web_house import WebHouse

from perijove.store import users as user_store

LENIENT = {"Prefer": "handling=lenient"}
NAMED = "c.JupyterHub.allow_named_servers = True\n"


@pytest.fixture
async def house(tmp_path: Path, database_url: str) -> AsyncIterator[WebHouse]:
    """A hub on either database."""
    made = await WebHouse.open(tmp_path, NAMED, database_url)
    yield made
    await made.close()


CREATIONS: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "user": ("POST", "/users/Ada", None),
    "users": ("POST", "/users", {"usernames": ["ada", "Grace"]}),
    "group": ("POST", "/groups/lab", {"users": ["root-of-all"]}),
    "groups": ("POST", "/groups", {"groups": ["lab", "field"]}),
    "server": ("PUT", "/users/root-of-all/servers/second", {"user_options": {"a": 1}}),
    "service": ("POST", "/services/board", {"info": {"a": 1}}),
}


async def create(house: WebHouse, what: str, *, lenient: bool) -> httpx.Response:
    method, path, body = CREATIONS[what]
    headers = LENIENT if lenient else {}
    return await house.root.request(method, path, json=body, headers=headers)


@pytest.mark.parametrize("what", sorted(CREATIONS))
async def test_a_lenient_creation_said_again_answers_what_is_there(
    house: WebHouse, what: str
) -> None:
    await house.add_user("root-of-all")
    first = await create(house, what, lenient=True)
    again = await create(house, what, lenient=True)
    strict = await create(house, what, lenient=False)
    assert [first.status_code, again.status_code, strict.status_code] == [201, 200, 409]
    assert again.json() == first.json()
    for answer in (first, again):
        assert answer.headers["preference-applied"] == "handling=lenient"
    assert "preference-applied" not in strict.headers


@pytest.mark.parametrize("what", sorted(CREATIONS))
@pytest.mark.parametrize("lenient", [True, False])
async def test_of_creations_at_the_same_time_one_makes_it(
    house: WebHouse, what: str, lenient: bool
) -> None:
    await house.add_user("root-of-all")
    answers = await asyncio.gather(*(create(house, what, lenient=lenient) for _ in range(8)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == ([200] * 7 + [201] if lenient else [201] + [409] * 7)
    if lenient:
        assert all(answer.json() == answers[0].json() for answer in answers)


async def test_of_several_names_those_that_exist_are_answered_with_the_new_ones(
    house: WebHouse,
) -> None:
    await house.add_user("grace")
    answer = await create(house, "users", lenient=True)
    assert answer.status_code == 201
    assert [user["name"] for user in answer.json()] == ["ada", "grace"]
    await house.root.post("/groups/field", json={"users": ["ada"]})
    groups = await create(house, "groups", lenient=True)
    assert groups.status_code == 201
    assert {group["name"]: group["users"] for group in groups.json()} == {
        "lab": [],
        "field": ["ada"],
    }


async def test_what_exists_is_not_changed_by_the_body(house: WebHouse) -> None:
    await house.root.post("/users/ada")
    answer = await house.root.post("/users/ada", json={"admin": True}, headers=LENIENT)
    assert answer.status_code == 200
    assert answer.json()["admin"] is False
    await house.root.post("/groups/lab", json={"users": ["ada"]})
    group = await house.root.post("/groups/lab", json={"users": []}, headers=LENIENT)
    assert group.json()["users"] == ["ada"]


async def test_leniency_does_not_stretch_to_rights_or_to_bad_names(house: WebHouse) -> None:
    await house.add_user("ada")
    await house.add_user("eve")
    eve = await house.as_user("eve")
    assert (await eve.post("/users/ada", headers=LENIENT)).status_code in (403, 404)
    assert (await house.root.post("/users/a%2Fb", headers=LENIENT)).status_code == 400


async def test_an_account_that_is_about_to_go_is_no_answer(house: WebHouse) -> None:
    ada = await house.add_user("ada")
    await house.database.write(lambda c: user_store.mark_deleting(c, ada.id))
    answer = await create(house, "user", lenient=True)
    assert answer.status_code == 409
    assert "about to be deleted" in answer.json()["message"]
