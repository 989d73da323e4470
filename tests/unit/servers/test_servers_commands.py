"""Wishes: names, limits, options and edits, each checked in one transaction."""

import asyncio
from typing import Any

import pytest
from servers_fakes import Plan
from servers_house import House, Replica

from perijove.domain.errors import Conflict, InvalidInput, NotFound, PluginError, TooMany
from perijove.domain.servers import State
from perijove.domain.settings import LimitSettings, ServerSettings
from perijove.servers.names import check_server_name


@pytest.mark.parametrize("name", ["a", "lab", "lab-2", "a1", "x" * 30, "a-b-c"])
def test_good_names_pass(name: str) -> None:
    check_server_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "A",
        "1a",
        "-a",
        "a-",
        "a--b",
        "a b",
        "a\nb",
        "lab\n",
        "..",
        "ä",
        "😀",
        "x" * 31,
        "a/b",
        "a.b",
    ],
)
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_server_name(name)


async def test_two_starts_at_once_are_one(hub: Replica) -> None:
    await hub.user("ada")
    servers = await asyncio.gather(*(hub.request("ada") for _ in range(5)))
    assert {server.epoch for server in servers} == {1}
    await hub.commands.wait_started(servers[0], 5)
    assert len(hub.world.launches) == 1


async def test_two_starts_of_a_new_named_server_make_one(hub: Replica) -> None:
    await hub.user("ada")
    servers = await asyncio.gather(*(hub.request("ada", "lab") for _ in range(3)))
    assert len({server.id for server in servers}) == 1


async def test_a_running_server_cannot_be_started(hub: Replica) -> None:
    await hub.up("ada")
    with pytest.raises(InvalidInput, match="already running"):
        await hub.request("ada")


async def test_named_servers_need_the_operators_leave(house: House) -> None:
    hub = await house.replica(settings=ServerSettings(allow_named_servers=False))
    with pytest.raises(InvalidInput, match="not enabled"):
        await hub.request("ada", "lab")
    await hub.up("ada")


async def test_an_old_server_with_a_bad_name_can_still_be_started(hub: Replica) -> None:
    server = await hub.up("ada", "lab")
    await hub.down(server)
    await hub.set(server, name="Old Name")
    assert (await hub.up("ada", "Old Name")).ready


async def test_the_limit_of_named_servers_counts_stopped_ones(hub: Replica) -> None:
    user = await hub.user("ada")
    await hub.commands.create(user, "one", display_name=None, options=None, named_limit=2)
    await hub.up("ada", "two", named_limit=2)
    await hub.up("ada", named_limit=2)
    with pytest.raises(InvalidInput, match="maximum of 2"):
        await hub.request("ada", "three", named_limit=2)
    with pytest.raises(InvalidInput, match="maximum of 2"):
        await hub.commands.create(user, "three", display_name=None, options=None, named_limit=2)
    await hub.up("ada", "one", named_limit=2)
    assert await hub.commands.find("ada", "three") is None


async def test_a_start_beyond_the_concurrent_limit_is_told_when_to_come_back(
    house: House,
) -> None:
    hub = await house.replica(
        limits=LimitSettings(concurrent_spawn_limit=2, spawn_throttle_retry_range=(31, 39))
    )
    gate = asyncio.Event()
    for name in ("ada/", "bob/"):
        house.world.plans[name] = Plan(start_gate=gate)
    servers = [await hub.request("ada"), await hub.request("bob")]
    with pytest.raises(TooMany) as caught:
        await hub.request("eve", "lab")
    assert caught.value.retry_after_s is not None
    assert 31 <= caught.value.retry_after_s <= 39
    assert "40 seconds" in caught.value.message
    assert await hub.commands.find("eve", "lab") is None, "a refused start makes no server"
    gate.set()
    for server in servers:
        await hub.commands.wait_started(server, 5)
    await hub.up("eve", "lab")


async def test_a_failed_start_frees_its_place_at_once(house: House) -> None:
    hub = await house.replica(limits=LimitSettings(concurrent_spawn_limit=1))
    house.world.plan("ada/").start_error = PluginError("FakeSpawner", "start", "no")
    server = await hub.request("ada")
    await hub.until_state(server, State.STOPPED)
    await hub.up("bob")


async def test_the_active_limit_counts_until_a_server_has_stopped(house: House) -> None:
    hub = await house.replica(limits=LimitSettings(concurrent_spawn_limit=0, active_server_limit=2))
    gate = asyncio.Event()
    house.world.plan("bob/").stop_gate = gate
    await hub.up("ada")
    bob = await hub.up("bob")
    with pytest.raises(TooMany) as caught:
        await hub.request("eve")
    assert caught.value.retry_after_s == 120
    await hub.commands.request_stop(bob)
    with pytest.raises(TooMany):
        await hub.request("eve")
    gate.set()
    assert await hub.commands.wait_stopped(bob, 5)
    await hub.up("eve")


