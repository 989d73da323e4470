"""Jobs that recur: each at its time, some on one replica only, none ended by an error."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from perijove.domain.errors import StoreUnavailable
from perijove.store.engine import Database
from perijove.store.schema import create_schema
from perijove.work.duties import Duties


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    create_schema(opened)
    yield opened
    opened.close()


async def until(ask: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not ask():
            await asyncio.sleep(0.005)


class Job:
    """Counts how often it was done, and fails as it is told."""

    def __init__(self, *errors: Exception | None) -> None:
        self.count = 0
        self.errors = list(errors)

    async def __call__(self) -> None:
        self.count += 1
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error


async def test_a_job_recurs_and_ends_with_the_room(database: Database) -> None:
    duties, job = Duties(database, "r1"), Job()
    duties.every(0.01, "job", job)
    assert job.count == 0
    await until(lambda: job.count >= 3)
    await duties.close()
    count = job.count
    await asyncio.sleep(0.05)
    assert job.count == count
    await duties.close()


async def test_a_job_may_be_done_at_once(database: Database) -> None:
    duties, now, later, never = Duties(database, "r1"), Job(), Job(), Job()
    duties.every(60, "now", now, at_once=True)
    duties.every(60, "later", later)
    duties.every(0, "never", never, at_once=True)
    await until(lambda: now.count == 1)
    assert (later.count, never.count) == (0, 0)
    await duties.close()


async def test_a_job_that_fails_is_done_again(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    duties, job = Duties(database, "r1"), Job(StoreUnavailable("away"), RuntimeError("a bug"))
    duties.every(0.01, "count users", job)
    await until(lambda: job.count >= 3)
    await duties.close()
    assert "count users waits: away" in caplog.text
    (record,) = [record for record in caplog.records if record.exc_info]
    assert "count users failed" in record.getMessage()


async def test_a_shared_job_is_done_by_one_replica(database: Database) -> None:
    jobs = [Job(), Job(), Job()]
    replicas = [Duties(database, f"r{n}") for n in range(3)]
    for duties, job in zip(replicas, jobs, strict=True):
        duties.every(0.02, "purge", job, shared=True, at_once=True)
    await until(lambda: max(job.count for job in jobs) >= 5)
    for duties in replicas:
        await duties.close()
    assert sorted(job.count for job in jobs)[:2] == [0, 0]


async def test_a_local_job_is_done_by_every_replica(database: Database) -> None:
    jobs = [Job(), Job()]
    replicas = [Duties(database, f"r{n}") for n in range(2)]
    for duties, job in zip(replicas, jobs, strict=True):
        duties.every(0.01, "watch", job)
    await until(lambda: min(job.count for job in jobs) >= 2)
    for duties in replicas:
        await duties.close()
