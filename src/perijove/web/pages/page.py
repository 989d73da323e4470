"""What every page needs: who looks at it, its template, and the way to sign in.

A page is for people: a stranger is sent to sign in (GET) or refused (other
methods). Who comes from nowhere gets an anonymous XSRF token, bound to address
and browser.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, Response

from perijove.domain.errors import Forbidden, NotAuthenticated
from perijove.domain.settings import Settings
from perijove.domain.users import User, UserDetail
from perijove.kit.aio import maybe_await
from perijove.kit.urls import escape_name
from perijove.routes.addresses import Addresses
from perijove.web.asgi import redirect
from perijove.web.call import Call
from perijove.web.caller import STRANGER
from perijove.web.freshness import fresh
from perijove.web.xsrf import SAFE, is_navigation, needs_proof

log = logging.getLogger("perijove.web")

Page = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class PageUser:
    """The ``user`` of templates."""

    detail: UserDetail
    addresses: Addresses

    @property
    def name(self) -> str:
        """The user's name."""
        return self.detail.user.name

    @property
    def admin(self) -> bool:
        """Whether the user is an administrator."""
        return self.detail.user.admin

    @property
    def escaped_name(self) -> str:
        """The name as a path segment."""
        return escape_name(self.name)

    @property
    def json_escaped_name(self) -> str:
        """The name inside a JSON or JavaScript string."""
        return json.dumps(self.name)[1:-1]

    @property
    def url(self) -> str:
        """Where the default server is."""
        return self.server_url("")

    def server_url(self, name: str = "") -> str:
        """Where a server is."""
        return self.addresses.server_url(self.name, name)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the user's groups."""
        return self.detail.groups

    @property
    def spawner(self) -> "PageSpawner | None":
        """The default server."""
        return self.spawners.get("")

    @property
    def spawners(self) -> dict[str, "PageSpawner"]:
        """All servers by name, the default one included."""
        return {s.name: PageSpawner(s, self) for s in self.detail.servers}

    def all_spawners(self, include_default: bool = True) -> list["PageSpawner"]:
        """All servers."""
        return [s for s in self.spawners.values() if include_default or s.name]


@dataclass(frozen=True, slots=True)
class PageSpawner:
    """A server as templates know it (``spawner``)."""

    server: Any
    user: PageUser

    @property
    def name(self) -> str:
        """The server's name."""
        return str(self.server.name)

    @property
    def display_name(self) -> str:
        """The name that people read."""
        return str(self.server.display_name or self.server.name)

    @property
    def ready(self) -> bool:
        """Whether it can be used."""
        return bool(self.server.ready)

    @property
    def active(self) -> bool:
        """Whether it runs or is on its way."""
        return bool(self.server.active)

    @property
    def pending(self) -> str | None:
        """What goes on with it."""
        return self.server.pending  # type: ignore[no-any-return]

    @property
    def url(self) -> str:
        """Where it is."""
        return self.user.server_url(self.name)

    @property
    def last_activity(self) -> Any:
        """When it was last used."""
        return self.server.last_activity

    @property
    def started(self) -> Any:
        """When it was started."""
        return self.server.started

    @property
    def user_options(self) -> Any:
        """The options of its last start."""
        return self.server.options


async def look(call: Call) -> None:
    """Find out who looks at a page: only a cookie counts, and not for scripts of other pages."""
    caller = await call.rooms.callers.by_cookie(call.request)
    if call.request.method in SAFE and call.is_read_by_script(caller):
        caller = STRANGER
    call.remember(await fresh(call, caller))


def page(handler: Page) -> Page:
    """A page for people who are signed in."""

    async def endpoint(call: Call) -> Response:
        await look(call)
        if not call.caller.known:
            return to_login(call)
        if call.request.method not in SAFE:
            await check_form(call)
        return _with_session(call, await handler(call))

    endpoint.__name__ = handler.__name__
    endpoint.__module__ = handler.__module__
    return endpoint


def open_page(handler: Page) -> Page:
    """A page for everybody."""

    async def endpoint(call: Call) -> Response:
        await look(call)
        return await handler(call)

    endpoint.__name__ = handler.__name__
    endpoint.__module__ = handler.__module__
    return endpoint


async def check_form(call: Call) -> None:
    """Raises Forbidden unless one of our own pages sent this form."""
    argument = call.argument("_xsrf")
    if argument is None and not call.request.headers.get("x-xsrftoken"):
        value = (await call.form()).get("_xsrf")
        argument = value if isinstance(value, str) else None
    call.check_xsrf(call.caller, argument)


