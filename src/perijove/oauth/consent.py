"""Who may be let in to a client, with what, and whether they must be asked.

Pure decisions are ``access.tokens``'; here they are fed from the database. The
same examination runs when a person arrives and when they have agreed, so what
changed meanwhile, or was forged, counts for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from perijove.access.catalogue import INHERIT, Catalogue
from perijove.access.decide import Denied, Grant, Target, decide
from perijove.access.describe import ScopeText, describe_scopes
from perijove.access.expand import Client, expand
from perijove.access.intersect import is_subset, names_needed
from perijove.access.tokens import (
    scopes_asked_by_client,
    scopes_granted_to_client,
    wanted_by_token,
)
from perijove.domain.errors import Forbidden
from perijove.domain.tokens import ClientOwner, OAuthClient
from perijove.domain.users import User
from perijove.people.grants import Grants, client_of, owner_of
from perijove.store import roles as role_store
from perijove.store import tokens as token_store


@dataclass(frozen=True, slots=True)
class Consent:
    """What a client gets if the person agrees.

    ``scopes`` are what the token would hold; ``needs_confirmation``: the person
    has to be asked first, with ``texts`` in words.
    """

    client: OAuthClient
    owner: ClientOwner
    scopes: tuple[str, ...]
    texts: tuple[ScopeText, ...]
    needs_confirmation: bool


def scopes_asked(
    connection: Connection,
    grants: Grants,
    visitor: User,
    client: OAuthClient,
    owner: ClientOwner,
    requested: Sequence[str],
) -> tuple[str, ...]:
    """The scopes that the client asks for, resolved. Raises access.errors.ScopesNotAllowed."""
    target = _access_client(owner)
    who = owner_of(visitor)
    roles = {role.name: role.scopes for role in role_store.all_roles(connection).values()}
    bound = wanted_by_token(client.allowed_scopes, who, target, grants.catalogue).scopes
    asked = expand([s for s in requested if s], who, target, grants.catalogue).scopes
    members = grants.members_now(connection, names_needed(asked, bound))
    return scopes_asked_by_client(
        requested,
        client.allowed_scopes,
        target,
        who,
        roles=roles,
        members=members,
        catalogue=grants.catalogue,
    )


def examine(
    connection: Connection,
    grants: Grants,
    visitor: User,
    client: OAuthClient,
    owner: ClientOwner,
    asked: Sequence[str],
    now: datetime,
) -> Consent:
    """What the client would get from this person now.

    Raises Forbidden when the person may not enter the client at all.
    """
    held = grants.held_now(connection, visitor)
    if not opens(connection, grants, held.grant, owner):
        place = "/".join(owner.server) if owner.server else owner.service
        kind = "server" if owner.server else "service"
        raise Forbidden(f"You do not have permission to access the {kind} {place}")
    target = _access_client(owner)
    who = owner_of(visitor)
    wanted = wanted_by_token(asked, who, target, grants.catalogue).scopes
    members = grants.members_now(connection, names_needed(wanted, held.scopes))
    scopes = scopes_granted_to_client(
        asked, target, who, held.scopes, members=members, catalogue=grants.catalogue
    )
    return Consent(
        client,
        owner,
        scopes,
        describe_scopes(scopes, who, target, grants.catalogue),
        _must_ask(connection, grants.catalogue, visitor, client, owner, scopes, now),
    )


def _access_client(owner: ClientOwner) -> Client:
    client = client_of(owner)
    assert client is not None
    return client


def opens(connection: Connection, grants: Grants, grant: Grant, owner: ClientOwner) -> bool:
    """Whether somebody with this grant may enter the client's server or service."""
    if owner.server is not None:
        user, name = owner.server
        groups = frozenset(grants.members_now(connection, [user]).get(user, ()))
        target, needs = Target.of_server(user, name, groups), ("access:servers",)
    else:
        target, needs = Target.of_service(owner.service or ""), ("access:services",)
    return not isinstance(decide(grant, needs, target), Denied)


def _must_ask(
    connection: Connection,
    catalogue: Catalogue,
    visitor: User,
    client: OAuthClient,
    owner: ClientOwner,
    scopes: Sequence[str],
    now: datetime,
) -> bool:
    """Not about one's own server, a trusted client, or what the client has already."""
    if owner.no_confirm or (owner.server is not None and owner.server[0] == visitor.name):
        return False
    given = token_store.scopes_held(connection, visitor.id, client.identifier, now)
    if not given:
        return True
    if INHERIT in given:
        return False
    if INHERIT in scopes:
        return True
    who, target = owner_of(visitor), _access_client(owner)
    wanted = expand(scopes, who, target, catalogue).scopes
    return not is_subset(wanted, wanted_by_token(given, who, target, catalogue).scopes)
