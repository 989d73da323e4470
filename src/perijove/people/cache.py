"""A bounded memory of facts that hears of changes.

An entry carries tags such as ``user:5``; a message about one of them drops it.
While other replicas cannot be heard, nothing is answered from memory. Even an
entry that nobody invalidates is forgotten after ``ttl_s``, so a lost message
costs seconds of staleness and not more.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from perijove.domain.events import Topic
from perijove.kit.clock import Clock
from perijove.work.bus import Bus

V = TypeVar("V")

TTL_S = 4.0
"""How long a fact is believed without asking again (seconds)."""

SIZE = 20_000
"""How many entries one cache holds; the least recently used go first."""

EVERYTHING = "*"
"""The message key that drops every entry."""


@dataclass(slots=True)
class _Entry(Generic[V]):
    value: V
    until: float
    tags: tuple[str, ...]


class Cache(Generic[V]):
    """Facts by key, dropped when a tag of theirs is named on the bus."""

    def __init__(self, bus: Bus, clock: Clock, *, ttl_s: float = TTL_S, size: int = SIZE) -> None:
        self._bus = bus
        self._clock = clock
        self._ttl_s = ttl_s
        self._size = size
        self._entries: OrderedDict[Hashable, _Entry[V]] = OrderedDict()
        self._tagged: defaultdict[str, set[Hashable]] = defaultdict(set)
        self.generation = 0
        bus.subscribe(Topic.CREDENTIALS, self.drop)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> V | None:
        """The fact, unless it is unknown, too old, or not to be trusted now."""
        entry = self._entries.get(key)
        if entry is None or not self._bus.connected:
            return None
        if entry.until < self._clock.monotonic():
            self._forget(key)
            return None
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: Hashable, value: V, tags: Iterable[str], generation: int) -> None:
        """Remember a fact that was looked up after ``generation`` was read.

        If anything was dropped since, the fact may be stale already, and is not kept.
        """
        if generation != self.generation:
            return
        self._forget(key)
        now = self._clock.monotonic()
        entry = _Entry(value, now + self._ttl_s, tuple(tags))
        self._entries[key] = entry
        for tag in entry.tags:
            self._tagged[tag].add(key)
        self._make_room(now)

    def _make_room(self, now: float) -> None:
        """Forget what was not used for longest, if it is too old, or if there is too much."""
        while self._entries:
            key, oldest = next(iter(self._entries.items()))
            if oldest.until >= now and len(self._entries) <= self._size:
                return
            self._forget(key)

    def drop(self, tag: str) -> None:
        """Forget what carries this tag; ``*``: everything."""
        self.generation += 1
        if tag == EVERYTHING:
            self._entries.clear()
            self._tagged.clear()
            return
        for key in tuple(self._tagged.get(tag, ())):
            self._forget(key)

    def _forget(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        for tag in entry.tags:
            keys = self._tagged[tag]
            keys.discard(key)
            if not keys:
                del self._tagged[tag]
