"""What a token may do, and what may be asked for when one is made.

A token never exceeds its owner: its scopes are cut down to the owner's at each
use, so a right that the owner loses is gone from every token at once. There
are three ways to a token, and each has its rule here: somebody asks for one
(``scopes_for_new_token``), a server gets one at its start
(``scopes_for_server``), an OAuth client asks on behalf of a person
(``scopes_asked_by_client``, then ``scopes_granted_to_client``).

A person's token cannot make a stronger one for that person: ``within`` bounds
the new token by the requesting one, also when it asks for ``inherit``. A token
that may make tokens for *others* is bounded by those others, for acting in
their name is what that right is.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Final

from perijove.access.catalogue import CATALOGUE, DEFAULT_ROLES, INHERIT, Catalogue
from perijove.access.decide import Grant
from perijove.access.errors import ScopeInvalid, ScopesNotAllowed, ScopesNotHeld
from perijove.access.expand import Client, Dropped, Expansion, Owner, expand
from perijove.access.grammar import CACHED_SETS, read_scopes
from perijove.access.intersect import NOBODY, Members, intersect, missing

IDENTIFY: Final = "identify"
"""What OAuth clients may ask for as a scope; every token identifies anyhow."""

ACTIVITY_OF_OWNER: Final = "users:activity!user"
"""What no server's token goes without: the right to say that it is in use."""

_LOST = "the owner does not hold it"


def identify_scopes(owner: Owner) -> frozenset[str]:
    """The scopes with which a token tells whose it is."""
    if owner.kind == "service":
        return frozenset({f"read:services:name!service={owner.name}"})
    return frozenset({f"read:users:name!user={owner.name}", f"read:users:groups!user={owner.name}"})


def access_scopes(client: Client) -> frozenset[str]:
    """The scope with which a token may open the client it was issued for."""
    return frozenset({f"access:{client.kind}s!{client.kind}={client.full_name}"})


@lru_cache(maxsize=CACHED_SETS)
def with_identity(grant: Grant, owner: Owner) -> Grant:
    """The grant for requests that only ask whose the credential is: any may know that much."""
    return Grant.of(grant.scopes | identify_scopes(owner))


def scopes_of_token(
    raws: Iterable[str],
    owner: Owner,
    held: frozenset[str],
    client: Client | None = None,
    members: Members = NOBODY,
    catalogue: Catalogue = CATALOGUE,
) -> Expansion:
    """What a token may do now: its scopes, cut down to ``held``, the owner's expanded scopes.

    ``client`` is the server or service that the token was issued for, None for
    tokens made otherwise. ``members`` is asked about the users that
    ``intersect.names_needed(wanted_by_token(...).scopes, held)`` lists.
    """
    raw_set = frozenset(raws)
    if INHERIT in raw_set:
        return Expansion(held)
    wanted = wanted_by_token(raw_set, owner, client, catalogue)
    scopes = intersect(wanted.scopes, held, members)
    lost = missing(wanted.scopes, held, members)
    return Expansion(scopes, (*wanted.dropped, *(Dropped(scope, _LOST) for scope in lost)))


def wanted_by_token(
    raws: Iterable[str],
    owner: Owner,
    client: Client | None = None,
    catalogue: Catalogue = CATALOGUE,
) -> Expansion:
    """What a token asks for, before it is cut down to its owner."""
    scopes = frozenset(raws) | identify_scopes(owner)
    if client is not None:
        scopes |= access_scopes(client)
    return expand(scopes, owner, client, catalogue)


def cut_to_held(
    raws: Iterable[str],
    owner: Owner,
    held: frozenset[str],
    client: Client | None = None,
    members: Members = NOBODY,
    catalogue: Catalogue = CATALOGUE,
) -> tuple[str, ...]:
    """The part of these scopes that the owner holds, in order, each once.

    A scope that is held entirely stays as it was written, so that it keeps its
    meaning; of any other the held part remains, expanded.
    """
    kept: dict[str, None] = {}
    for raw in raws:
        if raw == INHERIT:
            kept[raw] = None
            continue
        wanted = expand((raw,), owner, client, catalogue).scopes
        if not wanted:
            continue
        if not missing(wanted, held, members):
            kept[raw] = None
        else:
            kept.update(dict.fromkeys(sorted(intersect(wanted, held, members))))
    return tuple(kept)


