"""Statements about servers: moves, claims and counts, on both databases and under rivalry."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import IntegrityError

from perijove.domain.errors import LeaseLost
from perijove.domain.servers import Failure, Server, State, Wish
from perijove.domain.users import User
from perijove.store import leases, servers, users
from perijove.store.dialect import utc_in
from perijove.store.engine import Database
from perijove.store.tables import replicas

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
RIVALS = 3

T = TypeVar("T")


@pytest.fixture
def ada(database: Database) -> Server:
    """The default server of a person."""

    def fill(connection: Connection) -> Server:
        (user,) = users.create(connection, ["ada"], NOW)
        (server,) = servers.of_user(connection, user.id)
        return server

    return database.write_now(fill)


@pytest.fixture
def rivals(database: Database) -> Iterator[list[Database]]:
    """Further connections to the same database, as other replicas have them."""
    url = str(database.engine.url.render_as_string(hide_password=False))
    opened = [Database(url) for _ in range(RIVALS)]
    yield opened
    for other in opened:
        other.close()


def at_once(*works: Callable[[], T]) -> list[T | Exception]:
    """The results of these, begun in the same moment in threads of their own."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], T]) -> T | Exception:
        gate.wait()
        try:
            return work()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def row(database: Database, server: Server) -> Server:
    found = database.read_now(lambda c: servers.get(c, server.id))
    assert found is not None
    return found


def enqueue(database: Database, server: Server, owner: str = "r1", **values: Any) -> Server | None:
    given = {"options": {}, "display_name": None, **values}
    return database.write_now(lambda c: servers.enqueue(c, server, owner, **given))


def many(database: Database, count: int, owner: str, state: State = State.READY) -> set[int]:
    """Active servers of ``owner``; their ids."""

    def fill(connection: Connection) -> set[int]:
        made = users.create(connection, [f"user{n}" for n in range(count)], NOW)
        ids = set()
        for user in made:
            (server,) = servers.of_user(connection, user.id)
            servers.edit(connection, server.id, state=state.value, lease_owner=owner, wanted="up")
            ids.add(server.id)
        return ids

    return database.write_now(fill)


def announce(database: Database, replica: str, ttl_s: float = 60) -> None:
    database.write_now(lambda c: leases.announce(c, replica, "host", "mark", ttl_s))


def claim(database: Database, owner: str, limit: int = 1000, host: str = "host") -> list[Server]:
    return database.write_now(lambda c: servers.claim_orphans(c, owner, host, limit))


# -- rows ---------------------------------------------------------------------


def test_a_new_server_is_stopped_and_found_by_owner_and_name(database: Database) -> None:
    def fill(connection: Connection) -> tuple[int, Server | None, Server | None]:
        (user,) = users.create(connection, ["ünï"], NOW)
        made = servers.create(connection, user.id, "lab", "Läb")
        return (
            made,
            servers.find(connection, "ünï", "lab"),
            servers.find(connection, "ünï", "none"),
        )

    made, found, missing = database.write_now(fill)
    assert found is not None
    assert (found.id, found.state, found.wanted) == (made, State.STOPPED, Wish.DOWN)
    assert (found.display_name, found.full_name, found.epoch) == ("Läb", "ünï/lab", 0)
    assert missing is None


def test_a_user_has_one_server_of_a_name(database: Database, ada: Server) -> None:
    with pytest.raises(IntegrityError):
        database.write_now(lambda c: servers.create(c, ada.user_id, ""))


def test_everything_of_a_server_survives_the_database(database: Database, ada: Server) -> None:
    failure = Failure("no disk", "<b>no</b>", "exited", 503)
    started = NOW + timedelta(microseconds=5)
    database.write_now(
        lambda c: servers.edit(
            c,
            ada.id,
            options={"a": [1, None, "ä"]},
            plugin_state={"pid": 1},
            url="http://127.0.0.1:1",
            host="m1",
            started=started,
            failure=failure.as_json(),
            checking=True,
            removing=True,
        )
    )
    stored = row(database, ada)
    assert stored.options == {"a": [1, None, "ä"]}
    assert stored.plugin_state == {"pid": 1}
    assert (stored.url, stored.host, stored.started) == ("http://127.0.0.1:1", "m1", started)
    assert (stored.failure, stored.checking, stored.removing) == (failure, True, True)


# -- wishes -------------------------------------------------------------------


