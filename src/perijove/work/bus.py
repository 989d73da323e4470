"""Wake-ups between rooms, and between replicas that share a PostgreSQL.

A message names what changed; whoever hears it looks the fact up. On SQLite a
message reaches this process. On PostgreSQL it also goes out by NOTIFY, and a
thread listens for the others'. While that thread has no connection, ``connected``
is False, and caches that rely on messages must not be trusted.
"""

import asyncio
import json
import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, text

from perijove.domain.events import Message, Topic

log = logging.getLogger("perijove.bus")

CHANNEL = "perijove"
RECONNECT_S = 2.0
FLUSH_S = 0.02
"""How long outgoing messages are gathered into one transaction."""

Callback = Callable[[str], None]


class Bus:
    """Messages within this process."""

    connected = True

    def __init__(self) -> None:
        self._subscribers: dict[Topic, list[Callback]] = defaultdict(list)

    def subscribe(self, topic: Topic, callback: Callback) -> Callable[[], None]:
        """Call ``callback(key)`` in the event loop for each message; returns the way out."""
        self._subscribers[topic].append(callback)
        return lambda: self._subscribers[topic].remove(callback)

    def publish(self, message: Message) -> None:
        """Tell everybody. Never blocks and never fails."""
        self.deliver(message)

    def deliver(self, message: Message) -> None:
        """Tell this process's subscribers."""
        for callback in tuple(self._subscribers[message.topic]):
            try:
                callback(message.key)
            except Exception:
                log.exception("A subscriber of %s failed", message.topic)

    async def start(self) -> None:
        """Begin to exchange messages with other replicas."""

    async def close(self) -> None:
        """Stop exchanging messages."""


class PostgresqlBus(Bus):
    """Messages between all replicas of one PostgreSQL database."""

    connected = False

    def __init__(self, engine: Engine, replica: str) -> None:
        super().__init__()
        self._engine = engine
        self._replica = replica
        self._outbox: list[Message] = []
        self._flushing: asyncio.Task[None] | None = None
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def publish(self, message: Message) -> None:
        """Tell this process now and the others in a moment."""
        self.deliver(message)
        self._outbox.append(message)
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        # Until nothing is left: a message that comes while others go out starts no new flush.
        while self._outbox:
            await asyncio.sleep(FLUSH_S)
            messages, self._outbox = list(dict.fromkeys(self._outbox)), []
            try:
                await asyncio.to_thread(self._notify, messages)
            except Exception as error:
                # Others notice by their polls; the database is down for them as well.
                log.warning("Could not notify other replicas: %s", error)

    def _notify(self, messages: list[Message]) -> None:
        with self._engine.begin() as connection:
            for message in messages:
                payload = json.dumps([self._replica, message.topic.value, message.key])
                connection.execute(
                    text("SELECT pg_notify(:channel, :payload)"),
                    {"channel": CHANNEL, "payload": payload},
                )

    async def start(self) -> None:
        """Listen for the other replicas."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._listen, name="perijove-bus", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                with self._engine.connect().execution_options(
                    isolation_level="AUTOCOMMIT"
                ) as connection:
                    connection.exec_driver_sql(f"LISTEN {CHANNEL}")
                    self.connected = True
                    self._receive(connection.connection.driver_connection)
            except Exception as error:
                log.warning("Lost touch with other replicas: %s", error)
            finally:
                self.connected = False
            self._closing.wait(RECONNECT_S)

    def _receive(self, driver: Any) -> None:
        while not self._closing.is_set():
            for notice in driver.notifies(timeout=1.0):
                self._hand_over(notice.payload)
            driver.execute("SELECT 1")  # notices a dead connection

    def _hand_over(self, payload: str) -> None:
        try:
            sender, topic, key = json.loads(payload)
            message = Message(Topic(topic), key)
        except (ValueError, TypeError):
            return
        if sender != self._replica and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.deliver, message)

    async def close(self) -> None:
        """Send what waits and stop listening. Safe to call twice."""
        if self._flushing is not None and not self._flushing.done():
            await self._flushing
        self._closing.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 3.0)
            self._thread = None
