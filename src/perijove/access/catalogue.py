"""Every scope, what it contains and what it can be limited to; and the built-in roles.

The tables are the single place of these facts: expansion, validation, the
consent page and the reference documentation are made from them. Operators add
their own ``custom:`` scopes; a catalogue with those is a new value
(``Catalogue.with_custom``), handed to whoever needs it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from perijove.access.errors import CustomScopeInvalid, ScopeNotFound, nearest, shown

Kind = Literal["user", "server", "group", "service"]
"""What a filter can name."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

SELF: Final = "self"
"""Metascope of users: everything they may do with their own account."""

INHERIT: Final = "inherit"
"""Metascope of tokens: whatever the owner may do at the moment of use."""

NO_SCOPE_DESCRIPTION: Final = "Know who you are, and nothing more."
"""What a consent page says when nothing is granted besides the identity."""

_CUSTOM_NAME = re.compile(r"custom:[a-z0-9][a-z0-9_\-*:]+[a-z0-9_*]")
_CUSTOM_KEYS = frozenset({"description", "subscopes"})


@dataclass(frozen=True, slots=True)
class Scope:
    """One permission: its direct sub-scopes and the kinds of filter that make sense on it."""

    name: str
    description: str
    subscopes: tuple[str, ...] = ()
    filters: tuple[Kind, ...] = ()
    metascope: bool = False


_USERS: Final[tuple[Kind, ...]] = ("user", "group")
_SERVERS: Final[tuple[Kind, ...]] = ("user", "server", "group")
_GROUPS: Final[tuple[Kind, ...]] = ("group",)
_SERVICES: Final[tuple[Kind, ...]] = ("service",)

