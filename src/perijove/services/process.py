"""The process of a managed service: started, listened to, stopped.

It leads a process group of its own, so that a signal to the hub's terminal does
not reach it, and a signal to the group reaches all that it started.
"""

import asyncio
import logging
import os
import pwd
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from perijove.domain.errors import ConfigError
from perijove.domain.settings import ServiceSpec
from perijove.kit.aio import Tasks
from perijove.work.lease import lives

log = logging.getLogger("perijove.services")

STOP_STEPS = ((signal.SIGINT, 30.0), (signal.SIGTERM, 30.0), (signal.SIGKILL, 5.0))
HURRIED_STEPS = ((signal.SIGTERM, 1.0), (signal.SIGKILL, 2.0))
"""How to stop when another replica may have started the service already (seconds of patience)."""

STRAY_STEPS = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))
LOOK_EVERY_S = 0.05


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

    async def stop(self, steps: Sequence[tuple[signal.Signals, float]] = STOP_STEPS) -> None:
        """Interrupt, terminate, kill: each with its time to take effect."""
        process = self._process
        if process is not None and process.returncode is None:
            await self._end(process, steps)
        # A child of the service may hold its output open for ever.
        await self._readers.close()

    async def _end(
        self, process: asyncio.subprocess.Process, steps: Sequence[tuple[signal.Signals, float]]
    ) -> None:
        for number, patience_s in steps:
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


async def end_stray(name: str, mark: str) -> None:
    """End the process that an earlier hub on this machine started and could not stop."""
    if mark.count(":") != 2 or not lives(mark):
        return
    log.warning("The service %r still runs from an earlier hub; stopping it", name)
    pid = int(mark.split(":")[1])
    for number, patience_s in STRAY_STEPS:
        try:
            os.killpg(pid, number)
        except (ProcessLookupError, PermissionError) as error:
            log.warning("Cannot stop the earlier process of service %r: %s", name, error)
            return
        # It is nobody's child here, so there is nothing to wait for but its end.
        end = asyncio.get_running_loop().time() + patience_s
        while asyncio.get_running_loop().time() < end:
            if not lives(mark):
                return
            await asyncio.sleep(LOOK_EVERY_S)
