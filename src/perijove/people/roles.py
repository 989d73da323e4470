"""Roles: brought by the configuration, brought by the authenticator, given to people.

``access.roles`` has checked every definition before it gets here; these
functions make the database agree with them, inside the caller's transaction.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from perijove.access.catalogue import DEFAULT_ROLES, Catalogue
from perijove.access.errors import AccessError
from perijove.access.roles import RolePlan, RoleSpec, read_role
from perijove.domain.errors import Conflict
from perijove.domain.users import User
from perijove.people.users import ADMIN_ROLE, USER_ROLE, set_admin
from perijove.store import groups as group_store
from perijove.store import roles as role_store
from perijove.store import services as service_store
from perijove.store import users as user_store

log = logging.getLogger("perijove.roles")

MakeUsers = Callable[[Connection, Sequence[str]], Collection[int]]
"""Gives the ids of people by name, making those who are missing."""

Managed = tuple[RoleSpec, bool]
"""A role that the authenticator brings, and whether it says what the role is."""


def load_plan(connection: Connection, plan: RolePlan, make_users: MakeUsers) -> None:
    """The roles and their holders become those of the plan.

    Roles that are in neither the plan nor the authenticator's hands are deleted.
    The holders of ``admin`` are settled by ``settle_admins``.
    """
    known = role_store.all_roles(connection)
    planned = {spec.name for spec in plan.roles}
    stale = [name for name, role in known.items() if name not in planned]
    gone = [name for name in stale if not known[name].managed_by_auth]
    if gone:
        log.info("Roles no longer defined are deleted: %s", ", ".join(sorted(gone)))
        role_store.remove(connection, gone)
    for spec in plan.roles:
        role_id = role_store.save(connection, spec.name, spec.description, spec.scopes)
        if spec.name != ADMIN_ROLE:
            _set_user_holders(connection, spec, role_id, make_users)
        _set_group_holders(connection, spec, role_id)
        _set_service_holders(connection, spec, role_id)


def _set_user_holders(
    connection: Connection, spec: RoleSpec, role_id: int, make_users: MakeUsers
) -> None:
    if spec.users is not None:
        ids = make_users(connection, spec.users)
        if spec.name == USER_ROLE:
            role_store.give(connection, "user", role_id, ids)
        else:
            role_store.set_holders(connection, "user", role_id, ids)
    elif not spec.keeps_holders:
        role_store.take(connection, "user", role_id)


def _set_group_holders(connection: Connection, spec: RoleSpec, role_id: int) -> None:
    if spec.groups is not None:
        known = group_store.ids(connection, spec.groups)
        missing = [name for name in spec.groups if name not in known]
        if missing:
            log.info("Groups named by role %s are created: %s", spec.name, ", ".join(missing))
        ids = group_store.create_missing(connection, spec.groups)
        role_store.set_holders(connection, "group", role_id, ids.values())
    elif not spec.keeps_holders:
        role_store.take(connection, "group", role_id)


def _set_service_holders(connection: Connection, spec: RoleSpec, role_id: int) -> None:
    if spec.services is not None:
        known = {s.name: s.id for s in service_store.all_services(connection)}
        ids = [known[name] for name in spec.services if name in known]
        role_store.set_holders(connection, "service", role_id, ids)
    elif not spec.keeps_holders:
        role_store.take(connection, "service", role_id)


def settle_admins(
    connection: Connection, spec: RoleSpec, admin_users: Collection[str], make_users: MakeUsers
) -> None:
    """The admin flag and the role ``admin`` become one; says what changed and why.

    Admins are who the configuration names, and, unless the role's definition lists
    its users, whom the database knows as admins.
    """
    role_id = role_store.save(connection, spec.name, spec.description, spec.scopes)
    named = set(make_users(connection, [*sorted(admin_users), *(spec.users or ())]))
    holders = set(role_store.holders(connection, "user", role_id))
    flagged = user_store.admin_ids(connection)
    admins = named if spec.users is not None else named | holders | flagged
    people = user_store.by_ids(connection, admins | holders | flagged)
    for user_id in sorted(admins - (flagged & holders)):
        set_admin(connection, people[user_id], True)
        log.info("%s is an admin now, as the configuration says", people[user_id].name)
    for user_id in sorted((flagged | holders) - admins):
        set_admin(connection, people[user_id], False)
        log.info(
            "%s is no longer an admin: not among the users of the role admin", people[user_id].name
        )
    kept = sorted(people[user_id].name for user_id in (admins - named))
    if kept:
        log.info(
            "Still admins, made so before and kept in the database: %s. "
            "Leaving c.Authenticator.admin_users takes nothing away; use the admin page or the API",
            ", ".join(kept[:20]),
        )
    _settle_admin_services(connection, role_id)


def _settle_admin_services(connection: Connection, role_id: int) -> None:
    holders = set(role_store.holders(connection, "service", role_id))
    flagged = {service.id for service in service_store.all_services(connection) if service.admin}
    role_store.give(connection, "service", role_id, flagged - holders)
    service_store.set_admin(connection, holders - flagged, True)


# -- roles that come from the authenticator --------------------------------------
def read_managed(definitions: Iterable[Mapping[str, Any]], catalogue: Catalogue) -> list[Managed]:
    """Definitions by the authenticator, and whether each says what the role is.

    Raises Conflict for one that cannot be used.
    """
    try:
        return [
            (
                read_role(definition, catalogue),
                definition.get("scopes") is not None or definition.get("description") is not None,
            )
            for definition in definitions
        ]
    except AccessError as error:
        raise Conflict(f"The authenticator's roles cannot be used: {error.message}") from error


def _saved(connection: Connection, spec: RoleSpec, defines: bool) -> int:
    """The role's id; a role of the configuration, or a built-in one, stays as it is."""
    present = role_store.find(connection, spec.name)
    if present is not None and (not defines or not present.managed_by_auth):
        return present.id
    return role_store.save(connection, spec.name, spec.description, spec.scopes, managed=True)


