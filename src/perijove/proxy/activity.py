"""When a route was last in use: the hub reads it to know idle servers.

What counts: a route added, bytes of a request body, a response below 300 that
is complete, and bytes that a client sends through a tunnel. What servers send
by themselves does not count, nor do redirects and errors, so a page that polls
a broken server does not keep it alive.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter, time

from perijove.proxy.metrics import Metrics
from perijove.proxy.table import Route


class Activity:
    """Marks routes as used."""

    __slots__ = ("_metrics", "_time", "touch")

    def __init__(self, metrics: Metrics, now: Callable[[], float] = time) -> None:
        self._metrics = metrics
        self._time = now
        self.touch: Callable[[Route], None] = self._timed if metrics.timed else self._plain

    def now(self) -> float:
        """The Unix time."""
        return self._time()

    def _plain(self, route: Route) -> None:
        route.last_activity_s = self._time()

    def _timed(self, route: Route) -> None:
        started = perf_counter()
        route.last_activity_s = self._time()
        self._metrics.activity.add(perf_counter() - started)


def iso_time(moment_s: float) -> str:
    """A Unix time as the API shows it: ISO 8601 in UTC with milliseconds and ``Z``."""
    moment = datetime.fromtimestamp(moment_s, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
