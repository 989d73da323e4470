"""The servers that this replica holds, as far as memory knows them.

A holding is a cache beside the row: the plug-in's live object, the running
task, and the progress events that people on this replica follow. Everything in
it can be dropped; ``sweep`` finds the row again.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from perijove.domain.events import ProgressEvent
from perijove.domain.ports import SpawnerPort
from perijove.domain.servers import Server, State
from perijove.kit.aio import Signal


@dataclass(slots=True)
class Holding:
    """One held server. ``events`` are those of the running start, until it ends.

    ``plugin`` is the plug-in's own ``start`` while it runs, ``telling`` hears its
    progress until the server is ready, and ``spare_token`` is a token that was kept for
    a server that may resume with it.
    """

    server: Server
    port: SpawnerPort | None = None
    starting: asyncio.Task[None] | None = None
    plugin: asyncio.Task[str] | None = None
    telling: asyncio.Task[None] | None = None
    stopping: asyncio.Task[None] | None = None
    spare_token: int | None = None
    begun_at: float = field(default_factory=time.monotonic)
    events: list[ProgressEvent] = field(default_factory=list)
    stored: int = 0
    signal: Signal = field(default_factory=Signal)
    next_poll: float = 0.0

    def update(self, **changes: Any) -> None:
        """Remember what the row became, and wake those who wait."""
        self.server = replace(self.server, **changes)
        if self.port is not None:
            self.port.set_progressing(self.server.pending, self.server.ready)
        self.signal.set()

    def next_event(self, data: dict[str, Any]) -> ProgressEvent:
        """The event that would follow now."""
        return ProgressEvent(self.events[-1].seq + 1 if self.events else 1, data)

    def add_event(self, data: dict[str, Any]) -> None:
        """One more progress event of this start."""
        self.events.append(self.next_event(data))
        self.signal.set()

    def unstored(self) -> list[ProgressEvent]:
        """Events that the database may not have yet."""
        return self.events[self.stored :]

    def note_stored(self, events: Sequence[ProgressEvent]) -> None:
        """The database has these events now."""
        if events:
            end = events[-1].seq
            if not self.events or end > self.events[-1].seq:
                self.events.append(events[-1])
            self.stored = max(self.stored, sum(event.seq <= end for event in self.events))


class Holdings:
    """All held servers, by id."""

    def __init__(self) -> None:
        self._by_id: dict[int, Holding] = {}
        # A held server keeps its name, for what is active cannot be renamed.
        self._by_name: dict[tuple[str, str], Holding] = {}

    def __iter__(self) -> Iterator[Holding]:
        return iter(tuple(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, server_id: int) -> Holding | None:
        """The holding of a server, if it is held here."""
        return self._by_id.get(server_id)

    def find(self, user: str, server: str) -> Holding | None:
        """The holding of the user's server of this name, if it is held here."""
        return self._by_name.get((user, server))

    def add(self, server: Server) -> Holding:
        """Hold a server; one that is held already starts over with the new row."""
        holding = Holding(server)
        self._by_id[server.id] = self._by_name[server.user_name, server.name] = holding
        return holding

    def drop(self, holding: Holding) -> None:
        """Hold it no longer."""
        server = holding.server
        if self._by_id.get(server.id) is holding:
            del self._by_id[server.id]
            self._by_name.pop((server.user_name, server.name), None)
        holding.signal.set()

    def count(self, state: State) -> int:
        """How many held servers are in a state."""
        return sum(holding.server.state is state for holding in self._by_id.values())
