"""Drives one server at a time through its life, while this replica holds it.

A start and a stop are a task each. A stop ends a start that is under way, gives
the plug-in a moment to notice, and cleans up what it half started. Whatever
happens, a server ends READY or STOPPED, and people are told the reason.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from perijove.domain.errors import LeaseLost, PluginError, StartFailed, StoreUnavailable
from perijove.domain.ports import Launch, SpawnerFactory, SpawnerPort
from perijove.domain.servers import STARTS, Failure, Server, State, Wish
from perijove.kit.aio import Tasks, being_cancelled
from perijove.routes.probe import Prober
from perijove.routes.publish import ServerRoutes
from perijove.servers.failures import (
    ask,
    failure_of,
    is_policy,
    log_failure,
    observe_failure,
    poll,
)
from perijove.servers.holdings import Holding, Holdings
from perijove.servers.launch import Launcher
from perijove.servers.lifecycle import Move
from perijove.servers.moves import Moves
from perijove.servers.progress import failed_event, ready_event
from perijove.store.engine import Database
from perijove.telemetry import metrics
from perijove.telemetry.audit import Audit
from perijove.work.bus import Bus

log = logging.getLogger("perijove.servers")

CANCEL_GRACE_S = 1.0
"""How long a plug-in's cancelled ``start`` may take to notice."""
STORE_EVENTS_S = 0.25
"""How often progress events are written for other replicas."""
LAST_WORDS_S = 0.05
"""How long progress is still listened to when a start has failed, or the server is ready."""
CANCELLED = "cancelled"


@dataclass(slots=True)
class Collaborators:
    """What the runner works with."""

    database: Database
    factory: SpawnerFactory
    launcher: Launcher
    routes: ServerRoutes
    prober: Prober
    bus: Bus
    audit: Audit
    on_failure_limit: Callable[[int], None]


