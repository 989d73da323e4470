"""Runs the managed services, and looks whether services with a URL answer.

A managed service runs at one replica (``tenure``); the others wait to take it
over. One that ends is started again, after a pause that grows while it keeps
ending. One that does not come up at the hub's start stops the hub; an external
one that does not answer is only logged.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from perijove.domain.errors import ConfigError, PerijoveError, StoreUnavailable
from perijove.domain.settings import ServiceSpec
from perijove.domain.users import Service
from perijove.kit.aio import Tasks
from perijove.routes.probe import Prober
from perijove.services.environment import ServiceEnvironment
from perijove.services.process import HURRIED_STEPS, STOP_STEPS, Managed, end_stray
from perijove.services.registry import Registry
from perijove.services.tenure import Tenure

log = logging.getLogger("perijove.services")

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0
"""A service that ran so long starts again after the first, short pause."""

WATCH_S = 5.0
"""How often a replica looks whether a service has lost the one that runs it (seconds)."""

ASK_S = 5.0
"""How long a service may take to answer when somebody wants to know (seconds)."""

Certifier = Callable[[ServiceSpec], Mapping[str, str]]
"""Makes a service's key pair, in a thread; the variables that name its files."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a service is. ``answers`` is None when it has no URL to ask."""

    answers: bool | None
    status: int | None
    pid: int | None


class Supervisor:
    """All services of this hub, as far as they run or answer."""

    def __init__(
        self,
        specs: Sequence[ServiceSpec],
        registry: Registry,
        tenure: Tenure,
        environment: ServiceEnvironment,
        prober: Prober,
        routes_changed: Callable[[], Awaitable[object]],
        certify: Certifier | None = None,
    ) -> None:
        """``routes_changed`` is called when a service was taken over from another replica.

        ``certify`` makes the variables with the key pair of a service (internal_ssl).
        """
        self._specs = specs
        self._registry = registry
        self._tenure = tenure
        self._environment = environment
        self._prober = prober
        self._routes_changed = routes_changed
        self._certify = certify
        self._managed: dict[str, Managed] = {}
        self._tasks = Tasks("services")

    # -- running ------------------------------------------------------------
    async def start(self) -> None:
        """Start the managed ones, all at once, and look at the others.

        Raises ConfigError when a managed service does not come up.
        """
        for spec in self._specs:
            if spec.url and not spec.managed:
                self._tasks.spawn(self._look(spec), f"look at {spec.name!r}")
        managed = [self._begin(spec) for spec in self._specs if spec.managed]
        for failure in await asyncio.gather(*managed, return_exceptions=True):
            if isinstance(failure, BaseException):
                raise failure

    async def _begin(self, spec: ServiceSpec) -> None:
        managed = await self._run(spec)
        if managed is not None:
            self._tasks.spawn(self._keep_running(managed), f"keep {spec.name!r} running")
            return
        log.info("The service %r runs at another replica of the hub", spec.name)
        self._tasks.spawn(self._stand_by(spec), f"stand by for {spec.name!r}")

    async def _run(self, spec: ServiceSpec) -> Managed | None:
        """Take the service and start it; None if another replica runs it. Raises ConfigError."""
        variables = await asyncio.to_thread(self._certify, spec) if self._certify else {}
        taken = await self._tenure.take(spec)
        if taken is None:
            return None
        await end_stray(spec.name, taken.earlier)
        environment = self._environment.of(taken.spec, taken.secret)
        managed = Managed(taken.spec, {**variables, **environment})
        self._managed[spec.name] = managed
        try:
            await managed.start()
            await self._note(managed)
            if spec.url:
                await self._wait_answer(managed)
        except BaseException:
            del self._managed[spec.name]
            await self._leave(managed)
            raise
        return managed

    async def _wait_answer(self, managed: Managed) -> None:
        spec = managed.spec

        async def poll() -> int | None:
            return None if managed.pid is not None else 1

        try:
            await self._prober.wait(self._environment.url_of(spec), spec.timeout_s, poll)
        except PerijoveError as error:
            raise ConfigError(f"The service {spec.name!r} did not come up: {error}") from error

    async def _stand_by(self, spec: ServiceSpec) -> None:
        """Wait for the replica that runs the service to end, then run it."""
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                managed = await self._run(spec)
            except (ConfigError, StoreUnavailable) as error:
                log.error("Cannot take over the service %r: %s", spec.name, error)
                continue
            if managed is not None:
                break
        log.info("Took over the service %r", spec.name)
        try:
            await self._routes_changed()
        except PerijoveError as error:
            log.warning("The route of service %r waits for the next check: %s", spec.name, error)
        await self._keep_running(managed)

    async def _keep_running(self, managed: Managed) -> None:
        name, pause_s, began = managed.spec.name, FIRST_PAUSE_S, time.monotonic()
        while True:
            status = await managed.ended()
            log.error("The service %r ended with status %s", name, status)
            await self._note(managed)
            if time.monotonic() - began >= STEADY_S:
                pause_s = FIRST_PAUSE_S
            while managed.pid is None:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                began = time.monotonic()
                try:
                    await managed.start()
                except ConfigError as error:
                    log.error("%s; trying again in %g seconds", error, pause_s)
            await self._note(managed)

    async def _note(self, managed: Managed) -> None:
        try:
            await self._tenure.note_process(managed.spec.name, managed.pid)
        except StoreUnavailable as error:
            # It only tells people; the service must go on all the same.
            log.warning("The process of service %r is not noted: %s", managed.spec.name, error)

    async def _leave(self, managed: Managed) -> None:
        """Stop the service and leave it to the other replicas, in haste if they may have it."""
        name = managed.spec.name
        await managed.stop(STOP_STEPS if self._tenure.trusted else HURRIED_STEPS)
        try:
            await self._tenure.release(name)
        except StoreUnavailable as error:
            log.warning("The service %r is not released: %s", name, error)

    async def close(self) -> None:
        """Stop the managed services that run here, all at once."""
        await self._tasks.close()
        running, self._managed = self._managed, {}
        await asyncio.gather(*(self._leave(managed) for managed in running.values()))

    # -- looking ------------------------------------------------------------
    async def _look(self, spec: ServiceSpec | Service) -> None:
        if await self._prober.ask(self._environment.url_of(spec), 10) is None:
            log.warning("The service %r does not answer at %s", spec.name, spec.url)

    async def check(self) -> None:
        """Look at every service with a URL; what does not answer is logged."""
        services = await self._registry.all()
        await asyncio.gather(*(self._look(service) for service in services if service.url))

    async def health(self, service: Service) -> Health:
        """How a service is now; it is asked if it has a URL."""
        if not service.url:
            return Health(None, None, service.pid)
        answer = await self._prober.ask(self._environment.url_of(service), ASK_S)
        status = answer.status if answer is not None else None
        return Health(answer is not None, status, service.pid)
