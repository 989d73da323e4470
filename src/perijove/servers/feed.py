"""What happens to all servers, as one stream that can be resumed.

The truth is in the database; a stream tells which servers changed and how they are
now. A follower gets a snapshot of all active servers, then every change. Each piece has
a cursor. Who comes back with one goes on behind it, as long as this replica still
remembers that far; else, and whenever messages between replicas may have been lost,
the follower gets a new snapshot, and nothing is missed.

Nothing is read and nothing remembered while nobody follows.
"""

import asyncio
import json
import logging
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from itertools import islice

from perijove.domain.errors import StoreUnavailable
from perijove.domain.events import Message, Topic
from perijove.domain.servers import Server
from perijove.kit.aio import Signal, Tasks
from perijove.store import servers as server_rows
from perijove.store.engine import Database
from perijove.work.bus import Bus

log = logging.getLogger("perijove.servers")

KEPT = 10_000
"""Changes that are remembered for followers who come back."""
GATHER_S = 0.05
"""How long changes are gathered into one read."""
CHECK_S = 1.0
"""How often to look whether other replicas can be heard; the bus takes longer to reconnect."""
DEAF_S = 5.0
"""How often followers get a new snapshot while other replicas cannot be heard."""
LINGER_S = 300.0
"""How long changes are still noted after the last follower left."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All active servers; what a follower knew before is void."""

    cursor: str
    servers: tuple[Server, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """How one server is now; ``server`` is None when it is gone for good."""

    cursor: str
    user: str
    name: str
    server: Server | None


class ServerFeed:
    """Follows all servers of all replicas."""

    def __init__(self, database: Database, bus: Bus, *, kept: int = KEPT) -> None:
        """``kept``: changes to remember."""
        self._database = database
        self._bus = bus
        self._tasks = Tasks("server feed")
        self._changed: set[int] = set()
        self._gone: list[tuple[str, str]] = []
        self._journal: deque[Change] = deque(maxlen=kept)
        self._seen: dict[int, object] = {}
        self._generation = uuid.uuid4().hex[:12]
        self._last = 0
        self._incoming, self._outgoing = Signal(), Signal()
        self._followers = 0
        self._noting: asyncio.Task[None] | None = None
        self._stop_listening: list[Callable[[], None]] = []
        self._going_quiet: asyncio.TimerHandle | None = None

    # -- for those who remove servers ------------------------------------------------------
    def removed(self, server: Server) -> None:
        """Tell everybody that a server is gone for good."""
        key = json.dumps([server.user_name, server.name])
        self._bus.publish(Message(Topic.REMOVED, key))

    # -- following ------------------------------------------------------------------------
    async def follow(
        self, cursor: str, idle_s: float
    ) -> AsyncGenerator[Snapshot | tuple[Change, ...] | None]:
        """A snapshot, unless ``cursor`` is still known, and then the changes, without end.

        None comes when nothing happened for ``idle_s`` seconds, so that the caller can
        show that it lives.
        """
        self._enter()
        try:
            generation, position = self._position(cursor)
            while True:
                version = self._outgoing.version
                if generation != self._generation or self._lost(position):
                    generation, position = self._generation, self._last
                    servers = await self._database.read(server_rows.active)
                    yield Snapshot(_cursor(generation, position), tuple(servers))
                if generation == self._generation and position < self._last:
                    newest = islice(reversed(self._journal), self._last - position)
                    position = self._last
                    yield tuple(newest)[::-1]
                    continue
                if await self._outgoing.wait(version, idle_s) == version:
                    yield None
        finally:
            self._leave()

    def _position(self, cursor: str) -> tuple[str, int]:
        generation, _, number = cursor.partition("-")
        known = number.isascii() and number.isdigit() and len(number) < 20
        position = int(number) if known else -1
        return (generation, position) if 0 <= position <= self._last else ("", 0)

    def _lost(self, position: int) -> bool:
        """Whether changes after ``position`` have been forgotten."""
        return self._last - position > len(self._journal)

    def _enter(self) -> None:
        self._followers += 1
        if self._going_quiet is not None:
            self._going_quiet.cancel()
            self._going_quiet = None
        if not self._stop_listening:
            self._restart()
            self._stop_listening = [
                self._bus.subscribe(Topic.SERVER, self._hear_change),
                self._bus.subscribe(Topic.REMOVED, self._hear_removal),
            ]
            if self._noting is None or self._noting.done():
                self._noting = self._tasks.spawn(self._note(), "note changes")

    def _leave(self) -> None:
        self._followers -= 1
        if self._followers == 0 and self._stop_listening:
            loop = asyncio.get_running_loop()
            self._going_quiet = loop.call_later(LINGER_S, self._go_quiet)

    def _go_quiet(self) -> None:
        self._going_quiet = None
        for stop in self._stop_listening:
            stop()
        self._stop_listening = []
        self._incoming.set()
        self._restart()

    def _restart(self) -> None:
        """Forget all; whoever follows gets a new snapshot."""
        self._generation, self._last = uuid.uuid4().hex[:12], 0
        self._journal.clear()
        self._seen.clear()
        self._outgoing.set()

    # -- noting ---------------------------------------------------------------------------
    def _hear_change(self, key: str) -> None:
        self._changed.add(int(key))
        self._incoming.set()

    def _hear_removal(self, key: str) -> None:
        user, name = json.loads(key)
        self._gone.append((user, name))
        self._incoming.set()

    async def _note(self) -> None:
        """Read what changed, until nobody follows any more."""
        deaf = False
        while self._stop_listening:
            version = self._incoming.version
            if self._changed or self._gone:
                await asyncio.sleep(GATHER_S)
                await self._read_changes()
            was_deaf, deaf = deaf, not self._bus.connected
            if deaf or was_deaf:
                # Once more when others are heard again: what happened meanwhile was missed.
                self._restart()
            if deaf:
                await asyncio.sleep(DEAF_S)
            elif not (self._changed or self._gone):
                await self._incoming.wait(version, CHECK_S)

    async def _read_changes(self) -> None:
        ids, self._changed = self._changed, set()
        gone, self._gone = self._gone, []
        try:
            rows = await self._database.read(lambda c: server_rows.by_ids(c, sorted(ids)))
        except StoreUnavailable as error:
            log.warning("Changes of servers were missed: %s", error)
            self._restart()
            return
        for row in rows:
            shown = _shown(row)
            if self._seen.get(row.id) != shown:
                self._seen[row.id] = shown
                self._append(row.user_name, row.name, row)
        for server_id in ids.difference(row.id for row in rows):
            self._seen.pop(server_id, None)
        for user, name in gone:
            self._append(user, name, None)
        self._outgoing.set()

    def _append(self, user: str, name: str, server: Server | None) -> None:
        self._last += 1
        change = Change(_cursor(self._generation, self._last), user, name, server)
        self._journal.append(change)

    async def close(self) -> None:
        """Stop noting."""
        if self._going_quiet is not None:
            self._going_quiet.cancel()
        await self._tasks.close()


def _cursor(generation: str, number: int) -> str:
    return f"{generation}-{number}"


def _shown(server: Server) -> object:
    """What of a server makes a change worth telling; activity and progress are none."""
    return (
        server.user_name,
        server.name,
        server.display_name,
        server.ready,
        server.pending,
        server.active,
        server.started,
        server.failure,
        server.options,
    )
