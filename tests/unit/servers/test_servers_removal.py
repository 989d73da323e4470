"""Deleting servers and people, also while their servers run, start or stop."""

import asyncio

import pytest
from servers_fakes import Plan
from servers_house import House, Replica, until

from perijove.domain.errors import Conflict, PluginError
from perijove.domain.servers import Server, State
from perijove.domain.users import User
from perijove.store import leases
from perijove.store import servers as server_rows
from perijove.store import users as user_rows


async def gone(hub: Replica, server: Server) -> None:
    """Assert that nothing of a removed server is left."""
    row = await hub.database.read(lambda c: server_rows.get(c, server.id))
    assert row is None
    assert hub.world.pids(server.full_name) == []
    assert hub.world.called(server.full_name).count("delete_forever") == 1
    assert hub.holdings.get(server.id) is None
    assert hub.factory.find(server.id) is None
    assert hub.proxy.table == {}
    assert await hub.server_tokens() == 0
    assert await hub.server_clients() == 0


async def user_gone(hub: Replica, name: str) -> None:
    """Assert that a person was deleted, once."""
    assert await hub.users.find(name) is None
    assert hub.authenticator.deleted == [name]
    assert hub.world.processes == {}
    assert hub.proxy.table == {}
    assert await hub.server_tokens() == 0
    assert await hub.server_clients() == 0


@pytest.mark.parametrize("place", ["stopped", "ready", "queued", "starting", "probing"])
async def test_a_named_server_is_removed_from_any_state(hub: Replica, place: str) -> None:
    plan = hub.world.plan("ada/lab")
    if place == "queued":
        plan.scopes_gate = asyncio.Event()
    elif place == "starting":
        plan.start_gate = asyncio.Event()
    elif place == "probing":
        hub.world.silent.add("ada/lab")
    server = await hub.request("ada", "lab")
    if place in ("stopped", "ready"):
        await hub.commands.wait_started(server, 5)
    if place == "stopped":
        await hub.down(server)
    else:
        await hub.until_state(server, State(place))
    assert await hub.removals.remove_server(await hub.row(server), 5)
    await gone(hub, server)


async def test_a_slow_stop_makes_the_removal_go_on_behind(hub: Replica) -> None:
    gate = asyncio.Event()
    hub.world.plan("ada/lab").stop_gate = gate
    server = await hub.up("ada", "lab")
    assert not await hub.removals.remove_server(server, 0.05)
    with pytest.raises(Conflict):
        await hub.request("ada", "lab")
    gate.set()
    await until("the end of the removal", lambda: len(hub.removals._tasks) == 0)
    await gone(hub, server)


async def test_two_removals_are_one(hub: Replica) -> None:
    gate = asyncio.Event()
    hub.world.plan("ada/lab").stop_gate = gate
    server = await hub.up("ada", "lab")
    removing = [asyncio.create_task(hub.removals.remove_server(server, 5)) for _ in range(2)]
    await hub.until_called("ada/lab", "stop")
    await hub.removals.finish()
    gate.set()
    assert await asyncio.gather(*removing) == [True, True]
    await gone(hub, server)
    assert await hub.removals.remove_server(server, 5)


async def test_a_server_is_removed_by_another_replica_than_its_holder(house: House) -> None:
    first, second = await house.replica(watch=True), await house.replica()
    server = await first.up("ada", "lab")
    assert await second.removals.remove_server(server, 5)
    await gone(second, server)
    await until("its end", lambda: first.holdings.get(server.id) is None)


async def test_what_two_replicas_are_to_remove_is_removed_once(any_house: House) -> None:
    first, second = await any_house.replica(watch=True), await any_house.replica(watch=True)
    gate = asyncio.Event()
    for name in ("ada/lab", "ada/"):
        any_house.world.plan(name).stop_gate = gate
    user = await first.user("ada")
    await first.up("ada")
    server = await first.up("ada", "lab")
    removing = [
        asyncio.create_task(hub.removals.remove_server(server, 20)) for hub in (first, second)
    ]
    await first.until_called("ada/lab", "stop")
    await second.removals.finish()
    deleting = [asyncio.create_task(hub.removals.delete_user(user, 20)) for hub in (second, first)]
    await first.until_called("ada/", "stop")
    await first.removals.finish()
    gate.set()
    assert await asyncio.gather(*removing, *deleting) == [True] * 4
    for hub in (first, second):
        await until("the end of all jobs", lambda hub=hub: len(hub.removals._tasks) == 0)  # type: ignore[misc]
    for name in ("ada/lab", "ada/"):
        assert any_house.world.called(name).count("delete_forever") == 1
    assert [*first.authenticator.deleted, *second.authenticator.deleted] == ["ada"]
    assert await first.users.find("ada") is None