class Runner:
    """The starts and stops of this replica."""

    def __init__(self, work: Collaborators, holdings: Holdings) -> None:
        self._work = work
        self._holdings = holdings
        self._moves = Moves(work.database, work.bus)
        self._tasks = Tasks("servers")
        self._failures_in_a_row = 0

    def tell(self, holding: Holding) -> None:
        """Whoever follows this server shall look: it changed without a move."""
        self._moves.tell(holding)

    # -- wishes -----------------------------------------------------------

    def start(self, server: Server, request: object | None) -> Holding:
        """Begin the start of a QUEUED server that this replica holds."""
        holding = self._holdings.add(server)
        holding.add_event({"progress": 0, "message": "Server requested"})
        holding.stored = 1
        self._drive(holding, lambda: self._bring_up(holding, request))
        return holding

    def resume(self, holding: Holding, port: SpawnerPort) -> None:
        """Go on with a server found alive in mid-start after a crash: probe and route it."""
        holding.add_event({"progress": 50, "message": "The hub was restarted; going on"})
        url = holding.server.url or ""
        self._drive(holding, lambda: self._finish(holding, port, url))

    def _drive(self, holding: Holding, steps: Callable[[], Awaitable[None]]) -> None:
        holding.starting = self._tasks.spawn(
            self._guard(holding, steps), f"start {holding.server.full_name!r}"
        )

    def stop(
        self,
        holding: Holding,
        failure: Failure | None = None,
        *,
        exited: bool = False,
        asked: bool = False,
    ) -> asyncio.Task[None]:
        """Begin to take a held server down, or join the stop that runs.

        ``exited``: it died by itself, so the plug-in need not be asked to stop it.
        ``asked``: somebody wants this; only such stops go into the audit trail.
        """
        if holding.stopping is None or holding.stopping.done():
            holding.stopping = self._tasks.spawn(
                self._stop(holding, failure, exited, asked), f"stop {holding.server.full_name!r}"
            )
        return holding.stopping

    async def poll(self, holding: Holding) -> bool:
        """Ask the plug-in whether a ready server lives; begin its clean-up if not."""
        port = holding.port
        if port is None or not holding.server.ready:
            return True
        began = time.perf_counter()
        try:
            status = await poll(port)
        except PluginError as error:
            log.error("%r cannot be polled: %s", holding.server.full_name, error)
            return True
        took_s = time.perf_counter() - began
        (metrics.POLL_RUNNING if status is None else metrics.POLL_STOPPED).observe(took_s)
        if status is None:
            return True
        if holding.stopping is None and holding.server.ready:
            name = holding.server.full_name
            log.warning("User server %r ended by itself with exit status %s", name, status)
            self.stop(holding, exited=True)
        return False

    def give_up(self, holding: Holding, error: LeaseLost) -> None:
        """Another replica owns the server now: stop acting on it at once."""
        log.warning("Gave up %r: %s", holding.server.full_name, error)
        self._holdings.drop(holding)
        if self._work.factory.find(holding.server.id) is holding.port:
            self._work.factory.forget(holding.server.id)
        task = holding.starting
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def close(self) -> None:
        """Stop driving; the servers themselves go on."""
        await self._tasks.close()

    # -- start ------------------------------------------------------------

    async def _guard(self, holding: Holding, steps: Callable[[], Awaitable[None]]) -> None:
        """Run the steps of a start; a failure of any of them takes the server down."""
        try:
            await steps()
        except LeaseLost as error:
            if holding.stopping is None:
                self.give_up(holding, error)
        except asyncio.CancelledError:
            if holding.stopping is not None or being_cancelled():
                raise
            # A plug-in let its own inner cancellation slip.
            self._fail(holding, StartFailed("The start was cancelled from within"))
        except Exception as error:
            if holding.stopping is None:
                self._fail(holding, error)

    def _fail(self, holding: Holding, error: Exception) -> None:
        failure = failure_of(error, holding.server.user_name)
        log_failure(error, failure, holding.server.full_name)
        observe_failure(holding, failure)
        if not is_policy(error) and holding.port is not None:
            self._failures_in_a_row += 1
            if 0 < holding.port.failure_limit <= self._failures_in_a_row:
                self._work.on_failure_limit(self._failures_in_a_row)
        self.stop(holding, failure)

    async def _bring_up(self, holding: Holding, request: object | None) -> None:
        work = self._work
        user, groups = await work.launcher.owner(holding.server)
        port = work.factory.open(holding.server, user, groups, fresh=True)
        holding.port = port
        port.set_progressing("spawn", ready=False)
        token = await work.launcher.open(holding, user, port)
        launch = Launch(
            server=holding.server,
            user=user,
            groups=groups,
            api_token=token,
            options=holding.server.options,
            request=request,
        )
        await port.prepare(launch)
        _require_wanted(holding)
        holding.telling = self._tasks.spawn(
            self._tell_progress(holding, port), f"progress {holding.server.full_name!r}"
        )
        try:
            url = await self._plugin_start(holding, port)
            _require_wanted(holding)
            await work.launcher.reconcile_token(holding, user, port, token)
            await self._moves.make(
                holding, Move.RETURN, url=url, plugin_state=port.state(), host=port.local_host
            )
            await self._finish(holding, port, url)
        finally:
            holding.telling.cancel()

    async def _plugin_start(self, holding: Holding, port: SpawnerPort) -> str:
        """The plug-in's own start.

        It runs in a task of its own, since it may ignore its cancellation: the limit
        must hold all the same. A stop waits for such a one (``_outlast``).
        """
        holding.plugin = plugin = asyncio.ensure_future(ask(port, "start", port.start()))
        plugin.add_done_callback(_read_result)
        try:
            with self._storing(holding, port):
                done, _ = await asyncio.wait([plugin], timeout=port.start_timeout_s)
                if not done or plugin.cancelled() or plugin.exception() is not None:
                    await _hear_last_words(holding)
        finally:
            plugin.cancel()
        if not done:
            raise StartFailed(
                f"The server did not start within {port.start_timeout_s:g} seconds",
                reason="timeout",
                option="c.Spawner.start_timeout",
            )
        return plugin.result()

    async def _tell_progress(self, holding: Holding, port: SpawnerPort) -> None:
        try:
            async for event in port.progress():
                if being_cancelled():
                    return
                holding.add_event({k: v for k, v in event.items() if k not in ("ready", "failed")})
        except PluginError as error:
            log.warning("%s", error)

    @contextmanager
    def _storing(self, holding: Holding, port: SpawnerPort) -> Iterator[None]:
        """Have what happens meanwhile stored; many a start is over before there is anything."""
        tasks: list[asyncio.Task[None]] = []

        def begin() -> None:
            if not self._tasks.closed:
                name = f"events {holding.server.full_name!r}"
                tasks.append(self._tasks.spawn(self._store_progress(holding, port), name))

        timer = asyncio.get_running_loop().call_later(STORE_EVENTS_S, begin)
        try:
            yield
        finally:
            timer.cancel()
            for task in tasks:
                task.cancel()

    async def _store_progress(self, holding: Holding, port: SpawnerPort) -> None:
        """Write progress for other replicas, and the plug-in's state for a later hub."""
        saved = holding.server.plugin_state
        while True:
            try:
                state = port.state()
                if holding.unstored() or state != saved:
                    await self._moves.store_progress(holding, state)
                    saved = state
            except LeaseLost as error:
                if holding.stopping is None:
                    self.give_up(holding, error)
                return
            except (PluginError, StoreUnavailable) as error:
                log.warning("The progress of %r is not stored: %s", holding.server.full_name, error)
            await asyncio.sleep(STORE_EVENTS_S)

    async def _finish(self, holding: Holding, port: SpawnerPort, url: str) -> None:
        """Wait until the server answers, route it, and tell everybody that it is ready."""
        work, server = self._work, holding.server
        port.set_address(url)
        addresses = work.routes.addresses
        path = addresses.server_path(server.user_name, server.name)
        with self._storing(holding, port):
            await work.prober.wait(url + path + "api", port.http_timeout_s, port.poll)
        _require_wanted(holding)
        await self._moves.confirm(holding)
        work.audit.server_action("start", server.user_name, server.name)
        await work.routes.add(server, url)
        await _hear_last_words(holding)
        event = await port.ready_event(
            ready_event(addresses.server_url(server.user_name, server.name))
        )
        _require_wanted(holding)
        await self._moves.make(holding, Move.ANSWER, last=event, plugin_state=port.state())
        self._failures_in_a_row = 0
        took_s = time.monotonic() - holding.begun_at
        metrics.SERVER_SPAWN_DURATION.labels(metrics.SUCCESS, "").observe(took_s)
        log.info("User %s took %.3f seconds to start", server.user_name, took_s)

    # -- stop -------------------------------------------------------------

    async def _stop(
        self, holding: Holding, failure: Failure | None, exited: bool, asked: bool
    ) -> None:
        began = time.monotonic()
        if failure is None and holding.server.state in STARTS:
            failure = Failure("Spawn cancelled", reason=CANCELLED, status=409)
        was_ready = holding.server.state is State.READY
        try:
            ending = self._cancel_start(holding)
            await self._moves.make(
                holding,
                Move.TAKE_DOWN,
                insist=True,
                wanted=Wish.DOWN.value,
                checking=False,
                failure=failure.as_json() if failure else None,
            )
            if ending:
                await asyncio.wait(ending, timeout=CANCEL_GRACE_S)
            stopped = await self._take_down(holding, exited)
            await self._end(holding, failure)
        except LeaseLost as error:
            self.give_up(holding, error)
            return
        took_s = time.monotonic() - began
        label = metrics.SUCCESS if stopped else metrics.FAILURE
        metrics.SERVER_STOP_DURATION.labels(label).observe(took_s)
        if was_ready and stopped and asked and not exited:
            self._work.audit.server_action("stop", holding.server.user_name, holding.server.name)
        log.info("User %s server took %.3f seconds to stop", holding.server.user_name, took_s)

    @staticmethod
    def _cancel_start(holding: Holding) -> list["asyncio.Task[Any]"]:
        """Cancel a start that is under way; the tasks that have to notice."""
        tasks: list[asyncio.Task[Any] | None] = [holding.starting, holding.plugin]
        running = [task for task in tasks if task is not None and not task.done()]
        for task in running:
            task.cancel()
        return running

    async def _take_down(self, holding: Holding, exited: bool) -> bool:
        """Route away, plug-in stopped and cleaned up; False when the plug-in failed to stop it."""
        await self._work.routes.remove(holding.server)
        port = holding.port
        if port is None:
            return True
        late = holding.plugin is not None and not holding.plugin.done()
        stopped = exited or await self._stop_plugin(holding, port)
        if late:
            await self._outlast(holding, port)
            stopped = await self._stop_plugin(holding, port)
        try:
            await ask(port, "cleanup", port.cleanup())
        except Exception:
            log.exception("Cleaning up after %r failed", holding.server.full_name)
        return stopped

    async def _stop_plugin(self, holding: Holding, port: SpawnerPort) -> bool:
        """Have the plug-in stop what runs; False when it failed."""
        name = holding.server.full_name
        try:
            running = await poll(port) is None
        except Exception as error:
            log.warning("%r is stopped without knowing whether it runs: %s", name, error)
            running = True
        try:
            if running:
                await ask(port, "stop", port.stop())
        except Exception as error:
            log.error("%r may still run: %s", name, error, exc_info=error.__cause__)
            return False
        return True

    async def _outlast(self, holding: Holding, port: SpawnerPort) -> None:
        """Wait for a plug-in's start that goes on although it was cancelled.

        Until it ends nobody knows what it leaves running.
        """
        name, plugin = holding.server.full_name, holding.plugin
        assert plugin is not None
        log.warning("The start of %r ignores that it was cancelled; waiting for its end", name)
        await asyncio.wait([plugin], timeout=port.start_timeout_s)
        if not plugin.done():
            log.error("The start of %r does not end; what it starts may go on running", name)

    async def _end(self, holding: Holding, failure: Failure | None) -> None:
        server = holding.server
        keep, state = _remains(holding)
        ended = await self._moves.make(
            holding,
            Move.END,
            last=_last_event(holding, failure),
            insist=True,
            also=lambda c: (
                [] if keep else self._work.launcher.close(c, server, holding.spare_token)
            ),
            wanted=Wish.DOWN.value,
            url=None,
            host=None,
            started=None,
            lease_owner=None,
            plugin_state=state,
            failure=failure.as_json() if failure else None,
        )
        self._work.factory.forget(server.id)
        holding.port = None
        self._holdings.drop(holding)
        self._work.launcher.forget(ended or [])


