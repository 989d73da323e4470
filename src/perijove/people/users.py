"""Accounts: listed, made, changed, deleted.

Two rules hold whatever scopes the caller has: who is not an admin changes or
deletes no admin and makes none, and the admin flag and the role ``admin`` are
one and the same. A name arrives normalised in the database, by whichever
entrance it came.
"""

import logging
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from perijove.access.decide import EVERY_ROW, RowFilter, guard_admin, raise_if_denied
from perijove.domain.errors import Conflict, InvalidInput, NotFound, PluginError
from perijove.domain.events import Message, Topic
from perijove.domain.ports import AuthenticatorPort
from perijove.domain.users import EVERYTHING, Parts, User, UserDetail, UserQuery
from perijove.kit.clock import Clock
from perijove.people.activity import Activity
from perijove.people.auth_state import AuthStates
from perijove.people.cache import TTL_S, Cache
from perijove.people.grants import MEMBERS, ROLES
from perijove.people.texts import MAX_NAME_LENGTH, checked_text, shown, storable
from perijove.store import details as detail_store
from perijove.store import roles as role_store
from perijove.store import sessions as session_store
from perijove.store import tokens as token_store
from perijove.store import users as user_store
from perijove.store.engine import Database
from perijove.work.bus import Bus

log = logging.getLogger("perijove.users")

USER_ROLE: Final = "user"
ADMIN_ROLE: Final = "admin"

EVERYBODY: Final = "everybody"
"""The list that has milestones, as their key in the cache."""

UNCHANGED: Final[Any] = object()
"""Stands for a value that an edit leaves as it is, where None means something."""


