"""Mixins and the callback for tornado services that let the hub identify visitors.

Put a mixin before ``tornado.web.RequestHandler`` in the bases and decorate
methods with ``tornado.web.authenticated``::

    class Page(HubOAuthenticated, RequestHandler):
        @authenticated
        def get(self): ...
"""

import asyncio
from collections.abc import Awaitable
from inspect import isawaitable
from typing import Any

from tornado.web import HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler

from perijove.hubauth import browser, client, headers, xsrf
from perijove.hubauth.configurable import HubAuth, http_error
from perijove.hubauth.hub_oauth import HubOAuth
from perijove.hubauth.identity import UserModel


class UserNotAllowed(Exception):
    """Raised by a ``check_hub_user`` that refuses somebody whom the hub knows."""

    def __init__(self, model: UserModel) -> None:
        super().__init__(f"{model.get('kind', 'user')} {model['name']} is not allowed.")
        self.model = model


class HubAuthenticated(RequestHandler):
    """Visitors identify themselves with a token of the hub.

    ``hub_scopes`` decide who may enter (default: the service's access scopes).
    Only when there are none do the old ``hub_users``, ``hub_groups``,
    ``hub_services`` and ``allow_admin`` count; with nothing at all, everybody
    whom the hub knows may enter. A WebSocket handler is closed, with code 1008,
    when its visitor signs out or may no longer enter.
    """

    hub_services: set[str] | None = None
    hub_users: set[str] | None = None
    hub_groups: set[str] | None = None
    allow_admin = False

    hub_auth_class: type[HubAuth] = HubAuth
    _hub_auth: HubAuth | None = None

    @property
    def hub_auth(self) -> HubAuth:
        """The object that asks the hub; one per process unless set."""
        if self._hub_auth is None:
            self._hub_auth = self.hub_auth_class.instance()
        return self._hub_auth

    @hub_auth.setter
    def hub_auth(self, auth: HubAuth) -> None:
        self._hub_auth = auth

    @property
    def hub_scopes(self) -> set[str] | None:
        """Scopes of which one is needed; subclasses may set a plain attribute instead."""
        return set(self.hub_auth.access_scopes) or None

    @property
    def allow_all(self) -> bool:
        """Whether every visitor whom the hub knows may enter: no rule of any kind is set."""
        rules = (self.hub_scopes, self.hub_services, self.hub_users, self.hub_groups)
        return not self.allow_admin and all(rule is None for rule in rules)

    def check_hub_user(self, model: UserModel) -> UserModel | None:
        """The model of an identified visitor if they may enter here, else None.

        Subclasses may decide otherwise, and may also raise UserNotAllowed.
        """
        if needed := set(self.hub_scopes or ()):
            return model if self.hub_auth.check_scopes(needed, model) else None
        name, groups = model["name"], set(model.get("groups", []))
        if model.get("kind") == "service":
            allowed = self.allow_all or name in (self.hub_services or ())
        else:
            allowed = (
                self.allow_all
                or (self.allow_admin and bool(model.get("admin")))
                or name in (self.hub_users or ())
                or not groups.isdisjoint(self.hub_groups or ())
            )
        return model if allowed else None

    def set_default_headers(self) -> None:
        """Keep pages of others on the host from reading this one; handlers may decide otherwise."""
        for name, value in headers.KEPT_APART:
            self.set_header(name, value)

    def _request_summary(self) -> str:
        """The request in tornado's log lines, which would show tokens and codes otherwise."""
        return browser.request_summary(self)

    def prepare(self) -> Awaitable[None] | None:
        """Identify the visitor without blocking, before the method runs."""
        # A task rather than a coroutine: a subclass may call this without awaiting.
        return asyncio.ensure_future(self._prepare())

    async def _prepare(self) -> None:
        try:
            await self.hub_auth.visitor(self)
        except client.HubError as error:
            raise http_error(error) from error
        following = super().prepare()
        if isawaitable(following):
            await following

    def get_current_user(self) -> Any:
        """The user model, or None for strangers and people who may not enter."""
        model = self.hub_auth.get_user(self, sync=True)
        if model is None:
            return None
        visit = browser.visit_of(self)
        allowed = self._checked(model)  # type: ignore[arg-type]
        if allowed is None:
            visit.refused_name = model["name"]  # type: ignore[index]
        elif isinstance(self, WebSocketHandler):
            session_id = browser.session_id(self)
            self.hub_auth.sockets.add(self, visit.token, session_id, HubAuthenticated._may_stay)
        return allowed

    def _checked(self, model: UserModel) -> UserModel | None:
        try:
            return self.check_hub_user(model)
        except UserNotAllowed:
            return None

    def _may_stay(self, model: UserModel) -> bool:
        """Whether somebody with an open WebSocket here may keep it."""
        return self._checked(model) is not None

    def get_login_url(self) -> str:
        """Where strangers sign in. Raises 403 for people who may not enter."""
        refuse_known_visitors(self)
        if not self.hub_auth.login_url:
            raise HTTPError(403)
        return str(self.hub_auth.login_url)

    @property
    def token_authenticated(self) -> bool:
        """Whether the request carries a valid token of its own, not the cookie's."""
        self.hub_auth.get_user(self, sync=True)
        return browser.visit_of(self).by_token

    @property
    def xsrf_token(self) -> bytes:
        """The XSRF token for this visitor's pages (bytes, as tornado has it)."""
        auth, token = self.hub_auth, self.hub_auth.cookie_token(self)
        secure = browser.is_https(self, auth.settings.public_url)
        return browser.xsrf_token(self, token, auth.base_url, secure).encode("ascii")

    def check_xsrf_cookie(self) -> None:
        """Refuse a cookie's request without proof; tokens of their own need none."""
        if self.hub_auth.get_token(self, in_cookie=False) and self.token_authenticated:
            return
        method, sent = self.request.method or "", self.request.headers
        if method in xsrf.SAFE_METHODS and not xsrf.needs_proof(
            method, sent, self.hub_auth.base_url
        ):
            return
        if fault := browser.xsrf_fault(self, self.hub_auth.cookie_token(self)):
            raise HTTPError(403, fault)


