"""Plug-ins that do as the test says, in a world whose processes outlive a hub."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from perijove.domain.errors import PluginError
from perijove.domain.ports import AuthRules, FormData, Launch, SpawnerPort
from perijove.domain.routes import Route
from perijove.domain.servers import Server
from perijove.domain.users import User
from perijove.kit.http import HttpClient
from perijove.routes.probe import Answer, Prober


@dataclass
class Plan:
    """What the spawner of one server does. Gates are events that it waits for.

    ``stubborn``: ``start`` and ``prepare`` swallow cancellation and go on waiting.
    """

    scopes_gate: asyncio.Event | None = None
    start_gate: asyncio.Event | None = None
    prepare_gate: asyncio.Event | None = None
    stop_gate: asyncio.Event | None = None
    stubborn: bool = False
    start_error: BaseException | None = None
    prepare_error: Exception | None = None
    poll_error: BaseException | None = None
    stop_error: BaseException | None = None
    state_error: Exception | None = None
    open_error: Exception | None = None
    address_error: Exception | None = None
    events: Sequence[dict[str, Any]] = ()
    late_gate: asyncio.Event | None = None
    late_events: Sequence[dict[str, Any]] = ()
    launch_before_gate: bool = False
    address: str = ""
    lost: bool = False
    will_resume: bool = False
    own_token: str = ""
    local_host: str | None = None
    start_timeout_s: float = 10.0
    http_timeout_s: float = 10.0
    poll_interval_s: float = 0.0
    failure_limit: int = 0
    exit_status: int = 3
    ready_hook: Mapping[str, Any] = field(default_factory=dict)
    oauth_scopes: Sequence[str] = ()


class World:
    """Processes, plans and what answers HTTP; shared by all replicas of a test."""

    def __init__(self) -> None:
        self.processes: dict[int, str] = {}
        self.plans: dict[str, Plan] = {}
        self.silent: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        self.launches: list[Launch] = []
        self._pids = itertools.count(100)

    def plan(self, name: str) -> Plan:
        """The plan of the server ``USER/NAME``; made at first use."""
        return self.plans.setdefault(name, Plan())

    def launch(self, name: str) -> int:
        """A new process."""
        pid = next(self._pids)
        self.processes[pid] = name
        return pid

    def kill(self, name: str) -> None:
        """Every process of a server dies by itself."""
        for pid in self.pids(name):
            del self.processes[pid]

    def pids(self, name: str) -> list[int]:
        """The living processes of a server."""
        return [pid for pid, owner in self.processes.items() if owner == name]

    def called(self, name: str) -> list[str]:
        """The plug-in calls about one server, in order."""
        return [call for owner, call in self.calls if owner == name]


class FakeSpawner:
    """A spawner port whose processes are entries of a ``World``."""

    class_name = "FakeSpawner"

    def __init__(self, world: World, name: str, state: dict[str, Any]) -> None:
        self.world = world
        self.name = name
        self.pid: int | None = state.get("pid")
        self.url: str | None = None
        self.given = ""
        self.told: list[tuple[str | None, bool]] = []

    @property
    def plan(self) -> Plan:
        return self.world.plan(self.name)

    def _note(self, call: str) -> None:
        self.world.calls.append((self.name, call))

    @property
    def start_timeout_s(self) -> float:
        return self.plan.start_timeout_s

    @property
    def http_timeout_s(self) -> float:
        return self.plan.http_timeout_s

    @property
    def poll_interval_s(self) -> float:
        return self.plan.poll_interval_s

    poll_jitter = 0.1

    @property
    def failure_limit(self) -> int:
        return self.plan.failure_limit

    @property
    def will_resume(self) -> bool:
        return self.plan.will_resume

    @property
    def api_token(self) -> str:
        return self.plan.own_token or self.given

    @property
    def local_host(self) -> str | None:
        return self.plan.local_host

    async def token_scopes(self) -> list[str]:
        await self._pass(self.plan.scopes_gate)
        return []

    async def oauth_scopes(self) -> list[str]:
        return list(self.plan.oauth_scopes)

    async def _pass(self, gate: asyncio.Event | None) -> None:
        while gate is not None and not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                if not self.plan.stubborn:
                    raise

    async def prepare(self, launch: Launch) -> None:
        self._note("prepare")
        self.world.launches.append(launch)
        self.given = launch.api_token
        await self._pass(self.plan.prepare_gate)
        if self.plan.prepare_error is not None:
            raise self.plan.prepare_error

    async def start(self) -> str:
        self._note("start")
        if self.plan.launch_before_gate:
            self.pid = self.world.launch(self.name)
        await self._pass(self.plan.start_gate)
        if self.plan.start_error is not None:
            raise self.plan.start_error
        if self.pid is None:
            self.pid = self.world.launch(self.name)
        return f"http://127.0.0.1:{self.pid}"

    async def address(self) -> str:
        self._note("address")
        if self.plan.address_error is not None:
            raise self.plan.address_error
        return self.plan.address or f"http://127.0.0.1:{self.pid}"

    async def find_lost(self) -> bool:
        self._note("find_lost")
        if not self.plan.lost:
            return False
        self.pid = next(iter(self.world.pids(self.name)), None)
        return self.pid is not None

    async def poll(self) -> int | None:
        if self.plan.poll_error is not None:
            raise self.plan.poll_error
        if self.pid is None:
            return 0
        return None if self.pid in self.world.processes else self.plan.exit_status

    async def stop(self, *, now: bool = False) -> None:
        self._note("stop")
        await self._pass(self.plan.stop_gate)
        if self.plan.stop_error is not None:
            raise self.plan.stop_error
        self.world.processes.pop(self.pid or 0, None)

    async def cleanup(self) -> None:
        self._note("cleanup")
        self.pid = None
        self.url = None

    def state(self) -> dict[str, Any]:
        if self.plan.state_error is not None:
            raise self.plan.state_error
        return {"pid": self.pid} if self.pid is not None else {}

    def set_address(self, url: str | None) -> None:
        self.url = url

    def set_progressing(self, pending: str | None, ready: bool) -> None:
        self.told.append((pending, ready))

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        for event in self.plan.events:
            await asyncio.sleep(0)
            yield dict(event)
        if self.plan.late_gate is not None:
            await self.plan.late_gate.wait()
        for event in self.plan.late_events:
            yield dict(event)

    async def ready_event(self, event: dict[str, Any]) -> dict[str, Any]:
        return {**event, **self.plan.ready_hook}

    async def options_form(self, request: object | None = None) -> str:
        return ""

    async def options_from_form(self, form: FormData) -> dict[str, Any]:
        return {}

    async def options_from_query(self, query: FormData) -> dict[str, Any]:
        return {}

    async def rename(self, old: str, new: str) -> None:
        self._note(f"rename {old} {new}")
        if new == "forbidden":
            raise PluginError(self.class_name, "rename", "not that name")

    async def delete_forever(self) -> None:
        self._note("delete_forever")


class FakeFactory:
    """Keeps the spawners of one replica."""

    class_name = "FakeSpawner"

    def __init__(self, world: World) -> None:
        self.world = world
        self.live: dict[int, FakeSpawner] = {}

    def open(
        self, server: Server, user: User, groups: Sequence[str], *, fresh: bool = False
    ) -> SpawnerPort:
        error = self.world.plan(server.full_name).open_error
        if error is not None:
            raise error
        if fresh or server.id not in self.live:
            self.live[server.id] = FakeSpawner(self.world, server.full_name, server.plugin_state)
        return self.live[server.id]

    def find(self, server_id: int) -> SpawnerPort | None:
        return self.live.get(server_id)

    def forget(self, server_id: int) -> None:
        self.live.pop(server_id, None)


class FakeProxy:
    """A proxy that is a dictionary."""

    class_name = "FakeProxy"
    should_start = True

    def __init__(self) -> None:
        self.table: dict[str, Route] = {}
        self.extra_routes: dict[str, str] = {}
        self.error: Exception | None = None

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""

    async def add_route(self, route: Route) -> None:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.table[route.routespec] = route

    async def delete_route(self, routespec: str) -> None:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.table.pop(routespec, None)

    async def routes(self) -> dict[str, Route]:
        if self.error is not None:
            raise self.error
        return dict(self.table)

    def reconfigure(self, *, api_url: str | None, auth_token: str | None) -> dict[str, str | None]:
        """Nothing to do."""
        return {"api_url": None, "auth_token": None}

    def validate_routespec(self, routespec: str) -> str:
        return routespec


class FakeProber(Prober):
    """The real waiting; whether somebody answers is a look into the world."""

    def __init__(self, world: World) -> None:
        super().__init__(HttpClient(keep=False))
        self.world = world
        self.asked: list[str] = []

    async def ask(self, url: str, timeout_s: float) -> Answer | None:
        await asyncio.sleep(0)
        self.asked.append(url)
        pid = int(url.split(":")[2].split("/")[0])
        name = self.world.processes.get(pid)
        if name is None or name in self.world.silent:
            return None
        return Answer(200, "")


class FakeAuthenticator:
    """An authenticator of which only the deletion of people matters here."""

    class_name = "FakeAuthenticator"

    def __init__(self) -> None:
        self.rules = AuthRules()
        self.deleted: list[str] = []
        self.delete_error: Exception | None = None

    def normalize(self, name: str) -> str:
        return name

    def is_valid(self, name: str) -> bool:
        return bool(name)

    async def add_user(self, user: User) -> None:
        """Everybody is welcome."""

    async def delete_user(self, user: User) -> None:
        self.deleted.append(user.name)
        if self.delete_error is not None:
            raise self.delete_error