def test_a_request_takes_a_stopped_server_and_resets_what_was(
    database: Database, ada: Server
) -> None:
    database.write_now(
        lambda c: servers.edit(
            c, ada.id, failure=Failure("old").as_json(), plugin_state={"pid": 1}, removing=False
        )
    )
    queued = enqueue(database, ada, "r1", options={"x": 1}, display_name="A")
    stored = row(database, ada)
    assert queued == stored
    assert stored.epoch == 1
    assert (stored.state, stored.wanted, stored.lease_owner) == (State.QUEUED, Wish.UP, "r1")
    assert (stored.failure, stored.plugin_state, stored.url) == (None, {}, None)
    assert (stored.options, stored.display_name) == ({"x": 1}, "A")
    assert stored.started is not None
    assert abs(datetime.now(UTC) - stored.started) < timedelta(minutes=1)
    assert enqueue(database, ada, "r2") is None
    assert row(database, ada).lease_owner == "r1"


def test_requests_at_once_are_granted_once(
    database: Database, ada: Server, rivals: list[Database]
) -> None:
    answers = at_once(
        *(lambda db=db, n=n: enqueue(db, ada, f"r{n}") for n, db in enumerate(rivals))  # type: ignore[misc]
    )
    assert answers.count(None) == len(answers) - 1
    assert row(database, ada).epoch == 1


def test_a_stopped_server_takes_no_wish_to_stop(database: Database, ada: Server) -> None:
    enqueue(database, ada)
    database.write_now(lambda c: servers.wish_down(c, ada.id))
    assert row(database, ada).pending == "stop"
    assert [s.id for s in database.read_now(lambda c: servers.unwanted(c, "r1"))] == [ada.id]
    assert database.read_now(lambda c: servers.unwanted(c, "r2")) == []
    database.write_now(lambda c: servers.edit(c, ada.id, state="stopping"))
    assert database.read_now(lambda c: servers.unwanted(c, "r1")) == []
    database.write_now(lambda c: servers.edit(c, ada.id, state="stopped", wanted="up"))
    database.write_now(lambda c: servers.wish_down(c, ada.id))
    assert row(database, ada).wanted is Wish.UP


# -- moves --------------------------------------------------------------------


def test_a_move_changes_state_and_columns_at_once(database: Database, ada: Server) -> None:
    enqueue(database, ada)
    database.write_now(
        lambda c: servers.move(
            c, ada.id, 1, {State.QUEUED}, State.STARTING, token_id=None, host="m"
        )
    )
    assert (row(database, ada).state, row(database, ada).host) == (State.STARTING, "m")


@pytest.mark.parametrize(
    ("epoch", "source"), [(0, State.QUEUED), (2, State.QUEUED), (1, State.READY)]
)
def test_a_move_from_elsewhere_loses_the_lease_and_changes_nothing(
    database: Database, ada: Server, epoch: int, source: State
) -> None:
    enqueue(database, ada)
    with pytest.raises(LeaseLost):
        database.write_now(
            lambda c: servers.move(c, ada.id, epoch, {source}, State.STARTING, host="m")
        )
    assert (row(database, ada).state, row(database, ada).host) == (State.QUEUED, None)


def test_the_same_move_made_by_rivals_happens_once(
    database: Database, ada: Server, rivals: list[Database]
) -> None:
    enqueue(database, ada)

    def move(db: Database) -> None:
        db.write_now(lambda c: servers.move(c, ada.id, 1, {State.QUEUED}, State.STARTING))

    answers = at_once(*(lambda db=db: move(db) for db in rivals))  # type: ignore[misc]
    assert sum(isinstance(answer, LeaseLost) for answer in answers) == RIVALS - 1
    assert answers.count(None) == 1


def test_a_server_is_amended_only_where_it_is_thought_to_be(
    database: Database, ada: Server
) -> None:
    enqueue(database, ada)
    database.write_now(lambda c: servers.amend(c, ada.id, 1, State.QUEUED, url="http://a:1"))
    assert row(database, ada).url == "http://a:1"
    for epoch, state in ((2, State.QUEUED), (1, State.STARTING)):
        with pytest.raises(LeaseLost):
            database.write_now(
                lambda c, e=epoch, s=state: servers.amend(c, ada.id, e, s, url="http://b:1")  # type: ignore[misc]
            )
    assert (row(database, ada).url, row(database, ada).state) == ("http://a:1", State.QUEUED)


