"""Definitions of roles, checked, and merged over the built-in ones.

Definitions come from the configuration and from authenticators that manage
roles. A mistake stops the start with a sentence that names the role, the key
and the nearest right word. The result is a plan: which roles there are to be,
with what scopes, and what is to become of their holders.

- ``user``, ``server`` and ``token`` keep what a definition leaves out;
  the scopes and the description of ``admin`` cannot be changed.
- A list of holders is the exact list. Without one the role loses its holders
  of that kind, except ``user`` (everybody stays in it) and ``admin`` (those
  whom the database knows as admins stay).
- A role without the key ``scopes`` has no scopes.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from perijove.access.catalogue import CATALOGUE, DEFAULT_ROLES, SELF, Catalogue
from perijove.access.errors import AccessError, RoleInvalid, RoleNotFound, nearest, shown
from perijove.access.grammar import read_scope

ROLE_NAME: Final = re.compile(r"[a-z][a-z0-9\-_~.]{1,253}[a-z0-9]")
ROLE_KEYS: Final = ("name", "description", "scopes", "users", "groups", "services")
HOLDER_KEYS: Final = ("users", "groups", "services")

_KEEPING_HOLDERS: Final = frozenset({"user", "admin"})


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """One role as it is to be. A list of holders that is None was not given.

    ``keeps_holders``: what becomes of present holders when no list is given
    (True: they stay; False: they lose the role). ``from_config`` is False for a
    built-in role that no definition touched.
    """

    name: str
    description: str = ""
    scopes: tuple[str, ...] = ()
    users: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    services: tuple[str, ...] | None = None
    keeps_holders: bool = False
    from_config: bool = True


@dataclass(frozen=True, slots=True)
class RolePlan:
    """All roles, the built-in ones first, and remarks that the operator should see."""

    roles: tuple[RoleSpec, ...]
    notes: tuple[str, ...] = ()


def check_role_name(name: object) -> str:
    """The name, if it can be a role's. Raises RoleInvalid."""
    if not isinstance(name, str) or not ROLE_NAME.fullmatch(name):
        raise RoleInvalid(
            f"role {name!r}: a name has 3 to 255 of a-z 0-9 - _ ~ . and starts with a letter "
            "and ends with a letter or digit"
        )
    return name


def plan_roles(
    definitions: Iterable[Mapping[str, Any]],
    catalogue: Catalogue = CATALOGUE,
    *,
    extra_user_scopes: Iterable[str] = (),
    known_services: Collection[str] | None = None,
    managed_by_auth: bool = False,
) -> RolePlan:
    """The roles of a hub with these definitions.

    ``extra_user_scopes`` join the role ``user`` unless its scopes are redefined.
    ``known_services``: services that a definition may name; None allows any.
    ``managed_by_auth``: the authenticator assigns roles, so definitions must not
    list users or groups. Raises RoleInvalid.
    """
    notes: list[str] = []
    roles = _built_in(_checked_scopes("user", extra_user_scopes, catalogue))
    seen: set[str] = set()
    for definition in definitions:
        spec = read_role(definition, catalogue, known_services=known_services)
        if spec.name in seen:
            raise RoleInvalid(f"role {spec.name!r} is defined twice")
        if managed_by_auth and (spec.users is not None or spec.groups is not None):
            raise RoleInvalid(
                f"role {spec.name!r}: with Authenticator.manage_roles the authenticator says who "
                "holds a role, so 'users' and 'groups' cannot be given"
            )
        seen.add(spec.name)
        roles[spec.name] = _merged(spec, definition, roles.get(spec.name))
        if SELF in spec.scopes and spec.services:
            notes.append(
                f"role {spec.name!r}: the scope 'self' means nothing to its services "
                f"{', '.join(spec.services)}"
            )
    return RolePlan(tuple(roles.values()), tuple(notes))


