"""Taking over what a dead replica left, and what this one lost sight of.

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
import time

from perijove.domain.errors import LeaseLost, PerijoveError, PluginError, StoreUnavailable
from perijove.domain.ports import SpawnerFactory, SpawnerPort
from perijove.domain.servers import STARTS, Failure, Server, State, Wish
from perijove.routes.probe import Prober
from perijove.routes.publish import ServerRoutes
from perijove.servers.failures import ask, poll
from perijove.servers.holdings import Holding, Holdings
from perijove.servers.launch import Launcher
from perijove.servers.runner import Runner
from perijove.store import events as event_rows
from perijove.store import servers as server_rows
from perijove.store.engine import Database
from perijove.work.lease import ReplicaLease

log = logging.getLogger("perijove.sweep")

CLAIM_BATCH = 1000
CONCURRENCY = 20

RESTARTED = "The hub was restarted while the server was starting"


class Adoption:
    """Claims servers that nobody drives, and settles each by what is found of it."""

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
        self._claimed: list[Server] = []
        self._settling: set[int] = set()
        self._unknown: dict[int, int] = {}
        self._taken: set[tuple[int, int]] = set()

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
            self._settling.update(server.id for server in orphans)
            if len(orphans) < CLAIM_BATCH:
                return

    async def adopt(self) -> int:
        """Settle what was claimed, and what other replicas left since; how many there were."""
        await self.claim()
        orphans, self._claimed = self._claimed, []
        orphans += await self._lost_sight()
        began = time.perf_counter()
        await asyncio.gather(*(self._settle(server) for server in orphans))
        if orphans:
            took_s = time.perf_counter() - began
            log.info("Took over %d servers in %.3f seconds", len(orphans), took_s)
        return len(orphans)

    async def _lost_sight(self) -> list[Server]:
        """Servers that are ours in the database for a while, and that nobody here drives."""
        owner = self._lease.id
        held = await self._database.read(lambda c: server_rows.held_epochs(c, owner))
        self._drop_taken(held)
        unknown = {
            server_id: epoch
            for server_id, epoch in held.items()
            if server_id not in self._settling and self._holdings.get(server_id) is None
        }
        # One that is unknown only now may be on its way from the database to its holding.
        stale = [item for item in unknown.items() if item in self._unknown.items()]
        self._unknown = unknown
        if not stale:
            return []
        found = await self._database.write(lambda c: server_rows.reclaim(c, owner, stale))
        self._settling.update(server.id for server in found)
        return found

    def _drop_taken(self, held: dict[int, int]) -> None:
        """Give up servers that a rival took while this replica seemed dead."""
        taken = {
            (holding.server.id, holding.server.epoch): holding
            for holding in self._holdings
            if held.get(holding.server.id) != holding.server.epoch
        }
        for key in taken.keys() & self._taken:
            self._runner.give_up(taken[key], LeaseLost("a rival took it over"))
        self._taken = set(taken)

    async def _settle(self, server: Server) -> None:
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
        await self._check_moving(holding, port)

    async def _recall_events(self, holding: Holding) -> None:
        """The events of the start so far, so that its numbers go on."""
        server_id = holding.server.id
        holding.events = await self._database.read(lambda c: event_rows.after(c, server_id, 0))
        holding.stored = len(holding.events)

    async def _check_moving(self, holding: Holding, port: SpawnerPort) -> None:
        """What the crash cut off: go on with a start that lives and is wanted, else stop it."""
        server = holding.server
        alive = bool(server.plugin_state) and await self._alive(port)
        if not alive and server.state is not State.QUEUED:
            # The crash may have come before the plug-in's state was stored.
            await self._find_lost(port)
        if holding.stopping is not None:
            return
        failure = server.failure
        if server.state in STARTS and server.wanted is Wish.UP:
            if alive and server.state is State.PROBING and server.url:
                log.info("Going on with the start of %r", server.full_name)
                self._runner.resume(holding, port)
                return
            log.warning("%r: %s", server.full_name, RESTARTED)
            failure = Failure(RESTARTED, reason="restart")
        self._runner.stop(holding, failure)

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
        self._runner.tell(holding)
        await self.ensure_route(holding)

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

    async def ensure_route(self, holding: Holding) -> None:
        """Route people to a ready server, unless it is stopped meanwhile."""
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
            return await poll(port) is None
        except PluginError as error:
            log.error("%s; taking the server as stopped", error)
            return False

    @staticmethod
    async def _find_lost(port: SpawnerPort) -> None:
        """Have the plug-in look for what it may have begun, so that it can stop it."""
        try:
            await ask(port, "find_lost", port.find_lost())
        except PluginError as error:
            log.error("%s; what a start left running goes on", error)
