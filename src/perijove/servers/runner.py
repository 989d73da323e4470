"""Drives one server at a time through its life, while this replica holds it.

A start and a stop are a task each. A stop ends a start that is under way, gives
the plug-in a moment to notice, and cleans up what it half started. Whatever
happens, a server ends READY or STOPPED, and people are told the reason.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from perijove.domain.errors import LeaseLost, PerijoveError, PluginError, Refusal, StartFailed
from perijove.domain.events import Message, Topic
from perijove.domain.ports import Launch, SpawnerFactory, SpawnerPort
from perijove.domain.servers import Failure, Server, State, Wish
from perijove.kit.aio import Tasks
from perijove.routes.probe import Prober
from perijove.routes.publish import ServerRoutes
from perijove.servers import lifecycle
from perijove.servers.holdings import Holding, Holdings
from perijove.servers.launch import Launcher
from perijove.servers.lifecycle import Move
from perijove.servers.progress import failed_event, ready_event
from perijove.store import events as event_rows
from perijove.store import servers as server_rows
from perijove.store.engine import Database
from perijove.telemetry import metrics
from perijove.telemetry.audit import Audit
from perijove.work.bus import Bus

log = logging.getLogger("perijove.servers")

CANCEL_GRACE_S = 1.0
"""How long a plug-in's cancelled ``start`` may take to notice."""
STORE_EVENTS_S = 0.25
"""How often progress events are written for other replicas."""


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
        self._tasks = Tasks("servers")
        self._failures_in_a_row = 0

    # -- wishes -----------------------------------------------------------

    def start(self, server: Server, request: object | None) -> Holding:
        """Begin the start of a QUEUED server that this replica holds."""
        holding = self._holdings.add(server)
        holding.add_event({"progress": 0, "message": "Server requested"})
        holding.stored = 1
        holding.starting = self._tasks.spawn(
            self._start(holding, request), f"start {server.full_name!r}"
        )
        return holding

    def resume(self, holding: Holding, port: SpawnerPort) -> None:
        """Go on with a server found alive in mid-start after a crash: probe and route it."""
        server = holding.server
        holding.add_event({"progress": 50, "message": "The hub was restarted; going on"})
        holding.starting = self._tasks.spawn(
            self._guard(holding, self._finish(holding, port, server.url or "")),
            f"resume {server.full_name!r}",
        )

    def stop(
        self, holding: Holding, failure: Failure | None = None, *, exited: bool = False
    ) -> asyncio.Task[None]:
        """Begin to take a held server down, or join the stop that runs.

        ``exited``: it died by itself, so the plug-in need not be asked to stop it.
        """
        if holding.stopping is None or holding.stopping.done():
            holding.stopping = self._tasks.spawn(
                self._stop(holding, failure, exited), f"stop {holding.server.full_name!r}"
            )
        return holding.stopping

    async def poll(self, holding: Holding) -> bool:
        """Ask the plug-in whether a ready server lives; begin its clean-up if not."""
        port = holding.port
        if port is None or not holding.server.ready:
            return True
        began = time.perf_counter()
        try:
            status = await port.poll()
        except PluginError as error:
            log.error("%s", error)
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

    async def close(self) -> None:
        """Stop driving; the servers themselves go on."""
        await self._tasks.close()

    # -- start ------------------------------------------------------------

    async def _start(self, holding: Holding, request: object | None) -> None:
        await self._guard(holding, self._bring_up(holding, request))

    async def _guard(self, holding: Holding, steps: Coroutine[Any, Any, None]) -> None:
        """Run the steps of a start; a failure of any of them takes the server down."""
        name = holding.server.full_name
        try:
            await steps
        except LeaseLost as error:
            log.warning("Gave up starting %r: %s", name, error)
            self._holdings.drop(holding)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            failure = _failure_of(error, holding.server.user_name)
            _log_failure(error, failure, name)
            _observe_start(holding, failure)
            self._count_failure(error, holding.port)
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
        url = await self._plugin_start(holding, port)
        await work.launcher.reconcile_token(holding, user, port, token)
        await self._move(
            holding, Move.RETURN, url=url, plugin_state=port.state(), host=port.local_host
        )
        await self._finish(holding, port, url)

    async def _plugin_start(self, holding: Holding, port: SpawnerPort) -> str:
        """The plug-in's own start, with its progress shown meanwhile."""
        telling = self._tasks.spawn(
            self._tell_progress(holding, port), f"progress {holding.server.full_name!r}"
        )
        try:
            async with asyncio.timeout(port.start_timeout_s):
                return await port.start()
        except TimeoutError:
            raise StartFailed(
                f"The server did not start within {port.start_timeout_s:g} seconds",
                reason="timeout",
                option="c.Spawner.start_timeout",
            ) from None
        finally:
            # What the plug-in wanted to say last is already waiting in its generator.
            await asyncio.wait([telling], timeout=0.05)
            telling.cancel()

    async def _tell_progress(self, holding: Holding, port: SpawnerPort) -> None:
        storing = self._tasks.spawn(self._store_events(holding), "events")
        try:
            async for event in port.progress():
                for key in ("ready", "failed"):
                    event.pop(key, None)
                holding.add_event(event)
        except PluginError as error:
            log.warning("%s", error)
        finally:
            storing.cancel()

    async def _store_events(self, holding: Holding) -> None:
        """Write progress for other replicas, and the plug-in's state for a later hub."""
        saved = holding.server.plugin_state
        while True:
            await asyncio.sleep(STORE_EVENTS_S)
            events = holding.unstored()
            state = holding.port.state() if holding.port is not None else saved
            if not events and state == saved:
                continue
            server = holding.server

            def write(connection: Connection) -> None:
                server_rows.amend(connection, server.id, server.epoch, plugin_state=state)  # noqa: B023
                event_rows.append(connection, server.id, events)  # noqa: B023

            await self._work.database.write(write)
            saved = state
            self._tell(holding)

    async def _finish(self, holding: Holding, port: SpawnerPort, url: str) -> None:
        """Wait until the server answers, route it, and tell everybody that it is ready."""
        work, server = self._work, holding.server
        port.set_address(url)
        addresses = work.routes.addresses
        path = addresses.server_path(server.user_name, server.name)
        await work.prober.wait(url + path + "api", port.http_timeout_s, port.poll)
        work.audit.server_action("start", server.user_name, server.name)
        await work.routes.add(server, url)
        event = await port.ready_event(
            ready_event(addresses.server_url(server.user_name, server.name))
        )
        holding.add_event(event)
        await self._move(holding, Move.ANSWER, plugin_state=port.state())
        self._failures_in_a_row = 0
        took_s = time.monotonic() - holding.begun_at
        metrics.SERVER_SPAWN_DURATION.labels(metrics.SUCCESS, "").observe(took_s)
        metrics.RUNNING_SERVERS.set(self._holdings.count(State.READY))
        log.info("User %s took %.3f seconds to start", server.user_name, took_s)

    def _count_failure(self, error: Exception, port: SpawnerPort | None) -> None:
        policy = isinstance(error, Refusal) and error.status < 500
        if policy or port is None:
            return
        self._failures_in_a_row += 1
        if 0 < port.failure_limit <= self._failures_in_a_row:
            self._work.on_failure_limit(self._failures_in_a_row)

    # -- stop -------------------------------------------------------------

    async def _stop(self, holding: Holding, failure: Failure | None, exited: bool) -> None:
        began = time.monotonic()
        cancelled = await self._end_start(holding)
        if cancelled and failure is None:
            failure = Failure("Spawn cancelled", reason="cancelled")
        was_ready = holding.server.state is State.READY
        try:
            await self._move(holding, Move.TAKE_DOWN, wanted=Wish.DOWN.value, checking=False)
            stopped = await self._take_down(holding, exited)
            await self._end(holding, failure, cancelled)
        except LeaseLost as error:
            log.warning("Gave up stopping %r: %s", holding.server.full_name, error)
            self._holdings.drop(holding)
            return
        took_s = time.monotonic() - began
        label = metrics.SUCCESS if stopped else metrics.FAILURE
        metrics.SERVER_STOP_DURATION.labels(label).observe(took_s)
        metrics.RUNNING_SERVERS.set(self._holdings.count(State.READY))
        if was_ready and stopped and not exited:
            self._work.audit.server_action("stop", holding.server.user_name, holding.server.name)
        log.info("User %s server took %.3f seconds to stop", holding.server.user_name, took_s)

    async def _end_start(self, holding: Holding) -> bool:
        """Cancel a start that is under way; whether there was one."""
        task = holding.starting
        if task is None or task.done():
            return False
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_GRACE_S)
        return True

    async def _take_down(self, holding: Holding, exited: bool) -> bool:
        """Route away, plug-in stopped and cleaned up; False when the plug-in failed to stop it."""
        server, port = holding.server, holding.port
        await self._work.routes.remove(server)
        if port is None:
            return True
        stopped = True
        try:
            if not exited and await port.poll() is None:
                await port.stop()
        except PluginError as error:
            stopped = False
            log.error("%r may still run: %s", server.full_name, error, exc_info=error.__cause__)
        await port.cleanup()
        return stopped

    async def _end(self, holding: Holding, failure: Failure | None, cancelled: bool) -> None:
        server, port = holding.server, holding.port
        if failure is not None and holding.events and not holding.events[-1].last:
            if cancelled:
                event = {"progress": 100, "failed": True, "message": failure.message}
            else:
                event = failed_event(failure.message, failure.html_message)
            holding.add_event(event)
        events = holding.unstored()
        keep = port is not None and port.will_resume
        state = port.state() if port is not None else {}

        def write(connection: Connection) -> list[int]:
            event_rows.append(connection, server.id, events)
            server_rows.move(
                connection,
                server.id,
                server.epoch,
                lifecycle.sources(Move.END),
                lifecycle.target(Move.END),
                wanted=Wish.DOWN.value,
                url=None,
                host=None,
                started=None,
                lease_owner=None,
                plugin_state=state,
                failure=failure.as_json() if failure else None,
            )
            return [] if keep else self._work.launcher.close(connection, server)

        ended = await self._work.database.write(write)
        self._work.factory.forget(server.id)
        holding.port = None
        holding.update(state=State.STOPPED, wanted=Wish.DOWN, failure=failure, url=None)
        self._holdings.drop(holding)
        self._tell(holding)
        self._work.launcher.forget(ended)

    # -- moves ------------------------------------------------------------

    async def _move(self, holding: Holding, move: Move, **values: object) -> None:
        """One legal move, in the database and in memory."""
        server = holding.server
        events = holding.unstored()

        def write(connection: Connection) -> None:
            server_rows.move(
                connection,
                server.id,
                server.epoch,
                lifecycle.sources(move),
                lifecycle.target(move),
                **values,
            )
            event_rows.append(connection, server.id, events)

        await self._work.database.write(write)
        known = {k: v for k, v in values.items() if k != "wanted"}
        if "wanted" in values:
            known["wanted"] = Wish(str(values["wanted"]))
        holding.update(state=lifecycle.target(move), **known)
        self._tell(holding)

    def _tell(self, holding: Holding) -> None:
        self._work.bus.publish(Message(Topic.SERVER, str(holding.server.id)))


