"""Runs the managed services, and looks whether services with a URL answer.

A managed service that ends is started again, after a pause that grows while it
keeps ending. One that does not come up at the hub's start stops the hub; an
external one that does not answer is only logged.
"""

import asyncio
import logging
import os
import pwd
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from perijove.domain.errors import ConfigError, StoreUnavailable
from perijove.domain.settings import ServiceSpec
from perijove.domain.users import Service
from perijove.kit.aio import Tasks
from perijove.routes.probe import Prober
from perijove.services.environment import ServiceEnvironment
from perijove.services.registry import Registry

log = logging.getLogger("perijove.services")

STOP_STEPS = ((signal.SIGINT, 30.0), (signal.SIGTERM, 30.0), (signal.SIGKILL, 5.0))
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0
"""A service that ran so long starts again after the first, short pause."""


Certifier = Callable[[ServiceSpec], Mapping[str, str]]
"""Makes a service's key pair, in a thread; the variables that name its files."""


class Managed:
    """One managed service and its process."""

    def __init__(self, spec: ServiceSpec, environment: Mapping[str, str]) -> None:
        self.spec = spec
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None
        self._readers = Tasks(f"service {spec.name}")

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Start the process. Raises ConfigError when the command cannot be run."""
        spec = self.spec
        options: dict[str, Any] = {"start_new_session": True, "cwd": spec.cwd or None}
        if spec.user and os.geteuid() == 0:
            options.update(_identity(spec))
        log.info("Starting service %r: %s", spec.name, " ".join(spec.command))
        # A pipe of our own: asyncio's would make ``wait`` wait for its end as well, which
        # a child of the service may hold open for ever.
        reading, writing = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *spec.command,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=asyncio.subprocess.STDOUT,
                **options,
            )
        except OSError as error:
            os.close(reading)
            raise ConfigError(
                f"The service {spec.name!r} cannot be started: {error.strerror or error}"
                f" ({spec.command[0]!r})"
            ) from error
        finally:
            os.close(writing)
        self._readers.spawn(self._copy_output(reading), "output")

    async def _copy_output(self, pipe: int) -> None:
        """The service's own words, in the hub's log under its name."""
        output = logging.getLogger(f"perijove.service.{self.spec.name}")
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb", buffering=0)
        )
        try:
            while True:
                try:
                    line = await reader.readline()
                except ValueError:
                    continue  # a line longer than the buffer: what was read of it is dropped
                if not line:
                    return
                output.info("%s", line.decode("utf-8", "replace").rstrip())
        finally:
            transport.close()

    async def ended(self) -> int:
        """The exit status, once the process has ended."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> None:
        """Interrupt, terminate, kill: each with its time to take effect."""
        process = self._process
        if process is not None and process.returncode is None:
            await self._end(process)
        # A child of the service may hold its output open for ever.
        await self._readers.close()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        for number, patience_s in STOP_STEPS:
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                return
            try:
                async with asyncio.timeout(patience_s):
                    await process.wait()
                return
            except TimeoutError:
                log.warning("The service %r ignores %s", self.spec.name, number.name)


def _identity(spec: ServiceSpec) -> dict[str, Any]:
    try:
        account = pwd.getpwnam(spec.user)
    except KeyError:
        raise ConfigError(
            f"The service {spec.name!r} is to run as {spec.user!r}, who does not exist here."
        ) from None
    groups = os.getgrouplist(account.pw_name, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}


class Supervisor:
    """All services of this hub, as far as they run or answer."""

    def __init__(
        self,
        specs: Sequence[ServiceSpec],
        registry: Registry,
        environment: ServiceEnvironment,
        prober: Prober,
        certify: Certifier | None = None,
    ) -> None:
        """``certify`` makes the variables with the key pair of a service (internal_ssl)."""
        self._specs = specs
        self._registry = registry
        self._environment = environment
        self._prober = prober
        self._certify = certify
        self._managed: dict[str, Managed] = {}
        self._tasks = Tasks("services")

    async def start(self) -> None:
        """Start the managed ones, all at once, and look at the others.

        Raises ConfigError when a managed service does not come up.
        """
        for spec in self._specs:
            if spec.url and not spec.managed:
                self._tasks.spawn(self._look(spec), f"look at {spec.name!r}")
        managed = [self._start_managed(spec) for spec in self._specs if spec.managed]
        for failure in await asyncio.gather(*managed, return_exceptions=True):
            if isinstance(failure, BaseException):
                raise failure

    async def _start_managed(self, spec: ServiceSpec) -> None:
        environment = self._environment.of(spec, self._registry.secrets[spec.name])
        if self._certify is not None:
            environment = {**await asyncio.to_thread(self._certify, spec), **environment}
        managed = Managed(spec, environment)
        await managed.start()
        self._managed[spec.name] = managed
        await self._note_pid(managed)
        if spec.url:
            await self._wait_answer(spec, managed)
        self._tasks.spawn(self._keep_running(managed), f"keep {spec.name!r} running")

    async def _wait_answer(self, spec: ServiceSpec, managed: Managed) -> None:
        async def poll() -> int | None:
            return None if managed.pid is not None else 1

        try:
            await self._prober.wait(self._environment.url_of(spec), spec.timeout_s, poll)
        except Exception as error:
            await managed.stop()
            raise ConfigError(f"The service {spec.name!r} did not come up: {error}") from error

    async def _keep_running(self, managed: Managed) -> None:
        name, pause_s, began = managed.spec.name, FIRST_PAUSE_S, time.monotonic()
        while True:
            status = await managed.ended()
            log.error("The service %r ended with status %s", name, status)
            await self._note_pid(managed)
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
            await self._note_pid(managed)

    async def _note_pid(self, managed: Managed) -> None:
        try:
            await self._registry.note_pid(managed.spec.name, managed.pid)
        except StoreUnavailable as error:
            # It only tells people; the service must go on all the same.
            log.warning("The process of service %r is not noted: %s", managed.spec.name, error)

    async def _look(self, spec: ServiceSpec | Service) -> None:
        if await self._prober.ask(self._environment.url_of(spec), 10) is None:
            log.warning("The service %r does not answer at %s", spec.name, spec.url)

    async def check(self) -> None:
        """Look at every service with a URL; what does not answer is logged."""
        services = await self._registry.all()
        await asyncio.gather(*(self._look(service) for service in services if service.url))

    async def close(self) -> None:
        """Stop the managed services, one after another."""
        await self._tasks.close()
        for managed in self._managed.values():
            await managed.stop()
            await self._note_pid(managed)
