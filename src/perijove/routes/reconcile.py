"""Making the proxy's table equal to the wanted one.

Runs at start, after each activity pull, when an administrator asks, and when the
proxy was restarted; one at a time.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

from perijove.domain.ports import ProxyPort
from perijove.domain.routes import Route
from perijove.routes.desired import Desired
from perijove.telemetry import metrics

log = logging.getLogger("perijove.routes")

CONCURRENCY = 20


class Reconciler:
    """Compares and mends. ``desired`` gives the wanted table as it is now."""

    def __init__(self, proxy: ProxyPort, desired: Callable[[], Awaitable[Desired]]) -> None:
        self._proxy = proxy
        self._desired = desired
        self._lock = asyncio.Lock()

    async def check(self) -> dict[str, Route]:
        """Mend what differs; the routes as the proxy had them. Raises PluginError."""
        async with self._lock:
            began = time.perf_counter()
            actual = await self._proxy.routes()
            metrics.PROXY_POLL_DURATION.observe(time.perf_counter() - began)
            # Read after the proxy's answer: a route added meanwhile is then wanted, not surplus.
            wanted = await self._desired()
            changed = await self._mend(wanted, actual)
            if changed:
                # A server may have gone, or come, while it was mended: its own change of the
                # table, made before ours, is then lost.
                await self._mend(await self._desired(), changed, only=changed.keys())
            metrics.CHECK_ROUTES_DURATION.observe(time.perf_counter() - began)
            return actual

    async def restore(self) -> None:
        """Add every wanted route to a proxy that has lost its table."""
        async with self._lock:
            wanted = await self._desired()
            await self._all(self._proxy.add_route(route) for route in wanted.routes.values())

    async def _mend(
        self,
        wanted: Desired,
        actual: Mapping[str, Route | None],
        only: Collection[str] | None = None,
    ) -> dict[str, Route | None]:
        """Make the proxy's table as ``wanted``; what was changed, None for what was deleted.

        ``only``: routes that were just changed here; others are left alone.
        """
        changed: dict[str, Route | None] = {}
        for spec, route in wanted.routes.items():
            if only is not None and spec not in only:
                continue
            present = actual.get(spec)
            if present is None:
                log.warning("Adding missing route %s => %s", spec, route.target)
                changed[spec] = route
            elif present.target.rstrip("/") != route.target.rstrip("/"):
                log.warning("Route %s goes to %s; correcting", spec, present.target)
                changed[spec] = route
        kept = wanted.untouched if only is None else frozenset()
        for spec, present in actual.items():
            if present is not None and spec not in wanted.routes and spec not in kept:
                log.warning("Deleting stale route %s", spec)
                changed[spec] = None
        await self._all(
            self._proxy.delete_route(spec) if route is None else self._proxy.add_route(route)
            for spec, route in changed.items()
        )
        return changed

    @staticmethod
    async def _all(jobs: Iterable[Awaitable[None]]) -> None:
        limit = asyncio.Semaphore(CONCURRENCY)

        async def run(job: Awaitable[None]) -> None:
            async with limit:
                await job

        results = await asyncio.gather(*(run(job) for job in jobs), return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        for error in errors[1:]:
            log.error("%s", error)
        if errors:
            raise errors[0]
