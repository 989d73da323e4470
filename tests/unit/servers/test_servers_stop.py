"""Stops: of running servers, of starts under way, and of what does not want to stop."""

import asyncio

import pytest
from servers_fakes import Plan
from servers_house import Replica, holding_of, until

from perijove.domain.errors import InvalidInput, PluginError, StartFailed
from perijove.domain.servers import State, Wish


async def stopped(hub: Replica, user: str = "ada") -> None:
    """Assert that nothing of the server is left."""
    server = await hub.commands.find(user, "")
    assert server is not None
    assert (server.state, server.wanted) == (State.STOPPED, Wish.DOWN)
    assert (server.url, server.token_id, server.oauth_client_id) == (None, None, None)
    assert (server.lease_owner, server.started, server.host) == (None, None, None)
    assert hub.holdings.get(server.id) is None
    assert hub.factory.find(server.id) is None
    assert hub.world.pids(f"{user}/") == []
    assert f"/user/{user}/" not in hub.proxy.table
    assert await hub.server_tokens() == 0
    assert await hub.server_clients() == 0


async def test_a_stop_ends_process_route_token_and_client(hub: Replica) -> None:
    server = await hub.up("ada")
    await hub.down(server)
    await stopped(hub)
    assert (await hub.row(server)).failure is None
    assert hub.world.called("ada/")[2:] == ["stop", "cleanup"]
    assert hub.audit.records == [("start", "ada", ""), ("stop", "ada", "")]


async def test_the_token_of_a_stopped_server_is_forgotten_at_once(hub: Replica) -> None:
    server = await hub.up("ada")
    secret = hub.world.launches[0].api_token
    assert await hub.tokens.resolve(secret) is not None
    await hub.down(server)
    assert await hub.tokens.resolve(secret) is None


async def test_a_stop_during_a_start_cancels_it_and_says_so(hub: Replica) -> None:
    hub.world.plans["ada/"] = Plan(start_gate=asyncio.Event(), launch_before_gate=True)
    server = await hub.request("ada")
    await hub.until_called("ada/", "start")
    await hub.down(server)
    await stopped(hub)
    row = await hub.row(server)
    assert row.failure is not None
    assert (row.failure.message, row.failure.reason) == ("Spawn cancelled", "cancelled")
    last = (await hub.events(server))[-1]
    assert last.data == {"progress": 100, "failed": True, "message": "Spawn cancelled"}
    with pytest.raises(StartFailed, match="cancelled"):
        await hub.commands.wait_started(server, 5)
    assert hub.audit.records == []


async def test_a_stop_while_queued_leaves_nothing(hub: Replica) -> None:
    hub.world.plans["ada/"] = Plan(scopes_gate=asyncio.Event())
    server = await hub.request("ada")
    assert (await hub.row(server)).state is State.QUEUED
    await hub.commands.request_stop(server)
    assert await hub.commands.wait_stopped(server, 5)
    await stopped(hub)
    hub.world.plans["ada/"] = Plan()
    await hub.up("ada")


@pytest.mark.parametrize("turns", range(25))
async def test_a_stop_at_any_turn_of_the_loop_leaves_nothing(hub: Replica, turns: int) -> None:
    server = await hub.request("ada")
    for _ in range(turns):
        await asyncio.sleep(0.0005)
    await hub.down(server)
    await stopped(hub)
    events = await hub.events(server)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[-1].last


@pytest.mark.parametrize("place", ["prepare", "start"])
async def test_a_plug_in_that_swallows_cancellation_is_still_cleaned_up(
    hub: Replica, place: str
) -> None:
    gate = asyncio.Event()
    plan = Plan(stubborn=True)
    setattr(plan, f"{place}_gate", gate)
    hub.world.plans["ada/"] = plan
    server = await hub.request("ada")
    await hub.until_called("ada/", place)
    await hub.commands.request_stop(server)
    await hub.until_state(server, State.STOPPING)
    gate.set()
    assert await hub.commands.wait_stopped(server, 5)
    await asyncio.sleep(0.05)
    await stopped(hub)


