"""Writers of one SQLite database, gathered: whoever comes meanwhile shares the next commit.

SQLite has one writer at a time, so writers queue. A transaction of one's own cost
each of them a wake-up of the writing thread, BEGIN, COMMIT and a write to the log,
together more than the statements in between. So the thread takes all that wait and
runs them one after another in one transaction, each in a savepoint: what fails is
undone alone, and nobody hears of success before the commit. Nobody waits to be
gathered either: a lone writer goes at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")
Work = Callable[[Connection], T]
Transaction = Callable[[], AbstractContextManager[Connection]]

MAX_TOGETHER = 32
"""Writers that share one commit at most, so that the first of them need not wait long."""


@dataclass(slots=True)
class _Job:
    """One writer's work, and how it ended: ``error`` if that is set."""

    work: Work[Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs work of one event loop in one thread of ``threads``, in the order of its arrival."""

    def __init__(self, threads: Executor, transaction: Transaction) -> None:
        """``transaction``: begins one, and commits it unless the block raises."""
        self._threads = threads
        self._transaction = transaction
        self._waiting: deque[_Job] = deque()
        self._lock = Lock()
        self._running = False

    async def run(self, work: Work[T]) -> T:
        """The result of ``work`` when it is committed; what it raised, if it was undone."""
        job = _Job(work, asyncio.get_running_loop().create_future())
        with self._lock:
            self._waiting.append(job)
            starts, self._running = not self._running, True
        if starts:
            self._threads.submit(self._drain)
        result: T = await job.future
        return result

    def _drain(self) -> None:
        """Do what waits until nothing does. Runs in the writing thread."""
        while jobs := self._take():
            self._commit(jobs)
            loop = jobs[0].future.get_loop()
            # A closed loop has nobody left who wants to know.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_tell, jobs)

    def _take(self) -> list[_Job]:
        jobs: list[_Job] = []
        with self._lock:
            while self._waiting and len(jobs) < MAX_TOGETHER:
                job = self._waiting.popleft()
                if not job.future.cancelled():
                    jobs.append(job)
            self._running = bool(jobs)
        return jobs

    def _commit(self, jobs: Sequence[_Job]) -> None:
        try:
            with self._transaction() as connection:
                if len(jobs) == 1:
                    jobs[0].result = jobs[0].work(connection)
                else:
                    for job in jobs:
                        _run_apart(job, connection)
        except BaseException as error:
            # The transaction itself failed, and with it whatever had gone well so far.
            for job in jobs:
                job.error = job.error or error


def _run_apart(job: _Job, connection: Connection) -> None:
    """The work in a savepoint. Raises the driver's error when that cannot be undone alone."""
    # Straight on the driver: through Core a savepoint costs as much as the work in it.
    driver: Any = connection.connection.driver_connection
    driver.execute("SAVEPOINT writer")
    try:
        job.result = job.work(connection)
    except Exception as error:
        job.error = error
        driver.execute("ROLLBACK TO writer")
    driver.execute("RELEASE writer")


def _tell(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        if job.future.cancelled():
            continue
        if isinstance(job.error, StopIteration):
            # No future takes it, and the others of the group must hear of their end.
            job.future.set_exception(RuntimeError("the work raised StopIteration"))
        elif job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
