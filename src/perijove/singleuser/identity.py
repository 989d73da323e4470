"""Who visits this server, and may they: Jupyter Server's identity provider, answered by the hub."""

import os
from dataclasses import asdict, dataclass, field
from typing import Any

from jupyter_server.auth import IdentityProvider, User
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler
from traitlets import Bool, Instance, Integer, List, Type, Unicode, default

from perijove.hubauth import browser, xsrf
from perijove.hubauth.client import HubError
from perijove.hubauth.configurable import http_error
from perijove.hubauth.handlers import refuse_background_requests, refuse_known_visitors
from perijove.hubauth.hub_oauth import HubOAuth
from perijove.hubauth.identity import Identities, UserModel
from perijove.hubauth.oauth import safe_next
from perijove.hubauth.settings import callback_route

GUEST_MAX_AGE_S = 5.0
"""Guests come by a share that may be taken back at any moment; for so long one still counts."""


OUTAGE_AGE_S = 600.0
"""For so long people go on working while the hub gives no answer."""


class ServerHubOAuth(HubOAuth):
    """Asks the hub about guests of this server more often than about its owner."""

    cache_max_age = Integer(30, help="Seconds that the hub's answers are cached.").tag(config=True)
    owner = Unicode(help="Who this server belongs to.")

    @default("owner")
    def _default_owner(self) -> str:
        return os.environ.get("JUPYTERHUB_USER", "")

    @default("identities")
    def _default_identities(self) -> Identities:
        return Identities(float(self.cache_max_age), outage_age_s=OUTAGE_AGE_S)

    async def identify(
        self, token: str, session_id: str = "", max_age_s: float | None = None
    ) -> UserModel | None:
        """Who holds ``token``; None when the hub does not know it. Raises HubError."""
        model = await super().identify(token, session_id, max_age_s)
        if model is None or model["name"] == self.owner:
            return model
        return await super().identify(token, session_id, GUEST_MAX_AGE_S)

    def identify_blocking(
        self, token: str, session_id: str = "", max_age_s: float | None = None
    ) -> UserModel | None:
        """As ``identify``, but waiting. Raises HubError."""
        model = super().identify_blocking(token, session_id, max_age_s)
        if model is None or model["name"] == self.owner:
            return model
        return super().identify_blocking(token, session_id, GUEST_MAX_AGE_S)


@dataclass
class HubUser(User):
    """A visitor: Jupyter's fields, filled from the hub's user model in ``hub_user``."""

    hub_user: dict[str, Any] = field(default_factory=dict, repr=False)


class CallbackHandler(JupyterHandler):
    """The end of a sign-in round."""

    @allow_unauthenticated
    async def get(self) -> None:
        """Exchange the code and go on to the page that was asked for."""
        auth = _provider(self).hub_auth
        self.redirect(await auth.finish_round(self, signed_in=bool(self.current_user)))


class LoginHandler(JupyterHandler):
    """Starts a round for handlers that only know ``login_url`` of the settings."""

    @allow_unauthenticated
    def get(self) -> None:
        """Go to ``next`` below the own prefix, by way of the hub if need be."""
        auth = _provider(self).hub_auth
        next_url = safe_next(self.get_query_argument("next", auth.base_url), auth.base_url)
        if not self.current_user:
            refuse_known_visitors(self)
            refuse_background_requests(self)
            next_url = auth.start_round(self, next_url)
        self.redirect(next_url)


class LogoutHandler(JupyterHandler):
    """Signs the browser out of this server, then out of the hub."""

    @allow_unauthenticated
    def get(self) -> None:
        """Forget the cookie here; the hub ends the session and its tokens."""
        auth = _provider(self).hub_auth
        auth.clear_cookie(self)
        self.redirect(f"{auth.hub_host}{auth.hub_prefix}logout")


def _provider(handler: JupyterHandler) -> "HubIdentityProvider":
    provider = handler.identity_provider
    assert isinstance(provider, HubIdentityProvider)
    return provider


