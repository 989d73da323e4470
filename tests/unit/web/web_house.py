"""The whole hub application in this process, without a proxy and without listening.

Everything is real (configuration, database, rooms, ASGI application) except the
proxy, which only remembers its routes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx

from api_contract import CheckedTransport, Contract
from perijove.building.hub import Built, build
from perijove.config.hub import JupyterHub
from perijove.config.load import load_hub
from perijove.config.settings import build_settings
from perijove.domain.errors import PluginError
from perijove.domain.ports import ProxyPort
from perijove.domain.routes import Route
from perijove.domain.users import User
from perijove.people.tokens import TokenRequest
from perijove.routes.desired import Desired
from perijove.routes.reconcile import Reconciler
from perijove.store import servers as server_rows
from perijove.web.api.document import document

CONTRACT = Contract(document("/hub/api"))
ROOT = "root-token-0123456789"

CONFIG = f"""
from perijove.plugins.simple_auth import DummyAuthenticator

c = get_config()
c.JupyterHub.authenticator_class = DummyAuthenticator
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{"admin"}}
c.JupyterHub.services = [{{"name": "root", "api_token": {ROOT!r}, "admin": True}}]
"""


@dataclass
class RecordingProxy:
    """Remembers its routes; answers at ``address`` alone, unless it is down."""

    table: dict[str, Route] = field(default_factory=dict)
    down: bool = False
    address: str = "http://proxy.test"
    asked_at: str = "http://proxy.test"

    def _must_be_up(self) -> None:
        if self.down or self.asked_at != self.address:
            raise PluginError("RecordingProxy", "add_route", "it is down")

    async def add_route(self, route: Route) -> None:
        self._must_be_up()
        self.table[route.routespec] = route

    async def delete_route(self, routespec: str) -> None:
        self._must_be_up()
        self.table.pop(routespec, None)

    async def routes(self) -> dict[str, Route]:
        self._must_be_up()
        return dict(self.table)

    def reconfigure(self, *, api_url: str | None, auth_token: str | None) -> dict[str, str | None]:
        before = self.asked_at
        self.asked_at = api_url or before
        return {"api_url": before, "auth_token": None}


async def nothing_wanted() -> Desired:
    """A wanted table without routes, for a proxy without servers."""
    return Desired({}, frozenset())


class Api(httpx.AsyncClient):
    """A client of the API, maybe with a token. Paths are below ``/hub/api``.

    Every answer is held against the OpenAPI document.
    """

    def __init__(self, application: Any, token: str | None = None) -> None:
        headers = {"Authorization": f"token {token}"} if token else {}
        super().__init__(
            transport=CheckedTransport(application, "/hub/api", CONTRACT),
            base_url="http://hub.test/hub/api",
            headers=headers,
        )


class WebHouse:
    """One hub, made by ``open``."""

    def __init__(self, built: Built, folder: Path) -> None:
        self.built = built
        self.folder = folder
        self.rooms = built.rooms
        self.database = built.ground.database
        self.proxy = RecordingProxy()
        # What reaches the proxy through the API alone; servers are not started here.
        built.rooms.proxy = cast("ProxyPort", self.proxy)
        built.rooms.reconciler = Reconciler(built.rooms.proxy, nothing_wanted)
        self.root = self.api(ROOT)

    @classmethod
    async def open(cls, folder: Path, settings: str = "", db_url: str = "") -> "WebHouse":
        """A hub with its files in ``folder`` and these lines in its configuration."""
        db_url = db_url or f"sqlite:///{folder / 'hub.sqlite'}"
        database = f"c.JupyterHub.db_url = {db_url!r}\n"
        secret = f"c.JupyterHub.cookie_secret_file = {str(folder / 'secret')!r}\n"
        file = folder / "config.py"
        file.write_text(CONFIG + database + secret + settings)
        try:
            loaded = load_hub(["-f", str(file)], start_log=False)
            built = build(
                loaded,
                build_settings(loaded.hub),
                on_lease_lost=lambda: None,
                on_failure_limit=lambda code: None,
                shutdown=_no_shutdown,
            )
        finally:
            JupyterHub.clear_instance()
        await built.prepare()
        return cls(built, folder)

    def api(self, token: str | None = None) -> Api:
        """A client with this token."""
        return Api(self.built.application, token)

    async def add_user(self, name: str) -> User:
        """A new person."""
        (made,) = await self.rooms.users.create([name], by_admin=True)
        return made.user

    async def as_user(self, name: str, scopes: Sequence[str] | None = None) -> Api:
        """A client with a token of this person, limited to ``scopes`` if given."""
        user = await self.rooms.users.find(name)
        assert user is not None
        asked = TokenRequest(scopes=("inherit",) if scopes is None else tuple(scopes))
        return self.api((await self.rooms.tokens.request(user, asked)).secret)

    async def add_server(self, user: User, name: str) -> None:
        """A stopped server besides the default one."""
        await self.database.write(lambda c: server_rows.create(c, user.id, name))

    async def close(self) -> None:
        """Close everything."""
        await self.rooms.activity.close()
        await self.built.close_clients()
        self.database.close()


async def _no_shutdown(proxy: bool | None, servers: bool | None) -> None:
    raise AssertionError("nothing here shuts the hub down")
