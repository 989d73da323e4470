"""What a hub makes of the servers that an earlier hub left, state by state."""

import asyncio
from typing import Any

import pytest
from servers_fakes import Plan
from servers_house import House, Replica, holding_of, until

from perijove.domain.errors import PluginError, StartFailed, StoreUnavailable
from perijove.domain.servers import Server, State, Wish


async def crash(house: House, state: State, plan: Plan | None = None) -> Server:
    """A hub that was killed while ada's server was in ``state``."""
    hub = await house.replica()
    house.world.plans["ada/"] = plan or Plan()
    made = house.world.plans["ada/"]
    gate = asyncio.Event()
    if state is State.QUEUED:
        made.scopes_gate = gate
    elif state is State.STARTING:
        made.start_gate = gate
    elif state is State.PROBING:
        house.world.silent.add("ada/")
    server = await hub.request("ada", options={"size": "big"})
    if state in (State.READY, State.STOPPING):
        await hub.commands.wait_started(server, 5)
    if state is State.STOPPING:
        made.stop_gate = gate
        await hub.commands.request_stop(server)
        await hub.until_called("ada/", "stop")
    row = await hub.until_state(server, state)
    if state is State.STARTING and made.launch_before_gate:

        async def stored() -> bool:
            return bool((await hub.row(server)).plugin_state)

        await hub.until_called("ada/", "start")
        await until("the state of the plug-in", stored)
    await hub.kill()
    made.scopes_gate = made.start_gate = made.stop_gate = None
    house.world.silent.clear()
    house.world.calls.clear()
    return row


async def settled(hub: Replica, server: Server) -> Server:
    """The row once nothing goes on any more."""
    await hub.until_state(server, State.READY, State.STOPPED)
    await until("the end of tasks", lambda: len(hub.runner._tasks) == 0)
    return await hub.row(server)


async def test_a_queued_server_is_started(house: House) -> None:
    server = await crash(house, State.QUEUED)
    hub = await house.replica()
    assert await hub.sweep.adopt() == 1
    row = await settled(hub, server)
    assert row.state is State.READY
    assert house.world.launches[-1].options == {"size": "big"}
    assert [event.seq for event in await hub.events(server)] == [1, 2]
    assert len(house.world.pids("ada/")) == 1


async def test_a_start_without_plug_in_state_is_cleaned_up_and_failed(house: House) -> None:
    server = await crash(house, State.STARTING)
    hub = await house.replica()
    await hub.sweep.adopt()
    row = await settled(hub, server)
    assert row.state is State.STOPPED
    assert row.failure is not None
    assert "restarted" in row.failure.message
    assert house.world.called("ada/") == ["find_lost", "cleanup"]
    events = await hub.events(server)
    assert [event.seq for event in events] == [1, 2]
    assert events[-1].data["failed"] is True
    with pytest.raises(StartFailed, match="restarted"):
        await hub.commands.wait_started(row, 1)
    assert await hub.server_tokens() == 0
    await hub.up("ada")


async def test_what_a_start_without_state_left_running_is_found_and_stopped(house: House) -> None:
    server = await crash(house, State.STARTING)
    house.world.launch("ada/")
    house.world.plan("ada/").lost = True
    hub = await house.replica()
    await hub.sweep.adopt()
    row = await settled(hub, server)
    assert row.state is State.STOPPED
    assert house.world.processes == {}


async def test_a_start_with_plug_in_state_is_stopped_and_failed(house: House) -> None:
    server = await crash(house, State.STARTING, Plan(launch_before_gate=True))
    assert len(house.world.pids("ada/")) == 1
    hub = await house.replica()
    await hub.sweep.adopt()
    row = await settled(hub, server)
    assert row.state is State.STOPPED
    assert row.failure is not None
    assert house.world.processes == {}


@pytest.mark.parametrize("state", ["starting", "stopping"])
async def test_what_an_unwanted_start_left_running_is_found_and_stopped(
    house: House, state: str
) -> None:
    server = await crash(house, State.STARTING)
    house.world.launch("ada/")
    house.world.plan("ada/").lost = True
    hub = await house.replica()
    await hub.set(server, wanted="down", state=state)
    await hub.sweep.adopt()
    assert (await settled(hub, server)).state is State.STOPPED
    assert house.world.processes == {}


async def test_a_search_that_fails_ends_the_start_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await crash(house, State.STARTING)
    hub = await house.replica()

    async def fails(_: object) -> bool:
        raise PluginError("FakeSpawner", "find_lost", "no /proc")

    monkeypatch.setattr("servers_fakes.FakeSpawner.find_lost", fails)
    await hub.sweep.adopt()
    row = await settled(hub, server)
    assert row.state is State.STOPPED
    assert "cleanup" in house.world.called("ada/")


