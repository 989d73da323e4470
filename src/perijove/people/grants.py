"""What callers may do now: rights of people, services and tokens, worked out and kept.

Working out a grant reads roles, groups and shares; keeping it makes a request
cost a look-up in memory. Entries are dropped when the bus says that something
about the holder changed, and after seconds anyway.

Bus keys used here: ``user:ID``, ``service:ID``, ``token:ID``, ``members`` (some
group gained or lost members), and ``*`` (roles changed).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from perijove.access.catalogue import CATALOGUE, INHERIT, Catalogue
from perijove.access.decide import Grant
from perijove.access.expand import (
    Client,
    Expansion,
    Owner,
    scopes_of_service,
    scopes_of_user,
)
from perijove.access.intersect import names_needed
from perijove.access.tokens import scopes_of_token, wanted_by_token
from perijove.domain.tokens import Bearer, ClientOwner, Token
from perijove.domain.users import Service, User
from perijove.kit.clock import Clock
from perijove.people.cache import Cache
from perijove.people.texts import storable
from perijove.store import groups as group_store
from perijove.store import oauth as oauth_store
from perijove.store import rights as rights_store
from perijove.store import roles as role_store
from perijove.store import users as user_store
from perijove.store.engine import Database
from perijove.work.bus import Bus

log = logging.getLogger("perijove.grants")

MEMBERS = "members"
"""Bus key: some group gained or lost members."""

ROLES = "*"
"""Bus key: definitions of roles changed, which may concern anybody."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a person or service may do in their own name, and in which groups they are."""

    grant: Grant
    groups: frozenset[str] = frozenset()

    @property
    def scopes(self) -> frozenset[str]:
        """The expanded scopes."""
        return self.grant.scopes


def owner_of(holder: User | Service) -> Owner:
    """The holder as the access room names it."""
    return Owner("user" if isinstance(holder, User) else "service", holder.name)


def tag_of(holder: User | Service) -> str:
    """The holder's bus key."""
    return f"{'user' if isinstance(holder, User) else 'service'}:{holder.id}"


def client_of(owner: ClientOwner | None) -> Client | None:
    """The server or service behind an OAuth client as the access room names it."""
    if owner is None:
        return None
    if owner.server is not None:
        user, name = owner.server
        return Client("server", name, user)
    return Client("service", owner.service or "")


