"""People with what hangs on them: one statement, whatever the size of page and hub."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, text
from statements import plan, statements

from perijove.access.decide import EVERY_ROW, RowFilter
from perijove.domain.servers import State
from perijove.domain.users import EVERYTHING, Parts, User, UserQuery
from perijove.store import details, groups, roles, servers, users
from perijove.store.engine import Database
from perijove.store.prepared import Prepared

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MANY = 20_000
PAGE = 50


def fill(database: Database, count: int = 3) -> list[User]:
    """People in a group and with a role; every third has a running and a named server."""

    def write(connection: Connection) -> list[User]:
        people = users.create(connection, [f"u{number:02d}" for number in range(count)], NOW)
        red = groups.create(connection, "red")
        groups.add_members(connection, red, [user.id for user in people])
        role = roles.save(connection, "some-role", "", ["self"])
        roles.give(connection, "user", role, [user.id for user in people])
        for user in people[::3]:
            servers.create(connection, user.id, "lab")
            (default, _) = servers.of_user(connection, user.id)
            servers.edit(connection, default.id, state=State.READY.value)
        return people

    return database.write_now(write)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (EVERYTHING, (("red",), ("some-role",), ["", "lab"])),
        (Parts(servers="active"), (("red",), ("some-role",), [""])),
        (Parts(servers="none"), (("red",), ("some-role",), [])),
        (Parts(groups=False, roles=False), ((), (), ["", "lab"])),
    ],
)
def test_only_the_wanted_parts_are_read(database: Database, parts: Parts, expected: object) -> None:
    fill(database)
    (first, *_) = database.read_now(lambda c: details.page(c, UserQuery(), parts=parts))
    one = database.read_now(lambda c: details.detail(c, "u00", parts))
    assert one == first
    assert (one.groups, one.roles, [server.name for server in one.servers]) == expected


def test_what_is_read_on_the_driver_is_what_core_reads(database: Database) -> None:
    fill(database)
    statement = Prepared(details._select(users.users, EVERYTHING).order_by(users.users.c.id))
    fast = database.read_now(statement.all)
    slow = database.read_now(lambda c: c.execute(statement.statement).all())
    assert [list(row) for row in fast] == [list(row) for row in slow]
    assert [type(value) for value in fast[0]] == [type(value) for value in slow[0]]


@pytest.mark.parametrize("limit", [2, 60])
def test_a_page_is_one_statement_however_long_it_is(database: Database, limit: int) -> None:
    fill(database, 60)
    query = UserQuery(limit=limit)
    seen = statements(database, lambda c: details.page(c, query))
    assert len(seen) == 1
    assert len(statements(database, lambda c: details.detail(c, "u01"))) == 1


def test_details_keep_the_order_and_leave_out_who_is_gone(database: Database) -> None:
    people = fill(database)
    database.write_now(lambda c: users.remove(c, people[1].id))
    found = database.read_now(lambda c: details.details(c, people[::-1]))
    assert [detail.user for detail in found] == [people[2], people[0]]
    assert database.read_now(lambda c: details.details(c, [])) == []


@pytest.fixture
def many(database: Database) -> Database:
    """A database with so many people that scanning them would show."""
    numbers = (
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) "
        "SELECT i FROM n"
    )

    def write(connection: Connection) -> None:
        for statement in (
            "INSERT INTO users (name, created, cookie_id, last_activity) "
            f"SELECT 'u' || i, '2026-01-01', 'c' || i, '2026-01-01' FROM ({numbers}) AS numbers",
            "INSERT INTO servers (user_id, name) SELECT id, '' FROM users",
            f"UPDATE servers SET state = 'ready' WHERE id % {MANY // 100} = 0",
        ):
            connection.execute(text(statement))

    database.write_now(write)
    database.write_now(lambda c: c.execute(text("ANALYZE")))
    return database


@pytest.mark.parametrize(
    "query",
    [
        UserQuery(limit=PAGE),
        UserQuery(limit=PAGE, sort="name"),
        UserQuery(limit=PAGE, sort="-name"),
        UserQuery(limit=PAGE, state="ready"),
        UserQuery(limit=PAGE, state="active"),
    ],
    ids=lambda query: f"{query.sort}-{query.state}",
)
def test_a_page_is_read_by_indexes(many: Database, query: UserQuery) -> None:
    lines = plan(many, lambda c: details.page(c, query))
    how = "\n".join(lines)
    # By rowid SQLite reads the table itself, and ends with the page.
    in_order = ["SCAN users"] if query == UserQuery(limit=PAGE) else []
    for line in lines:
        assert not line.startswith("Seq Scan on servers"), how
        assert not line.startswith("Seq Scan on users") or query.state is not None, how
        assert not line.startswith("SCAN users") or "USING INDEX" in line or line in in_order, how
        assert not line.startswith("SCAN servers") or "ix_servers_active" in line, how


# -- milestones ---------------------------------------------------------------------
@pytest.mark.parametrize("offset", [0, 1, 499, 500, 501, 999, 1000, 1199, 1200, 5000])
def test_a_page_behind_milestones_is_the_page_that_an_offset_gives(
    database: Database, offset: int
) -> None:
    fill(database, 1300)
    some = "DELETE FROM users WHERE id % 13 = 0"
    database.write_now(lambda c: c.execute(text(some)))
    query = UserQuery(offset=offset, limit=PAGE)
    reached = database.read_now(lambda c: details.milestones(c, (), offset))
    assert len(reached) == min(offset, users_left(database)) // details.MILE
    assert database.read_now(
        lambda c: details.page(c, query, milestones=reached)
    ) == database.read_now(lambda c: details.page(c, query))


def users_left(database: Database) -> int:
    return database.read_now(users.count)


def test_milestones_go_on_from_those_that_are_known(database: Database) -> None:
    fill(database, 1300)
    near = database.read_now(lambda c: details.milestones(c, (), 700))
    seen = statements(database, lambda c: details.milestones(c, near, 1300))
    assert len(near) == len(seen) == 1
    far = database.read_now(lambda c: details.milestones(c, near, 1300))
    assert far[:1] == near
    assert far == database.read_now(lambda c: details.milestones(c, (), 1300))


@pytest.mark.parametrize(
    ("query", "rows", "expected"),
    [
        (UserQuery(offset=500), EVERY_ROW, True),
        (UserQuery(offset=499), EVERY_ROW, False),
        (UserQuery(offset=500, sort="-id"), EVERY_ROW, False),
        (UserQuery(offset=500, state="ready"), EVERY_ROW, False),
        (UserQuery(offset=500, name_filter="u"), EVERY_ROW, False),
        (UserQuery(offset=500), RowFilter(all=False), False),
    ],
)
def test_only_the_list_of_everybody_in_its_own_order_has_milestones(
    query: UserQuery, rows: RowFilter, expected: bool
) -> None:
    assert details.uses_milestones(query, rows) is expected
