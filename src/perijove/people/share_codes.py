"""Share codes: whoever holds one can turn it into a share of a server.

A code is shown once, when it is made; its SHA-256 is stored. Ending a code
leaves the shares that it was turned into.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from perijove.access.decide import Grant
from perijove.domain.errors import Forbidden, InvalidInput, NotFound
from perijove.domain.events import Message, Topic
from perijove.domain.servers import Server
from perijove.domain.shares import ShareCode
from perijove.domain.users import User
from perijove.kit.clock import Clock
from perijove.kit.crypto import MAX_TOKEN_LENGTH, hash_token
from perijove.kit.ids import new_secret
from perijove.people import salted
from perijove.people.grants import Grants
from perijove.people.shares import checked_scopes
from perijove.people.texts import storable
from perijove.store import shares as share_store
from perijove.store.engine import Database
from perijove.work.bus import Bus

LIFE_S = 86400
MIN_LIFE_S = 60
MAX_LIFE_S = 365 * 86400


@dataclass(frozen=True, slots=True)
class NewShareCode:
    """A code just made. ``secret`` is shown once and kept nowhere."""

    secret: str
    code: ShareCode


class ShareCodes:
    """Codes for people's servers."""

    def __init__(self, database: Database, bus: Bus, clock: Clock, grants: Grants) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._grants = grants

    async def create(
        self,
        server: Server,
        scopes: Sequence[str] | None,
        expires_in_s: object,
        granter: Grant,
    ) -> NewShareCode:
        """A code that gives scopes on a server to whoever accepts it; None: access.

        ``expires_in_s`` None: a day. Raises InvalidInput for a bad life or scope,
        Forbidden when the granter lacks a scope.
        """
        life_s = LIFE_S if expires_in_s is None else expires_in_s
        if isinstance(life_s, bool) or not isinstance(life_s, int):
            raise InvalidInput("expires_in must be a whole number of seconds")
        if not MIN_LIFE_S <= life_s <= MAX_LIFE_S:
            raise InvalidInput(f"expires_in must be from {MIN_LIFE_S} to {MAX_LIFE_S} seconds")
        wanted = await checked_scopes(self._grants, server, scopes, granter)
        now = self._clock.now()
        secret = new_secret(32)
        hashed = hash_token(secret)

        def make(connection: Connection) -> ShareCode:
            until = now + timedelta(seconds=life_s)
            share_store.create_code(connection, server.id, hashed, wanted, now, until)
            made = share_store.find_code(connection, hashed)
            assert made is not None
            return made

        return NewShareCode(secret, await self._database.write(make))

    async def page(
        self, *, owner: User | None = None, server: Server | None = None, offset: int, limit: int
    ) -> tuple[list[ShareCode], int]:
        """Valid codes of a person's servers or of one server, and how many there are."""
        return await self._database.read(
            lambda c: share_store.page_codes(
                c,
                owner_id=owner.id if owner else None,
                server_id=server.id if server else None,
                offset=offset,
                limit=limit,
                now=self._clock.now(),
            )
        )

    async def revoke(
        self, server: Server, *, code: str | None = None, public_id: str | None = None
    ) -> None:
        """End one code of a server, by itself or by its id, or all; shares made stay.

        Raises NotFound when a named one does not exist.
        """
        code_id = _number(public_id) if public_id is not None else None
        hashed = hash_token(code) if code is not None else None
        removed = await self._database.write(
            lambda c: share_store.remove_codes(c, server.id, code_id=code_id, hashed=hashed)
        )
        if not removed and (code is not None or public_id is not None):
            raise NotFound

    async def look_at(self, secret: str, visitor: User) -> ShareCode:
        """What a code gives. Raises NotFound (unknown, over), Forbidden (one's own server)."""
        if not 0 < len(secret) <= MAX_TOKEN_LENGTH or not storable(secret):
            raise NotFound
        found = await self._database.read(lambda c: share_store.find_code(c, hash_token(secret)))
        if found is None:
            found = await self._imported(secret)
        if found is None or (found.expires_at and found.expires_at <= self._clock.now()):
            raise NotFound
        if found.owner == visitor.name:
            raise Forbidden("This is your own server; there is nothing to accept")
        return found

    async def _imported(self, secret: str) -> ShareCode | None:
        prefix = salted.prefix_of(secret)
        candidates = await self._database.read(lambda c: share_store.salted_codes(c, prefix))
        code_id = salted.match(candidates, secret)
        if code_id is None:
            return None
        hashed = hash_token(secret)
        await self._database.write(lambda c: share_store.rehash_code(c, code_id, hashed))
        return await self._database.read(lambda c: share_store.find_code(c, hashed))

    async def accept(self, secret: str, visitor: User) -> ShareCode:
        """Turn a code into a share for the visitor. Raises as ``look_at``."""
        code = await self.look_at(secret, visitor)
        now = self._clock.now()

        def take(connection: Connection) -> None:
            # The code may have been revoked since it was looked at.
            if share_store.find_code(connection, hash_token(secret)) is None:
                raise NotFound
            share_store.grant(connection, code.server_id, code.scopes, user_id=visitor.id, now=now)
            share_store.note_exchange(connection, code.id, now)

        await self._database.write(take)
        self._bus.publish(Message(Topic.CREDENTIALS, f"user:{visitor.id}"))
        return code


def _number(public_id: str) -> int:
    """The number in ``sc_NUMBER``. Raises NotFound for anything else."""
    digits = public_id.removeprefix("sc_")
    if digits == public_id or not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise NotFound
    return int(digits)