async def test_a_start_that_returns_although_it_was_cancelled_is_not_routed(hub: Replica) -> None:
    gate = asyncio.Event()
    hub.world.plans["ada/"] = Plan(stubborn=True, start_gate=gate, stop_gate=asyncio.Event())
    server = await hub.request("ada")
    await hub.until_called("ada/", "start")
    await hub.commands.request_stop(server)
    gate.set()
    await hub.until_called("ada/", "stop")
    await asyncio.sleep(0.1)
    assert hub.proxy.table == {}
    assert (await hub.row(server)).state is State.STOPPING
    stop_gate = hub.world.plan("ada/").stop_gate
    assert stop_gate is not None
    stop_gate.set()
    assert await hub.commands.wait_stopped(server, 5)
    await stopped(hub)


async def test_a_process_that_a_cancelled_start_begins_late_is_stopped_as_well(
    hub: Replica,
) -> None:
    gate = asyncio.Event()
    hub.world.plans["ada/"] = Plan(stubborn=True, start_gate=gate)
    server = await hub.request("ada")
    await hub.until_called("ada/", "start")
    await hub.commands.request_stop(server)
    await hub.until_state(server, State.STOPPING)
    await asyncio.sleep(0.05)
    assert (await hub.row(server)).state is State.STOPPING, "nobody knows what start will do"
    gate.set()
    assert await hub.commands.wait_stopped(server, 5)
    await stopped(hub)


async def test_two_stops_are_one(hub: Replica) -> None:
    gate = asyncio.Event()
    hub.world.plan("ada/").stop_gate = gate
    server = await hub.up("ada")
    await hub.commands.request_stop(server)
    await hub.until_called("ada/", "stop")
    await hub.commands.request_stop(server)
    gate.set()
    assert await hub.commands.wait_stopped(server, 5)
    await stopped(hub)
    assert hub.world.called("ada/").count("stop") == 1
    await hub.commands.request_stop(await hub.row(server))
    await stopped(hub)


async def test_a_stop_that_hangs_is_shown_and_refuses_a_start(hub: Replica) -> None:
    gate = asyncio.Event()
    hub.world.plan("ada/").stop_gate = gate
    server = await hub.up("ada")
    await hub.commands.request_stop(server)
    assert not await hub.commands.wait_stopped(server, 0.05)
    row = await hub.row(server)
    assert row.pending == "stop"
    assert hub.proxy.table == {}
    with pytest.raises(InvalidInput, match="pending stop"):
        await hub.request("ada")
    gate.set()
    assert await hub.commands.wait_stopped(server, 5)
    await hub.up("ada")


async def test_a_stop_that_raises_ends_stopped_and_can_be_started_again(
    hub: Replica, caplog: pytest.LogCaptureFixture
) -> None:
    hub.world.plan("ada/").stop_error = PluginError("FakeSpawner", "stop", "no signal")
    server = await hub.up("ada")
    await hub.down(server)
    assert "may still run" in caplog.text
    assert hub.world.called("ada/")[-1] == "cleanup"
    row = await hub.row(server)
    assert (row.state, row.token_id) == (State.STOPPED, None)
    assert ("stop", "ada", "") not in hub.audit.records
    hub.world.plans["ada/"] = Plan()
    await hub.up("ada")


async def test_a_server_whose_poll_fails_is_stopped_all_the_same(hub: Replica) -> None:
    server = await hub.up("ada")
    hub.world.plan("ada/").poll_error = PluginError("FakeSpawner", "poll", "who knows")
    await hub.down(server)
    await stopped(hub)


async def test_a_state_that_cannot_be_read_does_not_keep_a_stop_from_ending(hub: Replica) -> None:
    server = await hub.up("ada")
    hub.world.plan("ada/").state_error = PluginError("FakeSpawner", "get_state", "set()")
    await hub.down(server)
    await stopped(hub)


async def test_a_proxy_that_is_away_does_not_keep_a_stop_from_ending(hub: Replica) -> None:
    server = await hub.up("ada")
    hub.proxy.error = PluginError("FakeProxy", "delete_route", "away")
    await hub.down(server)
    assert (await hub.row(server)).state is State.STOPPED
    assert hub.world.processes == {}


