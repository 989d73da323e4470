"""Time as a parameter: the real clock, and one that tests turn by hand."""

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What a component may ask of time."""

    def now(self) -> datetime:
        """The current moment, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Return after ``delay_s`` seconds."""
        ...


class RealClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current moment, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        """Return after ``delay_s`` seconds."""
        await asyncio.sleep(delay_s)


class ManualClock:
    """A clock that moves only when a test says so."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 1, tzinfo=UTC)
        self._monotonic = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    def now(self) -> datetime:
        """The moment the clock was turned to."""
        return self._now

    def monotonic(self) -> float:
        """Seconds the clock was turned by so far."""
        return self._monotonic

    async def sleep(self, delay_s: float) -> None:
        """Return once the clock was turned past ``delay_s`` seconds."""
        waiter = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + delay_s, next(self._count), waiter))
        await waiter

    async def advance(self, delta_s: float) -> None:
        """Turn the clock on, waking sleepers in order of their time."""
        end = self._monotonic + delta_s
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, waiter = heapq.heappop(self._sleepers)
            self._turn_to(due)
            if not waiter.done():
                waiter.set_result(None)
            await asyncio.sleep(0)
        self._turn_to(end)
        await asyncio.sleep(0)

    def _turn_to(self, moment: float) -> None:
        self._now += timedelta(seconds=max(0.0, moment - self._monotonic))
        self._monotonic = max(moment, self._monotonic)


def isoformat(moment: datetime) -> str:
    """The wire's time format: UTC, microseconds, ``Z``."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"  # in place of +00:00


def parse_time(text: str) -> datetime:
    """A moment from ISO 8601 text; without an offset it is taken as UTC.

    Raises ValueError when the text is no such time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} lies outside of the calendar") from None