class Grants:
    """Works grants out, and keeps them while they are true."""

    def __init__(
        self, database: Database, bus: Bus, clock: Clock, catalogue: Catalogue = CATALOGUE
    ) -> None:
        """``catalogue``: all scopes of this hub, with the operator's own."""
        self._database = database
        self._clock = clock
        self.catalogue = catalogue
        self._held: Cache[Held] = Cache(bus, clock)
        self._tokens: Cache[Grant] = Cache(bus, clock)
        self._groups: Cache[frozenset[str]] = Cache(bus, clock)
        self._roles: Cache[Mapping[str, tuple[str, ...]]] = Cache(bus, clock)
        self._told: set[tuple[str, str]] = set()

    async def grant_of(self, caller: User | Service | Bearer) -> Grant:
        """What the caller may do: as signed in, as a service, or through a token."""
        if isinstance(caller, Bearer):
            return await self._of_bearer(caller)
        return (await self.held_by(caller)).grant

    async def role_scopes(self) -> Mapping[str, tuple[str, ...]]:
        """The scopes of every role as defined now, by its name."""
        known = self._roles.get(ROLES)
        if known is not None:
            return known
        generation = self._roles.generation
        roles = await self._database.read(role_store.all_roles)
        scopes = {name: role.scopes for name, role in roles.items()}
        self._roles.put(ROLES, scopes, (ROLES,), generation)
        return scopes

    async def held_by(self, holder: User | Service) -> Held:
        """What a person or service may do in their own name."""
        key = tag_of(holder)
        known = self._held.get(key)
        if known is not None:
            return known
        generation = self._held.generation
        held = await self._database.read(lambda c: self.held_now(c, holder))
        tags = [key] if isinstance(holder, Service) else [key, MEMBERS]
        self._held.put(key, held, tags, generation)
        return held

    def held_now(self, connection: Connection, holder: User | Service) -> Held:
        """``held_by`` from the database, for use inside a transaction."""
        if isinstance(holder, Service):
            raws = [s for role in role_store.of_service(connection, holder.id) for s in role.scopes]
            expansion = scopes_of_service(holder.name, raws, self.catalogue)
            self._tell(f"service {holder.name}", expansion)
            return Held(Grant.of(expansion.scopes))
        rights = rights_store.of_user(connection, holder.id, self._clock.now())
        expansion = scopes_of_user(
            holder.name, rights.role_scopes, rights.share_scopes, self.catalogue
        )
        self._tell(f"user {holder.name}", expansion)
        return Held(Grant.of(expansion.scopes), rights.groups)

    async def _of_bearer(self, bearer: Bearer) -> Grant:
        known = self._tokens.get(bearer.token.id)
        return known or (await self.of_tokens(bearer.owner, [bearer.token]))[0]

    async def of_tokens(self, owner: User | Service, tokens: Sequence[Token]) -> list[Grant]:
        """What these tokens of one owner allow: as many statements for all as for one."""
        found: dict[int, Grant] = {}
        for token in tokens:
            if (known := self._tokens.get(token.id)) is not None:
                found[token.id] = known
        unknown = [token for token in tokens if token.id not in found]
        if unknown:
            generation = self._tokens.generation
            held = await self.held_by(owner)
            made = {token.id: held.grant for token in unknown}
            narrow = [token for token in unknown if INHERIT not in token.scopes]
            if narrow:
                made |= await self._database.read(
                    lambda c: self._cut(c, narrow, owner, held.scopes)
                )
            for token_id, grant in made.items():
                tags = (f"token:{token_id}", tag_of(owner), MEMBERS)
                self._tokens.put(token_id, grant, tags, generation)
            found |= made
        return [found[token.id] for token in tokens]

    def _cut(
        self,
        connection: Connection,
        tokens: Sequence[Token],
        owner: User | Service,
        held: frozenset[str],
    ) -> dict[int, Grant]:
        """The grants of tokens by their ids, each cut down to what their owner holds."""
        who = owner_of(owner)
        owners = oauth_store.client_owners(connection, {token.client_id for token in tokens})
        clients = {token.id: client_of(owners.get(token.client_id)) for token in tokens}
        names: frozenset[str] = frozenset()
        for token in tokens:
            wanted = wanted_by_token(token.scopes, who, clients[token.id], self.catalogue)
            names |= names_needed(wanted.scopes, held)
        members = self.members_now(connection, names)
        made = {}
        for token in tokens:
            client = clients[token.id]
            cut = scopes_of_token(token.scopes, who, held, client, members, self.catalogue)
            self._tell(f"token {token.public_id}", cut)
            made[token.id] = Grant.of(cut.scopes)
        return made

    def members_now(
        self, connection: Connection, names: Iterable[str]
    ) -> dict[str, tuple[str, ...]]:
        """The groups of these people by name, for comparing scopes with group filters."""
        wanted = list(names)
        if not wanted:
            return {}
        found = user_store.named(connection, wanted)
        groups = group_store.names_of_users(connection, [user.id for user in found.values()])
        return {name: groups.get(user.id, ()) for name, user in found.items()}

    async def members(
        self, wanted: frozenset[str], held: frozenset[str]
    ) -> dict[str, tuple[str, ...]]:
        """The membership that comparing these two sets of expanded scopes takes."""
        return await self.members_of(names_needed(wanted, held))

    async def members_of(self, names: frozenset[str]) -> dict[str, tuple[str, ...]]:
        """The groups of these people by name."""
        if not names:
            return {}
        return await self._database.read(lambda c: self.members_now(c, names))

    async def groups_of(self, name: str) -> frozenset[str]:
        """The groups of the person ``name``, for ``access.decide.Target``; none if unknown."""
        if not storable(name):
            return frozenset()
        known = self._groups.get(name)
        if known is not None:
            return known
        generation = self._groups.generation
        found = await self._database.read(lambda c: self.members_now(c, [name]))
        groups = frozenset(found.get(name, ()))
        self._groups.put(name, groups, (MEMBERS,), generation)
        return groups

    def _tell(self, who: str, expansion: Expansion) -> None:
        """Log, once each, which scopes grant nothing."""
        for drop in expansion.dropped:
            if (who, drop.scope) not in self._told and len(self._told) < 10_000:
                self._told.add((who, drop.scope))
                log.debug("Scope %r of %s grants nothing: %s", drop.scope, who, drop.reason)
