"""All handlers of plug-ins as one guest of the hub's ASGI application.

``HandlerFactory`` collects them (the authenticator's, the operator's
``extra_handlers``, and those that plug-ins registered while being imported),
gives them the settings they expect, and makes the handler objects that
authenticators and spawners are called with.
"""

import re
from typing import Any
from urllib.parse import urlparse

from starlette.requests import Request
from tornado.httputil import HTTPInputError, HTTPServerRequest, RequestStartLine
from tornado.util import import_object
from tornado.web import Application, RequestHandler

from perijove.compat import api, pages
from perijove.compat.app import JupyterHub
from perijove.compat.base import BaseHandler
from perijove.compat.bridge import TornadoGuest, context_of, headers_of, uri_of
from perijove.compat.login import LoginHandler
from perijove.compat.people import People, Services
from perijove.compat.relay import Relay, RelayedGuest
from perijove.compat.services import KEY, HandlerServices
from perijove.compat.user import User
from perijove.config.load import LoadedConfig
from perijove.domain.errors import ConfigError, InvalidInput
from perijove.plugins.context import HubContext
from perijove.plugins.failures import blaming
from perijove.telemetry import metrics
from perijove.telemetry.audit import Audit
from perijove.telemetry.log import RequestLine, log_request
from perijove.web.asgi import PLUGIN_COOKIES, PLUGIN_REDIRECT, Guest, page_headers
from perijove.web.pages.environment import STATIC
from perijove.web.pages.errors import ErrorPages, error_context
from perijove.web.rooms import Rooms

HANDLER_KEY = "perijove.handler"
"""Where a request's scope keeps the handler object that stands for it."""


class DetachedConnection:
    """The connection of a handler that only stands for a request; it takes no answer."""

    def __init__(self, scope: Any) -> None:
        self.scope = scope
        self.context = context_of(scope)

    def set_close_callback(self, callback: Any) -> None:
        """The hub's own page hears of the client's leaving, not this handler."""


class HandlerFactory:
    """Makes the handlers of plug-ins and the application that serves them."""

    def __init__(
        self, rooms: Rooms, context: HubContext, loaded: LoadedConfig, eventlog: Audit
    ) -> None:
        """Collect the handlers. Raises ConfigError for those that cannot be used."""
        address = context.address
        self._prefix = address.hub_prefix
        self._context = context
        shared = error_context(rooms)
        self._application = Application()
        # The very dict of ``user.settings``: plug-ins change it here and read it there.
        self._application.settings = context.settings
        services = HandlerServices(
            rooms=rooms,
            context=context,
            people=People(rooms, context),
            error_pages=ErrorPages(rooms.error_templates, rooms.static, shared),
            shared=shared,
            app=loaded.hub,
            application=self._application,
        )
        context.make_user = User.of_hub
        context.settings.update(_settings(rooms, context, services))
        context.settings["eventlog"] = eventlog
        if isinstance(loaded.hub, JupyterHub):
            loaded.hub.attach(services)
        self._specs = [*self._of_authenticator(services), *self._of_others(rooms)]
        self._application.add_handlers(".*$", [self._rule(spec) for spec in self._specs])

    # -- handlers of their own paths ----------------------------------------------------

    def _of_authenticator(self, services: HandlerServices) -> list[tuple[Any, ...]]:
        authenticator = services.authenticator
        with blaming(authenticator.class_name, "get_handlers"):
            found = authenticator.authenticator.get_handlers(services.app)
        # The hub answers its own login page itself.
        return [spec for spec in found if tuple(spec[:2]) != ("/login", LoginHandler)]

    @staticmethod
    def _of_others(rooms: Rooms) -> list[tuple[Any, ...]]:
        return [
            *rooms.settings.pages.extra_handlers,
            *pages.default_handlers,
            *api.default_handlers,
        ]

    def _rule(self, spec: Any) -> tuple[Any, ...]:
        try:
            path, handler, *rest = spec
            re.compile(path)
        except (TypeError, ValueError, re.error) as error:
            raise ConfigError(f"{spec!r} is no handler: (path, class[, arguments])") from error
        if isinstance(handler, str):
            try:
                handler = import_object(handler)
            except ImportError as error:
                raise ConfigError(f"{handler!r} at {path!r} cannot be imported: {error}") from error
        if not (isinstance(handler, type) and issubclass(handler, RequestHandler)):
            raise ConfigError(f"{handler!r} at {path!r} is no tornado handler class")
        return (self._pattern(path), handler, *rest[:1])

    def _pattern(self, path: str) -> str:
        return self._prefix + path.lstrip("/")

    def guests(self, below: str, relay: Relay | None = None) -> tuple[Guest, ...]:
        """The ASGI applications that answer paths of plug-ins ``below`` one.

        ``relay`` leads to other replicas, if there may be some.
        """
        if not self._specs:
            return ()
        patterns = [self._pattern(spec[0]) for spec in self._specs]
        guest = TornadoGuest(self._application, patterns, below=below)
        return (guest if relay is None else RelayedGuest(guest, relay),)

    # -- handlers that stand for a request --------------------------------------------------
    def handler_for(self, request: object | None) -> RequestHandler | None:
        """The tornado handler that plug-ins get for a web request, one per request.

        Raises InvalidInput when its headers are impossible (RFC 9112 section 3.2).
        """
        if request is None or isinstance(request, RequestHandler):
            return request
        if not isinstance(request, Request):
            return None
        scope = request.scope
        if HANDLER_KEY not in scope:
            scope[HANDLER_KEY] = self._stand_in(request)
        handler: RequestHandler = scope[HANDLER_KEY]
        return handler

    def _stand_in(self, request: Request) -> RequestHandler:
        scope = request.scope
        line = RequestStartLine(
            scope["method"], uri_of(scope), f"HTTP/{scope.get('http_version', '1.1')}"
        )
        connection: Any = DetachedConnection(scope)
        try:
            stand_in = HTTPServerRequest(
                connection=connection, start_line=line, headers=headers_of(scope)
            )
        except HTTPInputError as error:
            raise InvalidInput(f"The request is malformed: {error}") from error
        form = getattr(request, "_form", None)  # read by the page before, if it is one
        for name, value in form.multi_items() if form is not None else ():
            if isinstance(value, str):
                stand_in.arguments.setdefault(name, []).append(value.encode())
                stand_in.body_arguments.setdefault(name, []).append(value.encode())
        return StandIn(self._application, stand_in)


