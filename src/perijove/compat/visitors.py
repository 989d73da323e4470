"""Signing people in and out, and their cookies, for handlers of plug-ins.

Some of these methods cannot be awaited, because plug-ins call them plainly;
what they begin is finished before the answer leaves (``before_send``).
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.responses import Response
from tornado.web import RequestHandler

from perijove.compat.bridge import BridgeConnection
from perijove.compat.services import KEY, HandlerServices
from perijove.domain.errors import NotFound
from perijove.domain.servers import Server
from perijove.kit.aio import maybe_await
from perijove.kit.urls import join
from perijove.people.sessions import SignedIn
from perijove.plugins.context import PluginUser
from perijove.store import sessions as session_store
from perijove.telemetry import metrics
from perijove.telemetry.log import shown_name
from perijove.web.api.servers import named_limit
from perijove.web.call import Call
from perijove.web.cookies import SESSION
from perijove.web.freshness import require_fresh
from perijove.web.next_url import checked_next
from perijove.web.pages.confirm import carry_proof
from perijove.web.pages.signing import open_sign_in, with_cookies


class VisitorMethods(RequestHandler):
    """The part of ``BaseHandler`` that deals with signing in and out."""

    _signed_in: SignedIn | None = None

    if TYPE_CHECKING:  # what BaseHandler adds
        _jupyterhub_user: Any
        _take_cookies: Callable[[Callable[[Response], Any]], None]

        @property
        def _hub_call(self) -> Call: ...

        @property
        def log(self) -> Any: ...

        @property
        def authenticator(self) -> Any: ...
        @property
        def base_url(self) -> str: ...
        @property
        def default_url(self) -> Any: ...
        @property
        def hub(self) -> Any: ...
        @property
        def redirect_to_server(self) -> bool: ...

        @property
        def _hub_services(self) -> HandlerServices: ...

    # -- signing in --------------------------------------------------------------------
    async def authenticate(self, data: Any) -> dict[str, Any] | None:
        """What the authenticator says to this data: its model, or None."""
        model: dict[str, Any] | None = await maybe_await(
            self.authenticator.get_authenticated_user(self, data)
        )
        return model

    async def login_user(self, data: Any = None) -> PluginUser | None:
        """Sign in whoever ``data`` (or, without, the request itself) belongs to.

        The user, whose cookies are set; None when the authenticator says no.
        """
        began = time.perf_counter()
        answer = await self.authenticate(data)
        if not answer:
            name = data.get("username") if isinstance(data, dict) else None
            self.log.warning("Failed login for %r", shown_name(name or "unknown user"))
            metrics.LOGIN_DURATION.labels(metrics.LOGIN_FAILURE).observe(
                time.perf_counter() - began
            )
            return None
        services = self._hub_services
        model = services.authenticator.model_of(answer, "authenticate")
        self._signed_in = await open_sign_in(self._hub_call, model)
        user = await self._welcome(self._signed_in)
        self.set_login_cookie(user)
        metrics.LOGIN_DURATION.labels(metrics.LOGIN_SUCCESS).observe(time.perf_counter() - began)
        return user

    async def auth_to_user(self, authenticated: Any, user: Any = None) -> PluginUser:
        """Store what an authenticator said, and give the person it is about."""
        services = self._hub_services
        answer = {"name": authenticated} if isinstance(authenticated, str) else authenticated
        if user is not None and answer["name"] != user.name:
            raise ValueError(f"the names {answer['name']!r} and {user.name!r} are not the same")
        answer = {"auth_state": None, **answer}
        model = services.authenticator.model_of(answer, "auth_to_user")
        record = await services.rooms.sign_in.authenticated(model)
        groups = await services.rooms.groups_of(record.name)
        return services.context.user(record, sorted(groups))

    async def _welcome(self, signed_in: SignedIn) -> PluginUser:
        services = self._hub_services
        groups = await services.rooms.groups_of(signed_in.user.name)
        user = services.context.user(signed_in.user, sorted(groups))
        self._jupyterhub_user = user
        return user

    def set_login_cookie(self, user: PluginUser) -> None:
        """Set the cookies that keep this person signed in."""
        signed_in = self._signed_in
        if signed_in is None or signed_in.user.id != user.id:
            signed_in = self._begin_session(user)
        known = signed_in
        self._take_cookies(lambda r: with_cookies(self._hub_call, r, known, known.user))

    set_hub_cookie = set_login_cookie

    def _begin_session(self, user: PluginUser) -> SignedIn:
        services = self._hub_services
        session = services.rooms.sessions.new_session(user.id)
        before = self._hub_call.caller.signed_in
        if before is not None and not before.imported:
            self._before_send(services.rooms.sessions.close(before))
        self._before_send(
            services.context.database.write(lambda c: session_store.create(c, session))
        )
        services.rooms.refresher.note_sign_in(user.record)
        self.log.info("User logged in: %s", shown_name(user.name))
        self._signed_in = SignedIn(user.record, session.id)
        return self._signed_in

    def _before_send(self, work: Any) -> None:
        connection = self.request.connection
        if not isinstance(connection, BridgeConnection):
            work.close()
            raise RuntimeError(
                "this handler stands for a request that the hub answers itself; only handlers "
                "of get_handlers() can set or clear login cookies"
            )
        connection.before_send.append(work)

    # -- cookies -------------------------------------------------------------------------
    def _set_cookie(self, key: str, value: Any, encrypted: bool = True, **overrides: Any) -> None:
        """Set a cookie with the hub's usual attributes; ``encrypted`` means signed."""
        options: dict[str, Any] = {"httponly": True, "path": self.base_url}
        public = self.settings.get("public_url")
        if "https" in (self.request.protocol, public.scheme if public else ""):
            options["secure"] = True
        options |= {**self.settings.get("cookie_options", {}), **overrides}
        if encrypted:
            self.set_secure_cookie(key, value, **options)
        else:
            self.set_cookie(key, value, **options)

    def get_session_cookie(self) -> str | None:
        """The id that ties this browser's servers and services to its sign-in."""
        return self.get_cookie(SESSION, None)

    def clear_login_cookie(self, name: str | None = None) -> None:
        """Sign this browser out: its sign-in ends, and its cookies go."""
        services, caller = self._hub_services, self._hub_call.caller
        if caller.signed_in is not None:
            self._before_send(services.rooms.sessions.close(caller.signed_in))
        self._take_cookies(services.rooms.jar.clear_all)
        self._jupyterhub_user = None

    # -- where to go -----------------------------------------------------------------------
    def get_next_url(self, user: PluginUser | None = None, default: str | None = None) -> str:
        """Where a person goes now: ``next``, the operator's default, the server, or home."""
        target = self._validate_next_url(self.get_argument("next", ""))
        if not target:
            target = default or self._configured_target() or self._usual_target(user)
            target = self.append_query_parameters(target, exclude=["next", "_xsrf"])
        return target if self._signed_in is None else carry_proof(self._hub_call, target)

    def _validate_next_url(self, next_url: str) -> str:
        """The URL if it stays within the hub, else an empty text."""
        hosts = {self.request.host.lower()}
        if public := self.settings.get("public_url"):
            hosts.add(public.netloc.lower())
        if domain := self.settings.get("domain"):
            hosts |= {domain, f".{domain}"}
        found = checked_next(next_url, own_hosts=frozenset(hosts - {""}), base_url=self.base_url)
        if next_url and found is None:
            self.log.warning("Ignoring next URL %s", ascii(next_url[:200]))
        return found or ""

    def _configured_target(self) -> str | None:
        configured = self.default_url
        if callable(configured):
            configured = configured(self)
        return str(configured) if configured else None

    def _usual_target(self, user: Any) -> str:
        prefix = self.hub.base_url
        user = user or self._jupyterhub_user
        if user is None or not self.redirect_to_server:
            return join(prefix, "home")
        return str(user.url) if self._runs(user) else join(prefix, "spawn")

    def _runs(self, user: Any) -> bool:
        services = self.settings.get(KEY)
        if services is None:
            return bool(user.spawner.active)
        server = services.people.default_server(user)
        return server is not None and server.ready

    def append_query_parameters(self, url: str, exclude: Any = None) -> str:
        """The URL with the arguments of this request added, all but those in ``exclude``."""
        left_out = set(["next"] if exclude is None else exclude)
        arguments = [
            (name, value)
            for name, value in parse_qsl(self.request.query, keep_blank_values=True)
            if name not in left_out
        ]
        if not arguments:
            return url
        parts = urlsplit(url)
        query = "&".join(part for part in (parts.query, urlencode(arguments)) if part)
        return urlunsplit(parts._replace(query=query))

    # -- servers of the visitor --------------------------------------------------------------
    async def _find_server(self, user: PluginUser, server_name: str) -> Server:
        server = await self._hub_services.rooms.commands.find(user.name, server_name)
        if server is None:
            raise NotFound(f"{user.name} has no server named {server_name!r}")
        return server

    async def spawn_single_user(
        self, user: PluginUser, server_name: str = "", options: dict[str, Any] | None = None
    ) -> None:
        """Start a server and wait for it as long as a request may wait."""
        rooms = self._hub_services.rooms
        await require_fresh(self._hub_call, user.record, "spawn")
        extra: dict[str, Any] = {"options": options} if options is not None else {}
        server = await rooms.commands.request_start(
            user.record, server_name, request=self._hub_call.request, **extra
        )
        await rooms.commands.wait_started(server, rooms.settings.limits.slow_spawn_timeout_s)

    async def stop_single_user(self, user: PluginUser, server_name: str = "") -> None:
        """Stop a server and wait for that as long as a request may wait."""
        rooms = self._hub_services.rooms
        await require_fresh(self._hub_call, user.record, "stop")
        server = await self._find_server(user, server_name)
        await rooms.commands.request_stop(server)
        await rooms.commands.wait_stopped(server, rooms.settings.limits.slow_stop_timeout_s)

    async def user_stopped(self, user: PluginUser, server_name: str) -> None:
        """Clean up after a server that ended by itself."""
        await self._hub_services.people.stop(user, server_name)

    async def get_current_user_named_server_limit(self) -> Any:
        """How many named servers the caller may have; 0: any number."""
        return await named_limit(self._hub_call)
