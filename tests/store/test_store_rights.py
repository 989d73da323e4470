"""What a person's rights are made of, whichever way it came to them."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, update
from statements import statements

from perijove.store import groups, rights, roles, servers, shares, users
from perijove.store.engine import Database
from perijove.store.tables import shares as share_table

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def fill(database: Database) -> tuple[int, int]:
    """Ada, with roles and shares of her own and of a group; Bob, who shares."""

    def write(connection: Connection) -> tuple[int, int]:
        ada, bob = users.create(connection, ["ada", "bob"], NOW)
        red = groups.create(connection, "red")
        groups.create(connection, "blue")
        groups.add_members(connection, red, [ada.id])
        own = roles.save(connection, "own", "", ["self", 'odd"scope'])
        shared = roles.save(connection, "shared", "", ["read:hub"])
        roles.save(connection, "nobodys", "", ["shutdown"])
        empty = roles.save(connection, "empty", "", [])
        roles.give(connection, "user", own, [ada.id])
        roles.give(connection, "user", empty, [ada.id])
        roles.give(connection, "group", shared, [red])
        default = servers.of_user(connection, bob.id)[0].id
        lab = servers.create(connection, bob.id, "lab")
        shares.grant(connection, default, ["access:servers"], user_id=ada.id, now=NOW)
        shares.grant(connection, lab, ["read:servers"], group_id=red, now=NOW)
        return ada.id, bob.id

    return database.write_now(write)


def test_rights_come_from_roles_and_shares_of_ones_own_and_of_groups(database: Database) -> None:
    ada, bob = fill(database)
    found = database.read_now(lambda c: rights.of_user(c, ada, NOW))
    assert sorted(found.role_scopes) == sorted(["self", 'odd"scope', "read:hub"])
    assert sorted(found.share_scopes) == [
        "access:servers!server=bob/",
        "read:servers!server=bob/lab",
    ]
    assert found.groups == {"red"}
    none = database.read_now(lambda c: rights.of_user(c, bob, NOW))
    assert (list(none.role_scopes), list(none.share_scopes), none.groups) == ([], [], frozenset())


def test_a_share_that_is_over_gives_nothing(database: Database) -> None:
    ada, _ = fill(database)
    database.write_now(
        lambda c: c.execute(update(share_table).values(expires_at=NOW + timedelta(hours=1)))
    )
    later = NOW + timedelta(hours=2)
    assert len(database.read_now(lambda c: rights.of_user(c, ada, NOW)).share_scopes) == 2
    assert list(database.read_now(lambda c: rights.of_user(c, ada, later)).share_scopes) == []


def test_who_was_given_no_share_is_read_in_one_statement(database: Database) -> None:
    ada, bob = fill(database)
    assert len(statements(database, lambda c: rights.of_user(c, bob, NOW))) == 1
    assert len(statements(database, lambda c: rights.of_user(c, ada, NOW))) == 2
