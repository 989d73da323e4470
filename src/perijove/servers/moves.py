"""Moves of held servers: one conditional update each, then the same in memory.

The events that people have seen so far go into the same transaction. People on
this replica hear of a move, and of the last event with it, when it is durable.
"""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection

from perijove.domain.errors import LeaseLost, StoreUnavailable
from perijove.domain.events import Message, Topic
from perijove.domain.servers import Failure, Wish
from perijove.kit.aio import backoff_delays
from perijove.kit.clock import Clock, RealClock
from perijove.servers import lifecycle
from perijove.servers.holdings import Holding
from perijove.servers.lifecycle import Move
from perijove.store import events as event_rows
from perijove.store import servers as server_rows
from perijove.store.engine import Database
from perijove.work.bus import Bus

T = TypeVar("T")

log = logging.getLogger("perijove.servers")


class Moves:
    """Makes the moves of ``lifecycle``."""

    def __init__(self, database: Database, bus: Bus, clock: Clock | None = None) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock or RealClock()

    async def make(
        self,
        holding: Holding,
        move: Move,
        *,
        last: dict[str, Any] | None = None,
        insist: bool = False,
        also: Callable[[Connection], T] | None = None,
        **values: Any,
    ) -> T | None:
        """Move a server, with further columns; what ``also`` did in the same transaction.

        ``last``: the event that ends a start. ``insist``: if the database cannot be
        reached, try until it can. Raises LeaseLost, and StoreUnavailable unless
        insisting.
        """
        server, target = holding.server, lifecycle.target(move)
        events = holding.unstored()
        if last is not None:
            events = [*events, holding.next_event(last)]

        def write(connection: Connection) -> T | None:
            server_rows.move(
                connection, server.id, server.epoch, lifecycle.sources(move), target, **values
            )
            event_rows.append(connection, server.id, events)
            return also(connection) if also is not None else None

        result = await (self._insist(write) if insist else self._database.write(write))
        holding.note_stored(events)
        holding.update(state=target, **{key: _known(key, values[key]) for key in values})
        self.tell(holding)
        return result

    async def _insist(self, write: Callable[[Connection], T]) -> T:
        """A stop that is half done must not stay so because the database was away."""
        for delay_s in backoff_delays():
            try:
                return await self._database.write(write)
            except StoreUnavailable as error:
                log.warning("A stop waits: %s", error)
            await self._clock.sleep(delay_s)
        raise AssertionError("delays are endless")

    async def confirm(self, holding: Holding) -> None:
        """Look whether the server is still ours, before acting outside. Raises LeaseLost."""
        server = holding.server
        row = await self._database.read(lambda c: server_rows.get(c, server.id))
        if row is None or (row.epoch, row.state) != (server.epoch, server.state):
            raise LeaseLost(f"server {server.id} is no longer held at epoch {server.epoch}")

    async def store_progress(self, holding: Holding, plugin_state: dict[str, Any]) -> None:
        """Write the events so far, and the plug-in's state, of a server that starts.

        Raises LeaseLost when it is in another state by now, or not ours.
        """
        server, events = holding.server, holding.unstored()

        def write(connection: Connection) -> None:
            server_rows.amend(
                connection, server.id, server.epoch, server.state, plugin_state=plugin_state
            )
            event_rows.append(connection, server.id, events)

        await self._database.write(write)
        holding.note_stored(events)
        self.tell(holding)

    def tell(self, holding: Holding) -> None:
        """Whoever follows this server shall look."""
        self._bus.publish(Message(Topic.SERVER, str(holding.server.id)))


def _known(column: str, value: Any) -> Any:
    """A column's value as ``Server`` has it."""
    if column == "wanted":
        return Wish(value)
    return Failure.from_json(value) if column == "failure" else value
