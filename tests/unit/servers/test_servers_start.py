"""Starts: what becomes of them, and what people are told."""

import asyncio
import logging

import pytest
from servers_fakes import Plan
from servers_house import House, Replica, holding_of, until

from perijove.domain.errors import PluginError, Refusal, StartFailed
from perijove.domain.servers import State, Wish
from perijove.kit.crypto import hash_token
from perijove.store import oauth as oauth_rows
from perijove.store import tokens as token_rows
from perijove.telemetry import metrics


def spawns_counted(status: str, reason: str) -> float:
    """How many starts the histogram has with these labels."""
    for metric in metrics.SERVER_SPAWN_DURATION.collect():
        for sample in metric.samples:
            if sample.name.endswith("_count") and sample.labels == {
                "status": status,
                "reason": reason,
            }:
                return sample.value
    return 0.0


async def failed(hub: Replica, user: str = "ada", **values: object) -> StartFailed:
    """Start a server that is expected to fail."""
    server = await hub.request(user, **values)
    with pytest.raises(StartFailed) as caught:
        await hub.commands.wait_started(server, 5)
    row = await hub.row(server)
    assert row.state is State.STOPPED
    assert row.wanted is Wish.DOWN
    assert row.failure is not None
    assert row.lease_owner is None
    assert row.token_id is None
    assert hub.holdings.get(server.id) is None
    assert hub.factory.find(server.id) is None
    assert hub.proxy.table == {}
    return caught.value


async def test_a_server_that_starts_is_ready_routed_and_known_by_its_token(hub: Replica) -> None:
    server = await hub.up("ada", options={"size": "big"})

    row = await hub.row(server)
    (pid,) = hub.world.pids("ada/")
    assert (row.state, row.wanted, row.url) == (State.READY, Wish.UP, f"http://127.0.0.1:{pid}")
    assert row.plugin_state == {"pid": pid}
    assert row.started is not None
    assert row.last_activity is not None
    assert hub.proxy.table["/user/ada/"].target == row.url
    assert hub.proxy.table["/user/ada/"].data == {"user": "ada", "server_name": ""}
    assert set(hub.proxy.table) == await hub.desired()
    (launch,) = hub.world.launches
    assert launch.options == {"size": "big"}
    assert launch.user.name == "ada"
    bearer = await hub.database.read(lambda c: token_rows.find(c, hash_token(launch.api_token)))
    assert bearer is not None
    assert bearer.token.id == row.token_id
    assert "users:activity!user" in bearer.token.scopes
    assert hub.audit.records == [("start", "ada", "")]
    assert hub.prober.asked[-1] == f"{row.url}/user/ada/api"
    assert hub.world.called("ada/") == ["prepare", "start"]


@pytest.mark.parametrize("pairs", [(("a-b", ""), ("a", "b")), (("a", "b-c"), ("a-b", "c"))])
async def test_servers_that_would_be_called_the_same_are_two_oauth_clients(
    hub: Replica, pairs: tuple[tuple[str, str], ...]
) -> None:
    for order in (pairs, pairs[::-1]):
        clients = []
        servers = [await hub.up(user, name) for user, name in order]
        for server in servers:
            client_id = (await hub.row(server)).oauth_client_id
            assert client_id is not None
            client = await hub.database.read(lambda c, i=client_id: oauth_rows.find_client(c, i))
            assert client is not None
            prefix = f"/user/{server.user_name}/{f'{server.name}/' if server.name else ''}"
            assert client.redirect_uri == f"{prefix}oauth_callback"
            owner = await hub.database.read(lambda c, i=client_id: oauth_rows.client_owner(c, i))
            assert owner is not None
            assert owner.server == (server.user_name, server.name)
            clients.append(client_id)
        assert clients[0] == f"jupyterhub-user-{'-'.join(filter(None, order[0]))}"
        assert len(set(clients)) == 2
        for server in servers:
            await hub.down(server)


async def test_a_start_shows_its_states_to_the_plug_in(hub: Replica) -> None:
    server = await hub.up("ada")
    spawner = hub.factory.live[server.id]
    assert spawner.told[0] == ("spawn", False)
    assert spawner.told[-1] == (None, True)
    assert set(spawner.told) == {("spawn", False), (None, True)}
    assert spawner.url == (await hub.row(server)).url


async def test_events_are_stored_in_order_and_end_with_ready(hub: Replica) -> None:
    hub.world.plans["ada/"] = Plan(
        events=[
            {"progress": 20, "message": "pulling"},
            {"progress": 60, "message": "mounting", "ready": True},
        ]
    )
    server = await hub.up("ada")
    events = await hub.events(server)
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert [event.data["message"] for event in events] == [
        "Server requested",
        "pulling",
        "mounting",
        "Server ready at /user/ada/",
    ]
    assert [event.last for event in events] == [False, False, False, True]
    assert events[-1].data["url"] == "/user/ada/"


