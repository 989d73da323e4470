"""Answers that were given before, kept for as long as a new one would read the same.

"Who am I?" is asked at every first visit to a server, and by monitors without end.
The answer hangs on the person's row, groups, roles and servers, so nearly any write
could change it. Rather than have each of them say so, the database itself is asked
whether anything was committed since, by this process or another. That is exact, and
costs a tenth of reading anew. It is asked once in a turn of the event loop: whoever
knows of a later commit cannot have asked in this turn. Where the database cannot tell
(PostgreSQL), nothing is kept.

Two things that answers show are not in the database: rights, which come as objects
that are replaced when they change, and activity that waits to be written.
"""

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from perijove.people.activity import Activity, Key
from perijove.store.engine import Database, Version

SIZE = 10_000
"""How many answers are kept; the oldest go first."""


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes
    made_of: tuple[object, ...]
    shown: Sequence[Key]
    waiting: list[datetime | None]


class Slot(NamedTuple):
    """Where one answer is kept, as of one moment; ``body`` is None if it has to be made."""

    key: Hashable
    made_of: tuple[object, ...]
    version: Version | None
    activity: int
    body: bytes | None


class Answers:
    """Encoded answers by key."""

    def __init__(self, database: Database, activity: Activity) -> None:
        self._database = database
        self._activity = activity
        self._version: Version | None = None
        self._is_of_this_turn = False
        self._kept: dict[Hashable, _Answer] = {}

    def look_up(self, key: Hashable, *made_of: object) -> Slot:
        """The answer, if it was ``made_of`` these very objects and nothing changed since.

        Look before anything is read that the answer shows.
        """
        if not self._is_of_this_turn:
            self._look_at_database()
        body = self._body(key, made_of)
        return Slot(key, made_of, self._version, self._activity.changes, body)

    def _look_at_database(self) -> None:
        version = self._database.version()
        if version != self._version:
            self._version = version
            self._kept.clear()
        self._is_of_this_turn = True
        asyncio.get_running_loop().call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._is_of_this_turn = False

    def _body(self, key: Hashable, made_of: tuple[object, ...]) -> bytes | None:
        answer = self._kept.get(key)
        if answer is None or any(a is not b for a, b in zip(answer.made_of, made_of, strict=True)):
            return None
        return answer.body if self._activity.waiting(answer.shown) == answer.waiting else None

    def keep(self, slot: Slot, body: bytes, shown: Sequence[Key]) -> None:
        """Remember an answer that was made after ``look_up``; ``shown``: whose activity it tells.

        Nothing is kept that might have been made from what was true before a change.
        """
        if slot.version is None or slot.version != self._version:
            return
        if slot.activity != self._activity.changes:
            return
        while len(self._kept) >= SIZE:
            del self._kept[next(iter(self._kept))]
        self._kept[slot.key] = _Answer(body, slot.made_of, shown, self._activity.waiting(shown))
