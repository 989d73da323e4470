"""The servers room as the hub wires it, on a real database, with fake plug-ins.

A ``House`` is one installation; each of its ``Replica`` objects is one hub with
rooms of its own. A replica can end in good order (``close``) or be killed.
"""

import asyncio
import inspect
import uuid
from collections.abc import Callable
from typing import Any, cast

from servers_fakes import FakeAuthenticator, FakeFactory, FakeProber, FakeProxy, World
from sqlalchemy import func, select, update

from perijove.access.catalogue import CATALOGUE
from perijove.domain.errors import StoreUnavailable
from perijove.domain.events import ProgressEvent
from perijove.domain.ports import AuthenticatorPort
from perijove.domain.servers import Server, State
from perijove.domain.settings import LimitSettings, RoleSettings, ServerSettings
from perijove.domain.users import User
from perijove.kit.clock import RealClock
from perijove.kit.crypto import Cipher
from perijove.people.activity import Activity
from perijove.people.auth_state import AuthStates
from perijove.people.grants import Grants
from perijove.people.prepare import Preparation
from perijove.people.tokens import Tokens
from perijove.people.users import Users
from perijove.routes.addresses import Addresses
from perijove.routes.desired import FixedRoutes, desired_routes
from perijove.routes.publish import ServerRoutes
from perijove.servers.commands import Commands
from perijove.servers.feed import ServerFeed
from perijove.servers.holdings import Holding, Holdings
from perijove.servers.launch import Launcher
from perijove.servers.progress import ProgressFeed
from perijove.servers.removal import Removals
from perijove.servers.runner import Collaborators, Runner
from perijove.servers.sweep import Sweep
from perijove.store import events as event_rows
from perijove.store import servers as server_rows
from perijove.store.dialect import utc_in
from perijove.store.engine import Database, Work
from perijove.store.schema import create_schema
from perijove.store.tables import oauth_clients, replicas, tokens
from perijove.work.bus import Bus, PostgresqlBus
from perijove.work.lease import ReplicaLease

LIMIT_S = 10.0