def test_an_active_server_is_not_removed(database: Database, ada: Server) -> None:
    enqueue(database, ada)
    assert not database.write_now(lambda c: servers.remove(c, ada.id))
    database.write_now(lambda c: servers.edit(c, ada.id, state="stopped"))
    assert database.write_now(lambda c: servers.remove(c, ada.id))
    assert not database.write_now(lambda c: servers.remove(c, ada.id))


def test_a_server_is_found_together_with_its_owner(database: Database, ada: Server) -> None:
    def find(user: str, server: str) -> tuple[User, Server | None] | None:
        return database.read_now(lambda c: servers.find_owner(c, user, server))

    owner = database.read_now(lambda c: users.find(c, ada.user_name))
    assert find(ada.user_name, "") == (owner, row(database, ada))
    assert find(ada.user_name, "lab") == (owner, None)
    assert find("nobody", "") is None


def test_who_is_being_deleted_is_leaving(database: Database, ada: Server) -> None:
    assert not database.read_now(lambda c: servers.is_leaving(c, ada.user_id))
    database.write_now(lambda c: users.mark_deleting(c, ada.user_id))
    assert database.read_now(lambda c: servers.is_leaving(c, ada.user_id))
    assert database.read_now(lambda c: servers.is_leaving(c, 4711))


# -- claims -------------------------------------------------------------------


def test_servers_of_a_living_replica_are_nobodys_orphans(database: Database) -> None:
    announce(database, "alive")
    many(database, 3, "alive")
    assert claim(database, "rival") == []


@pytest.mark.parametrize("end", ["resigned", "expired", "never known"])
def test_servers_of_a_dead_replica_are_taken_with_a_new_epoch(database: Database, end: str) -> None:
    announce(database, "new")
    if end != "never known":
        announce(database, "old")
    ids = many(database, 3, "old")
    if end == "resigned":
        database.write_now(lambda c: leases.resign(c, "old"))
    elif end == "expired":
        database.write_now(
            lambda c: c.execute(
                update(replicas).where(replicas.c.id == "old").values(lease_until=utc_in(-0.1))
            )
        )
    taken = claim(database, "new")
    assert {server.id for server in taken} == ids
    assert all((s.lease_owner, s.epoch, s.checking) == ("new", 1, True) for s in taken)
    assert claim(database, "new") == []


def test_expired_lease_is_taken_over_and_old_holder_cannot_write(
    database: Database, ada: Server
) -> None:
    announce(database, "old", ttl_s=-1)
    announce(database, "new")
    enqueue(database, ada, "old")
    (taken,) = claim(database, "new")
    assert taken.epoch == 2
    with pytest.raises(LeaseLost):
        database.write_now(lambda c: servers.move(c, ada.id, 1, {State.QUEUED}, State.STARTING))
    with pytest.raises(LeaseLost):
        database.write_now(lambda c: servers.amend(c, ada.id, 1, State.QUEUED, url="http://a"))
    database.write_now(lambda c: servers.move(c, ada.id, 2, {State.QUEUED}, State.STARTING))
    assert row(database, ada).state is State.STARTING


def test_only_ready_servers_are_to_be_checked(database: Database) -> None:
    many(database, 1, "gone", State.PROBING)
    (taken,) = claim(database, "new")
    assert not taken.checking


def test_stopped_servers_are_never_claimed(database: Database, ada: Server) -> None:
    assert claim(database, "new") == []


def test_a_server_of_another_machine_is_left_to_it(database: Database, ada: Server) -> None:
    enqueue(database, ada, "gone")
    database.write_now(lambda c: servers.edit(c, ada.id, host="m1"))
    assert claim(database, "new", host="m2") == []
    assert [server.id for server in claim(database, "new", host="m1")] == [ada.id]


def test_a_claim_takes_the_oldest_up_to_its_limit(database: Database) -> None:
    announce(database, "new")
    ids = many(database, 5, "gone")
    assert {server.id for server in claim(database, "new", limit=2)} == set(sorted(ids)[:2])
    assert {server.id for server in claim(database, "new", limit=9)} == set(sorted(ids)[2:])


