"""Statements about people, groups, roles and sign-ins."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import IntegrityError

from perijove.access.decide import RowFilter
from perijove.domain.servers import State
from perijove.domain.users import Session, User, UserQuery
from perijove.store import details, groups, purging, rights, roles, servers, sessions, users
from perijove.store.engine import Database
from perijove.store.tables import servers as server_table

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def add(database: Database, *names: str, admin: bool = False) -> list[User]:
    return database.write_now(lambda c: users.create(c, names, NOW, admin=admin))


def set_state(database: Database, user: User, state: State, name: str = "") -> None:
    database.write_now(
        lambda c: c.execute(
            update(server_table)
            .where(server_table.c.user_id == user.id, server_table.c.name == name)
            .values(state=state.value)
        )
    )


def names_on_page(database: Database, rows: RowFilter | None = None, **query: object) -> list[str]:
    asked = UserQuery(**query)  # type: ignore[arg-type]
    bound = rows or RowFilter(all=True)
    found = database.read_now(lambda c: details.page(c, asked, bound))
    assert database.read_now(lambda c: details.count(c, asked, bound)) >= len(found)
    return [detail.user.name for detail in found]


def test_new_user_has_a_default_server_and_its_own_cookie_id(database: Database) -> None:
    ada, bob = add(database, "ada", "bob")
    assert ada.cookie_id != bob.cookie_id
    assert (ada.created, ada.last_activity, ada.admin) == (NOW, None, False)
    detail = database.read_now(lambda c: details.detail(c, "ada"))
    assert detail is not None
    assert [(s.name, s.state, s.user_name) for s in detail.servers] == [("", State.STOPPED, "ada")]


def test_bulk_creation_answers_in_the_order_asked(database: Database) -> None:
    names = [f"u{number:04d}" for number in reversed(range(1200))]
    assert [user.name for user in add(database, *names)] == names
    assert len(database.read_now(lambda c: users.named(c, names))) == 1200


def test_taken_name_undoes_the_whole_creation(database: Database) -> None:
    add(database, "ada")
    with pytest.raises(IntegrityError):
        add(database, "new", "ada")
    assert database.read_now(lambda c: users.find(c, "new")) is None


def test_name_of_a_deleted_user_gets_a_new_id(database: Database) -> None:
    (first,) = add(database, "ada")
    assert database.write_now(lambda c: users.remove(c, first.id))
    (second,) = add(database, "ada")
    assert second.id > first.id


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["ada", "Bob", "cyd", "dan_x"]),
        ({"sort": "name", "name_filter": "d"}, ["ada", "cyd", "dan_x"]),
        ({"sort": "-id", "limit": 2}, ["dan_x", "cyd"]),
        ({"offset": 1, "limit": 2}, ["Bob", "cyd"]),
        ({"name_filter": "BO"}, ["Bob"]),
        ({"name_filter": "_"}, ["dan_x"]),
        ({"name_filter": "%"}, []),
        ({"state": "active"}, ["Bob", "cyd"]),
        ({"state": "ready"}, ["cyd"]),
        ({"state": "inactive"}, ["ada", "dan_x"]),
        ({"sort": "last_activity"}, ["Bob", "dan_x", "cyd", "ada"]),
        ({"sort": "-last_activity"}, ["ada", "cyd", "Bob", "dan_x"]),
        ({"offset": 99}, []),
    ],
)
def test_page_filters_sorts_and_cuts(
    database: Database, query: dict[str, object], expected: list[str]
) -> None:
    ada, bob, cyd, _ = add(database, "ada", "Bob", "cyd", "dan_x")
    set_state(database, bob, State.STARTING)
    set_state(database, cyd, State.READY)
    later = NOW + timedelta(hours=1)
    database.write_now(lambda c: users.touch(c, [(ada.id, later), (cyd.id, NOW)]))
    assert names_on_page(database, **query) == expected


def test_page_total_counts_users_not_servers(database: Database) -> None:
    ada, _, _ = add(database, "ada", "bob", "cyd")
    database.write_now(lambda c: [servers.create(c, ada.id, name) for name in ("n1", "n2")])
    asked = UserQuery(limit=2)
    found = database.read_now(lambda c: details.page(c, asked))
    assert (len(found), database.read_now(lambda c: details.count(c, asked))) == (2, 3)
    assert [server.name for server in found[0].servers] == ["", "n1", "n2"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (RowFilter(all=False, users=frozenset({"ada", "absent"})), ["ada"]),
        (RowFilter(all=False, groups=frozenset({"red"})), ["bob", "cyd"]),
        (RowFilter(all=False, users=frozenset({"ada"}), groups=frozenset({"red"})), None),
        (RowFilter(all=False, groups=frozenset({"absent"})), []),
        (RowFilter(all=False, servers=frozenset({"ada/"})), []),
        (RowFilter(all=False), []),
    ],
)
def test_page_shows_only_rows_the_caller_may_see(
    database: Database, rows: RowFilter, expected: list[str] | None
) -> None:
    _, bob, cyd = add(database, "ada", "bob", "cyd")

    def band(connection: Connection) -> None:
        red = groups.create(connection, "red")
        groups.add_members(connection, red, [bob.id, cyd.id])

    database.write_now(band)
    assert names_on_page(database, rows) == (
        expected if expected is not None else ["ada", "bob", "cyd"]
    )


def test_rename_and_delete_are_refused_while_a_server_is_active(database: Database) -> None:
    (ada,) = add(database, "ada")
    set_state(database, ada, State.STOPPING)
    assert not database.write_now(lambda c: users.rename(c, ada.id, "eva"))
    assert not database.write_now(lambda c: users.remove(c, ada.id))
    set_state(database, ada, State.STOPPED)
    assert database.write_now(lambda c: users.rename(c, ada.id, "eva"))
    assert database.write_now(lambda c: users.remove(c, ada.id))


def test_activity_only_moves_forward(database: Database) -> None:
    (ada,) = add(database, "ada")
    later = NOW + timedelta(minutes=1, microseconds=7)
    database.write_now(lambda c: users.touch(c, [(ada.id, later)]))
    database.write_now(lambda c: users.touch(c, [(ada.id, NOW)]))
    stored = database.read_now(lambda c: users.get(c, ada.id))
    assert stored is not None
    assert stored.last_activity == later
    assert database.read_now(lambda c: users.count_active_since(c, NOW)) == 1
    assert database.read_now(lambda c: users.count_active_since(c, later + timedelta(1))) == 0


def test_auth_state_comes_back_byte_for_byte(database: Database) -> None:
    (ada,) = add(database, "ada")
    sealed = bytes(range(256))
    database.write_now(lambda c: users.change(c, ada.id, encrypted_auth_state=sealed))
    assert database.read_now(lambda c: users.auth_state(c, ada.id)) == sealed


# -- groups ---------------------------------------------------------------------
def test_groups_of_a_user_become_exactly_the_given_ones(database: Database) -> None:
    (ada,) = add(database, "ada")
    assert database.write_now(lambda c: groups.set_of_user(c, ada.id, ["ga", "ga", "gb"]))
    assert database.read_now(lambda c: users.with_groups(c, ada.id)) == (ada, ("ga", "gb"))
    assert database.read_now(lambda c: groups.names_of_user(c, ada.id)) == ("ga", "gb")
    assert not database.write_now(lambda c: groups.set_of_user(c, ada.id, ["gb", "ga"]))
    assert database.write_now(lambda c: groups.set_of_user(c, ada.id, ["gc"]))
    assert database.read_now(lambda c: users.with_groups(c, ada.id)) == (ada, ("gc",))
    assert database.read_now(groups.all_names) == {"ga", "gb", "gc"}


def test_group_page_holds_members_roles_and_properties(database: Database) -> None:
    ada, bob = add(database, "ada", "bob")

    def fill(connection: Connection) -> None:
        red = groups.create(connection, "red", {"tier": [1, 2]})
        groups.create(connection, "blue")
        groups.add_members(connection, red, [bob.id, ada.id, ada.id])
        groups.add_members(connection, red, [ada.id])
        roles.give(connection, "group", roles.save(connection, "some-role", "", []), [red])

    database.write_now(fill)
    found, total = database.read_now(lambda c: groups.page(c, 0, 10))
    assert total == 2
    assert (found[0].name, found[0].users, found[0].roles) == (
        "red",
        ("ada", "bob"),
        ("some-role",),
    )
    assert found[0].properties == {"tier": [1, 2]}
    assert found[1].users == ()
    only = database.read_now(lambda c: groups.page(c, 0, 10, frozenset({"blue", "absent"})))
    assert ([group.name for group in only[0]], only[1]) == (["blue"], 1)
    assert database.read_now(lambda c: groups.page(c, 1, 10))[0][0].name == "blue"


def test_deleting_a_group_or_user_takes_memberships_along(database: Database) -> None:
    ada, bob = add(database, "ada", "bob")
    red = database.write_now(lambda c: groups.create(c, "red"))
    database.write_now(lambda c: groups.add_members(c, red, [ada.id, bob.id]))
    database.write_now(lambda c: users.remove(c, ada.id))
    group = database.read_now(lambda c: groups.find(c, "red"))
    assert group is not None
    assert group.users == ("bob",)
    database.write_now(lambda c: groups.remove(c, red))
    assert database.read_now(lambda c: groups.names_of_user(c, bob.id)) == ()


# -- roles ----------------------------------------------------------------------
def test_roles_of_a_user_come_directly_and_through_groups_once_each(database: Database) -> None:
    (ada,) = add(database, "ada")

    def fill(connection: Connection) -> None:
        direct = roles.save(connection, "direct", "d", ["read:hub"])
        both = roles.save(connection, "both", "", ["self"])
        roles.save(connection, "other", "", ["proxy"])
        red = groups.create(connection, "red")
        groups.add_members(connection, red, [ada.id])
        roles.give(connection, "user", direct, [ada.id])
        roles.give(connection, "user", both, [ada.id, ada.id])
        roles.give(connection, "group", both, [red])

    database.write_now(fill)
    held = database.read_now(lambda c: rights.of_user(c, ada.id, NOW))
    assert sorted(held.role_scopes) == ["read:hub", "self"]


def test_saving_a_role_again_changes_it_and_keeps_its_holders(database: Database) -> None:
    (ada,) = add(database, "ada")
    first = database.write_now(lambda c: roles.save(c, "some-role", "old", ["self"]))
    database.write_now(lambda c: roles.give(c, "user", first, [ada.id]))
    second = database.write_now(lambda c: roles.save(c, "some-role", "new", []))
    assert first == second
    role = database.read_now(lambda c: roles.find(c, "some-role"))
    assert role is not None
    assert (role.description, role.scopes) == ("new", ())
    assert database.read_now(lambda c: roles.holders(c, "user", first)) == {ada.id: "ada"}


def test_holders_become_exactly_the_given_ones(database: Database) -> None:
    ada, bob, cyd = add(database, "ada", "bob", "cyd")
    role = database.write_now(lambda c: roles.save(c, "some-role", "", []))
    database.write_now(lambda c: roles.set_holders(c, "user", role, [ada.id, bob.id]))
    database.write_now(lambda c: roles.set_holders(c, "user", role, [bob.id, cyd.id]))
    assert database.read_now(lambda c: set(roles.holders(c, "user", role))) == {bob.id, cyd.id}
    database.write_now(lambda c: roles.take(c, "user", role))
    assert database.read_now(lambda c: roles.held_by_nobody(c, role))


def test_everybody_gets_a_role_once(database: Database) -> None:
    ada, _ = add(database, "ada", "bob")
    role = database.write_now(lambda c: roles.save(c, "user", "", ["self"]))
    database.write_now(lambda c: roles.give(c, "user", role, [ada.id]))
    for _ in range(2):
        database.write_now(lambda c: roles.give_to_everybody(c, role))
    assert len(database.read_now(lambda c: roles.holders(c, "user", role))) == 2


# -- sign-ins ---------------------------------------------------------------------
def test_session_is_found_with_its_user_and_ends_with_them(database: Database) -> None:
    (ada,) = add(database, "ada")
    session = Session("s1", ada.id, NOW, NOW + timedelta(days=1))
    database.write_now(lambda c: sessions.create(c, session))
    assert database.read_now(lambda c: sessions.find(c, "s1")) == (session, ada)
    database.write_now(lambda c: users.remove(c, ada.id))
    assert database.read_now(lambda c: sessions.find(c, "s1")) is None


def test_purge_takes_only_sessions_that_are_over(database: Database) -> None:
    (ada,) = add(database, "ada")
    for name, ends in (("old", NOW), ("new", NOW + timedelta(hours=2)), ("endless", None)):
        session = Session(name, ada.id, NOW, ends)
        database.write_now(lambda c, session=session: sessions.create(c, session))  # type: ignore[misc]
    later = NOW + timedelta(hours=1)
    assert database.write_now(lambda c: purging.expired_sessions(c, later, 9)) == 1
    assert database.read_now(lambda c: sessions.find(c, "old")) is None
    assert database.write_now(lambda c: sessions.remove(c, "new"))
    assert not database.write_now(lambda c: sessions.remove(c, "new"))
    assert database.read_now(lambda c: sessions.find(c, "endless")) is not None