async def test_progress_is_heard_and_stored_until_the_server_answers(hub: Replica) -> None:
    gate = asyncio.Event()
    hub.world.plans["ada/"] = Plan(late_gate=gate, late_events=[{"message": "node is up"}])
    hub.world.silent.add("ada/")
    server = await hub.request("ada")

    async def probing() -> bool:
        return (await hub.row(server)).state is State.PROBING

    await until("a server that does not answer yet", probing)
    gate.set()

    async def stored() -> bool:
        return "node is up" in [event.data["message"] for event in await hub.events(server)]

    await until("the late event", stored)
    hub.world.silent.clear()
    await hub.commands.wait_started(server, 5)
    assert [event.data["message"] for event in await hub.events(server)] == [
        "Server requested",
        "node is up",
        "Server ready at /user/ada/",
    ]


async def test_the_ready_event_is_what_the_operators_hook_makes_of_it(hub: Replica) -> None:
    hub.world.plans["ada/"] = Plan(ready_hook={"message": "come in"})
    server = await hub.up("ada")
    assert (await hub.events(server))[-1].data["message"] == "come in"


async def test_nobody_hears_ready_before_the_server_is_ready(hub: Replica) -> None:
    seen: list[bool] = []
    server = await hub.request("ada")
    async for event in hub.progress.follow(server, 5):
        if event is not None and event.data.get("ready"):
            seen.append((await hub.row(server)).ready and holding_of(hub, server).server.ready)
    assert seen == [True]


async def test_nobody_hears_failed_before_the_server_can_be_started_again(hub: Replica) -> None:
    hub.world.plans["ada/"] = Plan(start_error=PluginError("FakeSpawner", "start", "no"))
    server = await hub.request("ada")
    async for event in hub.progress.follow(server, 5):
        if event is not None and event.data.get("failed"):
            assert (await hub.row(server)).state is State.STOPPED
            hub.world.plans["ada/"] = Plan()
            await hub.up("ada")
            return
    pytest.fail("the failure was not told")


async def test_a_refusal_keeps_its_status_and_words_and_logs_no_traceback(
    hub: Replica, caplog: pytest.LogCaptureFixture
) -> None:
    before = spawns_counted("failure", "quota")
    hub.world.plans["ada/"] = Plan(
        failure_limit=1,
        start_error=Refusal(
            "FakeSpawner",
            "start",
            "over quota",
            429,
            shown_html="<b>over</b>",
            reason="quota",
            headers={"Retry-After": "60"},
        ),
    )
    caplog.set_level(logging.INFO)
    error = await failed(hub)
    assert (error.status, error.reason, error.message) == (429, "quota", "over quota")
    assert error.headers == {"Retry-After": "60"}
    assert error.shown_html == "<b>over</b>"
    assert not [record for record in caplog.records if record.exc_info]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert spawns_counted("failure", "quota") == before + 1
    assert hub.failure_limits == []
    events = await hub.events(await hub.commands.find("ada", ""))
    assert events[-1].data["failed"] is True
    assert events[-1].data["message"] == "Spawn failed: over quota"
    assert events[-1].data["html_message"] == "Spawn failed: <b>over</b>"


async def test_an_unexpected_exception_of_the_plug_in_fails_the_start_with_its_words(
    hub: Replica, caplog: pytest.LogCaptureFixture
) -> None:
    before = spawns_counted("failure", "")
    hub.world.plans["ada/"] = Plan(
        start_error=PluginError("FakeSpawner", "start", "RuntimeError: no disk")
    )
    error = await failed(hub)
    assert error.status == 500
    assert "no disk" in error.message
    assert [r for r in caplog.records if r.exc_info and "ada/" in r.getMessage()]
    assert spawns_counted("failure", "") == before + 1


async def test_an_error_before_the_start_leaves_nothing_running(hub: Replica) -> None:
    hub.world.plans["ada/"] = Plan(prepare_error=PluginError("FakeSpawner", "hook", "no secret"))
    error = await failed(hub)
    assert "no secret" in error.message
    assert "start" not in hub.world.called("ada/")
    assert hub.world.processes == {}
    assert await hub.server_tokens() == 0
    assert await hub.server_clients() == 0
    hub.world.plans["ada/"] = Plan()
    await hub.up("ada")


async def test_an_error_that_is_no_plug_in_error_shows_no_inner_words(hub: Replica) -> None:
    hub.world.plans["ada/"] = Plan(open_error=KeyError("secret-of-the-hub"))
    error = await failed(hub)
    assert "secret-of-the-hub" not in error.message
    assert error.status == 500


