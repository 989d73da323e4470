"""Statements about groups and who belongs to them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from perijove.domain.groups import Group
from perijove.store import roles as role_store
from perijove.store.dialect import is_among
from perijove.store.inserts import chunks, insert_missing
from perijove.store.prepared import Prepared
from perijove.store.tables import groups, memberships, users

_SELECT = select(groups.c.id, groups.c.name, groups.c.properties)
_BY_NAME = _SELECT.where(groups.c.name == bindparam("name"))
_NAMES_OF_USERS = Prepared(
    select(memberships.c.user_id, groups.c.name)
    .join(groups, groups.c.id == memberships.c.group_id)
    .where(is_among(memberships.c.user_id, "ids"))
    .order_by(groups.c.name)
)


def names_of_users(connection: Connection, user_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The names of the groups of each of these people, sorted."""
    found = defaultdict(list)
    for user_id, name in _NAMES_OF_USERS.all(connection, ids=user_ids):
        found[user_id].append(name)
    return {user_id: tuple(names) for user_id, names in found.items()}


def names_of_user(connection: Connection, user_id: int) -> tuple[str, ...]:
    """The names of a person's groups, sorted."""
    return names_of_users(connection, [user_id]).get(user_id, ())


def find(connection: Connection, name: str) -> Group | None:
    """The group of this name with its members and roles."""
    row = connection.execute(_BY_NAME, {"name": name}).first()
    return _filled(connection, [row])[0] if row else None


def ids(connection: Connection, names: Collection[str]) -> dict[str, int]:
    """The ids of those of these groups that exist, by name."""
    found = {}
    for part in chunks(sorted(set(names))):
        statement = select(groups.c.name, groups.c.id).where(groups.c.name.in_(part))
        found.update({row[0]: row[1] for row in connection.execute(statement)})
    return found


def all_names(connection: Connection) -> set[str]:
    """The names of all groups."""
    return set(connection.execute(select(groups.c.name)).scalars())


def page(
    connection: Connection, offset: int, limit: int, names: frozenset[str] | None = None
) -> tuple[list[Group], int]:
    """Groups by age with members and roles, and how many there are; ``names`` bounds them."""
    where = [groups.c.name.in_(sorted(names))] if names is not None else []
    statement = _SELECT.where(*where).order_by(groups.c.id).offset(offset).limit(limit)
    rows = connection.execute(statement).all()
    counting = select(func.count()).select_from(groups).where(*where)
    return _filled(connection, rows), int(connection.execute(counting).scalar_one())


def _filled(connection: Connection, rows: Sequence[Any]) -> list[Group]:
    group_ids = [row.id for row in rows]
    people = defaultdict(list)
    statement = (
        select(memberships.c.group_id, users.c.name)
        .join(users, users.c.id == memberships.c.user_id)
        .where(memberships.c.group_id.in_(group_ids))
        .order_by(users.c.id)
    )
    for group_id, name in connection.execute(statement):
        people[group_id].append(name)
    role_names = role_store.names_of(connection, "group", group_ids)
    return [
        Group(
            row.id,
            row.name,
            row.properties or {},
            tuple(people.get(row.id, ())),
            role_names.get(row.id, ()),
        )
        for row in rows
    ]


def create(connection: Connection, name: str, properties: dict[str, Any] | None = None) -> int:
    """A new group; its id. Raises sqlalchemy's IntegrityError when the name is taken."""
    result = connection.execute(insert(groups).values(name=name, properties=properties or {}))
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def create_missing(connection: Connection, names: Collection[str]) -> dict[str, int]:
    """The ids of these groups, by name; those that do not exist are made."""
    insert_missing(
        connection, groups, [{"name": name, "properties": {}} for name in sorted(set(names))]
    )
    return ids(connection, names)


def set_properties(connection: Connection, group_id: int, properties: dict[str, Any]) -> None:
    """Replace the properties."""
    connection.execute(update(groups).where(groups.c.id == group_id).values(properties=properties))


def remove(connection: Connection, group_id: int) -> None:
    """Delete a group with its memberships, role assignments and shares."""
    connection.execute(delete(groups).where(groups.c.id == group_id))


def add_members(connection: Connection, group_id: int, user_ids: Collection[int]) -> None:
    """Add people; those who belong already stay."""
    rows = [{"user_id": user_id, "group_id": group_id} for user_id in sorted(set(user_ids))]
    insert_missing(connection, memberships, rows)


def remove_members(connection: Connection, group_id: int, user_ids: Collection[int]) -> None:
    """Take people out; those who do not belong are no error."""
    for part in chunks(sorted(set(user_ids))):
        connection.execute(
            delete(memberships).where(
                memberships.c.group_id == group_id, memberships.c.user_id.in_(part)
            )
        )


def set_of_user(connection: Connection, user_id: int, names: Collection[str]) -> bool:
    """A person's groups become exactly these, missing ones are made; whether that changed any."""
    wanted = create_missing(connection, names)
    present = set(
        connection.execute(
            select(memberships.c.group_id).where(memberships.c.user_id == user_id)
        ).scalars()
    )
    target = set(wanted.values())
    surplus = present - target
    if surplus:
        connection.execute(
            delete(memberships).where(
                memberships.c.user_id == user_id, memberships.c.group_id.in_(surplus)
            )
        )
    rows = [{"user_id": user_id, "group_id": group_id} for group_id in sorted(target - present)]
    insert_missing(connection, memberships, rows)
    return present != target