def scopes_for_new_token(
    requested: Collection[str] | None,
    owner: Owner,
    held: frozenset[str],
    *,
    within: frozenset[str] | None = None,
    default: Iterable[str] = DEFAULT_ROLES["token"].scopes,
    members: Members = NOBODY,
    catalogue: Catalogue = CATALOGUE,
) -> tuple[str, ...]:
    """The scopes to store with a new token of ``owner``, who holds ``held``.

    ``requested`` is what was asked for; None asks for ``default``, the scopes of
    the role ``token``, of which then the owner gets what the owner holds.
    ``within`` are the expanded scopes of the requesting credential when it
    belongs to the same owner. Scopes that mean nothing for this owner (``self``
    of a service) are left out. Raises ScopeInvalid or ScopeNotFound for scopes
    that do not exist, ScopesNotHeld when more is asked for than is held.
    """
    bound = held if within is None else intersect(held, within, members)
    raws = tuple(default) if requested is None else tuple(requested)
    read_scopes(raws, catalogue)
    if INHERIT in raws:
        if not missing(held, bound, members):
            return (INHERIT,)
        return tuple(sorted(bound))
    if requested is None:
        return cut_to_held(raws, owner, bound, None, members, catalogue)
    wanted = expand(raws, owner, None, catalogue)
    lacking = missing(wanted.scopes, bound, members)
    if lacking:
        raise ScopesNotHeld(lacking, owner.kind, owner.name)
    meaningless = {drop.scope for drop in wanted.dropped}
    return tuple(dict.fromkeys(raw for raw in raws if raw not in meaningless))


def scopes_for_server(
    wanted: Collection[str],
    client: Client,
    held: frozenset[str],
    *,
    default: Iterable[str] = DEFAULT_ROLES["server"].scopes,
    members: Members = NOBODY,
    catalogue: Catalogue = CATALOGUE,
) -> tuple[str, ...]:
    """The scopes to store with the token that the server ``client`` is started with.

    ``wanted`` comes from the spawner; empty asks for ``default``, the scopes of
    the role ``server``. The right to report activity is added. Everything is cut
    down to what the server's owner holds. Raises as ``grammar.read_scope`` does.
    """
    raws = tuple(wanted) or tuple(default)
    owner = Owner("user", client.user)
    concrete = [
        f"{expr.base}!server={client.full_name}"
        if expr.kind == "server" and not expr.value
        else str(expr)
        for expr in read_scopes(raws, catalogue)
    ]
    reports = expand((ACTIVITY_OF_OWNER,), owner, None, catalogue).scopes
    asked = expand(concrete, owner, None, catalogue).scopes
    if INHERIT not in concrete and missing(reports, asked, members):
        concrete.append(ACTIVITY_OF_OWNER)
    return cut_to_held(concrete, owner, held, client, members, catalogue)


def _basic_scopes(client: Client) -> tuple[str, ...]:
    """What every token of an OAuth client gets, as written: identity and access."""
    return ("read:users:name!user", "read:users:groups!user", *access_scopes(client))


def scopes_asked_by_client(
    requested: Iterable[str],
    allowed: Collection[str],
    client: Client,
    owner: Owner,
    *,
    roles: Mapping[str, Collection[str]],
    members: Members = NOBODY,
    catalogue: Catalogue = CATALOGUE,
) -> tuple[str, ...]:
    """The scopes that an OAuth client asks for, if it may have them at all.

    ``requested`` is the ``scope`` parameter, split; empty asks for all that is
    ``allowed`` to the client. Names of ``roles`` stand for their scopes, and
    ``identify`` is accepted and means nothing. Raises ScopesNotAllowed for what
    is unknown or beyond ``allowed``.
    """
    asked = [scope for scope in requested if scope]
    may_inherit = INHERIT in allowed
    if not asked:
        return tuple(dict.fromkeys(allowed if may_inherit else (*allowed, *_basic_scopes(client))))
    bound = expand((*allowed, *_basic_scopes(client)), owner, client, catalogue).scopes
    found: dict[str, None] = {}
    refused: dict[str, None] = {}
    for word in asked:
        if word == IDENTIFY:
            continue
        meant = _meant_by(word, roles, catalogue)
        if not meant and word not in roles:
            refused[word] = None
        for raw in meant:
            wanted = expand((raw,), owner, client, catalogue).scopes
            fits = raw in allowed or may_inherit
            if not fits and raw != INHERIT and wanted:
                fits = not missing(wanted, bound, members)
            (found if fits else refused)[raw] = None
    if refused:
        raise ScopesNotAllowed(refused)
    return tuple(found)


def _meant_by(
    word: str, roles: Mapping[str, Collection[str]], catalogue: Catalogue
) -> tuple[str, ...]:
    """The scope itself, or the scopes of the role of that name."""
    try:
        read_scopes((word,), catalogue)
    except ScopeInvalid:
        return tuple(roles.get(word, ()))
    return (word,)


def scopes_granted_to_client(
    asked: Iterable[str],
    client: Client,
    owner: Owner,
    held: frozenset[str],
    *,
    members: Members = NOBODY,
    catalogue: Catalogue = CATALOGUE,
) -> tuple[str, ...]:
    """Of what a client asks for, the part that the person holds, with identity and access."""
    kept = cut_to_held(asked, owner, held, client, members, catalogue)
    return tuple(dict.fromkeys((*kept, *_basic_scopes(client))))
