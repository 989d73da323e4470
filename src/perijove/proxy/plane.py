"""What all connections share: routes, rules, counters, deadlines, and the end.

Deadlines are looked at once a second over all connections, instead of a timer
per request: arming timers would cost more than passing the bytes.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from time import monotonic, perf_counter
from typing import Any, Protocol

from perijove.kit.aio import Tasks
from perijove.proxy.access import AccessLog
from perijove.proxy.activity import Activity
from perijove.proxy.errors import ErrorPages
from perijove.proxy.limits import Limits
from perijove.proxy.metrics import Metrics
from perijove.proxy.rewrite import Rules
from perijove.proxy.table import Route, Table
from perijove.proxy.targets import Targets

log = logging.getLogger("perijove.proxy")

_LOGGED_CHARACTERS = 200
_POOL_SWEEP_S = 10.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in seconds; 0 turns ``timeout_s`` and ``proxy_timeout_s`` off."""

    rules: Rules = field(default_factory=Rules)
    limits: Limits = field(default_factory=Limits)
    keep_alive_s: float = 5.0
    timeout_s: float = 0.0
    proxy_timeout_s: float = 0.0


class Watched(Protocol):
    """A connection with a deadline."""

    deadline: float

    def expire(self, now: float) -> None:
        """The deadline has passed: end, or set a new one."""

    def shut(self) -> None:
        """End when what runs is done."""

    def leave(self) -> None:
        """The time to finish is over: say goodbye where that is possible, else end at once."""

    def abort(self) -> None:
        """End at once."""


class Plane:
    """The shared state of the data plane. ``now`` is a monotonic time, a second coarse."""

    def __init__(
        self,
        settings: Settings,
        table: Table,
        *,
        metrics: Metrics | None = None,
        pages: ErrorPages | None = None,
        server_tls: ssl.SSLContext | None = None,
        access: AccessLog | None = None,
        max_connections: int = 10_000,
    ) -> None:
        self.settings = settings
        self.rules = settings.rules
        self.limits = settings.limits
        self.table = table
        self.targets = Targets()
        self.metrics = metrics or Metrics()
        self.activity = Activity(self.metrics)
        self.pages = pages or ErrorPages()
        self.server_tls = server_tls
        self.access = access
        self.find = self._find_timed if self.metrics.timed else table.find
        self.clients: set[Watched] = set()
        self.each_second: list[Callable[[float], None]] = []
        """Called with the monotonic time, about once a second."""
        self.tasks = Tasks("proxy")
        self.now = monotonic()
        self.debug = log.isEnabledFor(logging.DEBUG)
        self.ending = False
        self.body_watch_s = min(self.limits.sweep_s, 1.0)
        timed = settings.timeout_s or settings.proxy_timeout_s
        self.wait_watch_s = self.body_watch_s if timed else inf
        self._max_connections = max_connections
        self._per_address: dict[bytes, int] = {}
        self._quiet_until: dict[str, float] = {}
        self._pools_swept = self._hooks_due = self.now
        self._sweeping: asyncio.TimerHandle | None = None

    # -- connections ----------------------------------------------------------
    def admit(self, client: Watched, ip: bytes) -> bool:
        """Count a new client connection in, unless there are too many (of its address)."""
        if len(self.clients) >= self._max_connections or self.ending:
            self.report("connections", "Refusing connections: %d are open", len(self.clients))
            return False
        most = self.limits.connections_per_address
        if most:
            count = self._per_address.get(ip, 0)
            if count >= most:
                self.report(
                    "address", "Refusing connections of %s: %d are open", ip.decode(), count
                )
                return False
            self._per_address[ip] = count + 1
        self.clients.add(client)
        return True

    def depart(self, client: Watched, ip: bytes) -> None:
        """Count a client connection out. Nothing happens if it was not counted in."""
        if client not in self.clients:
            return
        self.clients.discard(client)
        if self.limits.connections_per_address:
            count = self._per_address.pop(ip, 0) - 1
            if count > 0:
                self._per_address[ip] = count

    def _find_timed(self, path: bytes, host: bytes | None, simple: bool) -> Route | None:
        started = perf_counter()
        try:
            return self.table.find(path, host, simple)
        finally:
            self.metrics.find_target.add(perf_counter() - started)

    # -- time -----------------------------------------------------------------
    def start(self) -> None:
        """Begin to watch deadlines; call within the running loop."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._loop_error)
        self._sweeping = loop.call_later(self.limits.sweep_s, self._sweep)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweeping = loop.call_later(self.limits.sweep_s, self._sweep)
        self.now = now = monotonic()
        for client in [client for client in self.clients if client.deadline <= now]:
            client.expire(now)
        if now >= self._hooks_due:
            self._hooks_due = now + 1.0
            for hook in self.each_second:
                hook(now)
        if now - self._pools_swept >= min(_POOL_SWEEP_S, self.limits.pool_idle_s):
            self._pools_swept = now
            self._sweep_pools(now - self.limits.pool_idle_s)
            self._quiet_until = {k: t for k, t in self._quiet_until.items() if t > now}

    def _sweep_pools(self, oldest: float) -> None:
        for target in self.targets:
            pool = target.pool
            if pool and pool[0].idle_since < oldest:
                fresh = [upstream for upstream in pool if upstream.idle_since >= oldest]
                stale = [upstream for upstream in pool if upstream.idle_since < oldest]
                pool[:] = fresh
                for upstream in stale:
                    upstream.abort()

    # -- words ----------------------------------------------------------------
    def report(self, key: str, message: str, *args: Any) -> None:
        """Log a warning, but not more than one a second about the same thing."""
        if self._quiet_until.get(key, 0.0) <= self.now:
            if len(self._quiet_until) > 1000:
                self._quiet_until.clear()
            self._quiet_until[key] = self.now + 1.0
            log.warning(message, *args)

    def _loop_error(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error that nobody caught ends its connection; here it is told, once a second."""
        error = context.get("exception")
        if isinstance(error, ConnectionError | TimeoutError | ssl.SSLError):
            log.debug("Connection ended: %s", error)
            return
        key = f"{type(error).__name__}:{context.get('message')}"
        if self._quiet_until.get(key, 0.0) <= self.now:
            self._quiet_until[key] = self.now + 1.0
            log.error("%s", context.get("message"), exc_info=error)

    # -- the end --------------------------------------------------------------
    async def drain(self) -> None:
        """Let running exchanges finish for a moment, say goodbye to the rest, end everything."""
        self.ending = True
        for client in list(self.clients):
            client.shut()
        await self._wait_for_clients(self.limits.drain_s)
        for client in list(self.clients):
            client.leave()
        await self._wait_for_clients(self.limits.farewell_s)
        for client in list(self.clients):
            client.abort()
        for target in self.targets:
            target.close()
        if self._sweeping is not None:
            self._sweeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.tasks.close()
        if self.access is not None:
            self.access.close()

    async def _wait_for_clients(self, limit_s: float) -> None:
        until = monotonic() + limit_s
        while self.clients and monotonic() < until:
            await asyncio.sleep(0.02)


def loggable(text: bytes | str) -> str:
    """A path for a log line: without query, bounded, control characters escaped."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    text = text.partition("?")[0]
    if len(text) > _LOGGED_CHARACTERS:
        text = text[:_LOGGED_CHARACTERS] + "..."
    return text if text.isprintable() else ascii(text)[1:-1]