def to_login(call: Call) -> Response:
    """Send a stranger to sign in and back.

    Raises NotAuthenticated for other methods, for scripts whose cookie does not
    count, and where there is no sign-in page.
    """
    refuse_scripts(call)
    if call.request.method not in ("GET", "HEAD") or call.rooms.settings.network.api_only:
        raise NotAuthenticated
    url = login_url(call)
    separator = "&" if "?" in url else "?"
    target = call.raw_path
    if call.request.url.query:
        target += f"?{call.request.url.query}"
    response = redirect(f"{url}{separator}{urlencode({'next': target})}")
    if call.rooms.callers.login_cookies(call.request):
        # A cookie that nobody honours only costs.
        jar = call.rooms.jar
        jar.clear(response, jar.login_name, path=jar.hub_prefix)
    return response


def refuse_scripts(call: Call) -> None:
    """Raises NotAuthenticated for a script whose cookie does not count: it is no stranger's."""
    if call.rooms.callers.login_cookies(call.request) and needs_proof(call.request):
        raise NotAuthenticated


def _with_session(call: Call, response: Response) -> Response:
    """Give a browser that has none a session id, so that servers can tell sign-ins apart."""
    session_id = call.caller.session_id
    if session_id and call.rooms.session_cookie(call.request) != session_id:
        call.rooms.jar.set_session(response, call.request, session_id)
    return response


def login_url(call: Call) -> str:
    """Where people sign in: the hub's form, or the authenticator's own place."""
    rooms = call.rooms
    prefix = rooms.settings.network.hub_prefix
    if rooms.authenticator.rules.auto_login:
        return rooms.authenticator.login_url(prefix)
    return f"{prefix}login"


def xsrf_for(call: Call) -> tuple[str, bool]:
    """The token that forms on this page carry, and whether the cookie has to be set."""
    xsrf = call.rooms.xsrf
    if call.request.method in SAFE and call.is_read_by_script(call.caller):
        # A plug-in's page may be read by whom it does not know; the token would do more.
        return "", False
    user = call.caller.user
    session_id = call.session_id(call.caller)
    identity = xsrf.identity(call.request, session_id, user.cookie_id if user else None)
    present = xsrf.own_cookie(call.request, identity)
    if present is not None:
        return present, False
    return xsrf.new_value(identity), True


async def render(
    call: Call, template: str, status: int = 200, *, fresh_xsrf: bool = False, **values: Any
) -> Response:
    """A page from its template. ``fresh_xsrf``: send the XSRF cookie in any case."""
    token, changed = xsrf_for(call)
    context = {**await base_context(call, token), **values}
    name = template if template.endswith(".html") else f"{template}.html"
    html = await call.rooms.templates.get_template(name).render_async(**context)
    response = HTMLResponse(html, status)
    if fresh_xsrf or (changed and is_navigation(call.request)):
        call.rooms.xsrf.set(response, call.request, token, anonymous=call.caller.user is None)
    return response


async def base_context(call: Call, xsrf_token: str) -> dict[str, Any]:
    """The variables that every template has."""
    rooms = call.rooms
    settings: Settings = rooms.settings
    user = await page_user(call, call.caller.user)
    prefix = settings.network.hub_prefix
    values: dict[str, Any] = {
        "base_url": prefix,
        "prefix": settings.network.base_url,
        "user": user,
        "login_url": rooms.authenticator.login_url(prefix),
        "login_service": rooms.authenticator.rules.login_service,
        "logout_url": rooms.authenticator.logout_url(prefix),
        "static_url": rooms.static.url,
        "version_hash": rooms.static.version_of_all(),
        "api_docs_url": f"{prefix}api-docs",
        "services": await services_of(call),
        "parsed_scopes": call.caller.grant.parsed,
        "expanded_scopes": call.caller.grant.scopes,
        "xsrf": xsrf_token,
        "xsrf_token": xsrf_token,
        "no_spawner_check": False,
        "admin_access": True,
        "api_only": settings.network.api_only,
    }
    for name, value in settings.pages.template_vars.items():
        values[name] = await maybe_await(value(user)) if callable(value) else value
    return values


async def page_user(call: Call, user: User | None) -> PageUser | None:
    """The ``user`` of templates."""
    if user is None:
        return None
    detail = await call.rooms.users.get(user.name)
    return PageUser(detail, call.rooms.addresses)


async def services_of(call: Call) -> list[Mapping[str, Any]]:
    """The services in the menu: displayed, routed, and open to whoever looks."""
    scopes = call.caller.grant.scopes
    if not scopes:
        return []
    addresses = call.rooms.addresses
    found: list[Mapping[str, Any]] = []
    for service in await call.rooms.registry.all():
        allowed = {"access:services", f"access:services!service={service.name}"} & scopes
        if service.url and service.display and allowed:
            path = addresses.service_path(service.name)
            host = addresses.service_host(service.name)
            found.append(
                {
                    "name": service.name,
                    "href": addresses.origin_of(host) + path if host else path,
                    "url": service.url,
                    "info": service.info,
                    "prefix": path,
                }
            )
    return found


def require_scope(call: Call, scope: str) -> None:
    """Raises Forbidden unless the person holds a scope that has no target."""
    if not call.caller.grant.holds(scope):
        raise Forbidden(f"Action is not authorized with current scopes; requires any of [{scope}]")