class HubOAuthenticated(HubAuthenticated):
    """As HubAuthenticated, and browsers are sent to the hub to sign in."""

    hub_auth_class = HubOAuth

    def get_login_url(self) -> str:
        """Begin a sign-in round. Raises 403 where a redirect would be no use."""
        auth = self.hub_auth
        refuse_known_visitors(self)
        if not isinstance(auth, HubOAuth):
            return super().get_login_url()
        refuse_background_requests(self)
        return auth.start_round(self, self.request.uri or auth.base_url)


class HubOAuthCallbackHandler(HubOAuthenticated):
    """Where the hub sends browsers back to, at ``oauth_callback`` below the prefix."""

    async def get(self) -> None:
        """Finish a round and go on to the page that was asked for."""
        auth = self.hub_auth
        if not isinstance(auth, HubOAuth):
            raise HTTPError(500, "The OAuth callback needs HubOAuth.")
        signed_in = await auth.get_user(self, sync=False) is not None  # type: ignore[misc]
        self.redirect(await auth.finish_round(self, signed_in))


def refuse_known_visitors(handler: RequestHandler) -> None:
    """Raise 403 for somebody who is signed in but may not enter: signing in again is no help."""
    if name := browser.visit_of(handler).refused_name:
        raise HTTPError(403, f"{name} is not allowed.")


def refuse_background_requests(handler: RequestHandler) -> None:
    """Raise 403 for requests of scripts, which cannot follow a sign-in.

    They would only leave one state cookie after another behind.
    """
    if browser.is_websocket(handler) or not headers.wants_page(handler.request.headers):
        raise HTTPError(403)
