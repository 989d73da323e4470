"""What plug-ins import as ``jupyterhub.roles``: roles through the shared database session."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from perijove.access.catalogue import DEFAULT_ROLES
from perijove.access.errors import RoleInvalid as RoleValueError
from perijove.access.roles import read_role
from perijove.compat.orm.people import Group, Role, User
from perijove.compat.orm.tokens import APIToken
from perijove.compat.scopes import expand_scopes, roles_to_scopes

__all__ = [
    "RoleValueError",
    "assign_default_roles",
    "create_role",
    "delete_role",
    "get_default_roles",
    "get_roles_for",
    "grant_role",
    "roles_to_expanded_scopes",
    "roles_to_scopes",
    "strip_role",
    "update_roles",
]


def get_default_roles() -> list[dict[str, Any]]:
    """The roles that every hub has, as definitions."""
    return [
        {"name": role.name, "description": role.description, "scopes": list(role.scopes)}
        for role in DEFAULT_ROLES.values()
    ]


def get_roles_for(orm_object: Any) -> list[Role]:
    """The roles of a stored user (through groups, too), group or service."""
    found = list(orm_object.roles)
    if isinstance(orm_object, User):
        found += [role for group in orm_object.groups for role in group.roles]
    return found


def roles_to_expanded_scopes(roles: Iterable[Role], owner: Any) -> frozenset[str]:
    """All that these roles allow ``owner``."""
    return expand_scopes(roles_to_scopes(roles), owner=owner)


def create_role(
    db: Session,
    role_dict: Mapping[str, Any],
    *,
    commit: bool = True,
    reset_to_defaults: bool = True,
) -> Role:
    """Make a role, or change one, from ``name``, ``description`` and ``scopes``.

    ``reset_to_defaults``: what is not given becomes empty. Raises RoleValueError.
    """
    spec = read_role(role_dict)
    role: Role | None = Role.find(db, spec.name)
    made = role is None
    if role is None:
        role = Role(name=spec.name)
        db.add(role)
    if made or reset_to_defaults or "description" in role_dict:
        role.description = spec.description
    if made or reset_to_defaults or "scopes" in role_dict:
        role.scopes = list(spec.scopes)
    if commit:
        db.commit()
    return role


def delete_role(db: Session, rolename: str) -> None:
    """Delete a role. Raises ValueError for built-in ones, KeyError for unknown ones."""
    if rolename in DEFAULT_ROLES:
        raise ValueError(f"the role {rolename!r} cannot be deleted")
    db.delete(_known(db, rolename))
    db.commit()


def _known(db: Session, role: Role | str) -> Role:
    found: Role | None = role if isinstance(role, Role) else Role.find(db, role)
    if found is None:
        raise ValueError(f"there is no role {role!r}")
    return found


def grant_role(
    db: Session,
    entity: Any,
    role: Role | str | None = None,
    managed: bool = False,
    commit: bool = True,
    *,
    rolename: str | None = None,
) -> None:
    """Give a stored user, group or service a role. Raises ValueError for an unknown one."""
    found = _known(db, role or rolename or "")
    if found not in entity.roles:
        entity.roles.append(found)
    if commit:
        db.commit()


def strip_role(
    db: Session,
    entity: Any,
    role: Role | str | None = None,
    managed: bool = False,
    commit: bool = True,
    *,
    rolename: str | None = None,
) -> None:
    """Take a role from a stored user, group or service. Raises ValueError for an unknown one."""
    found = _known(db, role or rolename or "")
    if found in entity.roles:
        entity.roles.remove(found)
    if commit:
        db.commit()


def assign_default_roles(db: Session, entity: Any) -> None:
    """Everybody holds ``user``, administrators ``admin``; groups and tokens hold neither."""
    if isinstance(entity, (Group, APIToken)):
        return
    if isinstance(entity, User):
        grant_role(db, entity, rolename="user")
    change = grant_role if entity.admin else strip_role
    change(db, entity, rolename="admin")


def update_roles(db: Session, entity: Any, roles: Iterable[str]) -> None:
    """Give all these roles."""
    for name in roles:
        grant_role(db, entity, rolename=name)
