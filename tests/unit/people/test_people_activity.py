"""Activity: gathered in memory, written in batches, never backwards."""

import asyncio
from datetime import timedelta

import pytest
from people_house import House
from sqlalchemy import event

from perijove.domain.errors import InvalidInput, NotFound, StoreUnavailable
from perijove.people.activity import BATCH, Activity, Kind
from perijove.store import servers as server_store


async def stored(house: House, name: str) -> object:
    return (await house.user(name)).last_activity


async def test_many_notes_become_one_write_of_the_latest(house: House) -> None:
    ada, bob = await house.add("ada", "bob")
    writes: list[str] = []
    event.listen(
        house.database.engine,
        "before_cursor_execute",
        lambda *args: writes.append(args[2]) if args[2].startswith("UPDATE") else None,
    )
    first = house.clock.now()
    for second in range(5):
        house.activity._keep((Kind.USER, ada.id), first + timedelta(seconds=second))
    house.activity.note_user(bob.id)
    await house.activity.flush()
    assert len(writes) == 1
    assert await stored(house, "ada") == first + timedelta(seconds=4)
    assert await stored(house, "bob") == first
    await house.activity.flush()
    assert len(writes) == 1


async def test_batches_are_bounded(house: House) -> None:
    people = await house.add(*(f"u{number}" for number in range(BATCH + 50)))
    commits: list[int] = []
    event.listen(house.database.engine, "commit", lambda connection: commits.append(1))
    for user in people:
        house.activity.note_user(user.id)
    await house.activity.flush()
    assert len(commits) == 2
    assert await stored(house, "u249") == house.clock.now()


async def test_younger_uses_than_the_resolution_are_dropped(house: House) -> None:
    (ada,) = await house.add("ada")
    house.activity.note_user(ada.id)
    await house.activity.flush()
    first = house.clock.now()
    await house.clock.advance(29)
    house.activity.note_user(ada.id)
    assert house.activity.latest(Kind.USER, ada.id, first) == first
    await house.clock.advance(2)
    house.activity.note_user(ada.id)
    assert house.activity.latest(Kind.USER, ada.id, first) == house.clock.now()


async def test_resolution_of_zero_notes_every_use(house: House) -> None:
    activity = Activity(house.database, house.clock, 0)
    activity.note_token(7)
    first = house.clock.now()
    await house.clock.advance(0.001)
    activity.note_token(7)
    latest = activity.latest(Kind.TOKEN, 7, first)
    assert latest is not None
    assert latest > first


async def test_report_moves_person_and_server_forward_only(house: House) -> None:
    (ada,) = await house.add("ada")
    server = (await house.database.read(lambda c: server_store.of_user(c, ada.id)))[0]
    now = house.clock.now()
    await house.activity.report("ada", now, {"": now})
    await house.activity.report("ada", now - timedelta(days=1), {"": now - timedelta(days=1)})
    await house.activity.flush()
    await house.activity.report("ada", now - timedelta(days=1))
    await house.activity.flush()
    assert await stored(house, "ada") == now
    found = await house.database.read(lambda c: server_store.get(c, server.id))
    assert found is not None
    assert found.last_activity == now
    detail = await house.users.get("ada")
    assert detail.servers[0].last_activity == now


async def test_report_that_makes_no_sense_stores_nothing(house: House) -> None:
    await house.add("ada")
    now = house.clock.now()
    with pytest.raises(InvalidInput, match="no server"):
        await house.activity.report("ada", now, {"absent": now})
    with pytest.raises(InvalidInput, match="59 minutes"):
        await house.activity.report("ada", now + timedelta(minutes=60))
    with pytest.raises(InvalidInput, match="59 minutes"):
        await house.activity.report("ada", None, {"": now + timedelta(days=9)})
    for name in ("absent", "nul\0"):
        with pytest.raises(NotFound):
            await house.activity.report(name, now, {"": now})
        with pytest.raises(NotFound):
            await house.activity.report(name, now)
    assert (await house.users.get("ada")).user.last_activity is None


async def test_loop_writes_every_few_seconds_and_survives_an_unavailable_database(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ada,) = await house.add("ada")
    house.activity.start()
    await asyncio.sleep(0)
    house.activity.note_user(ada.id)
    real = house.database.write
    tried = asyncio.Event()

    async def down(work: object) -> object:
        tried.set()
        raise StoreUnavailable("down")

    monkeypatch.setattr(house.database, "write", down)
    await house.clock.advance(2)
    await asyncio.wait_for(tried.wait(), 5)
    assert await stored(house, "ada") is None
    monkeypatch.setattr(house.database, "write", real)
    async with asyncio.timeout(5):
        while await stored(house, "ada") is None:
            await house.clock.advance(2)
            await asyncio.sleep(0.01)


async def test_close_writes_the_rest(house: House) -> None:
    (ada,) = await house.add("ada")
    house.activity.start()
    house.activity.note_user(ada.id)
    await house.activity.close()
    assert await stored(house, "ada") == house.clock.now()


async def test_note_for_a_deleted_person_is_no_error(house: House) -> None:
    (ada,) = await house.add("ada")
    house.activity.note_user(ada.id)
    await house.users.remove(ada)
    await house.activity.flush()
