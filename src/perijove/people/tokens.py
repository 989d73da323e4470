"""API tokens: made, recognised, listed, revoked.

A token is random and long, so its SHA-256 is looked up in a unique index.
Imported tokens carry slow, salted hashes: the first use finds them by prefix,
checks them off the event loop, and puts the SHA-256 in their place.

OAuth access tokens are in the same table; revoking one revokes all that its
client holds for that person.
"""

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from perijove.access.catalogue import DEFAULT_ROLES, INHERIT
from perijove.access.errors import AccessError
from perijove.access.intersect import names_needed
from perijove.access.roles import scopes_of_roles
from perijove.access.tokens import scopes_for_new_token, wanted_by_token
from perijove.domain.errors import ConfigError, InvalidInput, NotFound
from perijove.domain.events import Message, Topic
from perijove.domain.tokens import HUB_CLIENT, HUB_CLIENT_NAME, Bearer, Token, TokenDetail
from perijove.domain.users import Service, User
from perijove.kit.clock import Clock
from perijove.kit.crypto import MAX_TOKEN_LENGTH, hash_token
from perijove.kit.ids import new_token
from perijove.people import salted
from perijove.people.activity import Activity
from perijove.people.cache import Cache
from perijove.people.grants import Grants, owner_of, tag_of
from perijove.people.texts import checked_text, storable
from perijove.store import oauth as oauth_store
from perijove.store import tokens as token_store
from perijove.store.engine import Database
from perijove.work.bus import Bus

log = logging.getLogger("perijove.tokens")

MIN_TOKEN_LENGTH = 8
"""Shorter tokens are not taken from the configuration."""

MAX_LIFE_S = 100 * 366 * 86400
"""Longest life that can be asked for (seconds); beyond it dates end."""

MAX_NOTE_LENGTH = 1023
CONFIG_NOTE = "from config"


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made. ``secret`` is shown once and kept nowhere."""

    secret: str
    detail: TokenDetail


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What somebody asks for. ``scopes`` and ``roles`` exclude each other; None: the default.

    ``expires_in_s`` None or 0: as long as the hub allows.
    """

    note: str = ""
    scopes: tuple[str, ...] | None = None
    roles: tuple[str, ...] | None = None
    expires_in_s: int | None = None


