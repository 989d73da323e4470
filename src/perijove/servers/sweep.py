"""Watching what runs: whether it lives, is wanted, and is driven by somebody.

Taking over what others left is the ``adoption`` module's part.
"""

import asyncio
import logging
import random
import time

from perijove.domain.errors import LeaseLost, PerijoveError
from perijove.domain.events import Topic
from perijove.domain.ports import SpawnerFactory
from perijove.domain.servers import STARTS, Failure, State
from perijove.kit.aio import Tasks
from perijove.routes.probe import Prober
from perijove.routes.publish import ServerRoutes
from perijove.servers.adoption import Adoption
from perijove.servers.holdings import Holding, Holdings
from perijove.servers.launch import Launcher
from perijove.servers.runner import Runner
from perijove.store import servers as server_rows
from perijove.store.engine import Database
from perijove.work.bus import Bus
from perijove.work.lease import ReplicaLease

log = logging.getLogger("perijove.sweep")

CONCURRENCY = 20
TICK_S = 1.0
WISH_POLL_S = 2.0


class Sweep:
    """The background work on this replica's servers."""

    def __init__(
        self,
        database: Database,
        factory: SpawnerFactory,
        launcher: Launcher,
        runner: Runner,
        holdings: Holdings,
        routes: ServerRoutes,
        prober: Prober,
        lease: ReplicaLease,
        bus: Bus,
    ) -> None:
        self._database = database
        self._runner = runner
        self._holdings = holdings
        self._lease = lease
        self._adoption = Adoption(
            database, factory, launcher, runner, holdings, routes, prober, lease
        )
        self._limit = asyncio.Semaphore(CONCURRENCY)
        self._tasks = Tasks("sweep")
        self._polling: set[int] = set()
        bus.subscribe(Topic.WISH, self._on_wish)

    def start(self) -> None:
        """Begin to watch held servers."""
        self._tasks.spawn(self._watch(), "watch")

    async def close(self) -> None:
        """Stop watching."""
        await self._tasks.close()

    # -- taking over ------------------------------------------------------

    async def claim(self) -> None:
        """Take over the active servers that nobody holds; ``adopt`` settles them."""
        await self._adoption.claim()

    async def adopt(self) -> int:
        """Settle what was claimed, and what other replicas left since; how many there were."""
        return await self._adoption.adopt()

    # -- watching ---------------------------------------------------------

    def _schedule(self, holding: Holding) -> None:
        port = holding.port
        interval_s = port.poll_interval_s if port is not None else 0
        if port is None or interval_s <= 0:
            holding.next_poll = float("inf")
            return
        jitter = random.uniform(1 - port.poll_jitter, 1 + port.poll_jitter)
        holding.next_poll = time.monotonic() + interval_s * jitter

    async def _watch(self) -> None:
        next_wishes = 0.0
        while True:
            await asyncio.sleep(TICK_S)
            if not self._lease.trusted:
                continue
            now = time.monotonic()
            try:
                for holding in self._holdings:
                    self._poll_if_due(holding, now)
                if now >= next_wishes:
                    next_wishes = now + WISH_POLL_S
                    self._free_stuck()
                    await self._heed_wishes()
            except Exception:
                log.exception("Watching servers failed; going on")

    def _free_stuck(self) -> None:
        """No server stays on its way because the task that drove it broke."""
        for holding in self._holdings:
            stopping, starting = holding.stopping, holding.starting
            if stopping is not None:
                stuck = stopping.done() and holding.server.active
            else:
                broken = starting is not None and starting.done()
                stuck = broken and holding.server.state in STARTS
            if stuck:
                log.error("%r is stuck; stopping it", holding.server.full_name)
                failure = holding.server.failure
                if failure is None and holding.server.state in STARTS:
                    failure = Failure("The start broke off")
                self._runner.stop(holding, failure)

    def _poll_if_due(self, holding: Holding, now: float) -> None:
        server = holding.server
        if not server.ready or server.id in self._polling or holding.stopping is not None:
            return
        if holding.next_poll == 0.0:
            self._schedule(holding)
        elif holding.next_poll <= now:
            self._polling.add(server.id)
            self._tasks.spawn(self._poll(holding), f"poll {server.full_name!r}")

    async def _poll(self, holding: Holding) -> None:
        try:
            async with self._limit:
                await self._runner.poll(holding)
        finally:
            self._polling.discard(holding.server.id)
            self._schedule(holding)

    # -- what plug-ins notice -------------------------------------------------

    def server_ended(self, server_id: int) -> None:
        """A plug-in found its server dead: look at it now, not at the next poll."""
        holding = self._holdings.get(server_id)
        if holding is not None:
            self._tasks.spawn(self._runner.poll(holding), f"poll {holding.server.full_name!r}")

    def server_moved(self, server_id: int, url: str) -> None:
        """A plug-in found its ready server at another address: route people there."""
        holding = self._holdings.get(server_id)
        if holding is not None and holding.server.ready and holding.server.url != url:
            self._tasks.spawn(self._follow_move(holding, url), f"move {holding.server.full_name!r}")

    async def _follow_move(self, holding: Holding, url: str) -> None:
        server = holding.server
        log.warning("%r moved from %s to %s", server.full_name, server.url, url)
        try:
            await self._database.write(
                lambda c: server_rows.amend(c, server.id, server.epoch, State.READY, url=url)
            )
        except LeaseLost as error:
            if holding.stopping is None:
                self._runner.give_up(holding, error)
            return
        holding.update(url=url)
        await self._adoption.ensure_route(holding)

    # -- wishes from elsewhere --------------------------------------------

    def _on_wish(self, key: str) -> None:
        if self._holdings.get(int(key)) is not None:
            self._tasks.spawn(self._heed_wishes(), "wishes")

    async def _heed_wishes(self) -> None:
        try:
            unwanted = await self._database.read(lambda c: server_rows.unwanted(c, self._lease.id))
        except PerijoveError as error:
            log.warning("Could not look for stops: %s", error)
            return
        for server in unwanted:
            holding = self._holdings.get(server.id)
            if holding is not None and holding.stopping is None:
                holding.update(removing=server.removing)
                self._runner.stop(holding, asked=True)