def _built_in(extra_user_scopes: tuple[str, ...]) -> dict[str, RoleSpec]:
    roles = {
        role.name: RoleSpec(
            role.name,
            role.description,
            role.scopes,
            keeps_holders=True,
            from_config=False,
        )
        for role in DEFAULT_ROLES.values()
    }
    user = roles["user"]
    scopes = tuple(dict.fromkeys((*user.scopes, *extra_user_scopes)))
    roles["user"] = replace(user, scopes=scopes)
    return roles


def _merged(spec: RoleSpec, definition: Mapping[str, Any], base: RoleSpec | None) -> RoleSpec:
    """The definition over the built-in role of its name, if there is one."""
    if base is None:
        return spec
    gives_description = definition.get("description") is not None
    gives_scopes = definition.get("scopes") is not None
    if spec.name == "admin":
        changed = gives_description and spec.description != base.description
        if changed or (gives_scopes and set(spec.scopes) != set(base.scopes)):
            raise RoleInvalid("role 'admin': its description and scopes cannot be changed")
    return replace(
        spec,
        description=spec.description if gives_description else base.description,
        scopes=spec.scopes if gives_scopes else base.scopes,
        keeps_holders=spec.name in _KEEPING_HOLDERS,
    )


def read_role(
    definition: Mapping[str, Any],
    catalogue: Catalogue = CATALOGUE,
    *,
    known_services: Collection[str] | None = None,
) -> RoleSpec:
    """One definition, checked on its own. Raises RoleInvalid."""
    if not isinstance(definition, Mapping):
        raise RoleInvalid(f"a role is defined by a dict, not by {definition!r}")
    if "name" not in definition:
        raise RoleInvalid(f"a role needs a 'name': {dict(definition)!r}")
    name = check_role_name(definition["name"])
    for key in definition:
        if key not in ROLE_KEYS:
            known = ", ".join(ROLE_KEYS)
            hint = nearest(str(key), ROLE_KEYS) or f"; the keys are {known}"
            raise RoleInvalid(f"role {name!r}: there is no key {key!r}{hint}")
    description = definition.get("description")
    if description is not None and not isinstance(description, str):
        raise RoleInvalid(f"role {name!r}: 'description' is a text, not {description!r}")
    holders = {key: _names(name, key, definition.get(key)) for key in HOLDER_KEYS}
    for service in holders["services"] or ():
        if known_services is not None and service not in known_services:
            hint = nearest(service, known_services)
            raise RoleInvalid(f"role {name!r}: there is no service {service!r}{hint}")
    raw_scopes = _names(name, "scopes", definition.get("scopes")) or ()
    scopes = _checked_scopes(name, raw_scopes, catalogue)
    return RoleSpec(
        name,
        description or "",
        scopes,
        users=holders["users"],
        groups=holders["groups"],
        services=holders["services"],
    )


def _names(role: str, key: str, value: object) -> tuple[str, ...] | None:
    """A list of names, each once, in order; None when it was not given."""
    if value is None:
        return None
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    if not isinstance(value, list | tuple) or not all(isinstance(v, str) and v for v in value):
        raise RoleInvalid(f"role {role!r}: {key!r} is a list of names, not {value!r}")
    return tuple(dict.fromkeys(value))


def _checked_scopes(role: str, raws: Iterable[str], catalogue: Catalogue) -> tuple[str, ...]:
    scopes = tuple(raws)
    for raw in scopes:
        try:
            read_scope(raw, catalogue)
        except AccessError as error:
            raise RoleInvalid(f"role {role!r}: {error.message}") from error
    return scopes


def scopes_of_roles(names: Iterable[str], roles: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """The scopes of the roles of these names, each once. Raises RoleNotFound with a hint."""
    scopes: dict[str, None] = {}
    for name in names:
        if name not in roles:
            raise RoleNotFound(f"there is no role {shown(name)}{nearest(name, roles)}")
        scopes.update(dict.fromkeys(roles[name]))
    return tuple(scopes)
