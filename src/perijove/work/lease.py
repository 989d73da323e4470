"""A replica's right to act, renewed while it lives.

See the essay in the room's docstring. The trust window ends ``MARGIN_S`` before
the lease; work that is under way then is given up (``LeaseLost``), not finished.
"""

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection

from perijove.store import leases
from perijove.store.engine import Database

log = logging.getLogger("perijove.lease")

TTL_S = 15.0
RENEW_S = 4.0
MARGIN_S = 3.0


def host_name() -> str:
    """The machine whose processes this replica can signal."""
    return socket.gethostname()


def process_mark(pid: int | None = None) -> str:
    """A mark of a process that is not used again: boot, pid and start time.

    Empty when the process does not exist or has ended. Where /proc is missing, the pid alone.
    """
    pid = os.getpid() if pid is None else pid
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        try:
            os.kill(pid, 0)
        except OSError:
            return ""
        return f"{pid}"
    # The command in parentheses may hold blanks; the start time is field 22.
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in ("Z", "X") else f"{boot}:{pid}:{fields[18]}"


def _seconds() -> float:
    """Seconds that never run backwards, and that go on while the machine is asleep."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def lives(mark: str) -> bool:
    """Whether the process with this mark is alive on this machine."""
    parts = mark.split(":")
    pid = parts[1] if len(parts) == 3 else mark
    return pid.isdigit() and process_mark(int(pid)) == mark


class ReplicaLease:
    """This process as a replica.

    ``on_lost`` is called, once, when the lease cannot be kept: the process must
    then stop acting on servers (the hub ends itself and is started anew).
    """

    def __init__(self, database: Database, on_lost: Callable[[], None]) -> None:
        self.id = uuid.uuid4().hex
        self.host = host_name()
        self._database = database
        self._on_lost = on_lost
        self._trusted_until = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def trusted(self) -> bool:
        """Whether this replica may act now."""
        return _seconds() < self._trusted_until

    async def start(self) -> None:
        """Announce the replica; replicas of this host whose process is gone are struck off."""
        began = _seconds()
        mark = process_mark()

        def announce(connection: Connection) -> None:
            for replica, process in leases.processes_on(connection, self.host).items():
                if process == mark or not lives(process):
                    leases.resign(connection, replica)
            leases.expire(connection)
            leases.announce(connection, self.id, self.host, mark, TTL_S)

        await self._database.write(announce)
        self._trust_from(began)
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="lease")

    def _trust_from(self, began: float) -> None:
        self._trusted_until = began + TTL_S - MARGIN_S

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            if not await self._renew():
                self._trusted_until = 0.0
                log.error("This replica lost its lease; others take its servers over")
                self._on_lost()
                return

    async def _renew(self) -> bool:
        """Ask for more time; False when this replica must end.

        Where rivals may live, an answer that comes after the trust has ended is as good
        as none. On SQLite there is no rival to make way for, so any wait is fine.
        """
        began = _seconds()
        patience_s = None if self._database.sqlite else max(0.0, self._trusted_until - began)
        try:
            async with asyncio.timeout(patience_s):
                kept = await self._database.write(lambda c: leases.renew(c, self.id, TTL_S))
        except Exception as error:
            log.warning("Could not renew the lease of this replica: %s", error or "no answer")
            return self._database.sqlite or self.trusted
        if kept:
            self._trust_from(began)
        return kept

    async def close(self) -> None:
        """Leave in good order, so that others need not wait for the lease to end."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self._trusted_until = 0.0
            await self._database.write(lambda c: leases.resign(c, self.id))