async def _hear_last_words(holding: Holding) -> None:
    """What the plug-in wanted to say last is already waiting in its generator."""
    telling = holding.telling
    if telling is not None and not telling.done():
        await asyncio.wait([telling], timeout=LAST_WORDS_S)
        telling.cancel()


def _require_wanted(holding: Holding) -> None:
    """End a start that a plug-in carried on although it was cancelled."""
    if holding.stopping is not None:
        raise asyncio.CancelledError


def _last_event(holding: Holding, failure: Failure | None) -> dict[str, object] | None:
    """What ends the progress of a start that failed; None when it has ended."""
    if failure is None or not holding.events or holding.events[-1].last:
        return None
    if failure.reason == CANCELLED:
        return {"progress": 100, "failed": True, "message": failure.message}
    return failed_event(failure.message, failure.html_message)


def _remains(holding: Holding) -> tuple[bool, dict[str, object]]:
    """Whether the credentials outlive the stop, and what the plug-in wants to remember."""
    port = holding.port
    if port is None:
        return False, holding.server.plugin_state
    try:
        return port.will_resume, port.state()
    except PluginError as error:
        log.error("The state of %r is lost: %s", holding.server.full_name, error)
        return False, {}


def _read_result(task: "asyncio.Task[str]") -> None:
    """Nobody may be left to read it; asyncio would complain."""
    if not task.cancelled():
        task.exception()
