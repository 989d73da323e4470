"""When people, servers and tokens were last active: gathered here, written in batches.

Every request of every user is activity, so a write for each would be most of
what the database does. Only the latest moment per key is kept; a batch goes out
every few seconds. Models are shown with what still waits (``latest``), so nobody
sees their own activity late. A crash loses seconds of it and nothing else.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from sqlalchemy import Connection

from perijove.domain.errors import InvalidInput, NotFound, StoreUnavailable
from perijove.domain.servers import Server
from perijove.domain.tokens import Bearer, TokenDetail
from perijove.domain.users import User, UserDetail
from perijove.kit.aio import Tasks
from perijove.kit.clock import Clock
from perijove.people.texts import storable
from perijove.store import servers as server_store
from perijove.store import tokens as token_store
from perijove.store import users as user_store
from perijove.store.engine import Database
from perijove.store.inserts import chunks

log = logging.getLogger("perijove.activity")

FLUSH_S = 2.0
BATCH = 200
"""Rows per transaction, so that a big batch does not hold up other writers."""

MAX_AHEAD = timedelta(minutes=59)
"""How far in the future a reported moment may lie (clocks differ, time zones are mistaken)."""

MAX_REMEMBERED = 50_000

SERVER_NOTE = "Server at "
"""Notes of servers' own tokens begin so; their use is not activity of the person."""


class Kind(StrEnum):
    """What was active."""

    USER = "user"
    SERVER = "server"
    TOKEN = "token"


Key = tuple[Kind, int]
_Touch = Callable[[Connection, Sequence[tuple[int, datetime]]], None]

_TOUCH: Mapping[Kind, _Touch] = {
    Kind.USER: user_store.touch,
    Kind.SERVER: server_store.touch,
    Kind.TOKEN: token_store.touch,
}


