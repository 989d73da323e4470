"""Which fields of a model a caller may read.

A field appears with any of its scopes, if that scope reaches the thing. The
fields without a scope of their own (kind, name) appear as soon as any other
does; when none is readable the thing is invisible, and lists leave it out.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from perijove.access.decide import Grant, Target, reaches
from perijove.access.grammar import ALL, All, Filters

FieldTable = Mapping[str, tuple[str, ...]]
"""Field -> the scopes any of which reveals it; none means: with any other field."""


def _table(*names_of_thing: str, **scopes: tuple[str, ...]) -> FieldTable:
    return MappingProxyType({**dict.fromkeys(("kind", "name"), names_of_thing), **scopes})


USER_FIELDS: Final = _table(
    admin=("read:users", "read:users:name", "read:roles:users"),
    roles=("read:users", "read:roles:users"),
    groups=("read:users", "read:users:groups"),
    server=("read:users",),
    pending=("read:users",),
    created=("read:users",),
    last_activity=("read:users", "read:users:activity"),
    user_info=("read:users", "read:users:name"),
    servers=("read:servers",),
    auth_state=("admin:auth_state",),
)

GROUP_FIELDS: Final = _table(
    "read:groups:name",
    roles=("read:roles:groups",),
    users=("read:groups",),
    properties=("read:groups",),
)

SERVICE_FIELDS: Final = _table(
    admin=("read:services", "read:services:name", "read:roles:services"),
    roles=("read:roles:services",),
    url=("read:services",),
    prefix=("read:services",),
    command=("read:services",),
    pid=("read:services",),
    info=("read:services",),
    display=("read:services",),
)

_NONE: Final[frozenset[str]] = frozenset()
_ANY: Final = frozenset({"kind", "name"})

Plan = tuple[frozenset[str], tuple[tuple[Filters, frozenset[str]], ...]]
"""Fields that are readable of everything, and what else is of targets that a filter reaches."""


@lru_cache(maxsize=2048)
def _plan(grant: Grant, table_name: str) -> Plan:
    """What does not depend on the target, worked out once per grant.

    A list of a thousand users asks the same question a thousand times.
    """
    always: set[str] = set()
    opened: list[tuple[Filters, set[str]]] = []
    for base, names in _opened_by(table_name).items():
        filters = grant.parsed.get(base)
        if filters is ALL:
            always |= names
        elif filters is not None:
            # One person's token has the same filter on all of its scopes.
            same = next((known for held, known in opened if held == filters), None)
            if same is None:
                opened.append((filters, set(names)))
            else:
                same |= names
    depends = [(filters, frozenset(names - always)) for filters, names in opened if names - always]
    return (frozenset(always) | _ANY if always else _NONE), tuple(depends)


@lru_cache
def _opened_by(table_name: str) -> Mapping[str, frozenset[str]]:
    """Which fields each base scope reveals."""
    found: dict[str, set[str]] = {}
    for name, scopes in _TABLES[table_name].items():
        for base in scopes:
            found.setdefault(base, set()).add(name)
    return {base: frozenset(names) for base, names in found.items()}


_TABLES: Final[Mapping[str, FieldTable]] = MappingProxyType(
    {"user": USER_FIELDS, "group": GROUP_FIELDS, "service": SERVICE_FIELDS}
)


def _readable(grant: Grant, table_name: str, target: Target) -> frozenset[str]:
    always, depends = _plan(grant, table_name)
    if not depends:
        return always
    found = [names for filters, names in depends if reaches(filters, target)]
    return always.union(_ANY, *found) if found else always


def readable_user_fields(grant: Grant, target: Target) -> frozenset[str]:
    """The fields of a user that the caller may read; empty: the user is invisible.

    ``servers`` is among them when all servers of the user are readable, or some
    by name; ``readable_servers`` says which.
    """
    fields = _readable(grant, "user", target)
    if "servers" not in fields and readable_servers(grant, target):
        return fields | _ANY | {"servers"}
    return fields


def uniform_user_fields(grant: Grant) -> frozenset[str] | None:
    """The fields that are readable of every user alike; None: it depends on the user."""
    always, depends = _plan(grant, "user")
    servers = grant.parsed.get("read:servers")
    return always if not depends and (servers is None or servers is ALL) else None


def possible_user_fields(grant: Grant) -> frozenset[str]:
    """The fields of users that the caller may read of anybody at all."""
    always, depends = _plan(grant, "user")
    return always.union(*(names for _, names in depends))


def readable_servers(grant: Grant, target: Target) -> All | frozenset[str]:
    """Which servers of a user the caller may read: ALL, or these names (maybe none)."""
    filters = grant.parsed.get("read:servers")
    if filters is None:
        return _NONE
    if filters is ALL or reaches(filters, target):
        return ALL
    return _servers_of(target.user, filters.get("server", _NONE))


def _servers_of(user: str, full_names: Iterable[str]) -> frozenset[str]:
    prefix = f"{user}/"
    return frozenset(full[len(prefix) :] for full in full_names if full.startswith(prefix))


def readable_group_fields(grant: Grant, target: Target) -> frozenset[str]:
    """The fields of a group that the caller may read; empty: the group is invisible."""
    return _readable(grant, "group", target)


def readable_service_fields(grant: Grant, target: Target) -> frozenset[str]:
    """The fields of a service that the caller may read; empty: the service is invisible."""
    return _readable(grant, "service", target)


def needs_groups_for_fields(grant: Grant) -> bool:
    """Whether the readable fields of users can depend on the groups of those users."""
    scopes = {base for needed in USER_FIELDS.values() for base in needed}
    return any(grant.uses_groups((base,)) for base in scopes)
