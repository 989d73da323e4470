"""Statements about people's accounts; ``details`` reads what hangs on them.

A new person gets a default server's row (name ``""``) in the same transaction,
so every reader may rely on it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from perijove.domain.servers import State
from perijove.domain.users import User
from perijove.kit.ids import new_token
from perijove.store import oauth as oauth_store
from perijove.store.dialect import names_of
from perijove.store.inserts import chunks
from perijove.store.prepared import Prepared
from perijove.store.tables import groups, memberships, servers, users

COLUMNS = (
    users.c.id,
    users.c.name,
    users.c.admin,
    users.c.created,
    users.c.last_activity,
    users.c.cookie_id,
    users.c.user_info,
)
_SELECT: Select[Any] = select(*COLUMNS)
_BY_ID = Prepared(_SELECT.where(users.c.id == bindparam("user_id")))
_WITH_GROUPS = Prepared(
    select(
        *COLUMNS,
        names_of(
            select(groups.c.name)
            .join(memberships, memberships.c.group_id == groups.c.id)
            .where(memberships.c.user_id == users.c.id)
            .order_by(groups.c.name)
        ),
    ).where(users.c.id == bindparam("user_id"))
)
_BY_NAME = Prepared(_SELECT.where(users.c.name == bindparam("name")))
_BY_COOKIE = Prepared(_SELECT.where(users.c.cookie_id == bindparam("cookie_id")))

_ACTIVE = exists().where(servers.c.user_id == users.c.id, servers.c.state != State.STOPPED.value)

_SERVER_IDS = Prepared(
    select(users.c.id, servers.c.name, servers.c.id)
    .outerjoin_from(users, servers, servers.c.user_id == users.c.id)
    .where(users.c.name == bindparam("name"))
)
_AUTH_STATE = Prepared(
    select(users.c.encrypted_auth_state).where(users.c.id == bindparam("user_id"))
)


def from_row(row: Sequence[Any]) -> User:
    """Values of ``COLUMNS``, in that order and perhaps more, as a domain value."""
    return User(row[0], row[1], row[2], row[3], row[4], row[5], row[6])


def _one(connection: Connection, statement: Prepared, **values: Any) -> User | None:
    row = statement.first(connection, **values)
    return from_row(row) if row else None


def get(connection: Connection, user_id: int) -> User | None:
    """The person with this id."""
    return _one(connection, _BY_ID, user_id=user_id)


def with_groups(connection: Connection, user_id: int) -> tuple[User, tuple[str, ...]] | None:
    """The person with this id, and the names of their groups, sorted."""
    row = _WITH_GROUPS.first(connection, user_id=user_id)
    return (from_row(row), tuple(row[-1])) if row else None


def find(connection: Connection, name: str) -> User | None:
    """The person with exactly this name."""
    return _one(connection, _BY_NAME, name=name)


def server_ids(connection: Connection, name: str) -> tuple[int, dict[str, int]] | None:
    """The id of the person of this name, and the ids of their servers by name."""
    rows = _SERVER_IDS.all(connection, name=name)
    if not rows:
        return None
    return rows[0][0], {row[1]: row[2] for row in rows if row[2] is not None}


def by_cookie_id(connection: Connection, cookie_id: str) -> User | None:
    """The person whose logins carry this id."""
    return _one(connection, _BY_COOKIE, cookie_id=cookie_id)


def named(connection: Connection, names: Collection[str]) -> dict[str, User]:
    """Those of these people who exist, by name."""
    found = {}
    for part in chunks(sorted(set(names))):
        for row in connection.execute(_SELECT.where(users.c.name.in_(part))):
            found[row.name] = from_row(row)
    return found


def by_ids(connection: Connection, ids: Collection[int]) -> dict[int, User]:
    """Those of these people who exist, by id."""
    found = {}
    for part in chunks(sorted(ids)):
        for row in connection.execute(_SELECT.where(users.c.id.in_(part))):
            found[row.id] = from_row(row)
    return found


def admin_ids(connection: Connection) -> set[int]:
    """The ids of everybody with the admin flag."""
    return set(connection.execute(select(users.c.id).where(users.c.admin.is_(True))).scalars())


def everybody(connection: Connection) -> list[User]:
    """All people, oldest first."""
    return [from_row(row) for row in connection.execute(_SELECT.order_by(users.c.id))]


def create(
    connection: Connection, names: Sequence[str], now: datetime, *, admin: bool = False
) -> list[User]:
    """New people with their default servers and no role; the caller has checked the names.

    Raises sqlalchemy's IntegrityError when a name is taken.
    """
    if not names:
        return []
    rows = [
        {"name": name, "admin": admin, "created": now, "cookie_id": new_token()} for name in names
    ]
    made = {}
    for part in chunks(rows):
        for row in connection.execute(insert(users).returning(*COLUMNS), part):
            made[row.name] = from_row(row)
    new = [made[name] for name in names]
    connection.execute(insert(servers), [{"user_id": user.id, "name": ""} for user in new])
    return new


def change(connection: Connection, user_id: int, **values: Any) -> None:
    """Set columns of one person."""
    connection.execute(update(users).where(users.c.id == user_id).values(**values))


def rename(connection: Connection, user_id: int, name: str) -> bool:
    """Another name, unless a server of theirs is active (then nothing changes and False)."""
    result = connection.execute(
        update(users).where(users.c.id == user_id, ~_ACTIVE).values(name=name)
    )
    return result.rowcount == 1


def remove(connection: Connection, user_id: int) -> bool:
    """Delete a person with all that hangs on them, unless a server of theirs is active."""
    result = connection.execute(delete(users).where(users.c.id == user_id, ~_ACTIVE))
    return result.rowcount == 1


def drop_server_clients(connection: Connection, user_id: int) -> list[int]:
    """Delete the OAuth clients of a person's stopped servers; ids of the tokens that went along."""
    mine = (servers.c.user_id == user_id, servers.c.state == State.STOPPED.value)
    identifiers = list(
        connection.execute(
            select(servers.c.oauth_client_id).where(*mine, servers.c.oauth_client_id.is_not(None))
        ).scalars()
    )
    if not identifiers:
        return []
    connection.execute(update(servers).where(*mine).values(oauth_client_id=None))
    return oauth_store.remove_clients(connection, identifiers)


