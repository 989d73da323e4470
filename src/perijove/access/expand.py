"""From what was written to what it means for one owner.

Roles and tokens keep scopes as people wrote them: ``self``, ``servers!user``,
``users``. Expansion fills in the names, adds the sub-scopes and removes what a
wider scope already says. It never fails: a scope that means nothing here (an
unknown one, ``self`` of a service, ``!server`` without a server) is left out
and listed with the reason, so that the caller can log it.

Sub-scopes keep the filter of their parent, with one exception: below a
``!server`` filter nothing that starts with ``read:user`` is added. Who was
given one server of somebody must not learn about that person.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from perijove.access.catalogue import CATALOGUE, INHERIT, SELF, SELF_SCOPES, Catalogue, Kind
from perijove.access.grammar import (
    CACHED_SETS,
    LARGEST_CACHED,
    ScopeExpr,
    names_server,
    split_scope,
)

_HIDDEN_BELOW_SERVER = "read:user"


@dataclass(frozen=True, slots=True)
class Owner:
    """The user or service that holds a role or a token."""

    kind: Literal["user", "service"]
    name: str


@dataclass(frozen=True, slots=True)
class Client:
    """The server or service for which a token was issued through OAuth.

    A server is its owner's name and its own name (empty for the default
    server); a service is its name, with ``user`` empty.
    """

    kind: Literal["server", "service"]
    name: str
    user: str = ""

    @property
    def full_name(self) -> str:
        """The value that filters use for it."""
        return f"{self.user}/{self.name}" if self.kind == "server" else self.name


@dataclass(frozen=True, slots=True)
class Dropped:
    """A scope that grants nothing here, and why."""

    scope: str
    reason: str


@dataclass(frozen=True, slots=True)
class Expansion:
    """Scopes with all names and sub-scopes filled in, and what was left out."""

    scopes: frozenset[str]
    dropped: tuple[Dropped, ...] = ()


def expand(
    scopes: Iterable[str],
    owner: Owner | None = None,
    client: Client | None = None,
    catalogue: Catalogue = CATALOGUE,
) -> Expansion:
    """What these scopes mean for ``owner``, when used through ``client``.

    ``inherit`` means nothing by itself and is left out; ``tokens`` resolves it.
    Cached: an expansion that was asked for before costs about a microsecond.
    """
    raws = scopes if isinstance(scopes, frozenset) else frozenset(scopes)
    work = _expand if len(raws) <= LARGEST_CACHED else _expand.__wrapped__
    return work(raws, owner, client, catalogue)


@lru_cache(maxsize=CACHED_SETS)
def _expand(
    raws: frozenset[str], owner: Owner | None, client: Client | None, catalogue: Catalogue
) -> Expansion:
    # By filter: names under one filter are added as sets, and texts are made once at the end.
    found: defaultdict[tuple[Kind | None, str | None], set[str]] = defaultdict(set)
    dropped: list[Dropped] = []
    for raw in sorted(raws):
        resolved = _resolve(raw, owner, client, catalogue)
        if isinstance(resolved, Dropped):
            dropped.append(resolved)
        else:
            for expr in resolved:
                found[expr.kind, expr.value] |= _with_subscopes(expr, catalogue)
    texts = unfiltered = found.pop((None, None), set())
    for (kind, value), names in found.items():
        texts = texts.union(f"{name}!{kind}={value}" for name in names - unfiltered)
    return Expansion(frozenset(texts), tuple(dropped))


def _resolve(
    raw: str, owner: Owner | None, client: Client | None, catalogue: Catalogue
) -> tuple[ScopeExpr, ...] | Dropped:
    """The scope with its names filled in; ``self`` becomes several."""
    if raw == SELF:
        if owner is None or owner.kind != "user":
            return Dropped(raw, "'self' means something for users only")
        return tuple(ScopeExpr(base, "user", owner.name) for base in SELF_SCOPES)
    if raw == INHERIT:
        return Dropped(raw, "'inherit' means something on tokens only")
    expr = split_scope(raw)
    if expr is None:
        return Dropped(raw, "the filter is malformed")
    if expr.base not in catalogue:
        return Dropped(raw, "there is no such scope")
    if expr.base in (SELF, INHERIT):
        return Dropped(raw, f"{expr.base!r} takes no filter")
    if expr.kind is None or expr.value is not None:
        return (expr,)
    value = _value_of_short_form(expr.kind, owner, client)
    if value is None:
        return Dropped(raw, f"there is no {expr.kind} here for the filter to stand for")
    if expr.kind == "server" and not names_server(value):
        return Dropped(raw, "no filter can name this server, for its owner's name has a slash")
    return (ScopeExpr(expr.base, expr.kind, value),)


def _value_of_short_form(kind: str, owner: Owner | None, client: Client | None) -> str | None:
    if kind == "user":
        return owner.name if owner is not None and owner.kind == "user" else None
    if client is not None and client.kind == kind:
        return client.full_name
    if kind == "service" and owner is not None and owner.kind == "service":
        return owner.name
    return None


def _with_subscopes(expr: ScopeExpr, catalogue: Catalogue) -> frozenset[str]:
    """The scope and all below it, which have its filter as well."""
    names = catalogue.contained(expr.base)
    if expr.kind != "server":
        return names
    return frozenset(
        name for name in names if name == expr.base or not name.startswith(_HIDDEN_BELOW_SERVER)
    )


def scopes_of_user(
    name: str,
    role_scopes: Iterable[str],
    share_scopes: Iterable[str] = (),
    catalogue: Catalogue = CATALOGUE,
) -> Expansion:
    """What a user may do: the scopes of all roles held, also through groups, and of shares."""
    return expand(frozenset((*role_scopes, *share_scopes)), Owner("user", name), None, catalogue)


def scopes_of_service(
    name: str, role_scopes: Iterable[str], catalogue: Catalogue = CATALOGUE
) -> Expansion:
    """What a service may do: the scopes of its roles."""
    return expand(frozenset(role_scopes), Owner("service", name), None, catalogue)
