"""Which replica runs a managed service, on both databases."""

import threading
from concurrent.futures import ThreadPoolExecutor

from perijove.domain.users import Service
from perijove.store import leases, services
from perijove.store.engine import Database


def add(database: Database, *replicas: str) -> None:
    def fill(connection):  # type: ignore[no-untyped-def]
        services.save(connection, Service(0, "svc", url="http://127.0.0.1:1", command=("run",)))
        for replica in replicas:
            leases.announce(connection, replica, "m1", f"mark of {replica}", 60)

    database.write_now(fill)


def take(database: Database, replica: str, *, alone: bool = False) -> bool:
    return database.write_now(lambda c: services.take(c, "svc", replica, alone=alone))


def test_a_service_is_run_by_one_living_replica(database: Database) -> None:
    add(database, "r1", "r2")
    assert take(database, "r1")
    assert take(database, "r1"), "it may take it again"
    assert not take(database, "r2")
    assert database.read_now(lambda c: services.is_held_by_other(c, "svc", "r2"))
    assert not database.read_now(lambda c: services.is_held_by_other(c, "svc", "r1"))


def test_of_many_replicas_at_once_one_gets_the_service(database: Database) -> None:
    names = [f"r{number}" for number in range(5)]
    add(database, *names)
    gate = threading.Barrier(len(names))

    def run(name: str) -> bool:
        gate.wait()
        return take(database, name)

    with ThreadPoolExecutor(len(names)) as pool:
        assert sum(pool.map(run, names)) == 1


def test_a_service_of_a_dead_replica_is_free(database: Database) -> None:
    add(database, "r1", "r2")
    assert take(database, "r1")
    database.write_now(lambda c: services.set_process(c, "svc", "r1", 17, "boot:17:1"))
    database.write_now(lambda c: leases.resign(c, "r1"))
    assert take(database, "r2")
    assert database.read_now(lambda c: services.process_of(c, "svc")) == "boot:17:1"


def test_where_there_can_be_no_rival_the_row_does_not_count(database: Database) -> None:
    add(database, "r1")
    assert take(database, "r1")
    assert take(database, "r2", alone=True)


def test_only_who_runs_it_says_how_it_runs_and_leaves_it(database: Database) -> None:
    add(database, "r1", "r2")
    assert take(database, "r1")
    for replica, pid in (("r2", 2), ("r1", 1)):
        database.write_now(lambda c, r=replica, p=pid: services.set_process(c, "svc", r, p, "m"))
    database.write_now(lambda c: services.release(c, "svc", "r2"))
    found = database.read_now(lambda c: services.find(c, "svc"))
    assert found is not None
    assert found.pid == 1
    database.write_now(lambda c: services.release(c, "svc", "r1"))
    found = database.read_now(lambda c: services.find(c, "svc"))
    assert found is not None
    assert found.pid is None
    assert take(database, "r2")
    assert database.read_now(lambda c: services.process_of(c, "absent")) == ""
