"""Shares: access to one's server, given to a person or a group.

Whoever gives must hold what is given, and must be able to read the name of the
receiver; otherwise sharing would be a way to find out who exists.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from perijove.access.decide import Grant, Target, require
from perijove.access.errors import AccessError
from perijove.access.expand import Client, expand
from perijove.access.shares import missing_to_share, scopes_to_share
from perijove.domain.errors import Forbidden, InvalidInput, NotFound
from perijove.domain.events import Message, Topic
from perijove.domain.groups import Group
from perijove.domain.servers import Server
from perijove.domain.shares import Share
from perijove.domain.users import User
from perijove.kit.clock import Clock
from perijove.people.grants import ROLES, Grants
from perijove.people.texts import MAX_NAME_LENGTH, checked_text, shown
from perijove.store import groups as group_store
from perijove.store import shares as share_store
from perijove.store import users as user_store
from perijove.store.engine import Database
from perijove.store.shares import ShareQuery
from perijove.work.bus import Bus


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who gets a share: exactly one of a user's and a group's name."""

    user: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        for name in (self.user, self.group):
            if name is not None:
                checked_text(name, "The name of a receiver", MAX_NAME_LENGTH)
        if (self.user is None) == (self.group is None):
            raise InvalidInput("Specify exactly one of 'user' and 'group'")


