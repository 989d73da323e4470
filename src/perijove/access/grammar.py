"""The text form of scopes: ``base``, ``base!kind=value`` and the short form ``base!kind``.

``read_scope`` is the strict reading, for what operators and clients write.
``parse_scopes`` is the quick one, for scopes that are already expanded: it
gives each base either ``ALL`` or the names its filters list, which is the form
that comparing and deciding work on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal

from perijove.access.catalogue import CATALOGUE, KINDS, Catalogue, Kind
from perijove.access.errors import ScopeInvalid, nearest, shown


class _Reach(Enum):
    ALL = "all"


ALL: Final = _Reach.ALL
"""Not limited by any filter."""

All = Literal[_Reach.ALL]
Filters = Mapping[Kind, frozenset[str]]
"""Kind of filter -> names. Several filters on one scope are alternatives."""

Parsed = Mapping[str, All | Filters]
"""Base scope -> how far it reaches."""

SHORT_KINDS: Final[tuple[Kind, ...]] = ("user", "server", "service")
"""Kinds that may stand without a value, to be filled in from owner and client."""


LONGEST_SCOPE: Final = 1023
"""Characters of one scope; enough for the longest user and server name together."""

CACHED_SETS: Final = 256
"""Sets of scopes that a cache remembers: some 10 kB each, and temporary users come and go.
What people who are busy may do is remembered by ``people.grants`` as well."""

LARGEST_CACHED: Final = 512
"""Sets of more scopes than this are worked out anew each time, to bound the memory."""


@dataclass(frozen=True, slots=True)
class ScopeExpr:
    """One scope as written. ``value`` is None in the short form, ``kind`` without a filter."""

    base: str
    kind: Kind | None = None
    value: str | None = None

    def __str__(self) -> str:
        return format_scope(self.base, self.kind, self.value)


def format_scope(base: str, kind: str | None = None, value: str | None = None) -> str:
    """The text of a scope, filtered when ``kind`` is given."""
    if kind is None:
        return base
    return f"{base}!{kind}" if value is None else f"{base}!{kind}={value}"


@lru_cache(maxsize=8192)
def split_scope(raw: str) -> ScopeExpr | None:
    """The parts of a scope whose base may be anything; None when its filter is malformed."""
    base, bang, rest = raw.partition("!")
    if not bang:
        return ScopeExpr(base)
    kind, equals, value = rest.partition("=")
    if kind not in KINDS or (equals and not value):
        return None
    if not equals:
        return ScopeExpr(base, kind) if kind in SHORT_KINDS else None
    if kind == "server" and not names_server(value):
        return None
    return ScopeExpr(base, kind, value)


def names_server(value: str) -> bool:
    """Whether this can be the value of a ``!server`` filter: ``USERNAME/SERVERNAME``."""
    return value.count("/") == 1 and not value.startswith("/")


def read_scope(raw: str, catalogue: Catalogue = CATALOGUE) -> ScopeExpr:
    """The scope as its parts, after checking everything that can be checked.

    Raises ScopeNotFound for an unknown base, ScopeInvalid for a filter that
    cannot be: of an unknown kind, without a value, on a metascope, or a server
    that is not written ``USERNAME/SERVERNAME``.
    """
    if len(raw) > LONGEST_SCOPE:
        raise ScopeInvalid(raw, f"scope {shown(raw)} is longer than {LONGEST_SCOPE} characters")
    base, bang, rest = raw.partition("!")
    scope = catalogue.get(base)
    if bang and scope.metascope:
        raise ScopeInvalid(raw, f"scope {shown(raw)}: {base!r} takes no filter")
    expr = split_scope(raw)
    if expr is None:
        raise ScopeInvalid(raw, f"scope {shown(raw)}: {_wrong_with_filter(rest)}")
    return expr


def _wrong_with_filter(rest: str) -> str:
    kind, _, value = rest.partition("=")
    if kind not in KINDS:
        return f"a filter is one of !user !server !group !service{nearest(kind, KINDS)}"
    if not value:
        return f"the filter !{kind} needs a value, as in !{kind}=NAME"
    return "a server is written USERNAME/SERVERNAME (USERNAME/ for the default server)"


def read_scopes(raws: Iterable[str], catalogue: Catalogue = CATALOGUE) -> tuple[ScopeExpr, ...]:
    """All of them read strictly, in order; raises as ``read_scope`` does."""
    return tuple(read_scope(raw, catalogue) for raw in raws)


@lru_cache(maxsize=CACHED_SETS)
def _parse(scopes: frozenset[str]) -> Parsed:
    filters: dict[str, All | list[str]] = {}
    for raw in scopes:
        base, bang, rest = raw.partition("!")
        known = filters.get(base)
        if not bang:
            filters[base] = ALL
        elif known is None:
            filters[base] = [rest]
        elif known is not ALL:
            known.append(rest)
    # What a person holds has one and the same filter nearly everywhere.
    read: dict[tuple[str, ...], Filters] = {}
    parsed: dict[str, All | Filters] = {}
    for base, rests in filters.items():
        if isinstance(rests, _Reach):
            parsed[base] = ALL
            continue
        key = tuple(rests)
        made = read.get(key)
        if made is None:
            made = read[key] = _read_filters(rests)
        if made:
            parsed[base] = made
    return MappingProxyType(parsed)


def _read_filters(rests: Iterable[str]) -> Filters:
    """The filters of one scope, written ``kind=value``; malformed ones reach nothing."""
    found: dict[Kind, set[str]] = {}
    for rest in rests:
        expr = split_scope(f"!{rest}")
        if expr is not None and expr.kind is not None and expr.value is not None:
            found.setdefault(expr.kind, set()).add(expr.value)
    return MappingProxyType({kind: frozenset(names) for kind, names in found.items()})


def parse_scopes(scopes: Iterable[str]) -> Parsed:
    """Expanded scopes by base. An unfiltered scope swallows its filtered twins.

    What is malformed, or still in the short form, reaches nothing and is left out.
    """
    known = scopes if isinstance(scopes, frozenset) else frozenset(scopes)
    return _parse(known) if len(known) <= LARGEST_CACHED else _parse.__wrapped__(known)


def unparse(parsed: Parsed) -> frozenset[str]:
    """The text form of parsed scopes; the opposite of ``parse_scopes``."""
    texts: set[str] = set()
    for base, filters in parsed.items():
        if isinstance(filters, _Reach):
            texts.add(base)
        else:
            for kind, names in filters.items():
                texts.update(f"{base}!{kind}={name}" for name in names)
    return frozenset(texts)
