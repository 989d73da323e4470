"""Statements about progress events: in order, complete, and safe to repeat."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from perijove.domain.events import ProgressEvent
from perijove.store import events, servers, users
from perijove.store.engine import Database

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def server_id(database: Database) -> int:
    def fill(connection: Connection) -> int:
        (user,) = users.create(connection, ["ada"], NOW)
        return servers.of_user(connection, user.id)[0].id

    return database.write_now(fill)


def some(*seqs: int) -> list[ProgressEvent]:
    return [ProgressEvent(seq, {"progress": seq, "message": f"schritt {seq} ✓"}) for seq in seqs]


def test_events_come_back_in_order_after_what_was_seen(database: Database, server_id: int) -> None:
    database.write_now(lambda c: events.append(c, server_id, some(1, 2)))
    database.write_now(lambda c: events.append(c, server_id, some(3)))
    database.write_now(lambda c: events.append(c, server_id, []))
    assert database.read_now(lambda c: events.after(c, server_id, 0)) == some(1, 2, 3)
    assert database.read_now(lambda c: events.after(c, server_id, 2)) == some(3)
    assert database.read_now(lambda c: events.after(c, server_id, 3)) == []


def test_a_repeated_write_leaves_what_is_stored(database: Database, server_id: int) -> None:
    database.write_now(lambda c: events.append(c, server_id, some(1, 2)))
    other = [ProgressEvent(2, {"message": "another"}), *some(3)]
    database.write_now(lambda c: events.append(c, server_id, other))
    assert database.read_now(lambda c: events.after(c, server_id, 0)) == some(1, 2, 3)


def test_writers_at_once_lose_no_event(database: Database, server_id: int) -> None:
    gate = threading.Barrier(4)

    def write(first: int) -> None:
        gate.wait()
        batch = some(*range(first, first + 10))
        database.write_now(lambda c: events.append(c, server_id, batch))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, (1, 6, 11, 16)))
    assert database.read_now(lambda c: events.after(c, server_id, 0)) == some(*range(1, 26))


def test_the_next_start_begins_without_events(database: Database, server_id: int) -> None:
    database.write_now(lambda c: events.append(c, server_id, some(1, 2)))
    database.write_now(lambda c: events.clear(c, server_id))
    assert database.read_now(lambda c: events.after(c, server_id, 0)) == []


def test_events_go_with_their_server(database: Database, server_id: int) -> None:
    database.write_now(lambda c: events.append(c, server_id, some(1)))
    assert database.write_now(lambda c: servers.remove(c, server_id))
    assert database.read_now(lambda c: events.after(c, server_id, 0)) == []
