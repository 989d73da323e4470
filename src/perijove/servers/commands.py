"""Wishes about servers: start, stop, create, edit, remove.

Each is one transaction that checks everything it depends on, so two requests at
once cannot both be granted. Granted wishes are handed to the runner when this
replica holds the server, and announced on the bus when another does.
"""

import asyncio
import logging
import random
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from perijove.domain.errors import Conflict, InvalidInput, NotFound, StartFailed, TooMany
from perijove.domain.events import Message, ProgressEvent, Topic
from perijove.domain.ports import SpawnerFactory
from perijove.domain.servers import Server, State
from perijove.domain.settings import LimitSettings, ServerSettings
from perijove.domain.users import User
from perijove.people.texts import storable
from perijove.servers.holdings import Holding, Holdings
from perijove.servers.names import check_server_name, is_valid
from perijove.servers.runner import Runner
from perijove.store import events as event_rows
from perijove.store import servers as server_rows
from perijove.store.engine import Database
from perijove.work.bus import Bus

log = logging.getLogger("perijove.servers")

KEEP: Any = object()
"""Stands for "as stored" where None has a meaning of its own."""
POLL_S = 0.5
CLEANUP_S = 10.0
"""How long a start waits for the end of a server that just died."""


class Commands:
    """What people may ask of servers; authorization is the caller's business."""

    def __init__(
        self,
        database: Database,
        factory: SpawnerFactory,
        runner: Runner,
        holdings: Holdings,
        bus: Bus,
        replica: str,
        limits: LimitSettings,
        settings: ServerSettings,
    ) -> None:
        self._database = database
        self._factory = factory
        self._runner = runner
        self._holdings = holdings
        self._bus = bus
        self._replica = replica
        self._limits = limits
        self._settings = settings

    # -- start ------------------------------------------------------------

    async def request_start(
        self,
        user: User,
        name: str,
        *,
        options: Any = KEEP,
        display_name: Any = KEEP,
        named_limit: int = 0,
        request: object | None = None,
    ) -> Server:
        """Ask for a server, creating it if it is missing; it is QUEUED then.

        Raises InvalidInput when it runs, is on its way, or may not be made,
        Conflict when it or its owner is about to be deleted, and TooMany when a limit
        is reached. A start that is under way already is joined: the server comes back
        as it is.
        """
        await self._notice_death(user.name, name)
        wanted = _Wanted(user, name, options, display_name, named_limit)
        # Not to be cut off between the grant and its beginning: nobody would drive it.
        return await asyncio.shield(self._grant(wanted, request))

    async def _grant(self, wanted: "_Wanted", request: object | None) -> Server:
        try:
            server, begun = await self._database.write(lambda c: self._enqueue(c, wanted))
        except IntegrityError:
            # Two requests made the same server at once; the other one won.
            server, begun = await self._database.write(lambda c: self._enqueue(c, wanted))
        if begun:
            self._runner.start(server, request)
            self._told(server)
        return server

    def _enqueue(self, connection: Connection, wanted: "_Wanted") -> tuple[Server, bool]:
        """The server, and whether this call queued it."""
        user, name = wanted.user, wanted.name
        if server_rows.is_leaving(connection, user.id):
            raise Conflict(f"User {user.name} is about to be deleted")
        server = server_rows.find(connection, user.name, name)
        if server is None:
            server = self._create(connection, user, name, wanted.display_name, wanted.named_limit)
        self._check_name(server)
        if server.pending == "spawn":
            return server, False
        _check_startable(server)
        self._check_limits(connection, server)
        options = wanted.options
        queued = server_rows.enqueue(
            connection,
            server,
            self._replica,
            (server.options or {}) if options is KEEP else options,
            server.display_name if wanted.display_name is KEEP else wanted.display_name,
        )
        if queued is None:
            return self._outrun(connection, server), False
        event_rows.clear(connection, server.id)
        first = ProgressEvent(1, {"progress": 0, "message": "Server requested"})
        event_rows.append(connection, server.id, [first])
        server_rows.touch_owner(connection, server.user_id)
        return queued, True

    def _outrun(self, connection: Connection, server: Server) -> Server:
        """The server that another replica started since we looked. Raises if it did not."""
        found = server_rows.get(connection, server.id)
        if found is None:
            raise Conflict(f"{server.full_name} was deleted meanwhile")
        if found.pending != "spawn":
            _check_startable(found)
            raise Conflict(f"{server.full_name} changed meanwhile; try again")
        return found

    def _check_name(self, server: Server) -> None:
        """Names from before the present rule may be forbidden to start."""
        rule = self._settings.allow_existing_invalid_named_servers
        if rule != "allow-start" and server.name and not is_valid(server.name):
            raise InvalidInput(
                f"{server.full_name} cannot be started: its name is not valid any more. "
                "Rename or delete it"
            )

    async def _notice_death(self, user: str, name: str) -> None:
        """A server that died a moment ago can be started at once."""
        holding = self._holdings.find(user, name)
        if holding is not None and holding.server.ready and not await self._runner.poll(holding):
            assert holding.stopping is not None
            await asyncio.wait([holding.stopping], timeout=CLEANUP_S)

    def _create(
        self,
        connection: Connection,
        user: User,
        name: str,
        display_name: Any,
        named_limit: int,
    ) -> Server:
        if name:
            if not self._settings.allow_named_servers:
                raise InvalidInput("Named servers are not enabled.")
            check_server_name(name)
            counts = server_rows.count(connection, user.id)
            if 0 < named_limit <= counts.named_of_user:
                raise InvalidInput(
                    f"User {user.name} already has the maximum of {named_limit} named servers."
                    " One must be deleted before a new server can be created"
                )
        shown = None if display_name is KEEP else display_name
        if shown is None and name:
            shown = name
        server_id = server_rows.create(connection, user.id, name, shown)
        server = server_rows.get(connection, server_id)
        assert server is not None
        return server

    def _check_limits(self, connection: Connection, server: Server) -> None:
        limits = self._limits
        if not limits.concurrent_spawn_limit and not limits.active_server_limit:
            return
        counts = server_rows.count(connection, server.user_id)
        if 0 < limits.concurrent_spawn_limit <= counts.starting:
            low, high = limits.spawn_throttle_retry_range
            retry_s = random.randint(int(low), int(high))
            shown_s = -(-retry_s // 10) * 10
            raise TooMany(
                f"Too many users trying to log in right now. Try again in {shown_s} seconds.",
                retry_after_s=retry_s,
            )
        if 0 < limits.active_server_limit <= counts.active:
            raise TooMany(
                "Active user limit exceeded. Try again in a few minutes.", retry_after_s=120
            )

    async def wait_started(self, server: Server, timeout_s: float) -> Server:
        """The server once its start has ended, or as it is after ``timeout_s`` seconds.

        Raises StartFailed when the start failed.
        """
        server = await self._wait(server, timeout_s, lambda s: s.ready or not s.active)
        if server.state is State.STOPPED and server.failure is not None:
            failure = server.failure
            raise StartFailed(
                failure.message,
                reason=failure.reason,
                status=failure.status,
                shown_html=failure.html_message,
                headers=failure.headers,
            )
        return server

    # -- stop -------------------------------------------------------------

    async def request_stop(self, server: Server) -> None:
        """Ask for a server to be down. A start under way is ended; a stopped one is left."""
        holding = self._holdings.get(server.id)
        if holding is not None:
            self._runner.stop(holding, asked=True)
            return
        await self._database.write(lambda c: server_rows.wish_down(c, server.id))
        self._bus.publish(Message(Topic.WISH, str(server.id)))
        self._told(server)

    async def wait_stopped(self, server: Server, timeout_s: float) -> bool:
        """Whether the server has stopped, or is gone, within ``timeout_s`` seconds."""
        try:
            server = await self._wait(server, timeout_s, lambda s: not s.active)
        except NotFound:
            return True
        return not server.active

    async def _wait(self, server: Server, timeout_s: float, done: Any) -> Server:
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while not done(server):
            left = end - loop.time()
            if left <= 0:
                break
            holding = self._holdings.get(server.id)
            if holding is not None:
                version = holding.signal.version
                server = holding.server
                if done(server):
                    break
                await holding.signal.wait(version, left)
                server = holding.server
                continue
            await asyncio.sleep(min(POLL_S, left))
            server = await self._reload(server)
        return server

    async def _reload(self, server: Server) -> Server:
        row = await self._database.read(lambda c: server_rows.get(c, server.id))
        if row is None:
            raise NotFound()
        return row

    # -- stopped servers --------------------------------------------------

    async def create(
        self,
        user: User,
        name: str,
        *,
        display_name: str | None,
        options: dict[str, Any] | None,
        named_limit: int = 0,
    ) -> Server:
        """A new, stopped named server. Raises Conflict when it exists."""

        def write(connection: Connection) -> Server:
            if not name or server_rows.find(connection, user.name, name) is not None:
                raise Conflict(f"Server {user.name}/{name} already exists")
            server = self._create(connection, user, name, display_name or name, named_limit)
            server_rows.edit(connection, server.id, options=options)
            made = server_rows.get(connection, server.id)
            assert made is not None
            return made

        try:
            return self._told(await self._database.write(write))
        except IntegrityError as error:
            raise Conflict(f"Server {user.name}/{name} already exists") from error

    def _told(self, server: Server) -> Server:
        """The server, after whoever follows it was told to look."""
        self._bus.publish(Message(Topic.SERVER, str(server.id)))
        return server

    async def edit(
        self,
        server: Server,
        user: User,
        groups: tuple[str, ...],
        *,
        name: str | None = None,
        display_name: str | None = None,
        options: Any = KEEP,
    ) -> Server:
        """Change a stopped server. Raises InvalidInput while it is active, PluginError
        when the plug-in refuses the new name."""
        if server.active:
            raise InvalidInput(f"Server {server.full_name} is active; stop it before editing it")
        renaming = name is not None and name != server.name
        if renaming:
            assert name is not None
            check_server_name(name)
            taken = await self._database.read(lambda c: server_rows.find(c, server.user_name, name))
            if taken is not None:
                raise Conflict(f"Server {server.user_name}/{name} already exists")
            port = self._factory.open(server, user, groups)
            await port.rename(server.name, name)
            self._factory.forget(server.id)

        def write(connection: Connection) -> Server:
            current = server_rows.get(connection, server.id)
            if current is None:
                raise NotFound()
            if current.active:
                raise Conflict(f"Server {server.full_name} was started meanwhile")
            values: dict[str, Any] = {}
            if renaming:
                values["name"] = name
            if display_name is not None:
                values["display_name"] = display_name
            if options is not KEEP:
                values["options"] = options
            if values:
                server_rows.edit(connection, server.id, **values)
            edited = server_rows.get(connection, server.id)
            assert edited is not None
            return edited

        try:
            return self._told(await self._database.write(write))
        except IntegrityError as error:
            raise Conflict(f"Server {server.user_name}/{name} already exists") from error

    def holding(self, server_id: int) -> Holding | None:
        """What this replica holds of a server."""
        return self._holdings.get(server_id)

    # -- look-ups ---------------------------------------------------------

    async def find(self, user: str, name: str) -> Server | None:
        """The server of this user with this name."""
        return await self._database.read(lambda c: server_rows.find(c, user, name))

    async def find_owner(self, user: str, name: str) -> tuple[User, Server | None]:
        """The user, and their server of this name: one statement. Raises NotFound for nobody."""
        if not storable(user) or not storable(name):
            raise NotFound
        found = await self._database.read(lambda c: server_rows.find_owner(c, user, name))
        if found is None:
            raise NotFound
        return found


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One request for a start."""

    user: User
    name: str
    options: Any
    display_name: Any
    named_limit: int


def _check_startable(server: Server) -> None:
    if server.removing:
        raise Conflict(f"{server.full_name} is about to be deleted")
    if server.pending:
        raise InvalidInput(f"{server.full_name} is pending {server.pending}")
    if server.active:
        raise InvalidInput(f"{server.full_name} is already running")