def mark_deleting(connection: Connection, user_id: int) -> None:
    """The person goes as soon as their servers have stopped; nobody signs in as them again."""
    connection.execute(
        update(users).where(users.c.id == user_id).values(deleting=True, cookie_id=new_token())
    )


def deleting(connection: Connection) -> list[User]:
    """People who go as soon as their servers have stopped."""
    return [from_row(row) for row in connection.execute(_SELECT.where(users.c.deleting))]


def count(connection: Connection) -> int:
    """How many people there are."""
    return connection.execute(select(func.count()).select_from(users)).scalar_one()


def auth_state(connection: Connection, user_id: int) -> bytes | None:
    """The encrypted auth_state."""
    row = _AUTH_STATE.first(connection, user_id=user_id)
    return bytes(row[0]) if row is not None and row[0] is not None else None


def count_active_since(connection: Connection, since: datetime) -> int:
    """How many people were active after ``since``."""
    return int(
        connection.execute(
            select(func.count()).select_from(users).where(users.c.last_activity >= since)
        ).scalar_one()
    )


_TOUCH = (
    update(users)
    .where(
        users.c.id == bindparam("_id"),
        or_(
            users.c.last_activity.is_(None),
            users.c.last_activity < bindparam("_seen", type_=users.c.last_activity.type),
        ),
    )
    .values(last_activity=bindparam("_seen", type_=users.c.last_activity.type))
)


def touch(connection: Connection, seen: Sequence[tuple[int, datetime]]) -> None:
    """Move ``last_activity`` forward for these (user id, moment) pairs."""
    if seen:
        connection.execute(_TOUCH, [{"_id": user_id, "_seen": moment} for user_id, moment in seen])
