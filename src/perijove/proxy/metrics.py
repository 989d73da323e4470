"""Counters, under the names that configurable-http-proxy's dashboards use.

Plain integers, since they are counted once per request; they become text only
when somebody asks. Timing costs two clock readings and is done only if metrics
are served at all.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

_NUMBERS = ("requests_ws", "requests_web", "connections")
_STATUSES = ("requests_proxy",)
_TIMES = ("find_target", "activity")
"""What workers count; the API's numbers belong to the one process that has it."""


class Summary:
    """How often something was done and how many seconds it took in all."""

    __slots__ = ("count", "total_s")

    def __init__(self) -> None:
        self.count = 0
        self.total_s = 0.0

    def add(self, elapsed_s: float) -> None:
        """One more, which took ``elapsed_s``."""
        self.count += 1
        self.total_s += elapsed_s


class Metrics:
    """What the proxy counts; ``timed`` tells whether anybody will read the times."""

    __slots__ = (
        "activity", "connections", "find_target", "requests_api", "requests_proxy", "requests_web",
        "requests_ws", "route_add", "route_delete", "route_get", "routes", "timed", "workers",
    )  # fmt: skip

    def __init__(self, timed: bool = False) -> None:
        self.timed = timed
        self.route_get = self.route_add = self.route_delete = 0
        self.requests_ws = self.requests_web = 0
        self.connections = self.routes = 0
        self.workers = 1
        self.requests_proxy: Counter[int] = Counter()
        self.requests_api: Counter[int] = Counter()
        self.find_target = Summary()
        self.activity = Summary()

    def counted(self) -> dict[str, Any]:
        """Everything as plain values, to be added up by ``include`` in another process."""
        return {
            "numbers": {name: getattr(self, name) for name in _NUMBERS},
            "statuses": {name: dict(getattr(self, name)) for name in _STATUSES},
            "times": {
                name: [getattr(self, name).count, getattr(self, name).total_s] for name in _TIMES
            },
        }

    def include(self, counted: Mapping[str, Any]) -> None:
        """Add what another process has ``counted``."""
        for name, value in counted["numbers"].items():
            setattr(self, name, getattr(self, name) + value)
        for name, statuses in counted["statuses"].items():
            for code, value in statuses.items():
                getattr(self, name)[int(code)] += value
        for name, (count, total_s) in counted["times"].items():
            getattr(self, name).count += count
            getattr(self, name).total_s += total_s

    def lines(self) -> Iterator[str]:
        """The Prometheus text format (version 0.0.4), line by line."""
        for name, text, value in (
            ("api_route_get", "Requests to the API for routes", self.route_get),
            ("api_route_add", "Routes added or replaced through the API", self.route_add),
            ("api_route_delete", "Routes deleted through the API", self.route_delete),
            ("requests_ws", "Requests for a websocket or another upgrade", self.requests_ws),
            ("requests_web", "Other requests on the public port", self.requests_web),
        ):
            yield from (f"# HELP {name} {text}", f"# TYPE {name} counter", f"{name} {value}")
        for name, text, value in (
            ("perijove_proxy_connections", "Clients' connections now", self.connections),
            ("perijove_proxy_routes", "Routes now", self.routes),
            ("perijove_proxy_workers", "Processes on the public port", self.workers),
        ):
            yield from (f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {value}")
        for name, text, counts in (
            ("requests_proxy", "Answers on the public port by status", self.requests_proxy),
            ("requests_api", "Answers of the API by status", self.requests_api),
        ):
            yield from (f"# HELP {name} {text}", f"# TYPE {name} counter")
            yield from (f'{name}{{status="{code}"}} {n}' for code, n in sorted(counts.items()))
        for name, text, summary in (
            ("find_target_for_req", "Seconds spent finding routes", self.find_target),
            ("last_activity_updating", "Seconds spent noting activity", self.activity),
        ):
            yield from (f"# HELP {name} {text}", f"# TYPE {name} summary")
            yield f"{name}_sum {summary.total_s:.9f}"
            yield f"{name}_count {summary.count}"