_TABLE: Final = (
    Scope(SELF, "Everything people may do with their own account.", metascope=True),
    Scope(INHERIT, "Everything the owner of the token may do.", metascope=True),
    Scope("admin-ui", "Open the admin page."),
    # -- users
    Scope(
        "admin:users",
        "Create, change and delete users and see their sign-in state.",
        ("admin:auth_state", "users", "read:roles:users", "delete:users"),
        _USERS,
    ),
    Scope("admin:auth_state", "See the stored sign-in state of users.", (), _USERS),
    Scope(
        "users",
        "See and change users, without their servers, tokens and sign-in state.",
        ("read:users", "list:users", "users:activity"),
        _USERS,
    ),
    Scope("delete:users", "Delete users.", (), _USERS),
    Scope("list:users", "List users, at least by name.", ("read:users:name",), _USERS),
    Scope(
        "read:users",
        "See users: names, groups, activity and the address of their server.",
        ("read:users:name", "read:users:groups", "read:users:activity"),
        _USERS,
    ),
    Scope("read:users:name", "See the names of users.", (), _USERS),
    Scope("read:users:groups", "See the groups of users.", (), _USERS),
    Scope("read:users:activity", "See when users were last active.", (), _USERS),
    Scope("users:activity", "Report activity of users.", ("read:users:activity",), _USERS),
    # -- roles
    Scope(
        "read:roles",
        "See who holds which role.",
        ("read:roles:users", "read:roles:services", "read:roles:groups"),
        ("user", "group", "service"),
    ),
    Scope("read:roles:users", "See the roles of users.", (), _USERS),
    Scope("read:roles:services", "See the roles of services.", (), _SERVICES),
    Scope("read:roles:groups", "See the roles of groups.", (), _GROUPS),
    # -- servers
    Scope(
        "admin:servers",
        "Start, stop, create and delete servers and see their internal state.",
        ("admin:server_state", "servers"),
        _SERVERS,
    ),
    Scope("admin:server_state", "See the internal state of servers.", (), _SERVERS),
    Scope(
        "servers",
        "See, start and stop servers.",
        ("read:servers", "start:servers", "delete:servers"),
        _SERVERS,
    ),
    Scope(
        "read:servers",
        "See servers, without their internal state.",
        ("read:users:name",),
        _SERVERS,
    ),
    Scope("start:servers", "Create, change and start servers.", (), _SERVERS),
    Scope("delete:servers", "Stop and delete servers.", (), _SERVERS),
    Scope("access:servers", "Open servers, in a browser or through their API.", (), _SERVERS),
    # -- tokens
    Scope("tokens", "Create, see and revoke tokens of users.", ("read:tokens",), _USERS),
    Scope("read:tokens", "See what tokens users have, never the secrets.", (), _USERS),
    # -- groups
    Scope(
        "admin:groups",
        "Create, change and delete groups.",
        ("groups", "read:roles:groups", "delete:groups"),
        _GROUPS,
    ),
    Scope(
        "groups",
        "Change groups and their members, who gain whatever the group grants.",
        ("read:groups", "list:groups"),
        _GROUPS,
    ),
    Scope("list:groups", "List groups, at least by name.", ("read:groups:name",), _GROUPS),
    Scope("read:groups", "See groups and their members.", ("read:groups:name",), _GROUPS),
    Scope("read:groups:name", "See the names of groups.", (), _GROUPS),
    Scope("delete:groups", "Delete groups.", (), _GROUPS),
    # -- services
    Scope(
        "admin:services",
        "See all services; add and remove those made at run time.",
        ("list:services", "read:services", "read:roles:services"),
        _SERVICES,
    ),
    Scope("list:services", "List services, at least by name.", ("read:services:name",), _SERVICES),
    Scope("read:services", "See services in full.", ("read:services:name",), _SERVICES),
    Scope("read:services:name", "See the names of services.", (), _SERVICES),
    Scope("access:services", "Open services, in a browser or through their API.", (), _SERVICES),
    # -- shares
    Scope(
        "shares",
        "Give others access to servers, see and take back what was given.",
        ("access:servers", "read:shares", "users:shares", "groups:shares"),
        _SERVERS,
    ),
    Scope("read:shares", "See who was given access to servers.", (), _SERVERS),
    Scope(
        "users:shares",
        "See and give up access that users were given to servers of others.",
        ("read:users:shares",),
        _USERS,
    ),
    Scope("read:users:shares", "See the access users were given to servers.", (), _USERS),
    Scope(
        "groups:shares",
        "See and give up access that groups were given to servers.",
        ("read:groups:shares",),
        _GROUPS,
    ),
    Scope("read:groups:shares", "See the access groups were given to servers.", (), _GROUPS),
    # -- the hub itself
    Scope("read:hub", "See details of the hub: versions and plug-ins."),
    Scope("proxy", "See the routes, have them checked, announce another proxy."),
    Scope("shutdown", "Shut the hub down."),
    Scope("read:metrics", "Read the metrics."),
)

SELF_SCOPES: Final = (
    "read:users",
    "users:shares",
    "read:shares",
    "users:activity",
    "servers",
    "tokens",
    "access:servers",
)
"""What ``self`` stands for, each limited to the user in question."""


@dataclass(frozen=True, slots=True)
class DefaultRole:
    """A role that always exists."""

    name: str
    description: str
    scopes: tuple[str, ...]


DEFAULT_ROLES: Final[Mapping[str, DefaultRole]] = MappingProxyType(
    {
        role.name: role
        for role in (
            DefaultRole("user", "Every user has it: full use of the own account.", (SELF,)),
            DefaultRole(
                "admin",
                "Full control of the hub.",
                (
                    "admin-ui",
                    "admin:users",
                    "admin:servers",
                    "admin:services",
                    "tokens",
                    "admin:groups",
                    "list:services",
                    "read:services",
                    "read:hub",
                    "proxy",
                    "shutdown",
                    "access:services",
                    "access:servers",
                    "read:roles",
                    "read:metrics",
                    "shares",
                ),
            ),
            DefaultRole(
                "server",
                "What a server's own token may do: report activity, reach itself.",
                ("users:activity!user", "access:servers!server"),
            ),
            DefaultRole("token", "What a new token may do when nothing is asked for.", (INHERIT,)),
        )
    }
)


