"""What people see of a start, on the replica that runs it and on others."""

import asyncio
from typing import Any

from servers_fakes import Plan
from servers_house import House, Replica, until

from perijove.domain.events import ProgressEvent
from perijove.domain.servers import Server
from perijove.servers.progress import failed_event, ready_event

THREE = [{"progress": 10 * n, "message": f"step {n}"} for n in (1, 2, 3)]


async def followed(hub: Replica, server: Server, idle_s: float = 5) -> list[ProgressEvent]:
    """All events until the end."""
    async with asyncio.timeout(10):
        return [e async for e in hub.progress.follow(server, idle_s) if e is not None]


def messages(events: list[ProgressEvent]) -> list[Any]:
    return [event.data["message"] for event in events]


async def test_early_and_late_listeners_see_the_same(hub: Replica) -> None:
    gate = asyncio.Event()
    hub.world.plans["ada/"] = Plan(events=THREE, start_gate=gate)
    server = await hub.request("ada")
    early = asyncio.create_task(followed(hub, server))
    await until("three events", lambda: len(hub.holdings.get(server.id).events) == 4)  # type: ignore[union-attr]
    late = asyncio.create_task(followed(hub, server))
    await asyncio.sleep(0.02)
    gate.set()
    assert await early == await late
    assert messages(await early) == [
        "Server requested",
        "step 1",
        "step 2",
        "step 3",
        "Server ready at /user/ada/",
    ]
    assert [event.seq for event in await early] == [1, 2, 3, 4, 5]


async def test_another_replica_replays_and_follows(house: House) -> None:
    first, second = await house.replica(), await house.replica()
    gate = asyncio.Event()
    house.world.plans["ada/"] = Plan(events=THREE, start_gate=gate)
    server = await first.request("ada")
    row = await second.row(server)
    early = asyncio.create_task(followed(second, row))

    async def stored() -> bool:
        return len(await first.events(server)) == 4

    await until("stored progress", stored)
    gate.set()
    here = await followed(first, server)
    assert await early == here
    assert await followed(second, row) == here


async def test_a_failure_ends_the_stream_on_every_replica(house: House) -> None:
    first, second = await house.replica(), await house.replica()
    gate = asyncio.Event()
    house.world.plans["ada/"] = Plan(start_gate=gate, start_timeout_s=0.1)
    server = await first.request("ada")
    here, there = await asyncio.gather(followed(first, server), followed(second, server))
    assert here == there
    assert here[-1].data["failed"] is True


async def test_a_start_that_moves_to_another_replica_is_followed_through(house: House) -> None:
    first, second = await house.replica(), await house.replica()
    house.world.silent.add("ada/")
    server = await first.request("ada")
    until_probing = asyncio.create_task(followed(first, server))
    from_second = asyncio.create_task(followed(second, server))
    await until("an address", lambda: len(house.world.pids("ada/")) == 1)
    await asyncio.sleep(0.05)
    await first.expire_lease()
    await second.sweep.adopt()
    house.world.silent.clear()
    assert messages(await from_second)[-1] == "Server ready at /user/ada/"
    # The old holder notices at its next move, and its listeners go over to the database.
    assert await until_probing == await from_second


async def test_silence_is_told(hub: Replica) -> None:
    hub.world.plans["ada/"] = Plan(start_gate=asyncio.Event())
    server = await hub.request("ada")
    seen: list[ProgressEvent | None] = []
    async for event in hub.progress.follow(server, 0.02):
        seen.append(event)
        if seen.count(None) == 3:
            break
    assert next(event for event in seen if event is not None).seq == 1


async def test_silence_is_told_on_another_replica_as_well(house: House) -> None:
    first, second = await house.replica(), await house.replica()
    house.world.plans["ada/"] = Plan(start_gate=asyncio.Event())
    server = await first.request("ada")
    quiet = 0
    async for event in second.progress.follow(server, 0.05):
        quiet += event is None
        if quiet == 3:
            break


async def test_a_stopped_server_has_nothing_to_follow(hub: Replica) -> None:
    server = await hub.up("ada")
    await hub.down(server)
    stopped = await hub.row(server)
    events = await followed(hub, stopped)
    assert [event.last for event in events] == [False, True]


async def test_the_next_start_is_not_mixed_into_the_stream_of_the_last(house: House) -> None:
    first, second = await house.replica(), await house.replica()
    house.world.plans["ada/"] = Plan(start_gate=asyncio.Event())
    server = await first.request("ada")
    stream = second.progress.follow(server, 5)
    assert (await anext(stream)) is not None
    await first.down(server)
    await first.request("ada")
    rest = [event async for event in stream if event is not None]
    assert all(event.seq > 1 for event in rest)
    assert len(rest) <= 1


def test_the_last_events_carry_what_pages_need() -> None:
    assert ready_event("/user/ada/") == {
        "progress": 100,
        "ready": True,
        "message": "Server ready at /user/ada/",
        "html_message": 'Server ready at <a href="/user/ada/">/user/ada/</a>',
        "url": "/user/ada/",
    }
    assert failed_event("no") == {
        "progress": 100,
        "failed": True,
        "message": "Spawn failed: no",
    }
    assert failed_event("no", "<b>no</b>")["html_message"] == "Spawn failed: <b>no</b>"


def test_what_a_name_could_smuggle_into_the_ready_event_is_escaped() -> None:
    event = ready_event('/user/a"><script>/')
    assert "<script>" not in event["html_message"]
