"""Writers of one SQLite database, gathered: whoever comes meanwhile shares the next commit.

SQLite has one writer at a time, so writers queue. A transaction of one's own cost
each of them a wake-up of the writing thread, BEGIN, COMMIT and a write to the log,
together more than the statements in between. So the thread takes all that wait and
runs them one after another in one transaction, each in a savepoint: what fails is
undone alone, and nobody hears of success before the commit. What comes in one turn of
the event loop is handed over at its end: a thread that woke up earlier would only
contend with the loop for the interpreter.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
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
    """Runs work of one event loop in a thread of its own, in the order of its arrival."""

    def __init__(self, transaction: Transaction) -> None:
        """``transaction``: begins one, and commits it unless the block raises."""
        self._transaction = transaction
        self._queue: SimpleQueue[list[_Job] | None] = SimpleQueue()
        self._of_this_turn: list[_Job] = []
        self._thread: Thread | None = None
        self._closed = False

    async def run(self, work: Work[T]) -> T:
        """The result of ``work`` when it is committed; what it raised, if it was undone.

        Raises RuntimeError after ``close``.
        """
        if self._closed:
            raise RuntimeError("the database is closed")
        if self._thread is None:
            self._thread = Thread(target=self._serve, name="perijove-writer", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        job = _Job(work, loop.create_future())
        if not self._of_this_turn:
            loop.call_soon(self._hand_over)
        self._of_this_turn.append(job)
        result: T = await job.future
        return result

    def _hand_over(self) -> None:
        jobs, self._of_this_turn = self._of_this_turn, []
        if jobs:
            self._queue.put(jobs)

    def close(self) -> None:
        """Finish what waits. Safe to call twice."""
        self._closed = True
        if self._thread is not None:
            self._hand_over()
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _serve(self) -> None:
        """Do what waits until ``close``. Runs in the writing thread."""
        open_ = True
        while open_:
            waiting, open_ = self._take()
            for first in range(0, len(waiting), MAX_TOGETHER):
                self._finish(waiting[first : first + MAX_TOGETHER])

    def _take(self) -> tuple[list[_Job], bool]:
        """All that waits, or comes first, and whether more may come."""
        batches = [self._queue.get()]
        with suppress(Empty):
            while True:
                batches.append(self._queue.get_nowait())
        return [job for batch in batches for job in batch or ()], None not in batches

    def _finish(self, group: Sequence[_Job]) -> None:
        """Run and commit those whose callers still wait, and tell them."""
        jobs = [job for job in group if not job.future.cancelled()]
        if not jobs:
            return
        self._commit(jobs)
        # A closed loop has nobody left who wants to know.
        with suppress(RuntimeError):
            jobs[0].future.get_loop().call_soon_threadsafe(_tell, jobs)

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