async def test_a_removal_of_a_dead_replica_is_done_by_another(any_house: House) -> None:
    first, second = await any_house.replica(), await any_house.replica()
    user = await first.user("ada")
    await first.users.retire(user)
    job = f"delete user {user.id}"
    assert await first.database.write(lambda c: leases.take_job(c, job, first.lease.id))
    assert not await second.removals.delete_user(user, 0.05)
    await first.expire_lease()
    await until("the end of the deletion", lambda: len(second.removals._tasks) == 0)
    assert await second.users.find("ada") is None


async def test_a_removal_that_a_crash_cut_off_before_the_stop_is_finished(house: House) -> None:
    first = await house.replica()
    server = await first.up("ada", "lab")
    await first.set(server, removing=True)
    await first.kill()
    hub = await house.replica(watch=True)
    await hub.sweep.adopt()
    await hub.removals.finish()
    await until("the end of the removal", lambda: len(hub.removals._tasks) == 0)
    await gone(hub, server)


async def test_a_plug_in_that_fails_to_delete_does_not_keep_the_row(hub: Replica) -> None:
    server = await hub.up("ada", "lab")
    await hub.down(server)
    hub.world.plan("ada/lab").open_error = PluginError("FakeSpawner", "__init__", "a typo")
    assert await hub.removals.remove_server(await hub.row(server), 5)
    assert await hub.commands.find("ada", "lab") is None


async def test_a_kept_token_goes_with_its_removed_server(hub: Replica) -> None:
    hub.world.plan("ada/lab").will_resume = True
    server = await hub.up("ada", "lab")
    await hub.down(server)
    assert await hub.server_tokens() == 1
    assert await hub.removals.remove_server(await hub.row(server), 5)
    await gone(hub, server)


async def test_the_store_removes_no_active_server(hub: Replica) -> None:
    server = await hub.up("ada", "lab")
    assert not await hub.database.write(lambda c: server_rows.remove(c, server.id))
    assert (await hub.row(server)).ready


async def test_a_user_goes_with_all_servers(hub: Replica) -> None:
    user = await hub.user("ada")
    await hub.up("ada")
    hub.world.plan("ada/lab").start_gate = asyncio.Event()
    await hub.request("ada", "lab")
    await hub.down(await hub.up("ada", "old"))
    assert await hub.removals.delete_user(user, 5)
    await user_gone(hub, "ada")
    for name in ("ada/", "ada/lab", "ada/old"):
        assert hub.world.called(name).count("delete_forever") == 1


async def test_a_user_whose_server_stops_slowly_goes_when_it_has_stopped(hub: Replica) -> None:
    gate = asyncio.Event()
    hub.world.plan("ada/").stop_gate = gate
    user = await hub.user("ada")
    await hub.up("ada")
    assert not await hub.removals.delete_user(user, 0.05)
    assert await hub.users.find("ada") is not None
    with pytest.raises(Conflict, match="about to be deleted"):
        await hub.commands.request_start(user, "")
    assert not await hub.removals.delete_user(user, 0.05)
    gate.set()
    await until("the end of the deletion", lambda: len(hub.removals._tasks) == 0)
    await user_gone(hub, "ada")


async def test_a_start_in_the_midst_of_a_deletion_is_refused(hub: Replica) -> None:
    user = await hub.user("ada")
    await hub.database.write(lambda c: user_rows.mark_deleting(c, user.id))
    with pytest.raises(Conflict):
        await hub.commands.request_start(user, "")
    await hub.removals.finish()
    await until("the end of the deletion", lambda: len(hub.removals._tasks) == 0)
    with pytest.raises(Conflict):
        await hub.commands.request_start(user, "")
    await user_gone(hub, "ada")


async def test_an_authenticator_that_fails_does_not_keep_a_user(hub: Replica) -> None:
    hub.authenticator.delete_error = PluginError("FakeAuthenticator", "delete_user", "no LDAP")
    assert await hub.removals.delete_user(await hub.user("ada"), 5)
    assert await hub.users.find("ada") is None


async def test_a_deletion_that_a_crash_cut_off_is_finished(house: House) -> None:
    first = await house.replica()
    user: User = await first.user("ada")
    await first.up("ada")
    await first.users.retire(user)
    await first.kill()
    hub = await house.replica(watch=True)
    await hub.sweep.adopt()
    for _ in range(3):
        await hub.removals.finish()
    await until("the end of the deletion", lambda: len(hub.removals._tasks) == 0)
    await user_gone(hub, "ada")


async def test_the_token_of_a_retired_users_server_lives_until_it_has_stopped(
    hub: Replica,
) -> None:
    gate = asyncio.Event()
    hub.world.plans["ada/"] = Plan(stop_gate=gate)
    user = await hub.user("ada")
    await hub.up("ada")
    assert not await hub.removals.delete_user(user, 0.02)
    assert await hub.tokens.resolve(hub.world.launches[-1].api_token) is not None
    gate.set()
    await until("the end of the deletion", lambda: len(hub.removals._tasks) == 0)
    assert await hub.tokens.resolve(hub.world.launches[-1].api_token) is None
