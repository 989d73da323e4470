"""A replica's right to act: kept, lost, taken back, handed over."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from perijove.domain.errors import StoreUnavailable
from perijove.store import leases
from perijove.store.dialect import utc_in
from perijove.store.engine import Database, Work
from perijove.store.schema import create_schema
from perijove.store.tables import replicas
from perijove.work import lease as lease_module
from perijove.work.lease import ReplicaLease, process_mark

Until = Callable[[str, Callable[[], Any]], Awaitable[None]]


class Flaky(Database):
    """A database whose writes fail with ``error``, or hang until ``gate``, while these are set."""

    error: Exception | None = None
    gate: asyncio.Event | None = None

    async def write(self, work: Work[Any]) -> Any:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return await super().write(work)


@pytest.fixture
async def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Flaky]:
    monkeypatch.setattr(lease_module, "RENEW_S", 0.02)
    opened = Flaky(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    create_schema(opened)
    yield opened
    opened.error, opened.gate = None, None
    opened.close()


@pytest.fixture
async def lost() -> list[str]:
    return []


@pytest.fixture
async def lease(database: Flaky, lost: list[str]) -> AsyncIterator[ReplicaLease]:
    made = ReplicaLease(database, lambda: lost.append("lost"))
    await made.start()
    yield made
    database.error, database.gate = None, None
    await made.close()


async def until(what: str, ask: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not ask():
            await asyncio.sleep(0.005)


def stored(database: Database) -> set[str]:
    return database.read_now(lambda c: set(c.execute(select(replicas.c.id)).scalars()))


def set_lease(database: Database, replica: str, offset_s: float) -> None:
    database.write_now(
        lambda c: c.execute(
            update(replicas).where(replicas.c.id == replica).values(lease_until=utc_in(offset_s))
        )
    )


async def test_a_lease_is_trusted_from_its_start_to_its_close(
    database: Flaky, lost: list[str]
) -> None:
    lease = ReplicaLease(database, lambda: lost.append("lost"))
    assert not lease.trusted
    await lease.start()
    assert lease.trusted
    assert stored(database) == {lease.id}
    await lease.close()
    assert not lease.trusted
    assert stored(database) == set()
    await lease.close()
    assert lost == []


async def test_a_lease_is_prolonged_before_it_ends(database: Flaky, lease: ReplicaLease) -> None:
    set_lease(database, lease.id, 0.5)
    ends = select(replicas.c.lease_until)
    before = database.read_now(lambda c: c.execute(ends).scalar_one())
    await until(
        "a longer lease",
        lambda: (database.read_now(lambda c: c.execute(ends).scalar_one()) - before).seconds > 10,
    )


async def test_a_replica_that_was_declared_dead_ends_once(
    database: Flaky, lease: ReplicaLease, lost: list[str]
) -> None:
    database.write_now(lambda c: c.execute(delete(replicas)))
    await until("the loss", lambda: lost)
    assert not lease.trusted
    await asyncio.sleep(0.1)
    assert lost == ["lost"]


async def test_a_machine_that_slept_goes_on_without_a_rival(
    database: Flaky, lease: ReplicaLease, lost: list[str]
) -> None:
    set_lease(database, lease.id, -3600)
    await until(
        "a new lease",
        lambda: database.write_now(lambda c: leases.renew(c, lease.id, 15)),
    )
    await asyncio.sleep(0.05)
    assert lost == []
    assert lease.trusted


async def test_a_machine_that_slept_ends_when_a_rival_lives(
    database: Flaky, lease: ReplicaLease, lost: list[str]
) -> None:
    def rival(connection: Any) -> None:
        leases.announce(connection, "rival", "elsewhere", "mark", 60)
        connection.execute(
            update(replicas).where(replicas.c.id == lease.id).values(lease_until=utc_in(-3600))
        )

    database.write_now(rival)
    await until("the loss", lambda: lost)
    assert not lease.trusted


@pytest.mark.parametrize("error", [StoreUnavailable("away"), RuntimeError("a bug")])
async def test_a_database_that_is_away_for_a_moment_costs_nothing(
    database: Flaky, lease: ReplicaLease, lost: list[str], error: Exception
) -> None:
    database.error = error
    await asyncio.sleep(0.1)
    assert lease.trusted
    database.error = None
    set_lease(database, lease.id, 1)
    await asyncio.sleep(0.1)
    assert lease.trusted
    assert lost == []


async def test_trust_ends_before_the_lease_when_renewals_fail(
    database: Flaky, lost: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "TTL_S", 3.2)
    monkeypatch.setattr(database, "sqlite", False)
    lease = ReplicaLease(database, lambda: lost.append("lost"))
    await lease.start()
    database.error = StoreUnavailable("away")
    await until("the loss", lambda: lost)
    assert not lease.trusted
    ends = database.read_now(lambda c: leases.processes_on(c, lease.host))
    assert lease.id in ends, "the database still thinks it lives: nobody took over too early"
    database.error = None
    await lease.close()


async def test_a_renewal_that_hangs_ends_the_trust_in_time(
    database: Flaky, lost: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "TTL_S", 3.2)
    monkeypatch.setattr(database, "sqlite", False)
    lease = ReplicaLease(database, lambda: lost.append("lost"))
    await lease.start()
    database.gate = asyncio.Event()
    await until("the loss", lambda: lost)
    database.gate.set()
    database.gate = None
    await lease.close()


async def test_on_sqlite_a_long_wait_for_the_database_ends_no_hub(
    database: Flaky, lost: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "TTL_S", 3.1)
    lease = ReplicaLease(database, lambda: lost.append("lost"))
    await lease.start()
    database.error = StoreUnavailable("locked")
    await until("the end of trust", lambda: not lease.trusted)
    await asyncio.sleep(0.1)
    assert lost == []
    database.error = None
    await until("new trust", lambda: lease.trusted)
    await lease.close()


async def test_a_replica_of_a_dead_process_of_this_machine_is_struck_off(
    database: Flaky, lost: list[str]
) -> None:
    lease = ReplicaLease(database, lambda: lost.append("lost"))

    def leave(connection: Any) -> None:
        leases.announce(connection, "dead", lease.host, "boot:4194303:1", 60)
        leases.announce(connection, "alive", lease.host, process_mark(os.getppid()), 60)
        leases.announce(connection, "elsewhere", "other machine", "boot:4194303:1", 60)
        leases.announce(connection, "expired", "other machine", "mark", -1)
        leases.announce(connection, "earlier", lease.host, process_mark(), 60)

    database.write_now(leave)
    await lease.start()
    assert stored(database) == {"alive", "elsewhere", lease.id}
    await lease.close()


def test_the_mark_of_a_process_is_its_own() -> None:
    assert process_mark() == process_mark(os.getpid())
    assert process_mark(os.getppid()) != process_mark()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert process_mark(child.pid).split(":")[1] == str(child.pid)
    child.communicate(b"\n")
    assert process_mark(child.pid) == ""