class Users:
    """The hub's accounts."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        authenticator: AuthenticatorPort,
        activity: Activity,
        auth_states: AuthStates,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._authenticator = authenticator
        self._activity = activity
        self._auth_states = auth_states
        self._milestones: Cache[tuple[float, detail_store.Milestones]] = Cache(bus, clock)

    # -- look up ------------------------------------------------------------
    async def find(self, name: str) -> User | None:
        """The person of exactly this name."""
        if not storable(name):
            return None
        return await self._database.read(lambda c: user_store.find(c, name))

    async def get(self, name: str, parts: Parts = EVERYTHING) -> UserDetail:
        """The person with groups, roles and servers. Raises NotFound."""
        if not storable(name):
            raise NotFound
        detail = await self._database.read(lambda c: detail_store.detail(c, name, parts))
        if detail is None:
            raise NotFound
        return self._activity.in_user(detail)

    async def page(
        self,
        query: UserQuery,
        rows: RowFilter = EVERY_ROW,
        parts: Parts = EVERYTHING,
        *,
        counted: bool = True,
    ) -> tuple[list[UserDetail], int]:
        """One page of the people that ``rows`` lets the caller see, and how many there are.

        Not ``counted``: what is on the page will do, which saves a statement. Raises
        InvalidInput for an unknown state or sort.
        """
        if query.state is not None and query.state not in detail_store.STATES:
            raise InvalidInput(f"state must be one of {', '.join(detail_store.STATES)}")
        if query.sort.removeprefix("-") not in detail_store.SORTS:
            raise InvalidInput(f"sort must be one of {', '.join(detail_store.SORTS)}, or -NAME")
        if not storable(query.name_filter):
            return [], 0
        if query.sort.removeprefix("-") == "last_activity":
            await self._activity.flush()

        passed: detail_store.Milestones = ()
        if detail_store.uses_milestones(query, rows):
            passed = await self._milestones_to(query.offset)

        def read(connection: Connection) -> tuple[list[UserDetail], int]:
            found = detail_store.page(connection, query, rows, parts, passed)
            # A page that is not full is the last one, unless it lies beyond the end.
            last = len(found) < query.limit and (found or query.offset == 0)
            if last or not counted:
                return found, query.offset + len(found)
            return found, detail_store.count(connection, query, rows)

        found, total = await self._database.read(read)
        return [self._activity.in_user(detail) for detail in found], total

    async def _milestones_to(self, offset: int) -> detail_store.Milestones:
        """Milestones in the list of everybody, as far as ``offset`` if it is that long."""
        generation, now = self._milestones.generation, self._clock.monotonic()
        until, known = self._milestones.get(EVERYBODY) or (0.0, ())
        if until <= now:
            # Those that grow are remembered anew again and again; they still end in time.
            until, known = now + TTL_S, ()
        if (len(known) + 1) * detail_store.MILE <= offset:
            known = await self._database.read(lambda c: detail_store.milestones(c, known, offset))
            self._milestones.put(EVERYBODY, (until, known), (MEMBERS,), generation)
        return known

    # -- make ---------------------------------------------------------------
    def checked_name(self, name: object) -> str:
        """A name as the hub stores it. Raises InvalidInput when nobody may be called so."""
        text = checked_text(name, "The name of a user", MAX_NAME_LENGTH)
        normalized = self._authenticator.normalize(text)
        if len(normalized) > MAX_NAME_LENGTH or not self._authenticator.is_valid(normalized):
            raise InvalidInput(f"Invalid username: {shown([text])}")
        return normalized

    async def create(
        self, names: Sequence[str], *, admin: bool = False, by_admin: bool
    ) -> list[UserDetail]:
        """New accounts; names that exist are skipped.

        All names are checked before any account is made. The authenticator may
        refuse one: that account goes, earlier ones stay. Raises Forbidden when a
        non-admin asks for admins, InvalidInput for bad and refused names, Conflict
        when all exist.
        """
        guard(by_admin, admin)
        wanted = list(dict.fromkeys(self.checked_name(name) for name in names))
        if not wanted:
            raise InvalidInput("Must specify at least one user to create")
        try:
            made = await self._database.write(lambda c: self.create_now(c, wanted, admin=admin))
        except IntegrityError:
            # Another request made one of them at the same time; now that account is known.
            made = await self._database.write(lambda c: self.create_now(c, wanted, admin=admin))
        if not made:
            raise Conflict(f"User {shown(wanted)} already exists")
        for position, user in enumerate(made):
            try:
                await self._authenticator.add_user(user)
            except PluginError as error:
                # Accounts whose turn did not come were never seen by the plug-in: they go, too.
                await self._discard(made[position:])
                log.warning("Cannot create %s: %s", shown([user.name]), error)
                detail = error.shown or error.detail
                raise InvalidInput(
                    f"Failed to create user {shown([user.name])}: {detail[:200]}"
                ) from error
        self._publish(MEMBERS)
        return await self._database.read(lambda c: detail_store.details(c, made))

    async def existing(self, names: Sequence[str]) -> list[UserDetail]:
        """The accounts of these names, however they are spelt.

        Raises Conflict when one is missing or about to be deleted.
        """
        wanted = list(dict.fromkeys(self.checked_name(name) for name in names))

        def read(connection: Connection) -> list[UserDetail]:
            found = user_store.named(connection, wanted)
            for user in user_store.deleting(connection):
                found.pop(user.name, None)
            leaving = [name for name in wanted if name not in found]
            if leaving:
                raise Conflict(f"User {shown(leaving)} is about to be deleted")
            return detail_store.details(connection, [found[name] for name in wanted])

        return [self._activity.in_user(detail) for detail in await self._database.read(read)]

    async def _discard(self, people: Sequence[User]) -> None:
        def discard(connection: Connection) -> None:
            for user in people:
                user_store.remove(connection, user.id)

        await self._database.write(discard)
        self._publish(MEMBERS)

    def create_now(
        self, connection: Connection, names: Sequence[str], *, admin: bool = False
    ) -> list[User]:
        """Accounts for those of these (checked) names that have none, with default roles.

        Runs in the caller's transaction; the authenticator is not asked.
        """
        known = user_store.named(connection, names)
        new = [name for name in dict.fromkeys(names) if name not in known]
        made = user_store.create(connection, new, self._clock.now(), admin=admin)
        ids = [user.id for user in made]
        for role in (USER_ROLE, ADMIN_ROLE) if admin else (USER_ROLE,):
            if (found := role_store.find(connection, role)) is not None:
                role_store.give(connection, "user", found.id, ids)
        return made

    # -- change -------------------------------------------------------------
    async def edit(
        self,
        name: str,
        *,
        by_admin: bool,
        new_name: str | None = None,
        admin: bool | None = None,
        auth_state: Any = UNCHANGED,
    ) -> UserDetail:
        """Change an account; None (auth_state: ``UNCHANGED``) leaves a value as it is.

        Raises NotFound; Forbidden when a non-admin touches an admin or makes one;
        InvalidInput for a bad or taken name; Conflict while a server is active
        that would keep the old name.
        """
        target = new_name if new_name is None else self.checked_name(new_name)
        values: dict[str, Any] = {}
        if auth_state is not UNCHANGED:
            values["encrypted_auth_state"] = self._auth_states.seal(auth_state)

        if not storable(name):
            raise NotFound

        def change(connection: Connection) -> tuple[int, list[int]]:
            user = user_store.find(connection, name)
            if user is None:
                raise NotFound
            affected = user.admin or bool(admin)
            guard(by_admin, affected)
            ended: list[int] = []
            if target is not None and target != user.name:
                ended = self._rename(connection, user, target)
            if values:
                user_store.change(connection, user.id, **values)
            if admin is not None and admin != user.admin:
                set_admin(connection, user, admin)
            return user.id, ended

        try:
            user_id, ended = await self._database.write(change)
        except IntegrityError as error:
            raise InvalidInput(f"User {shown([target or name])} already exists") from error
        self._publish(f"user:{user_id}", *(f"token:{token_id}" for token_id in ended))
        if target is not None:
            self._publish(ROLES)
        return await self.get(target or name)

    def _rename(self, connection: Connection, user: User, target: str) -> list[int]:
        if user_store.find(connection, target) is not None:
            raise InvalidInput(f"User {shown([target])} already exists, username must be unique")
        ended = user_store.drop_server_clients(connection, user.id)
        if not user_store.rename(connection, user.id, target):
            raise Conflict(
                f"{shown([user.name])} cannot be renamed while a server of theirs is active"
            )
        token_store.rename_in_scopes(connection, user.name, target)
        return ended

    # -- delete -------------------------------------------------------------
    async def may_delete(self, name: str, *, by_admin: bool) -> UserDetail:
        """The account, if this caller may delete it. Raises NotFound or Forbidden."""
        detail = await self.get(name)
        guard(by_admin, detail.user.admin)
        return detail

    async def retire(self, user: User) -> None:
        """The account is about to go: its sign-ins and tokens end now.

        Tokens that a server of theirs uses stay until that server has stopped.
        """

        def end(connection: Connection) -> list[int]:
            user_store.mark_deleting(connection, user.id)
            session_store.remove_of_user(connection, user.id)
            return token_store.remove_of_user(connection, user.id)

        ended = await self._database.write(end)
        self._publish(f"user:{user.id}", *(f"token:{token_id}" for token_id in ended))

    async def remove(self, user: User) -> None:
        """Delete the account with all that hangs on it; no error if it is gone already.

        The authenticator and the spawners have been told by the caller. Raises
        Conflict while a server of theirs is active.
        """

        def delete(connection: Connection) -> list[int]:
            ended = user_store.drop_server_clients(connection, user.id)
            if not user_store.remove(connection, user.id) and user_store.get(connection, user.id):
                raise Conflict(f"{shown([user.name])} has an active server, which must stop first")
            return ended

        ended = await self._database.write(delete)
        self._publish(f"user:{user.id}", MEMBERS, *(f"token:{token_id}" for token_id in ended))

    def _publish(self, *keys: str) -> None:
        for key in keys:
            self._bus.publish(Message(Topic.CREDENTIALS, key))


def guard(by_admin: bool, target_is_admin: bool) -> None:
    """Raises Forbidden when somebody who is not an admin touches one, or makes one."""
    denied = guard_admin(caller_is_admin=by_admin, target_is_admin=target_is_admin)
    if denied is not None:
        raise_if_denied(denied)


def set_admin(connection: Connection, user: User, admin: bool) -> None:
    """The admin flag and, with it, the role ``admin``."""
    user_store.change(connection, user.id, admin=admin)
    role = role_store.find(connection, ADMIN_ROLE)
    if role is None:
        return
    if admin:
        role_store.give(connection, "user", role.id, [user.id])
    else:
        role_store.take(connection, "user", role.id, [user.id])