def load_managed(connection: Connection, specs: Sequence[Managed], make_users: MakeUsers) -> None:
    """Roles that the authenticator brings at the start, given to whom it lists."""
    services = {service.name: service.id for service in service_store.all_services(connection)}
    for spec, defines in specs:
        role_id = _saved(connection, spec, defines)
        if spec.users:
            ids = make_users(connection, spec.users)
            role_store.give(connection, "user", role_id, ids, managed=True)
        if spec.groups:
            group_ids = group_store.create_missing(connection, spec.groups).values()
            role_store.give(connection, "group", role_id, group_ids, managed=True)
        if spec.services:
            wanted = [services[name] for name in spec.services if name in services]
            role_store.give(connection, "service", role_id, wanted, managed=True)


def reset_managed(connection: Connection, keep: Collection[str]) -> None:
    """Forget assignments that came from the authenticator, and its roles except ``keep``."""
    role_store.drop_managed_assignments(connection)
    gone = role_store.drop_managed(connection, keep)
    if gone:
        log.info("Roles that the authenticator no longer brings are deleted: %s", ", ".join(gone))


def set_roles_of_user(connection: Connection, user: User, specs: Sequence[Managed]) -> None:
    """A person's direct roles become exactly these, and ``user``, which everybody has.

    Whether they hold ``admin`` is not settled here. Managed roles that nobody
    holds any more are deleted.
    """
    wanted = {_saved(connection, spec, defines) for spec, defines in specs}
    keep = {USER_ROLE, ADMIN_ROLE}
    known = role_store.all_roles(connection)
    present = role_store.names_of(connection, "user", [user.id]).get(user.id, ())
    for name in present:
        role = known[name]
        if role.id in wanted or name in keep:
            continue
        role_store.take(connection, "user", role.id, [user.id])
        if (
            role.managed_by_auth
            and name not in DEFAULT_ROLES
            and role_store.held_by_nobody(connection, role.id)
        ):
            role_store.remove(connection, [name])
    for role_id in wanted - {known[name].id for name in keep if name in known}:
        role_store.give(connection, "user", role_id, [user.id], managed=True)