async def until(what: str, ask: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    """What ``ask`` gives (awaited if need be) once it is true. Fails after ``limit_s``."""
    end = asyncio.get_running_loop().time() + limit_s
    while True:
        answer = ask()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        assert asyncio.get_running_loop().time() < end, f"no {what} within {limit_s:g} seconds"
        await asyncio.sleep(0.005)


class FlakyDatabase(Database):
    """A database that cannot be reached for as many writes as ``failures`` says."""

    failures = 0

    async def write(self, work: Work[Any]) -> Any:
        if self.failures > 0:
            self.failures -= 1
            await asyncio.sleep(0)
            raise StoreUnavailable("the test says no")
        return await super().write(work)


class Auditor:
    """Remembers what would be told to the operator's audit handlers."""

    def __init__(self) -> None:
        self.records: list[tuple[str, str, str]] = []

    def server_action(self, action: str, user: str, server: str) -> None:
        self.records.append((action, user, server))


class Replica:
    """One hub: the rooms around servers, connected as ``building`` does it."""

    def __init__(
        self,
        url: str,
        world: World,
        proxy: FakeProxy,
        *,
        limits: LimitSettings | None = None,
        settings: ServerSettings | None = None,
        host: str = "here",
    ) -> None:
        self.world = world
        self.proxy = proxy
        self.database = FlakyDatabase(url)
        self.bus = (
            Bus() if self.database.sqlite else PostgresqlBus(self.database.engine, uuid.uuid4().hex)
        )
        self.lost: list[str] = []
        self.lease = ReplicaLease(self.database, lambda: self.lost.append("lost"))
        # Each replica of a test plays a machine of its own, unless the test says otherwise.
        self.lease.host = f"{host}-{uuid.uuid4().hex[:6]}" if host == "here" else host
        self.clock = RealClock()
        self.authenticator = FakeAuthenticator()
        port = cast(AuthenticatorPort, self.authenticator)
        self.grants = Grants(self.database, self.bus, self.clock, CATALOGUE)
        self.activity = Activity(self.database, self.clock, 30)
        self.tokens = Tokens(self.database, self.bus, self.clock, self.grants, self.activity)
        auth_states = AuthStates(self.database, Cipher([]))
        self.users = Users(self.database, self.bus, self.clock, port, self.activity, auth_states)
        self.preparation = Preparation(
            self.database, self.bus, port, self.users, self.tokens, self.grants, RoleSettings()
        )
        self.addresses = Addresses(base_url="/")
        self.factory = FakeFactory(world)
        self.holdings = Holdings()
        self.launcher = Launcher(self.database, self.addresses, self.grants, self.tokens)
        self.prober = FakeProber(world)
        self.routes = ServerRoutes(proxy, self.addresses)
        self.audit = Auditor()
        self.failure_limits: list[int] = []
        self.runner = Runner(
            Collaborators(
                database=self.database,
                factory=self.factory,
                launcher=self.launcher,
                routes=self.routes,
                prober=self.prober,
                bus=self.bus,
                audit=cast(Any, self.audit),
                on_failure_limit=self.failure_limits.append,
            ),
            self.holdings,
        )
        self.sweep = Sweep(
            self.database,
            self.factory,
            self.launcher,
            self.runner,
            self.holdings,
            self.routes,
            self.prober,
            self.lease,
            self.bus,
        )
        self.commands = Commands(
            self.database,
            self.factory,
            self.runner,
            self.holdings,
            self.bus,
            self.lease.id,
            limits or LimitSettings(concurrent_spawn_limit=0),
            settings or ServerSettings(allow_named_servers=True),
        )
        self.progress = ProgressFeed(self.database, self.holdings, self.bus)
        self.feed = ServerFeed(self.database, self.bus)
        self.removals = Removals(
            self.database,
            self.factory,
            port,
            self.users,
            self.launcher,
            self.commands,
            self.feed,
            self.lease.id,
        )
        self._closed = False

    async def start(self, *, watch: bool = False) -> None:
        """Announce the replica and prepare the database; ``watch``: begin to sweep."""
        await self.lease.start()
        await self.bus.start()
        await self.preparation.run()
        if watch:
            self.sweep.start()

    # -- shorthands -------------------------------------------------------
    async def user(self, name: str) -> User:
        """The person, made at first use."""
        found = await self.users.find(name)
        if found is None:
            (detail,) = await self.users.create([name], by_admin=True)
            found = detail.user
        return found

    async def request(self, user: str, name: str = "", **values: Any) -> Server:
        """Ask for a start."""
        return await self.commands.request_start(await self.user(user), name, **values)

    async def up(self, user: str, name: str = "", **values: Any) -> Server:
        """Start a server and wait until it is ready."""
        server = await self.request(user, name, **values)
        server = await self.commands.wait_started(server, LIMIT_S)
        assert server.ready
        return server

    async def down(self, server: Server) -> None:
        """Stop a server and wait until it has stopped."""
        await self.commands.request_stop(server)
        assert await self.commands.wait_stopped(server, LIMIT_S)

    async def row(self, server: Server) -> Server:
        """The server as stored now."""
        found = await self.database.read(lambda c: server_rows.get(c, server.id))
        assert found is not None
        return found

    async def until_state(self, server: Server, *states: State) -> Server:
        """The stored server once it is in one of these states."""

        async def look() -> Server | None:
            row = await self.row(server)
            return row if row.state in states and not row.checking else None

        return cast(Server, await until(f"state {states}", look))

    async def until_called(self, name: str, call: str) -> None:
        """Return when the plug-in was called."""
        await until(f"{call} of {name}", lambda: call in self.world.called(name))

    async def events(self, server: Server) -> list[ProgressEvent]:
        """The stored progress events."""
        return await self.database.read(lambda c: event_rows.after(c, server.id, 0))

    async def count(self, table: Any, *where: Any) -> int:
        """How many rows there are."""
        statement = select(func.count()).select_from(table).where(*where)
        return await self.database.read(lambda c: int(c.execute(statement).scalar_one()))

    async def server_tokens(self) -> int:
        """How many tokens exist."""
        return await self.count(tokens)

    async def server_clients(self) -> int:
        """How many OAuth clients of servers exist."""
        return await self.count(oauth_clients, oauth_clients.c.identifier != "jupyterhub")

    async def desired(self) -> set[str]:
        """The routes that the database says there should be."""
        active = await self.database.read(server_rows.active)
        fixed = FixedRoutes("/", "http://127.0.0.1:1")
        return set(desired_routes(self.addresses, fixed, active, []).routes) - {"/"}

    async def set(self, server: Server, **values: Any) -> None:
        """Change the stored row behind everybody's back."""
        await self.database.write(lambda c: server_rows.edit(c, server.id, **values))

    async def expire_lease(self) -> None:
        """Let the database believe that this replica died."""
        await self._lease_until(-5)

    async def set_lease_alive(self) -> None:
        """Let the database believe that this replica lives."""
        await self._lease_until(60)

    async def _lease_until(self, offset_s: float) -> None:
        await self.database.write(
            lambda c: c.execute(
                update(replicas)
                .where(replicas.c.id == self.lease.id)
                .values(lease_until=utc_in(offset_s))
            )
        )

    # -- ends -------------------------------------------------------------
    async def kill(self) -> None:
        """End without any farewell: tasks vanish, lease and rows stay as they are."""
        await self.sweep.close()
        await self.runner.close()
        await self.removals.close()
        if self.lease._task is not None:
            self.lease._task.cancel()
            self.lease._task = None
        self._closed = True
        await self.expire_lease()
        await self.bus.close()
        self.database.close()

    async def close(self) -> None:
        """End in good order; servers go on."""
        if self._closed:
            return
        self._closed = True
        await self.sweep.close()
        await self.removals.close()
        await self.runner.close()
        await self.activity.close()
        await self.bus.close()
        await self.lease.close()
        self.database.close()


class House:
    """One installation: a database, a proxy, a world; and its replicas."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.world = World()
        self.proxy = FakeProxy()
        self.replicas: list[Replica] = []
        database = Database(url)
        create_schema(database)
        database.close()

    async def replica(self, *, watch: bool = False, **options: Any) -> Replica:
        """One more hub."""
        made = Replica(self.url, self.world, self.proxy, **options)
        self.replicas.append(made)
        await made.start(watch=watch)
        return made

    async def close(self) -> None:
        """Open every gate and end every hub."""
        for plan in self.world.plans.values():
            for gate in (plan.start_gate, plan.prepare_gate, plan.stop_gate):
                if gate is not None:
                    gate.set()
        for replica in self.replicas:
            await replica.close()


async def cut_off(replica: Replica, server: Server, state: State, **values: Any) -> None:
    """What a crash in ``state`` leaves of a running or stopped server's row."""
    await replica.set(server, state=state.value, **values)


def holding_of(replica: Replica, server: Server) -> Holding:
    """What a replica holds of a server."""
    holding = replica.holdings.get(server.id)
    assert holding is not None
    return holding
