"""People for code that cannot wait: look-ups that plug-ins expect to be plain calls.

``handler.users``, ``app.users`` and ``jupyterhub.user.UserDict``. They read the
database at once. On PostgreSQL that blocks the event loop for a round trip, so
only plug-ins come this way.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from perijove.compat import stored
from perijove.domain.errors import StartFailed
from perijove.domain.servers import Server
from perijove.domain.users import User
from perijove.plugins.context import HubContext, PluginUser
from perijove.plugins.failures import ask_or_log
from perijove.plugins.spawner_pool import SpawnerPool
from perijove.store import groups as group_store
from perijove.store import servers as server_store
from perijove.store import users as user_store
from perijove.web.rooms import Rooms

LONGEST_WAIT_S = 24 * 3600.0
"""Starts and stops have limits of their own, which end long before."""


class People(Mapping[Any, PluginUser]):
    """The hub's users by name or id, as ``handler.users`` and ``handler.find_user`` give them."""

    def __init__(self, rooms: Rooms, context: HubContext) -> None:
        self._rooms = rooms
        self._context = context

    def find(self, name: str) -> PluginUser | None:
        """The user of that name, or None."""
        return self._look_up(lambda connection: user_store.find(connection, name))

    def by_id(self, user_id: int) -> PluginUser | None:
        """The user with that id, or None."""
        return self._look_up(lambda connection: user_store.get(connection, user_id))

    def _look_up(self, find: Any) -> PluginUser | None:
        def read(connection: Connection) -> tuple[User, tuple[str, ...]] | None:
            user: User | None = find(connection)
            if user is None:
                return None
            return user, tuple(group_store.names_of_user(connection, user.id))

        found = self._context.database.read_now(read)
        return self._context.user(*found) if found is not None else None

    def find_or_create(self, name: str) -> PluginUser:
        """The user of that name, made when missing. Raises InvalidInput for impossible names."""
        self._context.db.settle()
        known = self.find(name)
        if known is not None:
            return known
        checked = self._rooms.users.checked_name(name)
        self._context.database.write_now(
            lambda connection: self._rooms.users.create_now(connection, [checked])
        )
        made = self.find(checked)
        assert made is not None
        return made

    def default_server(self, user: PluginUser) -> Server | None:
        """The user's default server as stored now."""
        server: Server | None = self._context.database.read_now(
            lambda connection: server_store.find(connection, user.name, "")
        )
        return server

    # -- servers --------------------------------------------------------------------------
    def spawner_of(self, user: PluginUser, name: str) -> Any:
        """The spawner of a server, alive or not. Raises KeyError when there is no such server."""
        self._context.db.settle()
        server = self._context.database.read_now(lambda c: server_store.find(c, user.name, name))
        if server is None:
            raise KeyError(f"{user.name} has no server named {name!r}")
        pool = self._rooms.spawners
        assert isinstance(pool, SpawnerPool)
        return pool.peek(server, user.record).spawner

    async def start(
        self, user: PluginUser, name: str, options: dict[str, Any] | None, handler: Any
    ) -> None:
        """Start a server and wait until it is ready. Raises what the start raised."""
        call = getattr(handler, "_hub_call", None)
        extra: dict[str, Any] = {"options": options} if options is not None else {}
        spawner = self._spawner_or_none(user, name)
        server = await self._rooms.commands.request_start(
            user.record, name, request=call.request if call is not None else None, **extra
        )
        try:
            await self._rooms.commands.wait_started(server, LONGEST_WAIT_S)
        except StartFailed as error:
            raise _reason_in(spawner) or error from None

    def _spawner_or_none(self, user: PluginUser, name: str) -> Any:
        """The object that a start in this process will use, if the server is known."""
        try:
            return self.spawner_of(user, name)
        except KeyError:
            return None

    async def stop(self, user: PluginUser, name: str) -> None:
        """Stop a server and wait until it is gone."""
        server = await self._rooms.commands.find(user.name, name)
        if server is not None and server.active:
            await self._rooms.commands.request_stop(server)
            await self._rooms.commands.wait_stopped(server, LONGEST_WAIT_S)

    @staticmethod
    async def delete_forever(spawner: Any) -> None:
        """Let a spawner clean up for good; its errors are logged."""
        await ask_or_log(spawner, "delete_forever", spawner.delete_forever)

    # -- as a mapping, the way plug-ins use it ---------------------------------------------
    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the tornado application."""
        return self._context.settings

    @property
    def db(self) -> Any:
        """The database session that plug-ins share."""
        return self._context.db

    def get(self, key: Any, default: Any = None) -> Any:
        """The user by name, id, or an object with an id."""
        self._context.db.settle()
        if isinstance(key, str):
            found = self.find(key)
        else:
            found = self.by_id(key if isinstance(key, int) else key.id)
        return default if found is None else found

    def __getitem__(self, key: Any) -> PluginUser:
        found: PluginUser | None = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    add = from_orm = __getitem__

    def delete(self, key: Any) -> None:
        """Delete a user from the database. Raises KeyError."""
        user = self[key]
        row = self.db.get(stored.User, user.id)
        if row is not None:
            self.db.delete(row)
            self.db.commit()

    __delitem__ = delete

    def __iter__(self) -> Iterator[int]:
        self._context.db.settle()
        users: list[User] = self._context.database.read_now(user_store.everybody)
        return iter([user.id for user in users])

    def __len__(self) -> int:
        return int(self._context.database.read_now(user_store.count))

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None


def _reason_in(spawner: Any) -> BaseException | None:
    """What a plug-in raised in its start, if that was in this process."""
    future = getattr(spawner, "_spawn_future", None)
    if future is None or not future.done() or future.cancelled():
        return None
    reason: BaseException | None = future.exception()
    return reason


class Services(Mapping[str, "stored.Service"]):
    """The hub's services by name, as stored now: ``handler.services``."""

    def __init__(self, context: HubContext) -> None:
        self._db: Any = context.db

    def __getitem__(self, name: str) -> "stored.Service":
        found: stored.Service | None = stored.Service.find(self._db, name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter([service.name for service in self._db.query(stored.Service)])

    def __len__(self) -> int:
        return int(self._db.query(stored.Service).count())
