"""The stream of all servers: snapshot, changes, resumption, and nothing missed."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from servers_fakes import Plan
from servers_house import House, Replica, until

from perijove.domain.errors import StoreUnavailable
from perijove.servers import feed as feed_module
from perijove.servers.feed import Change, ServerFeed, Snapshot

Piece = Snapshot | tuple[Change, ...] | None


async def next_piece(stream: AsyncGenerator[Piece]) -> Piece:
    async with asyncio.timeout(10):
        return await anext(stream)


async def next_changes(stream: AsyncGenerator[Piece], enough: int) -> list[Change]:
    """At least ``enough`` changes."""
    found: list[Change] = []
    while len(found) < enough:
        piece = await next_piece(stream)
        assert isinstance(piece, tuple)
        found += piece
    return found


async def started(hub: Replica, user: str) -> None:
    server = await hub.request(user)
    await hub.commands.wait_started(server, 10)


async def test_a_follower_gets_a_snapshot_and_then_each_change(hub: Replica) -> None:
    await started(hub, "ada")
    stream = hub.feed.follow("", 10)
    first = await next_piece(stream)
    assert isinstance(first, Snapshot)
    assert [(s.user_name, s.ready) for s in first.servers] == [("ada", True)]
    await started(hub, "bob")
    seen: list[Change] = []
    while not (seen and seen[-1].server is not None and seen[-1].server.ready):
        seen += await next_changes(stream, 1)
    assert {change.user for change in seen} == {"bob"}
    numbers = [int(change.cursor.partition("-")[2]) for change in seen]
    assert numbers == sorted(set(numbers))
    await stream.aclose()


async def test_progress_and_activity_are_no_changes(hub: Replica) -> None:
    gate = asyncio.Event()
    steps = [{"progress": n, "message": str(n)} for n in range(20)]
    hub.world.plans["ada/"] = Plan(events=steps, start_gate=gate)
    stream = hub.feed.follow("", 10)
    await next_piece(stream)
    server = await hub.request("ada")
    holding = hub.holdings.get(server.id)
    assert holding is not None
    await until("all steps", lambda: len(holding.events) == 21)
    gate.set()
    await hub.commands.wait_started(server, 10)
    seen = [await next_changes(stream, 1)]
    while not (seen[-1][-1].server and seen[-1][-1].server.ready):
        seen.append(await next_changes(stream, 1))
    assert sum(map(len, seen)) <= 3
    await stream.aclose()


async def test_who_comes_back_in_time_goes_on_behind_the_last_change(hub: Replica) -> None:
    stream = hub.feed.follow("", 10)
    snapshot = await next_piece(stream)
    assert isinstance(snapshot, Snapshot)
    await started(hub, "ada")
    (change, *_) = await next_changes(stream, 1)
    await stream.aclose()
    await started(hub, "bob")
    again = hub.feed.follow(change.cursor, 10)
    missed = await next_changes(again, 1)
    while not any(c.user == "bob" and c.server and c.server.ready for c in missed):
        missed += await next_changes(again, 1)
    assert all(c.cursor != change.cursor for c in missed)
    await again.aclose()
    for stale in ("", "x", "x-1", change.cursor + "9", f"{'0' * 12}-1", "-", "a-²"):
        other = hub.feed.follow(stale, 10)
        assert isinstance(await next_piece(other), Snapshot)
        await other.aclose()


async def test_a_follower_left_too_far_behind_gets_a_new_snapshot(hub: Replica) -> None:
    feed = ServerFeed(hub.database, hub.bus, kept=2)
    stream = feed.follow("", 10)
    first = await next_piece(stream)
    assert isinstance(first, Snapshot)
    for user in ("a", "b", "c"):
        await started(hub, user)
    await until("more changes than are kept", lambda: feed._last > 2)
    waiter = feed.follow(first.cursor, 10)
    pieces = [await next_piece(waiter)]
    while not isinstance(pieces[-1], Snapshot) or len(pieces[-1].servers) < 3:
        pieces.append(await next_piece(waiter))
    await waiter.aclose()
    await stream.aclose()
    await feed.close()


async def test_removed_servers_and_people_are_told(hub: Replica) -> None:
    await started(hub, "ada")
    stream = hub.feed.follow("", 10)
    await next_piece(stream)
    assert await hub.removals.delete_user(await hub.user("ada"), 10)
    seen = await next_changes(stream, 1)
    while seen[-1].server is not None:
        seen += await next_changes(stream, 1)
    assert (seen[-1].user, seen[-1].name) == ("ada", "")
    await stream.aclose()


async def test_changes_that_could_not_be_read_end_in_a_new_snapshot(hub: Replica) -> None:
    stream = hub.feed.follow("", 10)
    await next_piece(stream)
    read, failed = hub.database.read, asyncio.Event()

    async def fail(work):  # type: ignore[no-untyped-def]
        hub.database.read = read  # type: ignore[method-assign]
        failed.set()
        raise StoreUnavailable("the test says no")

    server = await hub.commands.create(
        await hub.user("ada"), "named", display_name=None, options=None
    )
    hub.database.read = fail  # type: ignore[method-assign]
    await asyncio.wait_for(failed.wait(), 10)
    assert isinstance(await next_piece(stream), Snapshot)
    assert server.name == "named"
    await stream.aclose()


async def test_what_was_missed_while_others_could_not_be_heard_is_in_a_snapshot(
    hub: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "CHECK_S", 0.02)
    monkeypatch.setattr(feed_module, "DEAF_S", 0.5)  # the start below takes less
    monkeypatch.setattr(feed_module, "GATHER_S", 0.001)
    stream = hub.feed.follow("", 10)
    await next_piece(stream)
    hub.bus.connected = False
    assert isinstance(await next_piece(stream), Snapshot)
    # Another replica starts a server, and nobody here is told.
    with monkeypatch.context() as nobody_told:
        nobody_told.setattr(hub.bus, "deliver", lambda message: None)
        await started(hub, "ada")
    hub.bus.connected = True
    while True:
        piece = await next_piece(stream)
        assert isinstance(piece, Snapshot)
        if [server.user_name for server in piece.servers if server.ready] == ["ada"]:
            break
    await stream.aclose()


async def test_a_server_found_again_after_a_restart_is_told(house: House) -> None:
    first = await house.replica()
    await started(first, "ada")
    await first.kill()
    second = await house.replica()
    await second.sweep.claim()
    stream = second.feed.follow("", 10)
    snapshot = await next_piece(stream)
    assert isinstance(snapshot, Snapshot)
    assert [server.pending for server in snapshot.servers] == ["check"]
    await second.sweep.adopt()
    (change,) = await next_changes(stream, 1)
    assert change.server is not None
    assert change.server.ready
    await stream.aclose()


async def test_silence_is_told_as_well(hub: Replica) -> None:
    stream = hub.feed.follow("", 0.05)
    assert isinstance(await next_piece(stream), Snapshot)
    assert await next_piece(stream) is None
    await stream.aclose()


async def test_changes_of_another_replica_arrive(any_house: House) -> None:
    first, second = await any_house.replica(), await any_house.replica()
    if first.database.sqlite:
        pytest.skip("replicas that hear of one another share a PostgreSQL")
    await until("the bus", lambda: second.bus.connected)
    stream = second.feed.follow("", 10)
    while not isinstance(await next_piece(stream), Snapshot):
        pass
    await started(first, "ada")
    while True:
        piece = await next_piece(stream)
        changes = piece if isinstance(piece, tuple) else ()
        if any(c.server is not None and c.server.ready for c in changes):
            break
    await stream.aclose()
