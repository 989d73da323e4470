"""Statements about roles and who holds them: users, groups and services."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, delete, insert, select, union, update

from perijove.domain.groups import Role
from perijove.store.dialect import is_among
from perijove.store.inserts import chunks, insert_missing
from perijove.store.prepared import Prepared
from perijove.store.tables import (
    group_roles,
    groups,
    memberships,
    roles,
    service_roles,
    services,
    user_roles,
    users,
)

Kind = Literal["user", "group", "service"]
"""What can hold a role."""

_SELECT = select(
    roles.c.id, roles.c.name, roles.c.description, roles.c.scopes, roles.c.managed_by_auth
)
_HOLDERS = {"user": user_roles, "group": group_roles, "service": service_roles}
_NAMED = {"user": users, "group": groups, "service": services}
_HOLDER_ID = {
    "user": user_roles.c.user_id,
    "group": group_roles.c.group_id,
    "service": service_roles.c.service_id,
}
_NAMES_OF = {
    kind: Prepared(
        select(_HOLDER_ID[kind], roles.c.name)
        .join(roles, roles.c.id == _HOLDERS[kind].c.role_id)
        .where(is_among(_HOLDER_ID[kind], "ids"))
        .order_by(roles.c.id)
    )
    for kind in _HOLDERS
}
_ALL = Prepared(_SELECT.order_by(roles.c.id))
_BY_NAME = Prepared(_SELECT.where(roles.c.name == bindparam("name")))

HELD_BY_USER = roles.c.id.in_(
    union(
        select(user_roles.c.role_id).where(user_roles.c.user_id == bindparam("user_id")),
        select(group_roles.c.role_id)
        .join(memberships, memberships.c.group_id == group_roles.c.group_id)
        .where(memberships.c.user_id == bindparam("user_id")),
    )
)
"""Roles that the person ``user_id`` holds directly or through groups."""

_OF_SERVICE = Prepared(
    _SELECT.join(service_roles, service_roles.c.role_id == roles.c.id)
    .where(service_roles.c.service_id == bindparam("service_id"))
    .order_by(roles.c.id)
)


def from_row(row: Sequence[Any]) -> Role:
    """A row of this module's selects as a domain value."""
    role_id, name, description, scopes, managed = row
    return Role(role_id, name, description, tuple(scopes or ()), managed)


def all_roles(connection: Connection) -> dict[str, Role]:
    """Every role by name, oldest first."""
    return {role.name: role for role in map(from_row, _ALL.all(connection))}


def find(connection: Connection, name: str) -> Role | None:
    """The role of this name."""
    row = _BY_NAME.first(connection, name=name)
    return from_row(row) if row else None


def named(connection: Connection, names: Collection[str]) -> dict[str, Role]:
    """Those of these roles that exist, by name."""
    rows = connection.execute(_SELECT.where(roles.c.name.in_(sorted(set(names)))))
    return {role.name: role for role in map(from_row, rows)}


def of_service(connection: Connection, service_id: int) -> list[Role]:
    """The roles of a service."""
    return [from_row(row) for row in _OF_SERVICE.all(connection, service_id=service_id)]


def names_of(connection: Connection, kind: Kind, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The names of the roles that each of these holders has directly."""
    found = defaultdict(list)
    for holder_id, name in _NAMES_OF[kind].all(connection, ids=ids):
        found[holder_id].append(name)
    return {holder_id: tuple(names) for holder_id, names in found.items()}


def save(
    connection: Connection,
    name: str,
    description: str,
    scopes: Sequence[str],
    *,
    managed: bool = False,
) -> int:
    """Create the role or overwrite its definition; its id."""
    values: Mapping[str, Any] = {
        "description": description,
        "scopes": list(scopes),
        "managed_by_auth": managed,
    }
    role_id = connection.execute(
        update(roles).where(roles.c.name == name).values(**values).returning(roles.c.id)
    ).scalar()
    if role_id is None:
        role_id = connection.execute(
            insert(roles).values(name=name, **values).returning(roles.c.id)
        ).scalar_one()
    return int(role_id)


def remove(connection: Connection, names: Collection[str]) -> None:
    """Delete roles with all their assignments."""
    for part in chunks(sorted(names)):
        connection.execute(delete(roles).where(roles.c.name.in_(part)))


def give(
    connection: Connection,
    kind: Kind,
    role_id: int,
    holder_ids: Collection[int],
    *,
    managed: bool = False,
) -> None:
    """Assign a role; holders that have it keep it as it is."""
    rows = [
        {f"{kind}_id": holder_id, "role_id": role_id, "managed_by_auth": managed}
        for holder_id in sorted(set(holder_ids))
    ]
    for part in chunks(rows):
        insert_missing(connection, _HOLDERS[kind], part)


def take(
    connection: Connection, kind: Kind, role_id: int, holder_ids: Collection[int] | None = None
) -> None:
    """Take a role away from these holders; None: from all of this kind."""
    table = _HOLDERS[kind]
    if holder_ids is None:
        connection.execute(delete(table).where(table.c.role_id == role_id))
        return
    for part in chunks(sorted(set(holder_ids))):
        connection.execute(
            delete(table).where(table.c.role_id == role_id, _HOLDER_ID[kind].in_(part))
        )


def set_holders(
    connection: Connection, kind: Kind, role_id: int, holder_ids: Collection[int]
) -> None:
    """The holders of this kind become exactly these."""
    wanted = set(holder_ids)
    present = holders(connection, kind, role_id)
    take(connection, kind, role_id, present.keys() - wanted)
    give(connection, kind, role_id, wanted - present.keys())


def holders(connection: Connection, kind: Kind, role_id: int) -> dict[int, str]:
    """Who holds a role directly: names by id."""
    named_table = _NAMED[kind]
    statement = (
        select(named_table.c.id, named_table.c.name)
        .join(_HOLDERS[kind], _HOLDER_ID[kind] == named_table.c.id)
        .where(_HOLDERS[kind].c.role_id == role_id)
        .order_by(named_table.c.id)
    )
    return {row[0]: row[1] for row in connection.execute(statement)}


def clear_of(connection: Connection, kind: Kind, holder_id: int) -> None:
    """Take every role from one holder."""
    connection.execute(delete(_HOLDERS[kind]).where(_HOLDER_ID[kind] == holder_id))


def give_to_everybody(connection: Connection, role_id: int) -> None:
    """Every person who lacks this role gets it: one statement."""
    lacking = select(users.c.id, bindparam("role", role_id, type_=roles.c.id.type)).where(
        users.c.id.not_in(select(user_roles.c.user_id).where(user_roles.c.role_id == role_id))
    )
    connection.execute(insert(user_roles).from_select(["user_id", "role_id"], lacking))


def held_by_nobody(connection: Connection, role_id: int) -> bool:
    """Whether no user, group or service holds the role."""
    return not any(holders(connection, kind, role_id) for kind in ("user", "group", "service"))


def drop_managed(connection: Connection, keep: Collection[str]) -> list[str]:
    """Delete roles that came from the authenticator, except these; the deleted names."""
    names = [
        role.name
        for role in all_roles(connection).values()
        if role.managed_by_auth and role.name not in keep
    ]
    remove(connection, names)
    return names


def drop_managed_assignments(connection: Connection) -> None:
    """Take away every role assignment that came from the authenticator."""
    for table in _HOLDERS.values():
        connection.execute(delete(table).where(table.c.managed_by_auth.is_(True)))