class HubIdentityProvider(IdentityProvider):
    """Identifies visitors by the hub's tokens and admits those with an access scope."""

    hub_auth = Instance(HubOAuth)

    token = Unicode("", help="Not used: tokens are the hub's.")
    need_token = Bool(False)
    updatable_fields = List(Unicode(), help="Not used: names are the hub's.")
    login_handler_class = Type(default_value=LoginHandler, klass=RequestHandler)
    logout_handler_class = Type(default_value=LogoutHandler, klass=RequestHandler)

    @default("hub_auth")
    def _default_hub_auth(self) -> HubOAuth:
        return ServerHubOAuth.instance(parent=self.parent)

    @default("token")
    def _token_default(self) -> str:
        # The base class would take JUPYTER_TOKEN, a second way in.
        return ""

    def get_handlers(self) -> list[tuple[str, object]]:
        """Sign-in, its callback and sign-out."""
        route = callback_route(self.hub_auth.base_url, self.hub_auth.oauth_redirect_uri)
        return [
            (r"/login", self.login_handler_class),
            (r"/logout", self.logout_handler_class),
            (rf"/{route}", CallbackHandler),
        ]

    async def get_user(self, handler: RequestHandler) -> HubUser | None:
        """The visitor if the hub knows them and they may enter, else None.

        Raises ``tornado.web.HTTPError`` when the hub gives no answer.
        """
        known = getattr(handler, "_jupyter_current_user", None)
        if isinstance(known, HubUser):
            return known
        try:
            model = await self.hub_auth.admit(handler)
        except HubError as error:
            raise http_error(error) from error
        visit = browser.visit_of(handler)
        if model is None:
            self._drop_dead_cookie(handler)
            return None
        if isinstance(handler, WebSocketHandler):
            auth, session_id = self.hub_auth, browser.session_id(handler)
            auth.sockets.add(handler, visit.token, session_id, lambda _, user: auth.may_enter(user))
        elif not visit.by_token and xsrf.is_navigation(handler.request.headers):
            self.hub_auth.xsrf_token(handler)
        return HubUser(username=model["name"], hub_user=model)

    def _drop_dead_cookie(self, handler: RequestHandler) -> None:
        """Clear a cookie whose token the hub no longer knows.

        Not one that was left aside because the request did not prove itself.
        """
        if browser.is_websocket(handler) or browser.visit_of(handler).refused_name:
            return
        name = self.hub_auth.cookie_name
        if handler.get_cookie(name) is None:
            return
        if not self.hub_auth.cookie_token(handler) or self.hub_auth.usable_cookie_token(handler):
            self.hub_auth.clear_cookie(handler)

    def login_url(self, handler: RequestHandler) -> str:
        """Begin a sign-in round that returns to this page.

        Raises 403 for people without access and for requests of scripts.
        """
        refuse_known_visitors(handler)
        refuse_background_requests(handler)
        return self.hub_auth.start_round(handler, handler.request.uri or self.hub_auth.base_url)

    def identity_model(self, user: User) -> dict[str, Any]:
        """What ``/api/me`` shows: Jupyter's fields without the hub's model."""
        model = asdict(user)
        model.pop("hub_user", None)
        return model

    def is_token_authenticated(self, handler: RequestHandler) -> bool:
        """Whether the request came with a valid token of its own (no XSRF or Origin check)."""
        return browser.visit_of(handler).by_token

    @property
    def auth_enabled(self) -> bool:
        """Always: there is no way to run without."""
        return True

    @property
    def login_available(self) -> bool:
        """Signing in is the hub's; the pages show no form for it."""
        return True

    def get_cookie_name(self, handler: RequestHandler) -> str:
        """The login cookie's name."""
        return self.hub_auth.cookie_name

    def clear_login_cookie(self, handler: RequestHandler) -> None:
        """Sign the browser out of this server."""
        self.hub_auth.clear_cookie(handler)

    def set_login_cookie(self, handler: RequestHandler, user: User) -> None:
        """Refuse: only a token of the hub signs somebody in."""
        raise HTTPError(403, "Signing in is done at the hub.")

    def process_login_form(self, handler: RequestHandler) -> User | None:
        """There is no form: nobody signs in by one."""
        return None

    def validate_security(self, app: Any, ssl_options: dict[str, Any] | None = None) -> None:
        """Nothing to warn about: the hub decides who gets in, and where TLS ends."""
