"""What handlers may call: the rooms behind the web, gathered once by ``app``."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jinja2
from starlette.requests import Request

from perijove.domain.ports import AuthenticatorPort, ProxyPort, SpawnerFactory
from perijove.domain.settings import Settings
from perijove.oauth.backchannel import Backchannel
from perijove.oauth.provider import Provider
from perijove.people.activity import Activity
from perijove.people.answers import Answers
from perijove.people.auth_state import AuthStates
from perijove.people.grants import Grants
from perijove.people.groups import Groups
from perijove.people.login import SignIn
from perijove.people.refresh import Refresher
from perijove.people.sessions import Sessions
from perijove.people.share_codes import ShareCodes
from perijove.people.shares import Shares
from perijove.people.tokens import Tokens
from perijove.people.users import Users
from perijove.routes.addresses import Addresses
from perijove.routes.reconcile import Reconciler
from perijove.servers.commands import Commands
from perijove.servers.feed import ServerFeed
from perijove.servers.progress import ProgressFeed
from perijove.servers.removal import Removals
from perijove.servers.runner import Runner
from perijove.services.registry import Registry
from perijove.services.supervisor import Supervisor
from perijove.web.caller import Callers
from perijove.web.cookies import SESSION, CookieJar, cookies_of
from perijove.web.pages.environment import StaticFiles
from perijove.web.rates import RateLimiter
from perijove.web.views import Views
from perijove.web.xsrf import Xsrf


@dataclass(slots=True)
class Rooms:
    """The collaborators of the web. ``shutdown(proxy, servers)`` begins the hub's end."""

    settings: Settings
    addresses: Addresses
    authenticator: AuthenticatorPort
    spawners: SpawnerFactory
    proxy: ProxyPort
    users: Users
    groups: Groups
    tokens: Tokens
    sessions: Sessions
    sign_in: SignIn
    refresher: Refresher
    grants: Grants
    activity: Activity
    answers: Answers
    auth_states: AuthStates
    shares: Shares
    share_codes: ShareCodes
    provider: Provider
    backchannel: Backchannel
    registry: Registry
    supervisor: Supervisor
    commands: Commands
    removals: Removals
    progress: ProgressFeed
    feed: ServerFeed
    runner: Runner
    reconciler: Reconciler
    callers: Callers
    jar: CookieJar
    xsrf: Xsrf
    rates: RateLimiter
    views: Views
    templates: jinja2.Environment
    error_templates: jinja2.Environment
    static: StaticFiles
    handler_for: Callable[[Request], object]
    shutdown: Callable[[bool | None, bool | None], Awaitable[None]]
    info: Callable[[], dict[str, Any]]

    async def groups_of(self, user: str) -> frozenset[str]:
        """The names of a user's groups."""
        return await self.grants.groups_of(user)

    def session_cookie(self, request: Request) -> str | None:
        """The session id that the browser sent."""
        return next(iter(cookies_of(request).get(SESSION, [])), None)

    def public_url(self, request: Request) -> str:
        """``scheme://host[:port]`` of the hub as this request's client sees it."""
        known = self.addresses.public_origin
        if known:
            return known
        parts = urlsplit(str(request.base_url))
        return f"{parts.scheme}://{parts.netloc}"