@pytest.mark.parametrize("failures", [1, 2, 5])
async def test_a_database_that_is_away_for_a_moment_does_not_strand_a_stop(
    hub: Replica, failures: int
) -> None:
    server = await hub.up("ada")
    hub.database.failures = failures
    await hub.down(server)
    await stopped(hub)


async def test_a_server_that_died_is_found_cleaned_up_and_startable(hub: Replica) -> None:
    hub.world.plan("ada/").poll_interval_s = 0.02
    hub.sweep.start()
    server = await hub.up("ada")
    hub.world.kill("ada/")
    await hub.until_state(server, State.STOPPED)
    await until("its end", lambda: hub.holdings.get(server.id) is None)
    await stopped(hub)
    assert (await hub.row(server)).failure is None
    assert "stop" not in hub.world.called("ada/")
    assert hub.world.called("ada/")[-1] == "cleanup"
    assert hub.audit.records == [("start", "ada", "")]
    await hub.up("ada")


async def test_a_poll_that_fails_does_not_stop_a_server(hub: Replica) -> None:
    hub.world.plan("ada/").poll_interval_s = 0.02
    hub.sweep.start()
    server = await hub.up("ada")
    hub.world.plan("ada/").poll_error = PluginError("FakeSpawner", "poll", "api away")
    await asyncio.sleep(0.15)
    assert (await hub.row(server)).state is State.READY
    hub.world.plan("ada/").poll_error = None
    hub.world.kill("ada/")
    await hub.until_state(server, State.STOPPED)


async def test_a_server_without_poll_interval_is_never_polled(hub: Replica) -> None:
    hub.sweep.start()
    server = await hub.up("ada")
    hub.world.kill("ada/")
    await asyncio.sleep(0.1)
    assert (await hub.row(server)).state is State.READY


async def test_a_start_asked_for_right_after_a_death_succeeds(hub: Replica) -> None:
    await hub.up("ada")
    hub.world.kill("ada/")
    server = await hub.up("ada")
    assert len(hub.world.pids("ada/")) == 1
    assert (await hub.row(server)).state is State.READY


async def test_a_stop_that_nobody_asked_for_is_not_in_the_audit_trail(hub: Replica) -> None:
    server = await hub.up("ada")
    await hub.runner.stop(holding_of(hub, server))
    assert hub.audit.records == [("start", "ada", "")]


async def test_stopping_a_server_keeps_its_options_for_the_next_start(hub: Replica) -> None:
    server = await hub.up("ada", options={"size": "big"})
    await hub.down(server)
    await hub.up("ada")
    assert hub.world.launches[-1].options == {"size": "big"}
    await hub.down(server)
    await hub.up("ada", options={})
    assert hub.world.launches[-1].options == {}


@pytest.mark.parametrize("call", ["stop_error", "poll_error"])
async def test_a_cancellation_from_within_the_plug_in_does_not_strand_a_stop(
    hub: Replica, call: str
) -> None:
    server = await hub.up("ada")
    setattr(hub.world.plan("ada/"), call, asyncio.CancelledError())
    await hub.down(server)
    assert (await hub.row(server)).state is State.STOPPED


async def test_a_wish_is_durable_before_the_plug_in_has_noticed(hub: Replica) -> None:
    hub.world.plans["ada/"] = Plan(start_gate=asyncio.Event(), stubborn=True)
    server = await hub.request("ada")
    await hub.until_called("ada/", "start")
    await hub.commands.request_stop(server)
    row = await hub.until_state(server, State.STOPPING)
    assert row.wanted is Wish.DOWN
    with pytest.raises(InvalidInput, match="pending stop"):
        await hub.request("ada")


async def test_a_task_that_breaks_does_not_strand_its_server(
    hub: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await hub.up("ada")
    broken = hub.runner._end

    async def breaks(*_: object) -> None:
        monkeypatch.setattr(hub.runner, "_end", broken)
        raise RuntimeError("a bug")

    monkeypatch.setattr(hub.runner, "_end", breaks)
    hub.sweep.start()
    await hub.commands.request_stop(server)
    await hub.until_state(server, State.STOPPED)
    await until("its end", lambda: hub.holdings.get(server.id) is None)
    await stopped(hub)
