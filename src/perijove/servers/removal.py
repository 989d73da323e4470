"""Removing servers and people for good, also when their servers still stop.

A wish to remove is durable (``servers.removing``, ``users.deleting``), so a
crash half-way is finished by the next hub. Of several replicas that know of the
wish one fulfils it, so plug-ins are asked once to delete what they keep.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from sqlalchemy import Connection

from perijove.domain.errors import Conflict, NotFound, PluginError, StoreUnavailable
from perijove.domain.ports import AuthenticatorPort, SpawnerFactory
from perijove.domain.servers import Server
from perijove.domain.users import User
from perijove.kit.aio import Tasks
from perijove.people.users import Users
from perijove.servers.commands import Commands
from perijove.servers.failures import ask
from perijove.servers.feed import ServerFeed
from perijove.servers.launch import Launcher
from perijove.store import leases
from perijove.store import servers as server_rows
from perijove.store import users as user_rows
from perijove.store.engine import Database

log = logging.getLogger("perijove.servers")

CLAIM_EVERY_S = 0.5
"""How often a replica looks whether the one that removes something is done (seconds)."""

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
        feed: ServerFeed,
        replica: str,
    ) -> None:
        self._replica = replica
        self._database = database
        self._factory = factory
        self._authenticator = authenticator
        self._users = users
        self._launcher = launcher
        self._commands = commands
        self._feed = feed
        self._tasks = Tasks("removals")
        self._running: dict[str, asyncio.Task[None]] = {}

    async def remove_server(self, server: Server, timeout_s: float) -> bool:
        """Stop and forget a named server; False when that goes on after ``timeout_s``."""

        def mark(connection: Connection) -> Server | None:
            server_rows.edit(connection, server.id, removing=True)
            return server_rows.get(connection, server.id)

        marked = await self._database.write(mark)
        return marked is None or await self._tasks.finished(self._removing(marked), timeout_s)

    def _removing(self, server: Server, *, with_owner: bool = False) -> "asyncio.Task[None]":
        def waits(connection: Connection) -> bool:
            row = server_rows.get(connection, server.id)
            return row is not None and (row.removing or with_owner)

        job = f"remove server {server.id}"
        return self._once(
            job, lambda: self._by_one_replica(job, waits, lambda: self._remove_server(server))
        )

    def _once(
        self, name: str, job: Callable[[], Coroutine[Any, Any, None]]
    ) -> "asyncio.Task[None]":
        """The running job of this name, or a new one: requests and the duty may coincide."""
        task = self._running.get(name)
        if task is None or task.done():
            task = self._running[name] = self._tasks.spawn(job(), name)
            task.add_done_callback(lambda done: self._forget_job(name, done))
        return task

    async def _by_one_replica(
        self,
        job: str,
        waits: Callable[[Connection], bool],
        work: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """Do the work unless another replica does; return when it ``waits`` no more."""
        while not await self._database.write(lambda c: leases.take_job(c, job, self._replica)):
            if not await self._database.read(waits):
                return
            await asyncio.sleep(CLAIM_EVERY_S)
        try:
            if await self._database.read(waits):
                await work()
        finally:
            try:
                await self._database.write(lambda c: leases.finish_job(c, job, self._replica))
            except StoreUnavailable:
                log.warning("The mark of the job %r stays until this replica ends", job)

    def _forget_job(self, name: str, task: "asyncio.Task[None]") -> None:
        if self._running.get(name) is task:
            del self._running[name]

    async def _remove_server(self, server: Server) -> None:
        await self._stop(server)
        await self._delete_storage(server)

        def delete(connection: Connection) -> list[int]:
            ended = self._launcher.close(connection, server)
            if not server_rows.remove(connection, server.id) and server_rows.get(
                connection, server.id
            ):
                raise Conflict(f"{server.full_name} was started meanwhile")
            return ended

        self._launcher.forget(await self._database.write(delete))
        self._feed.removed(server)

    async def _stop(self, server: Server) -> None:
        """Return when the server has stopped, however long that takes."""
        while server.active:
            await self._commands.request_stop(server)
            if await self._commands.wait_stopped(server, LONG_STOP_S):
                return
            log.warning("%r is still stopping; its removal waits", server.full_name)

    async def _delete_storage(self, server: Server) -> None:
        """Let the spawner delete what it keeps for a server; what fails there is logged."""
        try:
            user, groups = await self._launcher.owner(server)
            port = self._factory.open(server, user, groups)
            await ask(port, "delete_forever", port.delete_forever())
        except (PluginError, NotFound) as error:
            log.error("What %r has stored may stay: %s", server.full_name, error)
        finally:
            self._factory.forget(server.id)

    async def delete_user(self, user: User, timeout_s: float) -> bool:
        """Stop all servers of a user and delete it; False when that goes on after ``timeout_s``."""
        await self._users.retire(user)
        return await self._tasks.finished(self._deleting(user), timeout_s)

    def _deleting(self, user: User) -> "asyncio.Task[None]":
        def waits(connection: Connection) -> bool:
            return user_rows.get(connection, user.id) is not None

        job = f"delete user {user.id}"
        return self._once(
            job, lambda: self._by_one_replica(job, waits, lambda: self._delete_user(user))
        )

    async def _delete_user(self, user: User) -> None:
        await asyncio.gather(*(self._stop(server) for server in await self._servers_of(user)))
        try:
            await self._authenticator.delete_user(user)
        except PluginError as error:
            log.error("Deleting %r goes on: %s", user.name, error, exc_info=error.__cause__)
        # The removal of one of them may be under way already, here or elsewhere.
        for server in await self._servers_of(user):
            await self._removing(server, with_owner=True)
        await self._users.remove(user)
        log.info("Deleted user %r", user.name)

    async def _servers_of(self, user: User) -> list[Server]:
        return await self._database.read(lambda c: server_rows.of_user(c, user.id))

    async def finish(self) -> None:
        """Go on with removals that a crash interrupted."""
        for server in await self._database.read(server_rows.removing):
            self._removing(server)
        for user in await self._database.read(user_rows.deleting):
            self._deleting(user)

    async def close(self) -> None:
        """Stop waiting; the next hub finishes."""
        await self._tasks.close()