async def test_a_living_server_that_was_probed_becomes_ready(house: House) -> None:
    server = await crash(house, State.PROBING)
    hub = await house.replica()
    await hub.sweep.adopt()
    row = await settled(hub, server)
    assert row.state is State.READY
    assert row.token_id == server.token_id
    assert hub.proxy.table["/user/ada/"].target == row.url
    events = await hub.events(server)
    assert [event.seq for event in events] == [1, 2, 3]
    assert "restarted" in events[1].data["message"]
    assert events[-1].data["ready"] is True
    assert "start" not in house.world.called("ada/")


async def test_a_dead_server_that_was_probed_is_stopped_with_the_reason(house: House) -> None:
    server = await crash(house, State.PROBING)
    house.world.kill("ada/")
    hub = await house.replica()
    await hub.sweep.adopt()
    row = await settled(hub, server)
    assert row.state is State.STOPPED
    assert row.failure is not None
    assert hub.proxy.table == {}


async def test_a_ready_server_stays_with_its_token_and_route(house: House) -> None:
    server = await crash(house, State.READY)
    secret = house.world.launches[-1].api_token
    hub = await house.replica()
    house.proxy.table.clear()
    await hub.sweep.claim()
    checked = await hub.row(server)
    assert (checked.checking, checked.pending, checked.ready) == (True, "check", False)
    await hub.sweep.adopt()
    row = await hub.row(server)
    assert row.ready
    assert row.epoch == server.epoch + 1
    assert holding_of(hub, server).server.ready
    assert hub.proxy.table["/user/ada/"].target == row.url
    assert await hub.tokens.resolve(secret) is not None
    assert hub.factory.live[server.id].told[-1] == (None, True)
    await hub.down(row)
    assert house.world.processes == {}


async def test_a_ready_server_that_died_is_stopped_without_audit_record(house: House) -> None:
    server = await crash(house, State.READY)
    house.world.kill("ada/")
    hub = await house.replica()
    await hub.sweep.adopt()
    row = await settled(hub, server)
    assert (row.state, row.failure) == (State.STOPPED, None)
    assert hub.audit.records == []
    assert hub.proxy.table == {}
    await hub.up("ada")


async def test_a_ready_server_that_does_not_answer_is_stopped(house: House) -> None:
    server = await crash(house, State.READY, Plan(http_timeout_s=0.05))
    house.world.silent.add("ada/")
    hub = await house.replica()
    await hub.sweep.adopt()
    assert (await settled(hub, server)).state is State.STOPPED
    assert house.world.processes == {}


async def test_a_ready_server_is_routed_to_where_it_says_it_is(house: House) -> None:
    server = await crash(house, State.READY)
    moved = house.world.launch("ada/")
    house.world.plan("ada/").address = f"http://127.0.0.1:{moved}"
    hub = await house.replica()
    await hub.sweep.adopt()
    row = await hub.row(server)
    assert row.url == f"http://127.0.0.1:{moved}"
    assert hub.proxy.table["/user/ada/"].target == row.url
    assert hub.factory.live[server.id].url == row.url


async def test_a_server_whose_address_is_unknown_is_stopped(house: House) -> None:
    server = await crash(house, State.READY)
    house.world.plan("ada/").address_error = PluginError("FakeSpawner", "get_url", "who knows")
    hub = await house.replica()
    await hub.sweep.adopt()
    assert (await settled(hub, server)).state is State.STOPPED
    assert house.world.processes == {}


async def test_a_stop_that_was_cut_off_is_done_again(house: House) -> None:
    server = await crash(house, State.STOPPING)
    hub = await house.replica()
    await hub.sweep.adopt()
    row = await settled(hub, server)
    assert (row.state, row.failure) == (State.STOPPED, None)
    assert house.world.processes == {}
    assert await hub.server_tokens() == 0


async def test_a_failed_start_keeps_its_reason_when_its_stop_was_cut_off(house: House) -> None:
    first = await house.replica()
    gate = asyncio.Event()
    house.world.plans["ada/"] = Plan(
        launch_before_gate=True,
        start_error=PluginError("FakeSpawner", "start", "no disk"),
        stop_gate=gate,
    )
    server = await first.request("ada")
    await first.until_called("ada/", "stop")
    await first.kill()
    gate.set()
    hub = await house.replica()
    await hub.sweep.adopt()
    row = await settled(hub, server)
    assert row.failure is not None
    assert "no disk" in row.failure.message
    assert (await hub.events(server))[-1].last


@pytest.mark.parametrize("state", [s for s in State if s is not State.STOPPED])
async def test_who_was_to_stop_while_no_hub_lived_is_stopped(house: House, state: State) -> None:
    server = await crash(house, state)
    hub = await house.replica()
    await hub.set(server, wanted=Wish.DOWN.value)
    await hub.sweep.adopt()
    row = await settled(hub, server)
    assert (row.state, row.wanted) == (State.STOPPED, Wish.DOWN)
    assert house.world.processes == {}
    assert hub.proxy.table == {}
    assert await hub.server_tokens() == 0
    assert await hub.server_clients() == 0


