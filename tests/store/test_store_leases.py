"""Statements about replicas and duties: the database's clock decides."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from perijove.store import leases
from perijove.store.dialect import utc_in, utc_now
from perijove.store.engine import Database
from perijove.store.tables import duties, replicas


def announce(database: Database, replica: str, ttl_s: float = 60, host: str = "m1") -> None:
    database.write_now(lambda c: leases.announce(c, replica, host, f"mark of {replica}", ttl_s))


def renew(database: Database, replica: str) -> bool:
    return database.write_now(lambda c: leases.renew(c, replica, 60))


def take(database: Database, replica: str, ttl_s: float = 60, duty: str = "purge") -> bool:
    return database.write_now(lambda c: leases.take_duty(c, duty, replica, ttl_s))


def ends(database: Database, replica: str) -> datetime:
    statement = select(replicas.c.lease_until).where(replicas.c.id == replica)
    found = database.read_now(lambda c: c.execute(statement).scalar_one())
    assert isinstance(found, datetime)
    return found


def at_once(count: int, work: Callable[[int], bool]) -> list[bool]:
    gate = threading.Barrier(count)

    def run(number: int) -> bool:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_the_databases_clock_is_utc(database: Database) -> None:
    now, later = database.read_now(lambda c: c.execute(select(utc_now(), utc_in(90.5))).one())
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)
    assert timedelta(seconds=90) < later - now < timedelta(seconds=91)


def test_a_lease_ends_so_long_after_its_announcement(database: Database) -> None:
    announce(database, "r1", ttl_s=60)
    left = ends(database, "r1") - datetime.now(UTC)
    assert timedelta(seconds=50) < left < timedelta(seconds=70)


def test_a_living_lease_is_prolonged(database: Database) -> None:
    announce(database, "r1", ttl_s=5)
    announce(database, "r2", ttl_s=5)
    before = ends(database, "r1")
    assert renew(database, "r1")
    assert ends(database, "r1") - before > timedelta(seconds=30)


def test_a_lease_that_ran_out_lives_again_unless_a_rival_lives(database: Database) -> None:
    announce(database, "r1", ttl_s=-100)
    announce(database, "dead rival", ttl_s=-1)
    assert renew(database, "r1")
    announce(database, "rival")
    database.write_now(
        lambda c: c.execute(
            update(replicas).where(replicas.c.id == "r1").values(lease_until=utc_in(-1))
        )
    )
    assert not renew(database, "r1")
    assert ends(database, "r1") < datetime.now(UTC)


def test_who_was_struck_off_cannot_renew(database: Database) -> None:
    announce(database, "r1")
    database.write_now(lambda c: leases.resign(c, "r1"))
    assert not renew(database, "r1")
    assert not renew(database, "unknown")


def test_only_expired_leases_are_forgotten(database: Database) -> None:
    announce(database, "r1")
    announce(database, "r2", ttl_s=-1)
    announce(database, "r3", host="m2")
    database.write_now(leases.expire)
    assert database.read_now(lambda c: leases.processes_on(c, "m1")) == {"r1": "mark of r1"}
    assert database.read_now(lambda c: leases.processes_on(c, "m2")) == {"r3": "mark of r3"}


def test_a_duty_has_one_owner_until_its_lease_ends(database: Database) -> None:
    assert take(database, "r1")
    assert take(database, "r1")
    assert not take(database, "r2")
    assert take(database, "r2", duty="count")
    database.write_now(lambda c: c.execute(update(duties).values(lease_until=utc_in(-1))))
    assert take(database, "r2")
    assert not take(database, "r1")


def test_a_duty_is_free_when_its_owner_leaves(database: Database) -> None:
    announce(database, "r1")
    assert take(database, "r1")
    database.write_now(lambda c: leases.resign(c, "r1"))
    assert take(database, "r2")


@pytest.mark.parametrize("known", [False, True])
def test_rivals_for_a_duty_agree_on_one(database: Database, known: bool) -> None:
    if known:
        take(database, "gone", ttl_s=-1)
    answers = at_once(4, lambda n: take(database, f"r{n}"))
    assert answers.count(True) == 1
    owner = database.read_now(lambda c: c.execute(select(duties.c.owner)).scalar_one())
    assert owner == f"r{answers.index(True)}"


def test_a_job_is_held_by_one_living_replica_until_it_is_done(database: Database) -> None:
    def hold(replica: str) -> bool:
        return database.write_now(lambda c: leases.take_job(c, "remove x", replica))

    announce(database, "r1")
    announce(database, "r2")
    assert hold("r1")
    assert hold("r1")
    assert not hold("r2")
    database.write_now(lambda c: leases.finish_job(c, "remove x", "r2"))
    assert not hold("r2"), "only the holder gives it up"
    database.write_now(lambda c: leases.finish_job(c, "remove x", "r1"))
    assert hold("r2")
    database.write_now(lambda c: leases.resign(c, "r2"))
    assert hold("r1")


def test_jobs_of_dead_replicas_are_forgotten_and_duties_of_the_living_are_not(
    database: Database,
) -> None:
    announce(database, "r1")
    assert take(database, "r1")
    assert database.write_now(lambda c: leases.take_job(c, "remove x", "dead"))
    assert database.write_now(lambda c: leases.take_job(c, "remove y", "r1"))
    database.write_now(leases.expire)
    names = database.read_now(lambda c: set(c.execute(select(duties.c.name)).scalars()))
    assert names == {"purge", "remove y"}
