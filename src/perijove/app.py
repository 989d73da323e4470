"""The composition root: builds the rooms, starts them in order, stops them in reverse.

This is the one module that knows every room. The API answers first; finding
servers of an earlier hub again goes on behind it.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from perijove import INTERFACE_VERSION
from perijove.building.hub import Built, build
from perijove.config.load import LoadedConfig
from perijove.config.network import remarks_on_route
from perijove.domain.errors import ConfigError, PerijoveError, PluginError, SchemaMismatch
from perijove.domain.settings import Settings
from perijove.kit.aio import Tasks
from perijove.kit.clock import parse_time
from perijove.people import purge
from perijove.people.activity import Kind
from perijove.store import servers as server_rows
from perijove.store import users as user_rows
from perijove.telemetry import metrics
from perijove.web.serving import Listener

log = logging.getLogger("JupyterHub")

ADOPT_EVERY_S = 10.0
REMOVALS_EVERY_S = 60.0
FAILURE_LIMIT_GRACE_S = 2.0
SERVERS_STOP_LIMIT_S = 120.0
ACTIVE_PERIODS = {"24h": 86400, "7d": 7 * 86400, "30d": 30 * 86400}


class HubProcess:
    """One hub replica from start to end."""

    def __init__(self, loaded: LoadedConfig, settings: Settings) -> None:
        self._loaded = loaded
        self._settings = settings
        self._tasks = Tasks("hub")
        self._ending = asyncio.Event()
        self._exit_code = 0
        self._cleanup_proxy = self._settings.processes.cleanup_proxy
        self._cleanup_servers = self._settings.servers.cleanup_servers
        self._undo: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self.built: Built | None = None

    # -- the whole life ----------------------------------------------------

    async def run(self) -> int:
        """Start, serve until told to end, stop; the exit code."""
        began = time.perf_counter()
        try:
            await self.start()
            metrics.HUB_STARTUP_DURATION.observe(time.perf_counter() - began)
            log.info("JupyterHub is now running at %s", self._public_url())
            await self._ending.wait()
        except (ConfigError, SchemaMismatch) as error:
            log.critical("%s", error)
            self._exit_code = 1
        except PerijoveError as error:
            log.critical("The hub cannot start: %s", error)
            self._exit_code = 1
        finally:
            await self.stop()
        return self._exit_code

    def end(self, code: int = 0) -> None:
        """Begin to stop; the first caller's exit code counts."""
        if not self._ending.is_set():
            self._exit_code = code
            self._ending.set()

    def _public_url(self) -> str:
        network = self._settings.network
        return network.public_url or network.bind_url

    def _then(self, name: str, undo: Callable[[], Awaitable[None]]) -> None:
        """What to undo when the hub stops, latest first."""
        self._undo.append((name, undo))

    @asynccontextmanager
    async def without_serving(self) -> AsyncIterator[Built]:
        """The rooms with a prepared database, for commands that serve nobody."""
        built = self.build()
        try:
            await built.prepare()
            yield built
        finally:
            await self._close_database()

    # -- start ------------------------------------------------------------

    def build(self) -> Built:
        """The rooms, built at the first call. Raises ConfigError, SchemaMismatch."""
        if self.built is None:
            self.built = build(
                self._loaded,
                self._settings,
                on_lease_lost=self._on_lease_lost,
                on_failure_limit=self._on_failure_limit,
                shutdown=self._on_shutdown_request,
            )
            self._then("database", self._close_database)
        return self.built

    async def start(self) -> None:
        """Start everything, in order; whatever happens, ``stop`` must follow."""
        self._write_pid_file()
        built = self.build()
        self._announce(built)
        await built.ground.lease.start()
        self._then("lease", built.ground.lease.close)
        await built.ground.bus.start()
        self._then("bus", built.ground.bus.close)
        listener = await self._begin_serving(built)
        self._then("activity", built.rooms.activity.close)
        self._then("http clients", built.close_clients)
        built.rooms.activity.start()
        self._then("runner", built.servers.runner.close)
        self._then("removals", built.rooms.removals.close)
        self._then("server feed", built.servers.feed.close)
        self._then("sweep", built.servers.sweep.close)
        self._then("servers", self._stop_servers)
        self._then("listener", listener.close)
        self._then("background", self._tasks.close)
        await built.servers.sweep.claim()
        self._then("services", built.servers.supervisor.close)
        await built.servers.supervisor.start()
        await built.rooms.reconciler.check()
        built.servers.sweep.start()
        await self._adopt(built)
        await built.rooms.reconciler.check()
        self._start_duties(built)

    async def _begin_serving(self, built: Built) -> Listener:
        """Proxy and listener at the same time. When one fails, the other does not stay."""
        listener = Listener(built.application, self._settings.network, built.ground.certificates)
        proxy = asyncio.ensure_future(self._start_proxy(built))
        try:
            await built.prepare()
            await listener.start()
            await proxy
        except BaseException:
            await asyncio.gather(proxy, return_exceptions=True)
            await listener.close()
            await built.close_clients()
            raise
        return listener

    def _announce(self, built: Built) -> None:
        log.info("Running JupyterHub version %s", INTERFACE_VERSION)
        for kind in ("authenticator", "spawner", "proxy"):
            plugin = getattr(self._loaded.hub, f"{kind}_class")
            log.info("Using %s: %s", kind.capitalize(), f"{plugin.__module__}.{plugin.__name__}")
        for warning in (*self._loaded.warnings, *self._settings.warnings):
            log.warning("%s", warning)
        for remark in remarks_on_route(self._settings.network, built.rooms.proxy.extra_routes):
            log.info("%s", remark)

    async def _start_proxy(self, built: Built) -> None:
        proxy = built.rooms.proxy
        if not proxy.should_start:
            return
        try:
            await proxy.start()
        except PluginError as error:
            raise ConfigError(f"The proxy could not be started: {error}") from error
        self._then("proxy", self._stop_proxy)

    async def _adopt(self, built: Built) -> None:
        """Find running servers again; go on without the slow ones."""
        began = time.perf_counter()
        adopting = self._tasks.spawn(built.servers.sweep.adopt(), "adopt servers")
        limit_s = self._settings.servers.init_spawners_timeout_s
        done, _ = await asyncio.wait([adopting], timeout=limit_s if limit_s >= 0 else None)
        if done:
            took_s = time.perf_counter() - began
            metrics.INIT_SPAWNERS_DURATION.observe(took_s)
            log.info("Initialized %d spawners in %.3f seconds", adopting.result(), took_s)
        else:
            log.warning("Some servers of an earlier hub are still being checked")
        await built.rooms.removals.finish()

    # -- duties -----------------------------------------------------------

    def _start_duties(self, built: Built) -> None:
        duties, settings = built.duties, self._settings
        self._then("duties", duties.close)
        duties.every(ADOPT_EVERY_S, "adopt orphans", built.servers.sweep.adopt)
        duties.every(purge.INTERVAL_S, "purge", built.purge, shared=True, at_once=True)
        duties.every(REMOVALS_EVERY_S, "removals", built.rooms.removals.finish, shared=True)
        duties.every(
            settings.activity.update_interval_s, "pull activity", lambda: self._pull_activity(built)
        )
        duties.every(
            settings.services.check_interval_s, "check services", built.servers.supervisor.check
        )
        self._start_metrics(built)

    def _start_metrics(self, built: Built) -> None:
        wanted = self._settings.metrics
        built.duties.every(60.0, "count users", lambda: self._count_users(built), at_once=True)
        if wanted.active_users:
            built.duties.every(
                wanted.active_users_interval_s,
                "count active users",
                lambda: self._count_active(built),
                at_once=True,
            )
        if wanted.event_loop:
            self._tasks.spawn(
                metrics.watch_event_loop(
                    wanted.event_loop_resolution_s, wanted.event_loop_log_threshold_s
                ),
                "watch the event loop",
            )

    @staticmethod
    async def _count_users(built: Built) -> None:
        metrics.TOTAL_USERS.set(await built.ground.database.read(user_rows.count))

    @staticmethod
    async def _count_active(built: Built) -> None:
        now = built.ground.clock.now()
        moments = {name: now - timedelta(seconds=length) for name, length in ACTIVE_PERIODS.items()}
        counts = await built.ground.database.read(
            lambda c: {
                name: user_rows.count_active_since(c, since) for name, since in moments.items()
            }
        )
        for period, count in counts.items():
            metrics.ACTIVE_USERS.labels(period).set(count)

    async def _pull_activity(self, built: Built) -> None:
        """What the proxy saw of servers counts as their activity; then compare all routes."""
        routes = await built.rooms.reconciler.check()
        active = await built.ground.database.read(server_rows.active)
        by_spec = {built.rooms.addresses.server_spec(server): server for server in active}
        for spec, route in routes.items():
            server = by_spec.get(spec)
            moment = _moment(route.data.get("last_activity"))
            if server is not None and moment is not None:
                built.rooms.activity.saw(Kind.SERVER, server.id, moment)
                built.rooms.activity.saw(Kind.USER, server.user_id, moment)

    # -- requests to end --------------------------------------------------

    def _on_lease_lost(self) -> None:
        """Others may act on our servers now: end without touching them."""
        self._cleanup_servers = False
        self.end(1)

    def _on_failure_limit(self, count: int) -> None:
        log.critical(
            "Aborting: %d starts in a row failed (c.Spawner.consecutive_failure_limit)", count
        )
        loop = asyncio.get_running_loop()
        loop.call_later(FAILURE_LIMIT_GRACE_S, self.end, 1)

    async def _on_shutdown_request(self, proxy: bool | None, servers: bool | None) -> None:
        if proxy is not None:
            self._cleanup_proxy = proxy
        if servers is not None:
            self._cleanup_servers = servers
        # The answer leaves before the listener closes.
        asyncio.get_running_loop().call_later(0.1, self.end)

    # -- stop -------------------------------------------------------------

    async def stop(self) -> None:
        """Stop what was started, in reverse."""
        while self._undo:
            name, undo = self._undo.pop()
            try:
                await undo()
            except Exception:
                log.exception("Stopping %s failed", name)
        self._remove_pid_file()
        log.info("...done")

    async def _stop_servers(self) -> None:
        built = self.built
        if built is None or not self._cleanup_servers:
            log.info("Leaving servers running")
            return
        stops = [
            built.servers.runner.stop(holding)
            for holding in built.servers.holdings
            if holding.server.active
        ]
        if stops:
            log.info("Stopping %d servers", len(stops))
            await asyncio.wait(stops, timeout=SERVERS_STOP_LIMIT_S)

    async def _stop_proxy(self) -> None:
        if self.built is None:
            return
        if not self._cleanup_proxy:
            log.info("Leaving the proxy running")
            return
        await self.built.rooms.proxy.stop()

    async def _close_database(self) -> None:
        if self.built is not None:
            await asyncio.to_thread(self.built.ground.database.close)

    def _write_pid_file(self) -> None:
        path = self._settings.processes.pid_file
        if path:
            try:
                with open(path, "w") as file:
                    file.write(str(os.getpid()))
            except OSError as error:
                raise ConfigError(f"c.JupyterHub.pid_file: {error}") from error

    def _remove_pid_file(self) -> None:
        path = self._settings.processes.pid_file
        if path and os.path.exists(path):
            os.remove(path)


def _moment(text: object) -> datetime | None:
    """The time that a proxy reports, if it reports one."""
    try:
        return parse_time(text) if isinstance(text, str) else None
    except ValueError:
        return None