class Shares:
    """Shares of people's servers."""

    def __init__(self, database: Database, bus: Bus, clock: Clock, grants: Grants) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._grants = grants

    # -- look up ------------------------------------------------------------
    async def page(self, query: ShareQuery) -> tuple[list[Share], int]:
        """Shares that are not over, oldest first, and how many there are."""
        now = self._clock.now()
        return await self._database.read(lambda c: share_store.page(c, query, now))

    async def of_owner(self, owner: User, offset: int, limit: int) -> tuple[list[Share], int]:
        """Shares of all servers of a person."""
        return await self.page(ShareQuery(owner_id=owner.id, offset=offset, limit=limit))

    async def of_server(self, server: Server, offset: int, limit: int) -> tuple[list[Share], int]:
        """Shares of one server."""
        return await self.page(ShareQuery(server_id=server.id, offset=offset, limit=limit))

    async def received_by(self, user: User, offset: int, limit: int) -> tuple[list[Share], int]:
        """What a person received, also through groups."""
        return await self.page(ShareQuery(received_by=user.id, offset=offset, limit=limit))

    async def of_group(self, group: Group, offset: int, limit: int) -> tuple[list[Share], int]:
        """What a group received."""
        return await self.page(ShareQuery(group_id=group.id, offset=offset, limit=limit))

    async def find(
        self, server: Server, *, user: User | None = None, group: Group | None = None
    ) -> Share:
        """The share of a server with this person or this group. Raises NotFound.

        For a person, a share with one of their groups will do.
        """
        now = self._clock.now()

        def look(connection: Connection) -> Share | None:
            if group is not None:
                return share_store.find(connection, server.id, group_id=group.id, now=now)
            if user is None:
                return None
            direct = share_store.find(connection, server.id, user_id=user.id, now=now)
            query = ShareQuery(received_by=user.id, server=server.id, limit=1)
            return direct or next(iter(share_store.page(connection, query, now)[0]), None)

        found = await self._database.read(look)
        if found is None:
            raise NotFound
        return found

    # -- give and take --------------------------------------------------------
    async def grant(
        self, server: Server, to: Receiver, scopes: Sequence[str] | None, granter: Grant
    ) -> Share:
        """Give scopes on a server, on top of what the receiver has of it; None: access.

        Raises InvalidInput for scopes that cannot be shared and unknown receivers,
        Forbidden when the granter lacks a scope or may not know the receiver.
        """
        await self._require_readable(to, granter)
        wanted = await checked_scopes(self._grants, server, scopes, granter)
        now = self._clock.now()

        def give(connection: Connection) -> Share:
            user_id, group_id = _ids(connection, to)
            if user_id is None and group_id is None:
                kind = "user" if to.user is not None else "group"
                raise InvalidInput(f"No such {kind}: {shown([to.user or to.group or ''])}")
            share_store.grant(
                connection, server.id, wanted, user_id=user_id, group_id=group_id, now=now
            )
            made = share_store.find(
                connection, server.id, user_id=user_id, group_id=group_id, now=now
            )
            assert made is not None
            return made

        share = await self._database.write(give)
        self._tell()
        return share

    async def revoke(
        self, server: Server, to: Receiver, scopes: Sequence[str] | None = None
    ) -> Share | None:
        """Take scopes back, None: all; what is left. Nothing to take is no error."""
        now = self._clock.now()
        lost = {_filtered(scope, server) for scope in scopes} if scopes is not None else None

        def take(connection: Connection) -> Share | None:
            user_id, group_id = _ids(connection, to)
            if user_id is None and group_id is None:
                return None
            share = share_store.find(
                connection, server.id, user_id=user_id, group_id=group_id, now=now
            )
            if share is None:
                return None
            kept = tuple(s for s in share.scopes if lost is not None and s not in lost)
            share_store.narrow(connection, share.id, kept)
            return replace(share, scopes=kept) if kept else None

        left = await self._database.write(take)
        self._tell()
        return left

    async def revoke_all(self, server: Server) -> None:
        """Take every share of a server back."""
        await self._database.write(lambda c: share_store.remove_of_server(c, server.id))
        self._tell()

    async def leave(
        self, server: Server, *, user: User | None = None, group: Group | None = None
    ) -> None:
        """Give up a share received directly. Raises NotFound."""
        now = self._clock.now()

        def give_up(connection: Connection) -> None:
            share = share_store.find(
                connection,
                server.id,
                user_id=user.id if user else None,
                group_id=group.id if group else None,
                now=now,
            )
            if share is None:
                raise NotFound
            share_store.narrow(connection, share.id, ())

        await self._database.write(give_up)
        self._tell()

    async def _require_readable(self, to: Receiver, granter: Grant) -> None:
        if to.user is not None:
            needs, groups = ("read:users:name",), frozenset[str]()
            if granter.uses_groups(needs):
                groups = await self._grants.groups_of(to.user)
            target = Target.of_user(to.user, groups)
        else:
            needs, target = ("read:groups:name",), Target.of_group(to.group or "")
        try:
            require(granter, needs, target)
        except NotFound as error:
            raise Forbidden(
                f"Sharing with {shown([target.value])} takes the right to read that name: "
                f"{needs[0]} (held for others only)"
            ) from error

    def _tell(self) -> None:
        # Members of a group hold its shares, so a share may concern many: drop all.
        self._bus.publish(Message(Topic.CREDENTIALS, ROLES))


def _ids(connection: Connection, to: Receiver) -> tuple[int | None, int | None]:
    if to.user is not None:
        user = user_store.find(connection, to.user)
        return (user.id if user else None), None
    return None, group_store.ids(connection, [to.group or ""]).get(to.group or "")


def _filtered(scope: str, server: Server) -> str:
    return scope if "!" in scope else f"{scope}!server={server.full_name}"


async def checked_scopes(
    grants: Grants, server: Server, scopes: Sequence[str] | None, granter: Grant
) -> tuple[str, ...]:
    """What is to be shared of a server, with its filter; None asks for access alone.

    Raises InvalidInput for scopes that cannot be shared, Forbidden for those that
    the granter does not hold.
    """
    catalogue = grants.catalogue
    client = Client("server", server.name, server.user_name)
    try:
        wanted = scopes_to_share(scopes, client, catalogue)
    except AccessError as error:
        raise InvalidInput(error.message) from error
    expanded = expand(wanted, catalogue=catalogue).scopes
    members = await grants.members(expanded, granter.scopes)
    lacking = missing_to_share(wanted, granter, members, catalogue)
    if lacking:
        raise Forbidden(f"Not sharing scopes that you do not hold: {', '.join(lacking)}")
    return wanted
