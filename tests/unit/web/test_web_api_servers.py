"""Bodies with which clients make and edit servers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from web_house import WebHouse

from perijove.servers.commands import KEEP
from perijove.store import servers as server_rows

NAMED = "c.JupyterHub.allow_named_servers = True\n"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[WebHouse]:
    """A hub with named servers, and ada."""
    made = await WebHouse.open(tmp_path, NAMED)
    await made.add_user("ada")
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("body", "options", "shown"),
    [
        (None, {}, "s1"),
        ({}, {}, "s1"),
        ({"size": "big"}, {"size": "big"}, "s1"),
        ({"user_options": {"size": "big"}}, {"size": "big"}, "s1"),
        ({"display_name": ""}, {}, "s1"),
        ({"display_name": "Big one", "user_options": None}, {}, "Big one"),
    ],
)
async def test_a_server_is_made_as_the_body_says_in_either_form(
    house: WebHouse, body: Any, options: dict[str, Any], shown: str
) -> None:
    made = await house.root.put("/users/ada/servers/s1", json=body)
    assert made.status_code == 201
    assert (made.json()["user_options"], made.json()["display_name"]) == (options, shown)


async def test_an_empty_display_name_changes_nothing(house: WebHouse) -> None:
    path = "/users/ada/servers/s1"
    await house.root.put(path, json={"display_name": "Big one"})
    edited = await house.root.patch(path, json={"display_name": "", "user_options": {"a": 1}})
    assert edited.json()["display_name"] == "Big one"
    assert edited.json()["user_options"] == {"a": 1}


async def test_remove_may_be_null(house: WebHouse) -> None:
    await house.root.put("/users/ada/servers/s1")
    ended = await house.root.request("DELETE", "/users/ada/servers/s1", json={"remove": None})
    assert ended.status_code == 204
    assert (await house.root.get("/users/ada/servers/s1")).status_code == 200


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (None, KEEP),
        ({}, KEEP),
        ({"user_options": None}, KEEP),
        ({"user_options": {}}, {}),
        ({"size": "big"}, {"size": "big"}),
    ],
)
async def test_a_start_that_says_nothing_keeps_the_options_of_the_last_one(
    house: WebHouse, body: Any, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    async def request_start(user: Any, name: str, *, options: Any, **_: Any) -> Any:
        asked.append(options)
        return await house.rooms.commands.find(user.name, name)

    async def at_once(server: Any, timeout_s: float) -> Any:
        return server

    monkeypatch.setattr(house.rooms.commands, "request_start", request_start)
    monkeypatch.setattr(house.rooms.commands, "wait_started", at_once)
    await house.root.post("/users/ada/server", json=body)
    assert asked == [wanted]


@pytest.mark.parametrize("odd", [{"n": 10**30}, {"file": "\udcff"}])
async def test_what_one_plugin_stored_keeps_nobody_from_the_list(
    house: WebHouse, odd: dict[str, Any]
) -> None:
    server = await house.rooms.commands.find("ada", "")
    assert server is not None
    await house.database.write(lambda c: server_rows.edit(c, server.id, options=odd))
    listed = await house.root.get("/users?include_stopped_servers=1")
    assert listed.status_code == 200
    (ada,) = [user for user in listed.json() if user["name"] == "ada"]
    assert ada["servers"][""]["user_options"] == odd
