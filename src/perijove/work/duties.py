"""Jobs that recur, some of which exactly one replica does.

A shared duty is held by a lease of its own in the database, so that two
replicas never purge or count at once; a local one runs everywhere.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from perijove.domain.errors import StoreUnavailable
from perijove.kit.aio import Tasks
from perijove.store import leases
from perijove.store.engine import Database

log = logging.getLogger("perijove.duties")

JITTER = 0.1


class Duties:
    """The recurring jobs of this replica."""

    def __init__(self, database: Database, replica: str) -> None:
        self._database = database
        self._replica = replica
        self._tasks = Tasks("duties")

    def every(
        self,
        interval_s: float,
        name: str,
        job: Callable[[], Awaitable[object]],
        *,
        shared: bool = False,
        at_once: bool = False,
    ) -> None:
        """Do ``job`` each ``interval_s`` seconds (with jitter); 0 or less: never.

        ``shared``: only one replica does it. ``at_once``: the first time now.
        """
        if interval_s > 0:
            self._tasks.spawn(self._repeat(interval_s, name, job, shared, at_once), name)

    async def _repeat(
        self,
        interval_s: float,
        name: str,
        job: Callable[[], Awaitable[object]],
        shared: bool,
        at_once: bool,
    ) -> None:
        if not at_once:
            await asyncio.sleep(interval_s)
        while True:
            try:
                if not shared or await self._elected(name, interval_s):
                    await job()
            except StoreUnavailable as error:
                log.warning("%s waits: %s", name, error)
            except Exception:
                log.exception("The periodic job %s failed", name)
            await asyncio.sleep(interval_s * random.uniform(1 - JITTER, 1 + JITTER))

    async def _elected(self, name: str, interval_s: float) -> bool:
        ttl_s = interval_s * (1 + 2 * JITTER) + 30
        return await self._database.write(
            lambda connection: leases.take_duty(connection, name, self._replica, ttl_s)
        )

    async def close(self) -> None:
        """Stop all jobs. Safe to call twice."""
        await self._tasks.close()
