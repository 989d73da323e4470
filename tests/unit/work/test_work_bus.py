"""Messages within a process, and between replicas on one PostgreSQL."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import text

from perijove.domain.events import Message, Topic
from perijove.store.engine import Database
from perijove.work import bus as bus_module
from perijove.work.bus import Bus, PostgresqlBus


async def until(what: str, ask: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not ask():
            await asyncio.sleep(0.01)


def test_a_message_reaches_the_subscribers_of_its_topic() -> None:
    bus = Bus()
    heard: list[str] = []
    leave = bus.subscribe(Topic.SERVER, heard.append)
    bus.subscribe(Topic.WISH, lambda key: heard.append(f"wish {key}"))
    bus.publish(Message(Topic.SERVER, "1"))
    bus.publish(Message(Topic.WISH, "2"))
    leave()
    bus.publish(Message(Topic.SERVER, "3"))
    assert heard == ["1", "wish 2"]
    assert bus.connected


def test_a_subscriber_that_fails_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    bus = Bus()
    heard: list[str] = []

    def fails(key: str) -> None:
        raise KeyError(key)

    bus.subscribe(Topic.SERVER, fails)
    bus.subscribe(Topic.SERVER, heard.append)
    bus.publish(Message(Topic.SERVER, "1"))
    assert heard == ["1"]
    assert "subscriber of server failed" in caplog.text


def test_a_subscriber_may_leave_while_it_is_called() -> None:
    bus = Bus()
    heard: list[str] = []
    leave: Callable[[], None]

    def once(key: str) -> None:
        heard.append(key)
        leave()

    leave = bus.subscribe(Topic.SERVER, once)
    bus.subscribe(Topic.SERVER, heard.append)
    bus.publish(Message(Topic.SERVER, "1"))
    bus.publish(Message(Topic.SERVER, "2"))
    assert heard == ["1", "1", "2"]


class Pair:
    """Two replicas on one database."""

    def __init__(self, url: str) -> None:
        self.databases = [Database(url), Database(url)]
        self.buses = [
            PostgresqlBus(database.engine, name)
            for database, name in zip(self.databases, ("one", "two"), strict=True)
        ]
        self.heard: list[list[str]] = [[], []]
        for bus, heard in zip(self.buses, self.heard, strict=True):
            bus.subscribe(Topic.SERVER, heard.append)

    async def start(self) -> None:
        for bus in self.buses:
            await bus.start()
        await until("connections", lambda: all(bus.connected for bus in self.buses))

    async def close(self) -> None:
        for bus in self.buses:
            await bus.close()
        for database in self.databases:
            database.close()


@pytest.fixture
async def pair(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    monkeypatch.setattr(bus_module, "RECONNECT_S", 0.05)
    made = Pair(postgresql_url)
    await made.start()
    yield made
    await made.close()


@pytest.mark.postgresql
async def test_a_message_reaches_every_replica_once(pair: Pair) -> None:
    one, two = pair.buses
    one.publish(Message(Topic.SERVER, "a/ä '"))
    two.publish(Message(Topic.SERVER, "b"))
    await until("both messages", lambda: all(len(heard) == 2 for heard in pair.heard))
    await asyncio.sleep(0.1)
    assert sorted(pair.heard[0]) == sorted(pair.heard[1]) == ["a/ä '", "b"]


@pytest.mark.postgresql
async def test_a_message_that_comes_while_others_go_out_is_not_left_behind(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = pair.buses[0]
    going_out, may_go = threading.Event(), threading.Event()
    notify = one._notify

    def slow(messages: list[Message]) -> None:
        going_out.set()
        may_go.wait(5)
        notify(messages)

    monkeypatch.setattr(one, "_notify", slow)
    one.publish(Message(Topic.SERVER, "first"))
    await until("the first on its way", going_out.is_set)
    one.publish(Message(Topic.SERVER, "second"))
    may_go.set()
    await until("both", lambda: pair.heard[1] == ["first", "second"])


@pytest.mark.postgresql
async def test_messages_go_out_before_the_bus_closes(pair: Pair) -> None:
    pair.buses[0].publish(Message(Topic.SERVER, "last words"))
    await pair.buses[0].close()
    await until("the message", lambda: pair.heard[1] == ["last words"])
    assert not pair.buses[0].connected
    await pair.buses[0].close()


@pytest.mark.postgresql
async def test_a_broken_connection_is_noticed_and_mended(pair: Pair) -> None:
    one, two = pair.buses
    with pair.databases[0].engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    await until("the loss", lambda: not two.connected)
    await until("new connections", lambda: one.connected and two.connected)
    one.publish(Message(Topic.SERVER, "again"))
    await until("the message", lambda: "again" in pair.heard[1])


@pytest.mark.postgresql
async def test_what_no_replica_said_is_ignored(pair: Pair) -> None:
    with pair.databases[0].engine.begin() as connection:
        for payload in ("", "x", "[1]", '["two", "no topic", "k"]', '{"a": 1}'):
            connection.execute(text("SELECT pg_notify('perijove', :payload)"), {"payload": payload})
    pair.buses[0].publish(Message(Topic.SERVER, "after"))
    await until("the message", lambda: pair.heard[1] == ["after"])
