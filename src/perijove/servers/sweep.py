"""Watching what runs, and taking over what a dead replica left.

After a crash the row alone tells what to do:

    QUEUED      nothing was begun: start it
    STARTING    the plug-in had begun and gave no address yet: stop what it left
                running, and say why the start failed
    PROBING     it had an address: alive, go on probing; dead, failed
    READY       poll it and ask it; alive, it stays; dead, it has stopped
    STOPPING    stop it again

The same is done with servers that this replica itself has lost sight of, say when
a request was cut off between granting a start and beginning it.
"""

import asyncio
import logging
import random
import time

from perijove.domain.errors import LeaseLost, PerijoveError, PluginError, StoreUnavailable
from perijove.domain.events import Topic
from perijove.domain.ports import SpawnerFactory, SpawnerPort
from perijove.domain.servers import STARTS, Failure, Server, State, Wish
from perijove.kit.aio import Tasks
from perijove.routes.probe import Prober
from perijove.routes.publish import ServerRoutes
from perijove.servers.failures import ask
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
        self._settling: set[int] = set()
        self._unknown: dict[int, int] = {}
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
        orphans += await self._lost_sight({server.id for server in orphans})
        began = time.perf_counter()
        await asyncio.gather(*(self._settle(server) for server in orphans))
        if orphans:
            took_s = time.perf_counter() - began
            metrics.RUNNING_SERVERS.set(self._holdings.count(State.READY))
            log.info("Took over %d servers in %.3f seconds", len(orphans), took_s)
        return len(orphans)

    async def _lost_sight(self, known: set[int]) -> list[Server]:
        """Servers that are ours in the database for a while, and that nobody here drives."""
        owner = self._lease.id
        held = await self._database.read(lambda c: server_rows.held_epochs(c, owner))
        known |= self._settling
        unknown = {
            server_id: epoch
            for server_id, epoch in held.items()
            if server_id not in known and self._holdings.get(server_id) is None
        }
        # One that is unknown only now may be on its way from the database to its holding.
        stale = [item for item in unknown.items() if item in self._unknown.items()]
        self._unknown = unknown
        if not stale:
            return []
        return await self._database.write(lambda c: server_rows.reclaim(c, owner, stale))

    async def _settle(self, server: Server) -> None:
        self._settling.add(server.id)
        async with self._limit:
            try:
                await self._settle_one(server)
            except StoreUnavailable as error:
                # It is found again as one that this replica has lost sight of.
                log.warning("%r is taken over later: %s", server.full_name, error)
                self._let_go(server)
            except Exception as error:
                self._end_unsettled(server, error)
            finally:
                self._settling.discard(server.id)

    def _let_go(self, server: Server) -> None:
        holding = self._holdings.get(server.id)
        if holding is not None and holding.stopping is None:
            self._holdings.drop(holding)

    def _end_unsettled(self, server: Server, error: Exception) -> None:
        """A server that could not be taken over ends, unless it is worth another try."""
        log.error("Could not take over %r: %s", server.full_name, error, exc_info=error)
        holding = self._holdings.get(server.id)
        if holding is None and server.state is State.READY and server.wanted is Wish.UP:
            # It may run well, and the operator may mend what keeps us from looking.
            return
        failure = Failure(f"{RESTARTED}: {error}") if server.state in STARTS else None
        self._runner.stop(holding or self._holdings.add(server), failure)

    async def _settle_one(self, server: Server) -> None:
        if server.state is State.QUEUED and server.wanted is Wish.UP:
            self._runner.start(server, None)
            return
        user, groups = await self._launcher.owner(server)
        port = self._factory.open(server, user, groups, fresh=True)
        port.set_address(server.url)
        holding = self._holdings.add(server)
        holding.port = port
        holding.update()
        if server.state is State.READY and server.wanted is Wish.UP:
            await self._check_ready(holding, port)
            return
        await self._recall_events(holding)
        if server.state in (State.STARTING, State.PROBING) and server.wanted is Wish.UP:
            await self._check_starting(holding, port)
        else:
            self._runner.stop(holding, server.failure)

    async def _recall_events(self, holding: Holding) -> None:
        """The events of the start so far, so that its numbers go on."""
        server_id = holding.server.id
        holding.events = await self._database.read(lambda c: event_rows.after(c, server_id, 0))
        holding.stored = len(holding.events)

    async def _check_starting(self, holding: Holding, port: SpawnerPort) -> None:
        """A start that the crash cut off: go on if something runs, else say that it failed."""
        server = holding.server
        found = await (self._alive(port) if server.plugin_state else self._finds_lost(port))
        if holding.stopping is not None:
            return
        if found and server.state is State.PROBING and server.url:
            log.info("Going on with the start of %r", server.full_name)
            self._runner.resume(holding, port)
            return
        log.warning("%r: %s", server.full_name, RESTARTED)
        self._runner.stop(holding, Failure(RESTARTED, reason="restart"))

    async def _check_ready(self, holding: Holding, port: SpawnerPort) -> None:
        server = holding.server
        found = await self._alive(port) and await self._answers(holding, port)
        if holding.stopping is not None:
            return
        if not found:
            log.warning("%r stopped while no hub was watching", server.full_name)
            self._runner.stop(holding)
            return
        url = holding.server.url
        try:
            await self._database.write(
                lambda c: server_rows.amend(
                    c, server.id, server.epoch, State.READY, checking=False, url=url
                )
            )
        except LeaseLost as error:
            if holding.stopping is None:
                self._runner.give_up(holding, error)
            return
        if holding.stopping is not None:
            return
        holding.update(checking=False)
        self._schedule(holding)
        await self._ensure_route(holding)

    async def _answers(self, holding: Holding, port: SpawnerPort) -> bool:
        """Whether the server answers where it says it is (its address may have moved)."""
        server = holding.server
        try:
            url = await ask(port, "get_url", port.address()) or server.url or ""
            if url != server.url:
                log.warning("%r moved from %s to %s", server.full_name, server.url, url)
                port.set_address(url)
                holding.update(url=url)
            path = self._routes.addresses.server_path(server.user_name, server.name)
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
        if holding.stopping is not None:
            # The stop may have removed the route before it was added.
            await self._routes.remove(holding.server)

    @staticmethod
    async def _alive(port: SpawnerPort) -> bool:
        try:
            return await ask(port, "poll", port.poll()) is None
        except PluginError as error:
            log.error("%s; taking the server as stopped", error)
            return False

    @staticmethod
    async def _finds_lost(port: SpawnerPort) -> bool:
        try:
            return await ask(port, "find_lost", port.find_lost())
        except PluginError as error:
            log.error("%s; what a start left running goes on", error)
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
        await self._database.write(
            lambda c: server_rows.amend(c, server.id, server.epoch, state=server.state, url=url)
        )
        holding.update(url=url)
        await self._ensure_route(holding)

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
