"""The tornado handler that plug-ins inherit as ``jupyterhub.handlers.BaseHandler``.

It knows who calls, checks where a form came from, renders the hub's templates
and answers errors, all by asking the same rooms that the hub's own pages ask.
Signing in and out is in ``visitors``.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from tornado.web import HTTPError

from perijove.compat.bridge import BridgeConnection
from perijove.compat.facts import HubFacts
from perijove.compat.rights import RightsMethods
from perijove.compat.services import KEY, HandlerServices
from perijove.compat.visitors import VisitorMethods
from perijove.domain.errors import Forbidden, NotFound, PerijoveError, PluginError, StartFailed
from perijove.domain.users import Service
from perijove.people.refresh import Freshness
from perijove.plugins.context import PluginUser
from perijove.web.call import Call
from perijove.web.caller import Caller
from perijove.web.freshness import fresh
from perijove.web.pages.page import base_context, login_url, xsrf_for
from perijove.web.problems import headers_of, message_of, note, status_of
from perijove.web.xsrf import SAFE, is_navigation


class CallingService:
    """A service as ``handler.current_user``."""

    kind = "service"

    def __init__(self, record: Service) -> None:
        self.record = record
        self.id = record.id
        self.name = record.name
        self.admin = record.admin


class BaseHandler(VisitorMethods, RightsMethods, HubFacts):
    """A page or endpoint of a plug-in below the hub's prefix."""

    _accept_token_auth = False
    _caller: Caller | None = None
    _jupyterhub_user: Any = None
    _accept_cookie_auth = True

    @property
    def _hub_services(self) -> HandlerServices:
        services: HandlerServices = self.settings[KEY]
        return services

    @property
    def _served_by_hub(self) -> bool:
        """Whether a hub answers this request; in suites of plug-ins handlers may stand alone."""
        return isinstance(getattr(self.request.connection, "scope", None), Mapping)

    # -- who calls -------------------------------------------------------------------
    @cached_property
    def _hub_call(self) -> Call:
        """This request as the hub's own pages see it."""
        connection: Any = self.request.connection
        body, sent = self.request.body or b"", False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        request = Request(connection.scope, receive)
        names = getattr(self, "path_kwargs", None)  # absent in a handler that stands for a request
        return Call(request, dict(names or {}), self._hub_services.rooms)

    async def get_current_user(self) -> Any:
        """Who calls, found out once per request; None for strangers."""
        if self._caller is None:
            await self._identify()
        return self._jupyterhub_user

    async def _identify(self) -> None:
        call, rooms = self._hub_call, self._hub_services.rooms
        caller = Caller()
        if self._accept_token_auth:
            caller = await rooms.callers.by_token(call.request)
        if not caller.known and self._accept_cookie_auth:
            caller = await rooms.callers.by_cookie(call.request)
        call.remember(await fresh(call, caller))
        self._caller = call.caller
        if call.caller.user is not None:
            groups = await rooms.groups_of(call.caller.user.name)
            self._jupyterhub_user = self._hub_services.context.user(
                call.caller.user, sorted(groups)
            )
        elif call.caller.service is not None:
            self._jupyterhub_user = CallingService(call.caller.service)

    @property
    def current_user(self) -> Any:
        """Who calls; None for strangers."""
        return self._jupyterhub_user

    @current_user.setter
    def current_user(self, user: Any) -> None:
        self._jupyterhub_user = user

    def get_current_user_cookie(self) -> Any:
        """The user whose browser this is, by its cookie; None without one."""
        return self._jupyterhub_user if self._hub_call.caller.signed_in is not None else None

    def get_current_user_token(self) -> Any:
        """The user or service whose token came with the request; None without one."""
        token = self.get_token()
        if token is None:
            return None
        return token.service if token.user is None else self._user_from_orm(token.user)

    async def refresh_auth(self, user: Any, force: bool = False) -> Any:
        """The user, after the authenticator was asked again if that is due; None: sign in anew."""
        wanted = force and self.authenticator.auth_refresh_age > 0
        freshness, _ = await self._hub_services.rooms.refresher.refresh(
            user.record, self._hub_call.request, force=wanted
        )
        return None if freshness is Freshness.STALE else user

    def find_user(self, name: str) -> PluginUser | None:
        """The user of that name, or None."""
        user: PluginUser | None = self.users.get(name)
        return user

    def user_from_username(self, username: str) -> PluginUser:
        """The user of that name, made when missing."""
        return self._hub_services.people.find_or_create(username)

    def _user_from_orm(self, orm_user: Any) -> PluginUser | None:
        """The user that a row of the database is about."""
        user: PluginUser | None = None if orm_user is None else self.users[orm_user]
        return user

    def get_login_url(self) -> str:
        """Where ``tornado.web.authenticated`` sends strangers."""
        return login_url(self._hub_call)

    # -- before and after the handler -----------------------------------------------------
    async def prepare(self) -> None:
        """Find out who calls, then check where a form came from."""
        await self.get_current_user()
        self.check_xsrf_cookie()

    def head(self, *args: Any, **kwargs: Any) -> Any:
        """The same as GET; tornado leaves the body out."""
        return self.get(*args, **kwargs)

    def finish(self, *args: Any, **kwargs: Any) -> Any:
        """End the answer; what a plug-in changed but did not commit is undone."""
        session = self.settings.get("db")
        if session is not None and session.dirty:
            self.log.warning("Rolling back changes that were not committed: %s", session.dirty)
            session.rollback()
        return super().finish(*args, **kwargs)

    def check_xsrf_cookie(self) -> None:
        """Refuse a form that does not prove that it is one of ours."""
        if self.request.method in SAFE:
            return
        self._check_xsrf()

    def _check_xsrf(self) -> None:
        try:
            self._hub_call.check_xsrf(self._hub_call.caller, self.get_argument("_xsrf", None))
        except Forbidden as error:
            raise HTTPError(403, error.message) from None

    @property
    def xsrf_token(self) -> bytes:
        """The proof that forms on this page carry as ``_xsrf``."""
        token, changed = xsrf_for(self._hub_call)
        if changed and not self._headers_written and is_navigation(self._hub_call.request):
            self._take_cookies(
                lambda response: self._hub_services.rooms.xsrf.set(
                    response,
                    self._hub_call.request,
                    token,
                    anonymous=self._hub_call.caller.user is None,
                )
            )
        return token.encode()

    def _take_cookies(self, set_them: Callable[[Response], Any]) -> None:
        """Send the cookies that ``set_them`` sets on one of the hub's own answers."""
        response = Response()
        set_them(response)
        for value in response.headers.getlist("set-cookie"):
            self.add_header("Set-Cookie", value)

    async def _answer_with(self, page: Callable[[Call], Awaitable[Response]]) -> None:
        """Answer as one of the hub's own pages does."""
        response = await page(self._hub_call)
        self.set_status(response.status_code)
        for name, value in response.headers.items():
            if name == "set-cookie":
                self.add_header("Set-Cookie", value)
            elif name != "content-length":
                self.set_header(name, value)
        if body := bytes(response.body):
            self.write(body)

    # -- templates ---------------------------------------------------------------------
    def get_template(self, name: str, sync: bool = False) -> Any:
        """A template of the hub, from its environment as it is now."""
        key = "jinja2_env_sync" if sync else "jinja2_env"
        return self.settings[key].get_template(name)

    def render_template(self, name: str, sync: bool = False, **values: Any) -> Any:
        """A page from a template; to be awaited, unless ``sync``."""
        if sync:
            shared = self._hub_services.shared
            return self.get_template(name, sync=True).render(**{**shared, **values})
        return self._rendered_page(name, values)

    async def _rendered_page(self, name: str, values: Mapping[str, Any]) -> str:
        shared = await base_context(self._hub_call, self.xsrf_token.decode())
        html: str = await self.get_template(name).render_async(**{**shared, **values})
        return html

    # -- errors --------------------------------------------------------------------------
    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Refusals are no faults: only unexpected errors come with a traceback."""
        if isinstance(value, PerijoveError):
            note(self._hub_call.request, value, status_of(value))
        else:
            super().log_exception(typ, value, tb)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Answer an error; after the answer has begun, break it off."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        connection = self.request.connection
        if self._headers_written and isinstance(connection, BridgeConnection):
            connection.abort()
            return
        if isinstance(error, (PerijoveError, NotFound)):
            status_code = status_of(error)
            kwargs["hub_headers"] = headers_of(error)
        super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The hub's error page."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        for name, value in self._error_headers(error, kwargs).items():
            self.set_header(name, value)
        message, html = error_words(error)
        page = self._hub_services.error_pages.render(status_code, status_code, message, html)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(bytes(page.body))

    @staticmethod
    def _error_headers(error: Any, kwargs: Mapping[str, Any]) -> dict[str, str]:
        headers = dict(kwargs.get("hub_headers") or {})
        own = getattr(error, "headers", None)
        return {**headers, **own} if isinstance(own, Mapping) else headers


def error_words(error: Any) -> tuple[str, str]:
    """What people are told of an error: text, and HTML if the plug-in has some."""
    html = str(getattr(error, "jupyterhub_html_message", "") or "")
    if isinstance(error, (PluginError, StartFailed)):
        return message_of(error), error.shown_html
    if isinstance(error, PerijoveError):
        return message_of(error), ""
    if text := getattr(error, "jupyterhub_message", ""):
        return str(text), html
    if isinstance(error, HTTPError) and error.log_message:
        # tornado doubles the % of a message without arguments.
        return error.log_message % error.args, html
    if isinstance(error, HTTPError) and error.reason:
        return str(error.reason), html
    return "", html