class Activity:
    """The batch that is on its way, and the task that sends it."""

    def __init__(self, database: Database, clock: Clock, resolution_s: float = 30) -> None:
        """``resolution_s``: sooner than that after a stored use, another is not noted."""
        self._database = database
        self._clock = clock
        self._resolution = timedelta(seconds=resolution_s)
        self._pending: dict[Key, datetime] = {}
        self._noted: OrderedDict[Key, datetime] = OrderedDict()
        self.changes = 0
        """Counts whatever changes the moments that models show."""
        self._tasks = Tasks("activity")
        self._writing = asyncio.Lock()

    # -- noting -------------------------------------------------------------
    def note_user(self, user_id: int, when: datetime | None = None) -> None:
        """A person did something (now)."""
        self._note((Kind.USER, user_id), when)

    def note_token(self, token_id: int, when: datetime | None = None) -> None:
        """A token was used (now)."""
        self._note((Kind.TOKEN, token_id), when)

    def saw(self, kind: Kind, key: int, when: datetime) -> None:
        """Somebody else (the proxy) saw something active at this moment; any advance counts."""
        self._keep((kind, key), when)

    def note_bearer(self, bearer: Bearer) -> None:
        """A token was used: its own activity, and its owner's if a person stands behind it."""
        now = self._clock.now()
        self.note_token(bearer.token.id, now)
        if isinstance(bearer.owner, User) and not bearer.token.note.startswith(SERVER_NOTE):
            self.note_user(bearer.owner.id, now)

    def _note(self, key: Key, when: datetime | None) -> None:
        moment = when or self._clock.now()
        last = self._noted.get(key)
        if last is not None and moment - last < self._resolution:
            return
        self._keep(key, moment)

    def _keep(self, key: Key, moment: datetime) -> None:
        waiting = self._pending.get(key)
        if waiting is None or moment > waiting:
            self._pending[key] = moment
            self.changes += 1
        last = self._noted.pop(key, None)
        self._noted[key] = moment if last is None else max(moment, last)
        while len(self._noted) > MAX_REMEMBERED:
            self._noted.popitem(last=False)

    async def report(
        self,
        user_name: str,
        last_activity: datetime | None,
        servers: Mapping[str, datetime] | None = None,
    ) -> None:
        """What a server tells of its person and itself; older moments are ignored.

        Raises NotFound for an unknown person, InvalidInput for an unknown server
        or a moment more than 59 minutes ahead.
        """
        servers = servers or {}
        latest = self._clock.now() + MAX_AHEAD
        if any(when > latest for when in (*servers.values(), *_some(last_activity))):
            raise InvalidInput("last_activity may not be more than 59 minutes in the future")
        if not storable(user_name):
            raise NotFound
        found = await self._database.read(lambda c: user_store.server_ids(c, user_name))
        if found is None:
            raise NotFound
        user_id, ids = found
        unknown = sorted(servers.keys() - ids.keys())
        if unknown:
            raise InvalidInput(f"{user_name} has no server named {unknown[0][:80]!r}")
        if last_activity is not None:
            self._keep((Kind.USER, user_id), last_activity)
        for name, when in servers.items():
            self._keep((Kind.SERVER, ids[name]), when)

    # -- reading ------------------------------------------------------------
    def latest(self, kind: Kind, key: int, stored: datetime | None) -> datetime | None:
        """The later of the stored moment and the one that waits to be written."""
        waiting = self._pending.get((kind, key))
        if waiting is None or (stored is not None and stored > waiting):
            return stored
        return waiting

    def waiting(self, keys: Sequence[Key]) -> list[datetime | None]:
        """The moments of these that wait to be written, which models show."""
        return [self._pending.get(key) for key in keys]

    def in_user(self, detail: UserDetail) -> UserDetail:
        """The person and their servers with activity that is not written yet."""
        if not self._pending:
            return detail
        user = detail.user
        seen_user = self.latest(Kind.USER, user.id, user.last_activity)
        if seen_user is not user.last_activity:
            detail = replace(detail, user=replace(user, last_activity=seen_user))
        if detail.servers and (servers := self._seen(detail.servers)) != detail.servers:
            detail = replace(detail, servers=servers)
        return detail

    def _seen(self, servers: tuple[Server, ...]) -> tuple[Server, ...]:
        return tuple(
            replace(server, last_activity=seen)
            if (seen := self.latest(Kind.SERVER, server.id, server.last_activity))
            is not server.last_activity
            else server
            for server in servers
        )

    def in_token(self, detail: TokenDetail) -> TokenDetail:
        """The token with a use that is not written yet."""
        seen = self.latest(Kind.TOKEN, detail.token.id, detail.token.last_activity)
        if seen is detail.token.last_activity:
            return detail
        return replace(detail, token=replace(detail.token, last_activity=seen))

    # -- writing ------------------------------------------------------------
    async def flush(self) -> None:
        """Write what waits. Raises StoreUnavailable; nothing is lost then."""
        async with self._writing:
            batch = dict(self._pending)
            for part in chunks(list(batch.items()), BATCH):
                await self._database.write(partial(_write, batch=part))
                for key, moment in part:
                    if self._pending.get(key) == moment:
                        del self._pending[key]
                self.changes += 1

    def start(self) -> None:
        """Write every few seconds from now on."""
        self._tasks.spawn(self._flush_for_ever(), "flush")

    async def _flush_for_ever(self) -> None:
        while True:
            await self._clock.sleep(FLUSH_S)
            try:
                await self.flush()
            except StoreUnavailable as error:
                log.warning("Activity waits to be written: %s", error)

    async def close(self) -> None:
        """Write the rest and stop."""
        await self._tasks.close()
        try:
            await self.flush()
        except StoreUnavailable as error:
            log.warning("The last activity was not written: %s", error)


def _some(moment: datetime | None) -> tuple[datetime, ...]:
    return () if moment is None else (moment,)


def _write(connection: Connection, batch: Sequence[tuple[Key, datetime]]) -> None:
    # In order of id: two replicas that touch the same rows must not wait for each other.
    for kind, touch in _TOUCH.items():
        seen = sorted((key, moment) for (of, key), moment in batch if of is kind)
        touch(connection, seen)