@pytest.mark.parametrize("state", [s for s in State if s is not State.STOPPED])
async def test_no_state_outlives_a_second_crash(house: House, state: State) -> None:
    server = await crash(house, state)
    second = await house.replica()
    await second.sweep.claim()
    await second.kill()
    hub = await house.replica()
    await hub.sweep.adopt()
    row = await settled(hub, server)
    assert row.state in (State.READY, State.STOPPED)
    assert len(house.world.pids("ada/")) == (row.state is State.READY)


async def test_a_stop_is_taken_while_a_server_is_being_checked(house: House) -> None:
    server = await crash(house, State.READY)
    house.world.silent.add("ada/")
    hub = await house.replica()
    adopting = asyncio.create_task(hub.sweep.adopt())
    await until("the check", lambda: hub.holdings.get(server.id))
    await hub.commands.request_stop(server)
    assert await hub.commands.wait_stopped(server, 5)
    house.world.silent.clear()
    await adopting
    row = await settled(hub, server)
    assert (row.state, row.url, row.checking) == (State.STOPPED, None, False)
    assert hub.proxy.table == {}
    assert house.world.processes == {}


async def test_a_stop_asked_for_between_claim_and_check_is_heeded(house: House) -> None:
    server = await crash(house, State.READY)
    hub = await house.replica(watch=True)
    await hub.sweep.claim()
    await hub.commands.request_stop(server)
    await hub.sweep.adopt()
    assert await hub.commands.wait_stopped(server, 5)
    assert house.world.processes == {}


async def test_a_plug_in_that_cannot_be_made_leaves_a_running_server_alone(house: House) -> None:
    server = await crash(house, State.READY)
    house.world.plan("ada/").open_error = PluginError("FakeSpawner", "__init__", "a typo")
    hub = await house.replica()
    await hub.sweep.adopt()
    row = await hub.row(server)
    assert (row.state, row.checking, row.plugin_state) == (State.READY, True, server.plugin_state)
    assert len(house.world.pids("ada/")) == 1
    house.world.plan("ada/").open_error = None
    await hub.sweep.adopt()
    await hub.sweep.adopt()
    assert (await hub.row(server)).ready


async def test_a_database_that_goes_away_during_adoption_costs_no_server(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await crash(house, State.READY)
    hub = await house.replica()
    owner = hub.launcher.owner

    async def away(_: Server) -> Any:
        raise StoreUnavailable("away")

    monkeypatch.setattr(hub.launcher, "owner", away)
    await hub.sweep.adopt()
    assert (await hub.row(server)).state is State.READY
    monkeypatch.setattr(hub.launcher, "owner", owner)
    await hub.sweep.adopt()
    await hub.sweep.adopt()
    assert (await hub.row(server)).ready
    assert len(house.world.pids("ada/")) == 1


async def test_a_granted_start_that_nobody_drives_is_found(hub: Replica) -> None:
    await hub.user("ada")
    server = await hub.commands.find("ada", "")
    assert server is not None
    await hub.set(
        server, state="queued", wanted="up", lease_owner=hub.lease.id, epoch=4, options={}
    )
    assert await hub.sweep.adopt() == 0
    assert await hub.sweep.adopt() == 1
    row = await settled(hub, server)
    assert (row.state, row.epoch) == (State.READY, 5)


async def test_a_request_that_is_cut_off_still_leads_to_a_driven_start(hub: Replica) -> None:
    user = await hub.user("ada")
    asking = asyncio.create_task(hub.commands.request_start(user, ""))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    server = await hub.commands.find("ada", "")
    assert server is not None
    await hub.until_state(server, State.READY, State.STOPPED)


async def test_nothing_that_is_driven_is_adopted_again(hub: Replica) -> None:
    hub.world.plans["bob/"] = Plan(start_gate=asyncio.Event())
    ada, bob = await hub.up("ada"), await hub.request("bob")
    for _ in range(3):
        assert await hub.sweep.adopt() == 0
    assert (await hub.row(ada)).epoch == ada.epoch
    assert (await hub.row(bob)).epoch == bob.epoch


async def test_many_servers_are_adopted_with_bounded_concurrency(house: House) -> None:
    first = await house.replica()
    servers = [await first.up(f"user{n}") for n in range(30)]
    await first.kill()
    hub = await house.replica()
    assert await hub.sweep.adopt() == 30
    rows = [await hub.row(server) for server in servers]
    assert all(row.ready for row in rows)
    assert len(hub.holdings) == 30


async def test_a_server_that_a_rival_took_is_let_go(house: House) -> None:
    first, second = await house.replica(), await house.replica()
    server = await first.up("ada")
    await first.expire_lease()
    await second.sweep.adopt()
    await first.set_lease_alive()
    await first.sweep.adopt()
    assert first.holdings.get(server.id) is not None, "once is no proof"
    await first.sweep.adopt()
    assert first.holdings.get(server.id) is None
    assert first.factory.find(server.id) is None
    assert (await second.row(server)).ready