async def test_a_start_that_takes_too_long_fails_and_is_cleaned_up(hub: Replica) -> None:
    hub.world.plans["ada/"] = Plan(
        start_timeout_s=0.05, start_gate=asyncio.Event(), launch_before_gate=True
    )
    error = await failed(hub)
    assert error.reason == "timeout"
    assert "0.05 seconds" in error.message
    assert hub.world.called("ada/") == ["prepare", "start", "stop", "cleanup"]
    assert hub.world.processes == {}


async def test_start_timeout_holds_for_a_plug_in_that_ignores_cancellation(hub: Replica) -> None:
    gate = asyncio.Event()
    hub.world.plans["ada/"] = Plan(
        start_timeout_s=0.05, start_gate=gate, stubborn=True, launch_before_gate=True
    )
    server = await hub.request("ada")
    await until("a stop of what was half started", lambda: "stop" in hub.world.called("ada/"))
    gate.set()
    with pytest.raises(StartFailed) as caught:
        await hub.commands.wait_started(server, 5)
    assert caught.value.reason == "timeout"
    assert hub.world.processes == {}
    assert hub.proxy.table == {}


async def test_a_server_that_never_answers_fails_after_http_timeout(hub: Replica) -> None:
    hub.world.plans["ada/"] = Plan(http_timeout_s=0.1)
    hub.world.silent.add("ada/")
    error = await failed(hub)
    assert error.reason == "timeout"
    assert "did not answer" in error.message
    assert hub.world.processes == {}


async def test_a_server_that_ends_before_it_answers_fails_at_once(hub: Replica) -> None:
    hub.world.plans["ada/"] = Plan(http_timeout_s=30)
    hub.world.silent.add("ada/")
    server = await hub.request("ada")
    await hub.until_state(server, State.PROBING)
    hub.world.kill("ada/")
    with pytest.raises(StartFailed) as caught:
        await hub.commands.wait_started(server, 5)
    assert caught.value.reason == "exited"
    assert "3" in caught.value.message


async def test_a_proxy_that_refuses_the_route_fails_the_start(hub: Replica) -> None:
    hub.proxy.error = PluginError("FakeProxy", "add_route", "down")
    error = await failed(hub)
    assert "down" in error.message
    assert hub.world.processes == {}


async def test_a_plug_in_state_that_is_no_json_fails_the_start_and_ends_stopped(
    hub: Replica,
) -> None:
    hub.world.plans["ada/"] = Plan(state_error=PluginError("FakeSpawner", "get_state", "set()"))
    error = await failed(hub)
    assert "set()" in error.message
    assert hub.world.processes == {}


async def test_failures_in_a_row_are_counted_until_a_start_succeeds(hub: Replica) -> None:
    plan = hub.world.plan("ada/")
    plan.failure_limit = 2
    plan.start_error = PluginError("FakeSpawner", "start", "no")
    await failed(hub)
    assert hub.failure_limits == []
    plan.start_error = None
    await hub.down(await hub.up("ada"))
    plan.start_error = PluginError("FakeSpawner", "start", "no")
    await failed(hub)
    assert hub.failure_limits == []
    await failed(hub)
    assert hub.failure_limits == [2]


async def test_a_cancelled_start_is_no_failure_in_a_row(hub: Replica) -> None:
    hub.world.plans["ada/"] = Plan(start_gate=asyncio.Event(), failure_limit=1)
    server = await hub.request("ada")
    await hub.until_called("ada/", "start")
    await hub.down(server)
    assert hub.failure_limits == []


async def test_a_server_that_resumes_keeps_the_token_it_runs_with(hub: Replica) -> None:
    token = "f" * 32
    plan = hub.world.plan("ada/")
    plan.own_token = token
    plan.will_resume = True
    server = await hub.up("ada")
    bearer = await hub.database.read(lambda c: token_rows.find(c, hash_token(token)))
    assert bearer is not None
    assert (await hub.row(server)).token_id == bearer.token.id
    await hub.down(server)
    assert (await hub.row(server)).token_id == bearer.token.id
    assert await hub.server_clients() == 1
    server = await hub.up("ada")
    assert (await hub.row(server)).token_id == bearer.token.id
    assert await hub.server_tokens() == 1
    plan.will_resume = False
    await hub.down(server)
    assert await hub.server_tokens() == 0
    assert await hub.server_clients() == 0


async def test_a_server_made_anew_loses_the_token_that_was_kept_for_it(hub: Replica) -> None:
    plan = hub.world.plan("ada/")
    plan.will_resume = True
    await hub.down(await hub.up("ada"))
    assert await hub.server_tokens() == 1
    server = await hub.up("ada")
    assert await hub.server_tokens() == 1
    assert (await hub.row(server)).token_id is not None