async def test_limits_hold_for_starts_at_once_on_two_replicas(any_house: House) -> None:
    limits = LimitSettings(concurrent_spawn_limit=3)
    hubs = [await any_house.replica(limits=limits), await any_house.replica(limits=limits)]
    gate = asyncio.Event()
    users = []
    for n in range(8):
        any_house.world.plans[f"user{n}/"] = Plan(start_gate=gate)
        users.append(await hubs[0].user(f"user{n}"))
    answers: list[Any] = await asyncio.gather(
        *(hubs[n % 2].commands.request_start(user, "") for n, user in enumerate(users)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, TooMany) for answer in answers) == 5
    assert sum(not isinstance(answer, Exception) for answer in answers) == 3
    gate.set()
    for answer in answers:
        if not isinstance(answer, BaseException):
            await hubs[0].commands.wait_started(answer, 5)


async def test_a_named_server_shows_its_name_unless_told_otherwise(hub: Replica) -> None:
    assert (await hub.request("ada", "lab")).display_name == "lab"
    assert (await hub.request("ada", "two", display_name="Number 2")).display_name == "Number 2"
    assert (await hub.request("ada")).display_name is None


async def test_a_start_may_change_the_display_name(hub: Replica) -> None:
    await hub.down(await hub.up("ada", "lab", display_name="First"))
    again = await hub.up("ada", "lab")
    assert again.display_name == "First"
    await hub.down(again)
    assert (await hub.up("ada", "lab", display_name="Second")).display_name == "Second"


async def test_a_created_server_is_stopped_and_starts_with_its_options(hub: Replica) -> None:
    user = await hub.user("ada")
    made = await hub.commands.create(user, "lab", display_name="Lab", options={"size": "s"})
    assert (made.state, made.display_name, made.options) == (State.STOPPED, "Lab", {"size": "s"})
    await hub.up("ada", "lab")
    assert hub.world.launches[-1].options == {"size": "s"}


async def test_a_server_is_made_once(hub: Replica) -> None:
    user = await hub.user("ada")
    answers: list[Any] = await asyncio.gather(
        *(hub.commands.create(user, "lab", display_name=None, options=None) for _ in range(3)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Conflict) for answer in answers) == 2
    with pytest.raises(Conflict):
        await hub.commands.create(user, "", display_name=None, options=None)


async def test_a_stopped_server_can_be_edited(hub: Replica) -> None:
    user = await hub.user("ada")
    made = await hub.commands.create(user, "lab", display_name=None, options={"a": 1})
    edited = await hub.commands.edit(
        made, user, (), name="desk", display_name="Desk", options={"a": 2}
    )
    assert (edited.id, edited.name, edited.display_name) == (made.id, "desk", "Desk")
    assert edited.options == {"a": 2}
    assert hub.world.called("ada/lab") == ["rename lab desk"]
    assert hub.factory.find(made.id) is None
    same = await hub.commands.edit(edited, user, (), name="desk")
    assert same.options == {"a": 2}
    assert (await hub.commands.edit(same, user, (), options=None)).options is None


async def test_an_active_server_cannot_be_edited(hub: Replica) -> None:
    user = await hub.user("ada")
    server = await hub.up("ada", "lab")
    with pytest.raises(InvalidInput, match="active"):
        await hub.commands.edit(server, user, (), name="desk")


async def test_a_server_that_was_started_meanwhile_is_not_edited(hub: Replica) -> None:
    user = await hub.user("ada")
    stale = await hub.commands.create(user, "lab", display_name=None, options=None)
    await hub.up("ada", "lab")
    with pytest.raises(Conflict):
        await hub.commands.edit(stale, user, (), display_name="Lab")


async def test_a_new_name_must_be_good_free_and_liked_by_the_plug_in(hub: Replica) -> None:
    user = await hub.user("ada")
    made = await hub.commands.create(user, "lab", display_name=None, options=None)
    await hub.commands.create(user, "desk", display_name=None, options=None)
    with pytest.raises(InvalidInput):
        await hub.commands.edit(made, user, (), name="Bad Name")
    with pytest.raises(Conflict):
        await hub.commands.edit(made, user, (), name="desk")
    with pytest.raises(PluginError):
        await hub.commands.edit(made, user, (), name="forbidden")
    assert (await hub.row(made)).name == "lab"


async def test_editing_what_is_gone_is_not_found(hub: Replica) -> None:
    user = await hub.user("ada")
    made = await hub.commands.create(user, "lab", display_name=None, options=None)
    await hub.removals.remove_server(made, 5)
    with pytest.raises(NotFound):
        await hub.commands.edit(made, user, (), display_name="Lab")


async def test_waiting_ends_when_time_is_up(hub: Replica) -> None:
    hub.world.plans["ada/"] = Plan(start_gate=asyncio.Event())
    server = await hub.request("ada")
    waited = await hub.commands.wait_started(server, 0.05)
    assert waited.pending == "spawn"
    assert not await hub.commands.wait_stopped(server, 0.05)


async def test_a_start_counts_as_activity_of_its_owner(hub: Replica) -> None:
    user = await hub.user("ada")
    assert user.last_activity is None
    await hub.request("ada")
    assert (await hub.user("ada")).last_activity is not None
