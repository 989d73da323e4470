"""Watching what runs, and taking over what a dead replica left.

After a crash the row alone tells what to do:

    QUEUED      nothing was begun: start it
    STARTING    the plug-in had begun: if it (or what it left running) is found
                alive go on, else clean up and say why it failed
    PROBING     it had an address: alive, go on probing; dead, failed
    READY       poll it and ask it; alive, it stays; dead, it has stopped
    STOPPING    stop it again
"""

import asyncio
import logging
import random
import time

from perijove.domain.errors import LeaseLost, PerijoveError, PluginError
from perijove.domain.events import Topic
from perijove.domain.ports import SpawnerFactory, SpawnerPort
from perijove.domain.servers import Failure, Server, State, Wish
from perijove.kit.aio import Tasks
from perijove.routes.probe import Prober
from perijove.routes.publish import ServerRoutes
from perijove.servers.holdings import Holding, Holdings
from perijove.servers.launch import Launcher
from perijove.servers.runner import Runner
from perijove.store import events as event_rows
from perijove.store import servers as server_rows
from perijove.store.engine import Database
from perijove.telemetry import metrics
from perijove.work.bus import Bus
from perijove.work.lease import ReplicaLease

log = logging.getLogger("perijove.sweep")

CLAIM_BATCH = 1000
CONCURRENCY = 20
TICK_S = 1.0
WISH_POLL_S = 2.0

RESTARTED = "The hub was restarted while the server was starting"


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
        self._factory = factory
        self._launcher = launcher
        self._runner = runner
        self._holdings = holdings
        self._routes = routes
        self._prober = prober
        self._lease = lease
        self._limit = asyncio.Semaphore(CONCURRENCY)
        self._tasks = Tasks("sweep")
        self._polling: set[int] = set()
        self._claimed: list[Server] = []
        bus.subscribe(Topic.WISH, self._on_wish)

    def start(self) -> None:
        """Begin to watch held servers."""
        self._tasks.spawn(self._watch(), "watch")

    async def close(self) -> None:
        """Stop watching."""
        await self._tasks.close()

    # -- taking over ------------------------------------------------------

    async def claim(self) -> None:
        """Take over the active servers that nobody holds; ``adopt`` settles them.

        Separate from it so that a starting hub shows them as being checked
        before anybody asks.
        """
        while True:
            orphans = await self._database.write(
                lambda c: server_rows.claim_orphans(
                    c, self._lease.id, self._lease.host, CLAIM_BATCH
                )
            )
            self._claimed += orphans
            if len(orphans) < CLAIM_BATCH:
                return

    async def adopt(self) -> int:
        """Settle what was claimed, and what other replicas left since; how many there were."""
        await self.claim()
        orphans, self._claimed = self._claimed, []
        began = time.perf_counter()
        await asyncio.gather(*(self._settle(server) for server in orphans))
        if orphans:
            took_s = time.perf_counter() - began
            metrics.RUNNING_SERVERS.set(self._holdings.count(State.READY))
            log.info("Took over %d servers in %.3f seconds", len(orphans), took_s)
        return len(orphans)

    async def _settle(self, server: Server) -> None:
        async with self._limit:
            try:
                await self._settle_one(server)
            except LeaseLost as error:
                log.warning("%s", error)
            except Exception as error:
                log.exception("Could not take over %r", server.full_name)
                holding = self._holdings.get(server.id) or self._holdings.add(server)
                self._runner.stop(holding, Failure(f"{RESTARTED}: {error}"))

    async def _settle_one(self, server: Server) -> None:
        if server.state is State.QUEUED and server.wanted is Wish.UP:
            self._runner.start(server, None)
            return
        user, groups = await self._launcher.owner(server)
        port = self._factory.open(server, user, groups, fresh=True)
        port.set_address(server.url)
        if server.state in (State.QUEUED, State.STOPPING) or server.wanted is Wish.DOWN:
            self._runner.stop(await self._hold(server, port), server.failure)
        elif server.state is State.READY:
            await self._check_ready(server, port)
        else:
            await self._check_starting(server, port)

    async def _hold(self, server: Server, port: SpawnerPort) -> Holding:
        """Hold a server with its plug-in object and the events of its start so far."""
        holding = self._holdings.add(server)
        holding.port = port
        holding.events = await self._database.read(lambda c: event_rows.after(c, server.id, 0))
        holding.stored = len(holding.events)
        return holding

    async def _check_starting(self, server: Server, port: SpawnerPort) -> None:
        """A start that the crash cut off: go on if something runs, else say that it failed."""
        found = await self._alive(port) if server.plugin_state else await port.find_lost()
        if found and server.state is State.PROBING and server.url:
            log.info("Going on with the start of %r", server.full_name)
            self._runner.resume(await self._hold(server, port), port)
            return
        holding = await self._hold(server, port)
        log.warning("%r: %s", server.full_name, RESTARTED)
        self._runner.stop(holding, Failure(RESTARTED, reason="restart"))

    async def _check_ready(self, server: Server, port: SpawnerPort) -> None:
        holding = await self._hold(server, port)
        holding.update()
        if not await self._alive(port) or not await self._answers(holding, port):
            log.warning("%r stopped while no hub was watching", server.full_name)
            self._runner.stop(holding, exited=False)
            return
        await self._database.write(
            lambda c: server_rows.amend(
                c, server.id, server.epoch, checking=False, url=holding.server.url
            )
        )
        holding.update(checking=False)
        self._schedule(holding)
        await self._ensure_route(holding)

    async def _answers(self, holding: Holding, port: SpawnerPort) -> bool:
        """Whether the server answers where it says it is (its address may have moved)."""
        server = holding.server
        url = await port.address() or server.url or ""
        if url != server.url:
            log.warning("%r moved from %s to %s", server.full_name, server.url, url)
            port.set_address(url)
            holding.update(url=url)
        addresses = self._routes.addresses
        path = addresses.server_path(server.user_name, server.name)
        try:
            await self._prober.wait(url + path + "api", port.http_timeout_s, port.poll)
        except PerijoveError as error:
            log.warning("%r does not answer: %s", server.full_name, error)
            return False
        return True

    async def _ensure_route(self, holding: Holding) -> None:
        try:
            await self._routes.add(holding.server, holding.server.url or "")
        except PluginError as error:
            # The comparison of all routes, which follows at start, tries again.
            log.warning("%s", error)

    @staticmethod
    async def _alive(port: SpawnerPort) -> bool:
        try:
            return await port.poll() is None
        except PluginError as error:
            log.error("%s; taking the server as stopped", error)
            return False

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
            for holding in self._holdings:
                self._poll_if_due(holding, now)
            if now >= next_wishes:
                next_wishes = now + WISH_POLL_S
                await self._heed_wishes()

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
                self._runner.stop(holding)