class Tokens:
    """The hub's API tokens."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        grants: Grants,
        activity: Activity,
        *,
        max_life_s: int = 0,
    ) -> None:
        """``max_life_s``: longest life of tokens made on request; 0: no limit."""
        self._database = database
        self._bus = bus
        self._clock = clock
        self._grants = grants
        self._activity = activity
        self._max_life_s = max_life_s
        self._cache: Cache[Bearer] = Cache(bus, clock)

    # -- recognise ----------------------------------------------------------
    async def resolve(self, secret: str) -> Bearer | None:
        """The token and its owner; None when it is unknown or expired."""
        if not 0 < len(secret) <= MAX_TOKEN_LENGTH or not storable(secret):
            return None
        hashed = hash_token(secret)
        bearer = self._cache.get(hashed)
        if bearer is None:
            generation = self._cache.generation
            bearer = await self._database.read(lambda c: token_store.find(c, hashed))
            if bearer is None:
                bearer = await self._imported(secret, hashed)
            if bearer is None:
                return None
            tags = (f"token:{bearer.token.id}", tag_of(bearer.owner))
            self._cache.put(hashed, bearer, tags, generation)
        expires_at = bearer.token.expires_at
        if expires_at is not None and expires_at <= self._clock.now():
            return None
        return bearer

    async def _imported(self, secret: str, hashed: str) -> Bearer | None:
        prefix = salted.prefix_of(secret)
        candidates = await self._database.read(lambda c: token_store.salted(c, prefix))
        if not candidates:
            return None
        # A hash may take milliseconds, so neither the loop nor the writer does it.
        token_id = await asyncio.to_thread(salted.match, candidates, secret)
        if token_id is None:
            return None

        def adopt(connection: Connection) -> Bearer | None:
            token_store.rehash(connection, token_id, hashed)
            return token_store.find(connection, hashed)

        return await self._database.write(adopt)

    # -- list ---------------------------------------------------------------
    async def list_of(self, user: User) -> list[TokenDetail]:
        """A person's tokens that are not expired, least recently used first."""
        now = self._clock.now()
        found = await self._database.read(lambda c: token_store.of_user(c, user.id, now))
        shown = [self._activity.in_token(detail) for detail in found]
        return sorted(shown, key=lambda d: (d.token.last_activity or d.token.created, d.token.id))

    async def get(self, user: User, public_id: str) -> TokenDetail:
        """One token of a person. Raises NotFound, also for somebody else's and expired ones."""
        token_id = _number(public_id)
        detail = await self._database.read(lambda c: self._get(c, user, token_id))
        return self._activity.in_token(detail)

    def _get(self, connection: Connection, user: User, token_id: int) -> TokenDetail:
        detail = token_store.detail(connection, token_id)
        if detail is None or detail.token.user_id != user.id:
            raise NotFound
        expires_at = detail.token.expires_at
        if expires_at is not None and expires_at <= self._clock.now():
            raise NotFound
        return detail

    # -- make ---------------------------------------------------------------
    async def request(
        self,
        owner: User | Service,
        request: TokenRequest,
        *,
        within: frozenset[str] | None = None,
    ) -> NewToken:
        """A token that somebody asks for; what they ask for is checked.

        ``within``: the expanded scopes of the requesting credential when it belongs
        to the same owner (a token cannot make a stronger one). Raises InvalidInput
        for a bad life, unknown scopes or roles, and scopes that the owner lacks.
        """
        if request.scopes is not None and request.roles is not None:
            raise InvalidInput("Specify only one of 'roles' and 'scopes'")
        note = checked_text(request.note, "note", MAX_NOTE_LENGTH)
        expires_at = self.expiry(request.expires_in_s)
        scopes = await self._scopes_for(owner, request, within)
        now = self._clock.now()
        return await self._database.write(
            lambda c: self._create(c, owner, scopes, note, now, expires_at)
        )

    async def _scopes_for(
        self,
        owner: User | Service,
        request: TokenRequest,
        within: frozenset[str] | None,
    ) -> tuple[str, ...]:
        """The scopes to store, checked against what the owner holds.

        That may be remembered: a right lost this very moment is in no token, since
        each is cut down to its owner whenever it is used.
        """
        catalogue = self._grants.catalogue
        who = owner_of(owner)
        known = await self._grants.role_scopes()
        default = known.get("token", DEFAULT_ROLES["token"].scopes)
        asked = default if request.scopes is None else request.scopes
        if request.roles is None and within is None and asked == (INHERIT,):
            return asked  # whatever the owner holds, at each use
        held = (await self._grants.held_by(owner)).scopes
        try:
            wanted: Sequence[str] | None = request.scopes
            if request.roles is not None:
                wanted = scopes_of_roles(request.roles, known)
            expanded = wanted_by_token(wanted or default, who, None, catalogue).scopes
            names = names_needed(expanded, held)
            if within is not None:
                names |= names_needed(held, within) | names_needed(expanded, within)
            return scopes_for_new_token(
                wanted,
                who,
                held,
                within=within,
                default=default,
                members=await self._grants.members_of(names),
                catalogue=catalogue,
            )
        except AccessError as error:
            raise InvalidInput(error.message) from error

    def expiry(self, expires_in_s: object) -> datetime | None:
        """When a token ends that is asked for with this life; None: never.

        None and 0 ask for the longest life there is. Raises InvalidInput for anything
        else but whole numbers of seconds up to what the hub allows.
        """
        if expires_in_s is None:
            expires_in_s = 0
        if isinstance(expires_in_s, bool) or not isinstance(expires_in_s, int):
            raise InvalidInput("expires_in must be a whole number of seconds, or null")
        longest = self._max_life_s or MAX_LIFE_S
        if not 0 <= expires_in_s <= longest:
            raise InvalidInput(f"expires_in must be from 0 to {longest} seconds")
        if expires_in_s == 0:
            expires_in_s = self._max_life_s
        if expires_in_s == 0:
            return None
        return self._clock.now() + timedelta(seconds=expires_in_s)

    def create_now(
        self,
        connection: Connection,
        owner: User | Service,
        scopes: Sequence[str],
        *,
        note: str = "",
        client_id: str = HUB_CLIENT,
        session_id: str | None = None,
        expires_at: datetime | None = None,
        secret: str | None = None,
    ) -> NewToken:
        """Store a token inside the caller's transaction; the scopes have been checked.

        Used for servers' and services' own tokens and for OAuth. ``secret``: the
        token itself, if it exists already.
        """
        return self._create(
            connection,
            owner,
            scopes,
            note,
            self._clock.now(),
            expires_at,
            client_id=client_id,
            session_id=session_id,
            secret=secret,
        )

    def _create(
        self,
        connection: Connection,
        owner: User | Service,
        scopes: Sequence[str],
        note: str,
        now: datetime,
        expires_at: datetime | None,
        *,
        client_id: str = HUB_CLIENT,
        session_id: str | None = None,
        secret: str | None = None,
    ) -> NewToken:
        secret = new_token() if secret is None else secret
        is_user = isinstance(owner, User)
        token = token_store.create(
            connection,
            hashed=hash_token(secret),
            user_id=owner.id if is_user else None,
            service_id=None if is_user else owner.id,
            client_id=client_id,
            session_id=session_id,
            scopes=scopes,
            now=now,
            expires_at=expires_at,
            note=note[:MAX_NOTE_LENGTH],
        )
        if client_id == HUB_CLIENT:
            return NewToken(secret, TokenDetail(token, HUB_CLIENT_NAME))
        client = oauth_store.find_client(connection, client_id)
        return NewToken(secret, TokenDetail(token, client.description if client else ""))

    def adopt_given(
        self,
        connection: Connection,
        secret: str,
        owner: User | Service,
        *,
        note: str = CONFIG_NOTE,
        scopes: Sequence[str] = ("inherit",),
    ) -> Token:
        """A token that comes from outside, such as from the configuration.

        One that exists already keeps its scopes and its past. Raises ConfigError
        when it cannot be a token or belongs to somebody else.
        """
        if not MIN_TOKEN_LENGTH <= len(secret) <= MAX_TOKEN_LENGTH:
            raise ConfigError(
                f"The token given for {owner.name!r} has {len(secret)} characters; "
                f"a token has {MIN_TOKEN_LENGTH} to {MAX_TOKEN_LENGTH}."
            )
        present = self.find_now(connection, secret)
        if present is None:
            return self._create(
                connection, owner, scopes, note, self._clock.now(), None, secret=secret
            ).detail.token
        if tag_of(present.owner) != tag_of(owner):
            raise ConfigError(
                f"The token given for {owner.name!r} belongs to {present.owner.name!r} already."
            )
        if present.token.expires_at is not None:
            token_store.change(connection, present.token.id, expires_at=None)
        return present.token

    def find_now(self, connection: Connection, secret: str) -> Bearer | None:
        """Whose token this is, inside the caller's transaction; expired ones count."""
        hashed = hash_token(secret)
        bearer = token_store.find(connection, hashed)
        if bearer is None:
            candidates = token_store.salted(connection, salted.prefix_of(secret))
            token_id = salted.match(candidates, secret)
            if token_id is not None:
                token_store.rehash(connection, token_id, hashed)
                bearer = token_store.find(connection, hashed)
        return bearer

    # -- revoke -------------------------------------------------------------
    async def revoke(self, user: User, public_id: str) -> None:
        """End a token; one of an OAuth client takes all of that client's along.

        Raises NotFound.
        """
        token_id = _number(public_id)

        def end(connection: Connection) -> list[int]:
            token = self._get(connection, user, token_id).token
            if token.client_id != HUB_CLIENT:
                return token_store.remove_of_client(connection, user.id, token.client_id)
            return [token_id] if token_store.remove(connection, [token_id]) else []

        ended = await self._database.write(end)
        if not ended:
            raise NotFound
        self.forget(ended)

    async def revoke_ids(self, token_ids: Collection[int]) -> None:
        """End these tokens; missing ones are no error."""
        if token_ids:
            await self._database.write(lambda c: token_store.remove(c, token_ids))
            self.forget(token_ids)

    def changed(self, owner: User | Service) -> None:
        """What is known of this owner changed: nobody is to answer for them from memory."""
        self._bus.publish(Message(Topic.CREDENTIALS, tag_of(owner)))

    def forget(self, token_ids: Collection[int]) -> None:
        """These tokens changed or are gone: nobody is to answer for them from memory."""
        for token_id in token_ids:
            self._bus.publish(Message(Topic.CREDENTIALS, f"token:{token_id}"))


def _number(public_id: str) -> int:
    """The number in ``aNUMBER``. Raises NotFound for anything else."""
    digits = public_id[1:]
    if not public_id.startswith("a") or not digits.isascii() or not digits.isdigit():
        raise NotFound
    if len(digits) > 18:
        raise NotFound
    return int(digits)