def test_three_rivals_take_distinct_orphans(database: Database, rivals: list[Database]) -> None:
    for n in range(RIVALS):
        announce(database, f"r{n}")
    ids = many(database, 120, "gone")

    def take(db: Database, owner: str) -> list[int]:
        mine: list[int] = []
        while batch := claim(db, owner, limit=7):
            mine += [server.id for server in batch]
        return mine

    answers = at_once(
        *(lambda db=db, n=n: take(db, f"r{n}") for n, db in enumerate(rivals))  # type: ignore[misc]
    )
    taken: list[int] = []
    for answer in answers:
        assert isinstance(answer, list), answer
        taken += answer
    # A rival ends when it sees nothing free, which may be while others hold the last rows.
    for n in range(RIVALS):
        taken += [server.id for server in claim(database, f"r{n}")]
    assert len(taken) == len(set(taken))
    assert set(taken) == ids
    held = [
        database.read_now(lambda c, n=n: servers.held_epochs(c, f"r{n}")) for n in range(RIVALS)
    ]  # type: ignore[misc]
    assert sum(len(part) for part in held) == len(ids)
    assert all(epoch == 1 for part in held for epoch in part.values())


def test_a_holder_takes_anew_only_what_it_still_holds_unchanged(
    database: Database, ada: Server
) -> None:
    enqueue(database, ada, "r1")
    assert database.read_now(lambda c: servers.held_epochs(c, "r1")) == {ada.id: 1}
    assert database.write_now(lambda c: servers.reclaim(c, "r2", [(ada.id, 1)])) == []
    assert database.write_now(lambda c: servers.reclaim(c, "r1", [(ada.id, 0)])) == []
    (again,) = database.write_now(lambda c: servers.reclaim(c, "r1", [(ada.id, 1), (4711, 1)]))
    assert (again.epoch, again.checking) == (2, False)
    database.write_now(lambda c: servers.edit(c, ada.id, state="stopped"))
    assert database.write_now(lambda c: servers.reclaim(c, "r1", [(ada.id, 2)])) == []


# -- counts -------------------------------------------------------------------


def test_counts_follow_the_states(database: Database, ada: Server) -> None:
    def fill(connection: Connection) -> servers.Counts:
        for n, state in enumerate(State):
            made = servers.create(connection, ada.user_id, f"s{n}")
            servers.edit(connection, made, state=state.value)
        return servers.count(connection, ada.user_id)

    assert database.write_now(fill) == servers.Counts(active=5, starting=3, named_of_user=6)
    assert database.write_now(lambda c: servers.count(c, 4711)).named_of_user == 0


def test_a_limit_holds_for_requests_at_once(database: Database, rivals: list[Database]) -> None:
    def fill(connection: Connection) -> list[Server]:
        made = users.create(connection, [f"user{n}" for n in range(12)], NOW)
        return [servers.of_user(connection, user.id)[0] for user in made]

    all_servers = database.write_now(fill)

    def ask(db: Database, server: Server) -> bool:
        def work(connection: Connection) -> bool:
            if servers.count(connection, server.user_id).active >= 5:
                return False
            return servers.enqueue(connection, server, "r", {}, None) is not None

        return db.write_now(work)

    answers = at_once(
        *(
            lambda s=server, db=rivals[n % RIVALS]: ask(db, s)  # type: ignore[misc]
            for n, server in enumerate(all_servers)
        )
    )
    assert answers.count(True) == 5
    assert answers.count(False) == 7


# -- activity -----------------------------------------------------------------


def test_activity_only_moves_forward(database: Database, ada: Server) -> None:
    later, earlier = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)
    database.write_now(lambda c: servers.touch(c, []))
    for moment, expected in ((NOW, NOW), (earlier, NOW), (later, later)):
        database.write_now(lambda c, m=moment: servers.touch(c, [(ada.id, m), (4711, m)]))  # type: ignore[misc]
        assert row(database, ada).last_activity == expected
    database.write_now(lambda c: servers.touch_owner(c, ada.user_id))
    owner = database.read_now(lambda c: users.get(c, ada.user_id))
    assert owner is not None
    assert owner.last_activity is not None


# -- lists --------------------------------------------------------------------


def test_lists_hold_what_they_promise(database: Database, ada: Server) -> None:
    def fill(connection: Connection) -> None:
        (bob,) = users.create(connection, ["bob"], NOW)
        lab = servers.create(connection, bob.id, "lab")
        servers.edit(connection, lab, state="ready", removing=True)

    database.write_now(fill)
    names = [
        database.read_now(lambda c, f=f: [server.full_name for server in f(c)])  # type: ignore[misc]
        for f in (
            servers.active,
            servers.removing,
            lambda c: servers.of_user(c, ada.user_id + 1),
        )
    ]
    assert names == [["bob/lab"], ["bob/lab"], ["bob/", "bob/lab"]]
