"""Who-am-I from memory is what a hub without memory would say, whatever was written before.

People, groups, roles, servers, tokens and activity are changed in random order, by the
API, by a sign-in, and behind the hub's back as another process would do it.
"""

import asyncio
import tempfile
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from web_house import ROOT, Api, WebHouse

from perijove.domain.events import Message, Topic
from perijove.domain.ports import AuthModel
from perijove.domain.servers import State
from perijove.people.activity import Key
from perijove.people.answers import Answers, Slot
from perijove.people.grants import ROLES
from perijove.store import groups, servers, users
from perijove.store.engine import Database

T = TypeVar("T")

NAMES = ("ada", "eva")
GROUPS = st.sampled_from(["red", "blue"])
STATES = st.sampled_from([State.STOPPED, State.READY, State.STARTING, State.STOPPING])
SCOPES = {"all": None, "narrow": ["read:users:name!user"], "servers": ["read:servers!user"]}


class Forgetful(Answers):
    """Answers of which none is kept."""

    def keep(self, slot: Slot, body: bytes, shown: Sequence[Key]) -> None:
        """Do not."""


class Memory(RuleBasedStateMachine):
    """One hub, one person with several tokens, and a service."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.seen = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize()
    def open(self) -> None:
        self.run(self._open())

    async def _open(self) -> None:
        options = "c.JupyterHub.allow_named_servers = True\nc.Authenticator.manage_groups = True\n"
        self.house = await WebHouse.open(Path(self.folder.name), options)
        user = await self.house.add_user("ada")
        self.user_id, self.name = user.id, "ada"
        await self.house.add_user("bob")
        self.clients: dict[str, Api] = {"service": self.house.api(ROOT)}
        for kind, scopes in SCOPES.items():
            self.clients[kind] = await self.house.as_user("ada", scopes)
        self.forgetful = Forgetful(self.house.database, self.house.rooms.activity)

    # -- what happens -----------------------------------------------------
    async def _ask(self, method: str, path: str, body: Any = None) -> int:
        answer = await self.house.root.request(method, path, json=body)
        assert answer.status_code < 500, answer.text
        return answer.status_code

    @rule(group=GROUPS)
    def joins(self, group: str) -> None:
        model = AuthModel(self.name, groups=(group,))
        self.run(self.house.rooms.sign_in.apply(model))

    @rule(admin=st.booleans())
    def becomes_admin_or_not(self, admin: bool) -> None:
        self.run(self._ask("PATCH", f"/users/{self.name}", {"admin": admin}))

    @rule(name=st.sampled_from(NAMES))
    def is_renamed(self, name: str) -> None:
        if self.run(self._ask("PATCH", f"/users/{self.name}", {"name": name})) == 200:
            self.name = name

    @rule(server=st.sampled_from(["lab", "gpu"]), method=st.sampled_from(["PUT", "DELETE"]))
    def has_a_server_more_or_less(self, server: str, method: str) -> None:
        body = {"remove": True} if method == "DELETE" else None
        self.run(self._ask(method, f"/users/{self.name}/servers/{server}", body))

    @rule(days=st.integers(0, 3), servers=st.booleans())
    def reports_activity(self, days: int, servers: bool) -> None:
        when = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        body: dict[str, Any] = {"last_activity": when}
        if servers:
            body["servers"] = {"": {"last_activity": when}}
        self.run(self._ask("POST", f"/users/{self.name}/activity", body))

    @rule()
    def activity_is_written(self) -> None:
        self.run(self.house.rooms.activity.flush())

    @rule(kind=st.sampled_from(sorted(SCOPES)))
    def a_token_is_revoked_and_another_made(self, kind: str) -> None:
        async def exchange() -> None:
            told = (await self.clients[kind].get("/user")).json()
            if "token_id" in told:
                await self._ask("DELETE", f"/users/{self.name}/tokens/{told['token_id']}")
                answer = await self.clients[kind].get("/user")
                assert answer.status_code == 403
            self.clients[kind] = await self.house.as_user(self.name, SCOPES[kind])

        self.run(exchange())

    @rule(state=STATES, checking=st.booleans())
    def another_process_moves_a_server(self, state: State, checking: bool) -> None:
        def move(connection: Any) -> None:
            for server in servers.of_user(connection, self.user_id):
                servers.edit(connection, server.id, state=state.value, checking=checking)

        self._elsewhere(move)

    @rule(group=GROUPS, info=st.integers(0, 2))
    def another_process_changes_the_person(self, group: str, info: int) -> None:
        def change(connection: Any) -> None:
            users.change(connection, self.user_id, user_info={"n": info})
            for group_id in groups.create_missing(connection, [group]).values():
                groups.add_members(connection, group_id, [self.user_id])

        self._elsewhere(change)

    def _elsewhere(self, work: Any) -> None:
        """A write on a connection of its own, of which nobody tells this hub."""
        other = Database(self.house.database.url)
        other.write_now(work)
        other.close()

    # -- what must hold ---------------------------------------------------
    @invariant()
    def memory_tells_the_truth(self) -> None:
        if hasattr(self, "clients"):
            self.run(self._compare())

    async def _compare(self) -> None:
        rooms = self.house.rooms
        for kind, client in self.clients.items():
            await client.get("/user")
            remembered = await client.get("/user")
            remembering, rooms.answers = rooms.answers, self.forgetful
            # Rights are kept for seconds when written elsewhere; here, only the answer counts.
            told = await client.get("/user")
            rooms.answers = remembering
            assert (remembered.status_code, remembered.content) == (told.status_code, told.content)
            assert told.status_code == 200, kind
        self.seen += len(rooms.answers._kept)

    def teardown(self) -> None:
        if hasattr(self, "house"):
            assert self.seen, "nothing was ever remembered"
            self.run(self.house.close())
        self.runner.close()
        self.folder.cleanup()


Memory.TestCase.settings = settings(
    max_examples=4,
    stateful_step_count=12,
    # A failure is short already, and to shorten it further takes minutes.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestMemory = Memory.TestCase


class TellingMemory(Memory):
    """The same without writes from elsewhere: then rights are those of this very moment, too."""

    another_process_moves_a_server = None  # type: ignore[assignment]
    another_process_changes_the_person = None  # type: ignore[assignment]

    async def _compare(self) -> None:
        await super()._compare()
        rooms = self.house.rooms
        before = {kind: (await c.get("/user")).content for kind, c in self.clients.items()}
        self.house.built.ground.bus.publish(Message(Topic.CREDENTIALS, ROLES))
        remembering, rooms.answers = rooms.answers, self.forgetful
        after = {kind: (await c.get("/user")).content for kind, c in self.clients.items()}
        rooms.answers = remembering
        assert before == after


TestTellingMemory = TellingMemory.TestCase
TestTellingMemory.settings = Memory.TestCase.settings