def _failure_of(error: Exception, user: str) -> Failure:
    """What people are told of an error in a start."""
    if isinstance(error, Refusal):
        return Failure(error.shown, error.shown_html, error.reason, error.status)
    if isinstance(error, PluginError):
        return Failure(error.shown or error.detail, error.shown_html)
    if isinstance(error, StartFailed):
        return Failure(error.message, error.shown_html, error.reason, error.status)
    if isinstance(error, PerijoveError):
        return Failure(error.message)
    return Failure(f"Unhandled error starting server {user}")


def _log_failure(error: Exception, failure: Failure, name: str) -> None:
    if isinstance(error, Refusal):
        log.warning("Start of %r refused: %s", name, error.log_message or failure.message)
    elif isinstance(error, StartFailed):
        hint = f" ({error.option} sets the limit)" if error.option else ""
        log.error("Start of %r failed: %s%s", name, failure.message, hint)
    else:
        log.error("Start of %r failed: %s", name, error, exc_info=error.__cause__ or error)


def _observe_start(holding: Holding, failure: Failure) -> None:
    status = metrics.ERROR if failure.status >= 500 else metrics.FAILURE
    if failure.reason == "timeout" or not failure.reason:
        status = metrics.FAILURE
    reason = "" if failure.reason == "timeout" else failure.reason
    took_s = time.monotonic() - holding.begun_at
    metrics.SERVER_SPAWN_DURATION.labels(status, reason).observe(took_s)
