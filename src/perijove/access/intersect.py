"""Comparing two sets of expanded scopes: what both allow, what one lacks.

The difficulty is that one person can be named in three ways. ``!user=ada``,
``!server=ada/lab`` and ``!group=class`` (when ada is a member) overlap without
being equal. So for each base scope the common part is

- everything that both sides list literally;
- a server of one side whose owner the other side names, directly or through a
  group;
- a user of one side who is in a group that the other side names.

Two different groups have nothing in common here, even if they share members:
the result must be true for as long as it is kept, and membership changes.
Membership is handed in as ``members``: a mapping or a function from a user's
name to the names of that user's groups. ``names_needed`` says for whom it will
be asked, so that the caller can look them up in one statement. A result that
depended on membership must be dropped when the membership changes.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from perijove.access.catalogue import Kind
from perijove.access.grammar import ALL, All, Filters, Parsed, format_scope, parse_scopes, unparse

GroupsOf = Callable[[str], frozenset[str]]
Members = GroupsOf | Mapping[str, Collection[str]]
"""The groups of users by name; users whom a mapping lacks are in no group."""

NOBODY: Final[Mapping[str, Collection[str]]] = {}
"""No user is in any group."""

_NONE: Final[frozenset[str]] = frozenset()


def as_lookup(members: Members) -> GroupsOf:
    """Membership as a function, whichever way it was handed in."""
    if not isinstance(members, Mapping):
        return members
    known = members
    return lambda name: frozenset(known.get(name, ()))


def covers_user(filters: Filters, user: str, groups: frozenset[str]) -> bool:
    """Whether the filters reach this user, who is in ``groups``."""
    if user in filters.get("user", _NONE):
        return True
    named = filters.get("group")
    return named is not None and not named.isdisjoint(groups)


def covers_server(filters: Filters, full_name: str, groups: frozenset[str]) -> bool:
    """Whether the filters reach ``USER/SERVER``, whose owner is in ``groups``."""
    if full_name in filters.get("server", _NONE):
        return True
    return covers_user(filters, full_name.partition("/")[0], groups)


def covers_name(filters: Filters, kind: Kind, name: str, groups_of: GroupsOf) -> bool:
    """Whether the filters reach whatever ``!kind=name`` names."""
    if kind == "user":
        return covers_user(filters, name, _groups_if_needed(filters, name, groups_of))
    if kind == "server":
        owner = name.partition("/")[0]
        return covers_server(filters, name, _groups_if_needed(filters, owner, groups_of))
    return name in filters.get(kind, _NONE)


def _groups_if_needed(filters: Filters, user: str, groups_of: GroupsOf) -> frozenset[str]:
    return groups_of(user) if "group" in filters else _NONE


def intersect(
    left: frozenset[str], right: frozenset[str], members: Members = NOBODY
) -> frozenset[str]:
    """What both sets of expanded scopes allow, as expanded scopes."""
    if left == right:
        return unparse(parse_scopes(left))
    groups_of = as_lookup(members)
    one, two = parse_scopes(left), parse_scopes(right)
    common: dict[str, All | Filters] = {}
    for base in one.keys() & two.keys():
        a, b = one[base], two[base]
        if a is ALL:
            common[base] = b
        elif b is ALL:
            common[base] = a
        else:
            common[base] = _common_filters(a, b, groups_of)
    return unparse(common)


def _common_filters(a: Filters, b: Filters, groups_of: GroupsOf) -> Filters:
    found: dict[Kind, frozenset[str]] = {}
    for mine, other in ((a, b), (b, a)):
        for kind, names in mine.items():
            kept = {name for name in names if covers_name(other, kind, name, groups_of)}
            found[kind] = found.get(kind, _NONE) | kept
    return found


def missing(
    wanted: frozenset[str], held: frozenset[str], members: Members = NOBODY
) -> tuple[str, ...]:
    """The expanded scopes of ``wanted`` that ``held`` does not allow, sorted."""
    if wanted <= held:
        return ()  # each is listed literally: by far the usual case
    groups_of = as_lookup(members)
    have = parse_scopes(held)
    lacking: list[str] = []
    for base, asked in parse_scopes(wanted).items():
        reach = have.get(base)
        if reach is ALL:
            continue
        if asked is ALL:
            lacking.append(base)
            continue
        lacking.extend(
            format_scope(base, kind, name)
            for kind, names in asked.items()
            for name in names
            if reach is None or not covers_name(reach, kind, name, groups_of)
        )
    return tuple(sorted(lacking))


def is_subset(wanted: frozenset[str], held: frozenset[str], members: Members = NOBODY) -> bool:
    """Whether ``held`` allows everything that ``wanted`` does."""
    return not missing(wanted, held, members)


def names_needed(left: frozenset[str], right: frozenset[str]) -> frozenset[str]:
    """The users whose groups matter for comparing these two sets."""
    one, two = parse_scopes(left), parse_scopes(right)
    return _named_where_groups(one, two) | _named_where_groups(two, one)


def _named_where_groups(named: Parsed, grouped: Parsed) -> frozenset[str]:
    users: set[str] = set()
    for base, filters in named.items():
        other = grouped.get(base)
        if filters is ALL or other is None or other is ALL or "group" not in other:
            continue
        users |= filters.get("user", _NONE)
        users.update(name.partition("/")[0] for name in filters.get("server", _NONE))
    return frozenset(users)
