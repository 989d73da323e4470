"""Removing servers and people for good, also when their servers still stop.

A wish to remove is durable (``servers.removing``, ``users.deleting``), so a
crash half-way is finished by the next hub.
"""

import logging
from collections.abc import Sequence

from perijove.domain.errors import PluginError
from perijove.domain.ports import AuthenticatorPort, SpawnerFactory
from perijove.domain.servers import Server
from perijove.domain.users import User
from perijove.kit.aio import Tasks
from perijove.people.users import Users
from perijove.servers.commands import Commands
from perijove.servers.launch import Launcher
from perijove.store import servers as server_rows
from perijove.store import users as user_rows
from perijove.store.engine import Database

log = logging.getLogger("perijove.servers")

LONG_STOP_S = 600.0
"""How long one wait for a stop is, before the log says that it still goes on."""


class Removals:
    """Deletes what nobody needs any more, after it has stopped."""

    def __init__(
        self,
        database: Database,
        factory: SpawnerFactory,
        authenticator: AuthenticatorPort,
        users: Users,
        launcher: Launcher,
        commands: Commands,
    ) -> None:
        self._database = database
        self._factory = factory
        self._authenticator = authenticator
        self._users = users
        self._launcher = launcher
        self._commands = commands
        self._tasks = Tasks("removals")

    async def remove_server(self, server: Server, timeout_s: float) -> bool:
        """Stop and forget a named server; False when it is still stopping after ``timeout_s``."""
        await self._database.write(lambda c: server_rows.edit(c, server.id, removing=True))
        if server.active:
            await self._commands.request_stop(server)
            if not await self._commands.wait_stopped(server, timeout_s):
                self._tasks.spawn(self._remove_later(server), f"remove {server.full_name!r}")
                return False
        await self._forget(server)
        return True

    async def _remove_later(self, server: Server) -> None:
        while not await self._commands.wait_stopped(server, LONG_STOP_S):
            log.warning("%r is still stopping; it will be removed then", server.full_name)
        await self._forget(server)

    async def _forget(self, server: Server) -> None:
        user, groups = await self._launcher.owner(server)
        port = self._factory.open(server, user, groups)
        await port.delete_forever()
        self._factory.forget(server.id)
        await self._database.write(lambda c: server_rows.remove(c, server.id))

    async def delete_user(self, user: User, timeout_s: float) -> bool:
        """Stop all servers of a user and delete it; False when that goes on after ``timeout_s``."""
        await self._users.retire(user)
        servers = await self._servers_of(user)
        for server in servers:
            if server.active:
                await self._commands.request_stop(server)
        done = self._tasks.spawn(self._delete_user(user, servers), f"delete {user.name!r}")
        return await self._tasks.finished(done, timeout_s)

    async def _delete_user(self, user: User, servers: Sequence[Server]) -> None:
        for server in servers:
            while server.active and not await self._commands.wait_stopped(server, LONG_STOP_S):
                log.warning("User %r is deleted when %r has stopped", user.name, server.name)
        try:
            await self._authenticator.delete_user(user)
        except PluginError as error:
            log.error("Deleting %r goes on: %s", user.name, error, exc_info=error.__cause__)
        await self._delete_storage(user, await self._servers_of(user))
        await self._users.remove(user)
        log.info("Deleted user %r", user.name)

    async def _delete_storage(self, user: User, servers: Sequence[Server]) -> None:
        """Let the spawner delete what it keeps for each server of a user."""
        for server in servers:
            port = self._factory.open(server, user, ())
            await port.delete_forever()
            self._factory.forget(server.id)

    async def _servers_of(self, user: User) -> list[Server]:
        return await self._database.read(lambda c: server_rows.of_user(c, user.id))

    async def finish(self) -> None:
        """Go on with removals that a crash interrupted."""
        for server in await self._database.read(server_rows.removing):
            self._tasks.spawn(self._remove_later(server), f"remove {server.full_name!r}")
        for user in await self._database.read(user_rows.deleting):
            servers = await self._servers_of(user)
            self._tasks.spawn(self._delete_user(user, servers), f"delete {user.name!r}")

    async def close(self) -> None:
        """Stop waiting; the next hub finishes."""
        await self._tasks.close()