async def test_a_server_cannot_take_over_somebody_elses_token(hub: Replica) -> None:
    await hub.up("bob")
    hub.world.plans["ada/"] = Plan(own_token=hub.world.launches[0].api_token)
    server = await hub.request("ada")
    with pytest.raises(StartFailed, match="somebody else"):
        await hub.commands.wait_started(server, 5)
    assert hub.world.pids("ada/") == []


async def test_a_start_goes_on_when_its_progress_fails(hub: Replica) -> None:
    class Broken(list):  # type: ignore[type-arg]
        def __iter__(self):  # type: ignore[no-untyped-def]
            raise PluginError("FakeSpawner", "progress", "no words")

    hub.world.plans["ada/"] = Plan(events=Broken())
    await hub.up("ada")


async def test_a_start_goes_on_when_its_progress_cannot_be_stored_for_a_moment(
    hub: Replica,
) -> None:
    gate = asyncio.Event()
    hub.world.plans["ada/"] = Plan(start_gate=gate, events=[{"progress": 5, "message": "one"}])
    server = await hub.request("ada")
    await hub.until_called("ada/", "start")
    hub.database.failures = 3
    await until("the failed writes", lambda: hub.database.failures == 0)
    gate.set()
    await hub.commands.wait_started(server, 5)
    assert [event.seq for event in await hub.events(server)] == [1, 2, 3]


async def test_a_start_that_the_database_refuses_ends_stopped_once_it_is_back(
    hub: Replica,
) -> None:
    gate = asyncio.Event()
    hub.world.plans["ada/"] = Plan(prepare_gate=gate)
    server = await hub.request("ada")
    await hub.until_called("ada/", "prepare")
    hub.database.failures = 3
    gate.set()
    row = await hub.until_state(server, State.STOPPED)
    assert row.failure is not None
    assert hub.world.processes == {}
    await hub.up("ada")


async def test_the_machine_of_a_local_process_is_known_before_it_runs(house: House) -> None:
    hub = await house.replica()
    hub.world.plans["ada/"] = Plan(local_host="m1", prepare_gate=asyncio.Event())
    server = await hub.request("ada")
    await hub.until_called("ada/", "prepare")
    assert (await hub.row(server)).host == "m1"


async def test_plug_in_state_is_stored_while_the_start_goes_on(hub: Replica) -> None:
    hub.world.plans["ada/"] = Plan(start_gate=asyncio.Event(), launch_before_gate=True)
    server = await hub.request("ada")

    async def stored() -> bool:
        pids = hub.world.pids("ada/")
        return bool(pids) and (await hub.row(server)).plugin_state == {"pid": pids[0]}

    await until("stored state", stored)
    assert (await hub.row(server)).state is State.STARTING


async def test_a_cancellation_from_within_the_plug_in_fails_the_start(hub: Replica) -> None:
    hub.world.plans["ada/"] = Plan(start_error=asyncio.CancelledError())
    error = await failed(hub)
    assert "cancelled from within" in error.message
    assert hub.world.processes == {}


async def test_a_lease_that_is_lost_in_mid_start_ends_all_acting(hub: Replica) -> None:
    gate = asyncio.Event()
    hub.world.plans["ada/"] = Plan(start_gate=gate)
    server = await hub.request("ada")
    await hub.until_called("ada/", "start")
    await hub.set(server, epoch=server.epoch + 1, lease_owner="rival")
    gate.set()
    await until("its end", lambda: hub.holdings.get(server.id) is None)
    row = await hub.row(server)
    assert (row.state, row.lease_owner) == (State.STARTING, "rival")
    assert hub.proxy.table == {}
    assert "stop" not in hub.world.called("ada/")
    assert hub.factory.find(server.id) is None


async def test_a_lease_lost_while_the_plug_in_starts_is_noticed_by_its_progress(
    hub: Replica,
) -> None:
    hub.world.plans["ada/"] = Plan(start_gate=asyncio.Event(), launch_before_gate=True)
    server = await hub.request("ada")
    await hub.until_called("ada/", "start")
    await hub.set(server, epoch=server.epoch + 1, lease_owner="rival", plugin_state={})
    hub.factory.live[server.id].pid = 4711
    await until("its end", lambda: hub.holdings.get(server.id) is None)
    assert (await hub.row(server)).plugin_state == {}


async def test_a_lease_lost_while_probing_leaves_the_route_to_the_rival(hub: Replica) -> None:
    hub.world.silent.add("ada/")
    server = await hub.request("ada")
    await hub.until_state(server, State.PROBING)
    await hub.set(server, epoch=server.epoch + 1, lease_owner="rival")
    hub.world.silent.clear()
    await until("its end", lambda: hub.holdings.get(server.id) is None)
    assert (await hub.row(server)).state is State.PROBING
    assert len(hub.world.pids("ada/")) == 1
    assert hub.audit.records == []