def _closure(name: str, scopes: Mapping[str, Scope]) -> frozenset[str]:
    """The scope and everything below it."""
    found = {name}
    open_ends = [name]
    while open_ends:
        for inner in scopes[open_ends.pop()].subscopes:
            if inner not in found:
                found.add(inner)
                open_ends.append(inner)
    return frozenset(found)


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """All scopes of one hub. Compared by identity: a hub has one.

    ``notes`` are remarks on the definitions of custom scopes that the operator
    should see in the log.
    """

    scopes: Mapping[str, Scope]
    notes: tuple[str, ...] = ()
    _closures: dict[str, frozenset[str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        closures = {name: _closure(name, self.scopes) for name in self.scopes}
        object.__setattr__(self, "_closures", closures)

    def __contains__(self, name: object) -> bool:
        return name in self.scopes

    def get(self, name: str) -> Scope:
        """The scope of this name. Raises ScopeNotFound with a hint at the nearest one."""
        try:
            return self.scopes[name]
        except KeyError:
            raise ScopeNotFound(name, self._unknown(name)) from None

    def contained(self, name: str) -> frozenset[str]:
        """The scope itself and all its sub-scopes, at any depth. Raises KeyError."""
        return self._closures[name]

    def with_custom(self, definitions: Mapping[str, Any]) -> "Catalogue":
        """A catalogue that also holds these scopes.

        A definition is ``{"description": str, "subscopes": [custom scopes of the
        same mapping]}``. Other keys are ignored with a note. Raises
        CustomScopeInvalid, naming the scope and what is wrong with it.
        """
        notes = list(self.notes)
        new: dict[str, Scope] = {}
        for name, definition in definitions.items():
            scope = _read_custom(name, definition, definitions, notes)
            if self.scopes.get(name, scope) != scope:
                raise CustomScopeInvalid(f"custom scope {name!r} is already defined otherwise")
            new[name] = scope
        return Catalogue(MappingProxyType({**self.scopes, **new}), tuple(notes))

    def _unknown(self, name: str) -> str:
        if name == "all":
            return f"there is no scope 'all'; a token with {INHERIT!r} has the rights of its owner"
        return f"there is no scope {shown(name)}{nearest(name, self.scopes)}"


def _read_custom(name: str, definition: Any, known: Iterable[str], notes: list[str]) -> Scope:
    if not isinstance(name, str) or not _CUSTOM_NAME.fullmatch(name):
        raise CustomScopeInvalid(
            f"custom scope {name!r}: a name starts with 'custom:' and goes on with at least three "
            "of a-z 0-9 _ - * :, the first a letter or digit, the last not '-' or ':'"
        )
    if not isinstance(definition, Mapping):
        raise CustomScopeInvalid(
            f"custom scope {name!r}: the definition is a dict with 'description' and 'subscopes'"
        )
    description = definition.get("description")
    if not isinstance(description, str) or not description.strip():
        raise CustomScopeInvalid(f"custom scope {name!r} needs a 'description'")
    subscopes = definition.get("subscopes") or ()
    if isinstance(subscopes, str) or not isinstance(subscopes, list | tuple | set | frozenset):
        raise CustomScopeInvalid(f"custom scope {name!r}: 'subscopes' is a list of custom scopes")
    for inner in subscopes:
        if not isinstance(inner, str) or not inner.startswith("custom:"):
            raise CustomScopeInvalid(
                f"custom scope {name!r}: only custom scopes can be sub-scopes, not {inner!r}"
            )
        if inner not in known:
            hint = nearest(inner, known)
            raise CustomScopeInvalid(
                f"custom scope {name!r}: its sub-scope {inner!r} is not defined{hint}"
            )
    for key in definition:
        if key not in _CUSTOM_KEYS:
            hint = nearest(str(key), _CUSTOM_KEYS)
            notes.append(f"custom scope {name!r}: the key {key!r} is ignored{hint}")
    return Scope(name, description, tuple(sorted(subscopes)), KINDS)


CATALOGUE: Final = Catalogue(MappingProxyType({scope.name: scope for scope in _TABLE}))
"""The scopes that every hub has."""
