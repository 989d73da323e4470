"""A whole people room on a SQLite file, with a hand-turned clock and a fake authenticator."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perijove.access.catalogue import CATALOGUE, Catalogue
from perijove.domain.errors import PluginError
from perijove.domain.events import Topic
from perijove.domain.ports import AuthModel, AuthRules
from perijove.domain.settings import RoleSettings
from perijove.domain.users import Service, User
from perijove.kit.clock import ManualClock
from perijove.kit.crypto import Cipher
from perijove.people.activity import Activity
from perijove.people.auth_state import AuthStates
from perijove.people.grants import Grants
from perijove.people.groups import Groups
from perijove.people.login import SignIn
from perijove.people.prepare import Preparation
from perijove.people.refresh import Refresher
from perijove.people.sessions import Sessions
from perijove.people.share_codes import ShareCodes
from perijove.people.shares import Shares
from perijove.people.tokens import Tokens
from perijove.people.users import Users
from perijove.store import services as service_store
from perijove.store.engine import Database
from perijove.store.schema import create_schema
from perijove.work.bus import Bus

COOKIE = "jupyterhub-hub-login"


@dataclass
class FakeAuthenticator:
    """An authenticator that does as the test says and remembers what it was asked."""

    rules: AuthRules = field(default_factory=AuthRules)
    refresh_age_s: float = 300
    refused: set[str] = field(default_factory=set)
    answers: list[AuthModel | bool] = field(default_factory=list)
    roles: list[dict[str, Any]] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    merges_auth_state: bool = False
    class_name: str = "FakeAuthenticator"

    async def authenticate(
        self, request: object, data: Mapping[str, Any] | None
    ) -> AuthModel | None:
        return AuthModel(str((data or {})["username"]))

    async def refresh(self, user: User, request: object | None) -> AuthModel | bool:
        self.asked.append(user.name)
        answer = self.answers.pop(0)
        if isinstance(answer, str):
            raise PluginError(self.class_name, "refresh_user", answer)
        return answer

    async def reconcile_auth_state(
        self, model: AuthModel, existing: dict[str, Any] | None
    ) -> dict[str, Any] | None:
        if self.merges_auth_state:
            return {**(existing or {}), **(model.auth_state or {})}
        return model.auth_state

    def normalize(self, name: str) -> str:
        return name.lower()

    def is_valid(self, name: str) -> bool:
        return bool(name) and "/" not in name and name == name.strip() and "!" not in name

    async def add_user(self, user: User) -> None:
        if user.name in self.refused:
            raise PluginError(self.class_name, "add_user", f"no {user.name} here")
        self.added.append(user.name)

    async def delete_user(self, user: User) -> None:
        self.added.remove(user.name)

    async def managed_roles(self) -> list[dict[str, Any]]:
        return self.roles

    def login_url(self, hub_prefix: str) -> str:
        return f"{hub_prefix}login"

    def logout_url(self, hub_prefix: str) -> str:
        return f"{hub_prefix}logout"

    def custom_html(self, hub_prefix: str) -> str:
        return ""


class House:
    """The room, wired as the hub wires it."""

    def __init__(self, path: Path, catalogue: Catalogue = CATALOGUE) -> None:
        self.database = Database(str(path))
        create_schema(self.database)
        self.clock = ManualClock()
        self.bus = Bus()
        self.told: list[str] = []
        self.bus.subscribe(Topic.CREDENTIALS, self.told.append)
        self.authenticator = FakeAuthenticator()
        self.cipher = Cipher([b"k" * 32])
        self.auth_states = AuthStates(self.database, self.cipher)
        self.activity = Activity(self.database, self.clock, 30)
        self.grants = Grants(self.database, self.bus, self.clock, catalogue)
        self.tokens = Tokens(self.database, self.bus, self.clock, self.grants, self.activity)
        self.users = Users(
            self.database,
            self.bus,
            self.clock,
            self.authenticator,
            self.activity,
            self.auth_states,
        )
        self.groups = Groups(self.database, self.bus, self.authenticator)
        self.sessions = Sessions(
            self.database,
            self.bus,
            self.clock,
            secret=b"s" * 32,
            cookie_name=COOKIE,
            max_age_days=14,
        )
        self.login = SignIn(
            self.database,
            self.bus,
            self.authenticator,
            users=self.users,
            sessions=self.sessions,
            grants=self.grants,
            activity=self.activity,
            auth_states=self.auth_states,
        )
        self.refresher = Refresher(self.authenticator, self.login, self.clock)
        self.shares = Shares(self.database, self.bus, self.clock, self.grants)
        self.share_codes = ShareCodes(self.database, self.bus, self.clock, self.grants)

    async def prepare(self, settings: RoleSettings | None = None, **tokens: Any) -> None:
        """Start the hub with this configuration."""
        await Preparation(
            self.database,
            self.bus,
            self.authenticator,
            self.users,
            self.tokens,
            self.grants,
            settings or RoleSettings(),
            **tokens,
        ).run()

    async def add(self, *names: str, admin: bool = False) -> list[User]:
        """New people."""
        made = await self.users.create(names, admin=admin, by_admin=True)
        return [detail.user for detail in made]

    async def add_service(self, name: str, **values: Any) -> Service:
        """A new service."""
        return await self.database.write(
            lambda c: service_store.save(c, Service(0, name, **values))
        )

    async def user(self, name: str) -> User:
        """The person as stored now."""
        found = await self.users.find(name)
        assert found is not None
        return found

    async def scopes(self, name: str) -> frozenset[str]:
        """What the person may do now."""
        return (await self.grants.grant_of(await self.user(name))).scopes

    async def close(self) -> None:
        """Close everything."""
        await self.activity.close()
        self.database.close()