class StandIn(BaseHandler):
    """Stands for a request that the hub answers itself.

    Cookies that a plug-in sets on it, and where it redirects to, are kept in the
    request's scope, from where the hub's answer takes them.
    """

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """Have the hub answer a sign-in that lets nobody in with this redirect."""
        connection: Any = self.request.connection
        connection.scope[PLUGIN_REDIRECT] = (url, status or (301 if permanent else 302))

    def set_cookie(self, name: str, value: Any, *args: Any, **kwargs: Any) -> None:
        """Set a cookie on the hub's answer."""
        super().set_cookie(name, value, *args, **kwargs)
        connection: Any = self.request.connection
        connection.scope[PLUGIN_COOKIES] = [
            morsel.OutputString() for morsel in self._new_cookie.values()
        ]

    @property
    def current_user(self) -> Any:
        """Who calls, as far as the page has found out."""
        if self._jupyterhub_user is None:
            name = getattr(self._hub_call.request.state, "caller_name", "")
            self._jupyterhub_user = self.find_user(name) if name else None
        return self._jupyterhub_user

    @current_user.setter
    def current_user(self, user: Any) -> None:
        self._jupyterhub_user = user


def _settings(rooms: Rooms, context: HubContext, services: HandlerServices) -> dict[str, Any]:
    """The settings that plug-ins look for in ``handler.settings`` and ``user.settings``."""
    prefix, address, wanted = context.address.hub_prefix, context.address, rooms.settings
    return {
        KEY: services,
        "app": services.app,
        "config": context.config,
        "log": context.log,
        "log_function": _log,
        "db": context.db,
        "headers": page_headers(wanted.pages, wanted.network),
        "base_url": address.base_url,
        "hub_prefix": prefix,
        "hub": context.hub,
        "users": services.people,
        "services": Services(context),
        "authenticator": services.authenticator.authenticator,
        "admin_users": services.authenticator.authenticator.admin_users,
        "proxy": services.proxy.proxy,
        "cookie_secret": rooms.jar.secret,
        "cookie_max_age_days": rooms.jar.max_age_days,
        "cookie_options": rooms.jar.options,
        "cookie_host_prefix_enabled": context.cookie_host_prefix_enabled,
        "trusted_alt_names": list(context.trusted_alt_names),
        "internal_ssl": context.internal_ssl,
        "internal_certs_location": context.internal_certs_location,
        "internal_trust_bundles": dict(context.internal_trust_bundles),
        "default_url": wanted.pages.default_url,
        "login_url": rooms.authenticator.login_url(prefix),
        "logout_url": rooms.authenticator.logout_url(prefix),
        "static_url_prefix": f"{prefix}static/",
        "static_path": str(STATIC),
        "template_path": list(wanted.pages.template_paths),
        "template_vars": dict(wanted.pages.template_vars),
        "jinja2_env": rooms.templates,
        "jinja2_env_sync": rooms.error_templates,
        "allow_named_servers": wanted.servers.allow_named_servers,
        "named_server_limit_per_user": wanted.servers.named_server_limit_per_user,
        "redirect_to_server": wanted.servers.redirect_to_server,
        "shutdown_on_logout": wanted.servers.shutdown_on_logout,
        "concurrent_spawn_limit": wanted.limits.concurrent_spawn_limit,
        "active_server_limit": wanted.limits.active_server_limit,
        "slow_spawn_timeout": wanted.limits.slow_spawn_timeout_s,
        "slow_stop_timeout": wanted.limits.slow_stop_timeout_s,
        "authenticate_prometheus": wanted.security.authenticate_prometheus,
        "subdomain_host": rooms.addresses.subdomain_host,
        "domain": rooms.addresses.domain,
        "public_url": urlparse(address.public_url) if address.public_url else None,
    }


def _log(handler: RequestHandler) -> None:
    """Count and log an answered request like those of the hub's own pages."""
    took_s = handler.request.request_time()
    request = handler.request
    kind = type(handler)
    label = f"{kind.__module__}.{kind.__name__}"
    status = handler.get_status()
    metrics.request_duration(request.method or "", label, status).observe(took_s)
    user = handler.current_user if isinstance(handler, BaseHandler) else None
    log_request(
        handler.settings["log"],
        RequestLine(
            method=request.method or "",
            uri=request.uri or "",
            status=status,
            duration_s=took_s,
            user=getattr(user, "name", ""),
            ip=request.remote_ip or "",
            location=handler._headers.get("Location", ""),
            headers=dict(request.headers.get_all()),
        ),
    )
