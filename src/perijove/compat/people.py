"""People for code that cannot wait: look-ups that plug-ins expect to be plain calls.

They read the database at once. On PostgreSQL that blocks the event loop for a
round trip, so only plug-ins' handlers come this way.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection

from perijove.domain.servers import Server
from perijove.domain.users import User
from perijove.plugins.context import HubContext, PluginUser
from perijove.store import groups as group_store
from perijove.store import servers as server_store
from perijove.store import users as user_store
from perijove.web.rooms import Rooms


class People:
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

    # -- as a mapping, the way older plug-ins use it -------------------------------------
    def get(self, key: Any, default: Any = None) -> Any:
        """The user by name, id, or an object with an id."""
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

    def __contains__(self, key: Any) -> bool:
        return self.get(key) is not None

    def __iter__(self) -> Iterator[int]:
        users: list[User] = self._context.database.read_now(user_store.everybody)
        return iter([user.id for user in users])
