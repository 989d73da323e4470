"""HubAuth and HubOAuth: the objects that identify visitors, as traitlets configurables.

Class names, option names and methods are those that services written for
``jupyterhub.services.auth`` use. Defaults come from the environment that the
hub sets. Methods that ask the hub take ``sync``: with True they block and
return the value (for code without an event loop), with False they return an
awaitable.
"""

import os
import warnings
from collections.abc import Awaitable, Iterable, Iterator
from ssl import SSLContext
from typing import Any

from tornado.httpclient import HTTPError as FetchError
from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.log import app_log
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.web import HTTPError, RequestHandler
from traitlets import Bool, Dict, Instance, Integer, Set, Unicode, default, observe, validate
from traitlets.config import SingletonConfigurable

from perijove.hubauth import browser, client, headers, scopes, xsrf
from perijove.hubauth.identity import Identities, IdentityCache, UserModel
from perijove.hubauth.settings import HubAuthSettings
from perijove.hubauth.sockets import OpenSockets
from perijove.kit import urls
from perijove.kit.tls import make_caller_context

SHORTEST_REFUSAL_S = 10.0
"""Somebody who was just given access waits at most this long for it to count."""


class HubAuth(SingletonConfigurable):
    """Identifies the holders of tokens by asking the hub."""

    settings = Instance(HubAuthSettings)

    hub_host = Unicode(help="Public scheme://host of the hub; empty on the same host.").tag(
        config=True
    )
    hub_prefix = Unicode(help="URL prefix of the hub.").tag(config=True)
    base_url = Unicode(help="URL prefix of this server or service.").tag(config=True)
    api_url = Unicode(help="URL of the hub's API.").tag(config=True)
    api_token = Unicode(help="The token of this server or service.").tag(config=True)
    login_url = Unicode("", help="Where to send visitors to sign in; empty: answer 403.").tag(
        config=True
    )
    keyfile = Unicode(help="Private key of the client certificate for the hub.").tag(config=True)
    certfile = Unicode(help="Client certificate for the hub.").tag(config=True)
    client_ca = Unicode(help="Authority that signed the hub's certificate.").tag(config=True)
    cookie_options = Dict(help="Further attributes of cookies.").tag(config=True)
    cookie_host_prefix_enabled = Bool(help="Lock cookies to the domain with __Host-.").tag(
        config=True
    )
    cache_max_age = Integer(300, help="Seconds that the hub's answers are cached.").tag(config=True)
    cookie_cache_max_age = Integer(help="The old name of cache_max_age.").tag(config=True)
    access_scopes = Set(Unicode(), help="Scopes of which a visitor needs at least one.").tag(
        config=True
    )
    allow_token_in_url = Bool(help="Accept ?token= on every request.").tag(config=True)
    allow_websocket_cookie_auth = Bool(help="Accept WebSockets that only carry the cookie.").tag(
        config=True
    )

    identities = Instance(Identities)
    sockets = Instance(OpenSockets)
    ssl_context = Instance(
        SSLContext, allow_none=True, help="For the hub; None without internal_ssl."
    )

    @default("settings")
    def _default_settings(self) -> HubAuthSettings:
        return HubAuthSettings.from_environment(os.environ)

    @default("hub_host")
    def _default_hub_host(self) -> str:
        return self.settings.hub_host

    @default("hub_prefix")
    def _default_hub_prefix(self) -> str:
        return self.settings.hub_prefix

    @default("base_url")
    def _default_base_url(self) -> str:
        return self.settings.base_url

    @default("api_url")
    def _default_api_url(self) -> str:
        return self.settings.api_url

    @default("api_token")
    def _default_api_token(self) -> str:
        return self.settings.api_token

    @default("keyfile")
    def _default_keyfile(self) -> str:
        return self.settings.keyfile

    @default("certfile")
    def _default_certfile(self) -> str:
        return self.settings.certfile

    @default("client_ca")
    def _default_client_ca(self) -> str:
        return self.settings.client_ca

    @default("cookie_options")
    def _default_cookie_options(self) -> dict[str, Any]:
        return dict(self.settings.cookie_options)

    @default("cookie_host_prefix_enabled")
    def _default_cookie_host_prefix_enabled(self) -> bool:
        return self.settings.cookie_host_prefix_enabled

    @default("access_scopes")
    def _default_access_scopes(self) -> set[str]:
        return set(self.settings.access_scopes)

    @default("allow_token_in_url")
    def _default_allow_token_in_url(self) -> bool:
        return self.settings.allow_token_in_url

    @default("allow_websocket_cookie_auth")
    def _default_allow_websocket_cookie_auth(self) -> bool:
        return self.settings.allow_websocket_cookie_auth

    @default("identities")
    def _default_identities(self) -> Identities:
        return Identities(float(self.cache_max_age))

    @default("sockets")
    def _default_sockets(self) -> OpenSockets:
        return OpenSockets(self.identify)

    @observe("cookie_cache_max_age")
    def _take_old_name(self, change: Any) -> None:
        warnings.warn("cookie_cache_max_age is now cache_max_age", DeprecationWarning, stacklevel=2)
        self.cache_max_age = change.new

    @observe("cache_max_age")
    def _keep_answers_for(self, change: Any) -> None:
        self.identities.max_age_s = float(change.new)

    @validate("hub_prefix", "base_url")
    def _slashes(self, proposal: Any) -> str:
        return urls.prefix_of(proposal.value)

    @validate("api_url", "hub_host")
    def _no_slash(self, proposal: Any) -> str:
        return str(proposal.value).rstrip("/")

    @property
    def cache(self) -> IdentityCache:
        """What the hub said about tokens; ``clear()`` forgets it."""
        return self.identities.cache

    @property
    def cookie_path(self) -> str:
        """Cookies go to this server alone; ``__Host-`` ones need the root path."""
        return "/" if self.cookie_host_prefix_enabled else self.base_url

    @property
    def oauth_scopes(self) -> set[str]:
        """The old name of ``access_scopes``."""
        warnings.warn("oauth_scopes is now access_scopes", DeprecationWarning, stacklevel=2)
        return set(self.access_scopes)

    # -- talking to the hub --------------------------------------------------

    @default("ssl_context")
    def _default_ssl_context(self) -> SSLContext | None:
        return make_caller_context(self.keyfile, self.certfile, self.client_ca)

    async def fetch(self, request: client.HubRequest) -> client.HubReply:
        """Send a request with tornado's client. Raises HubUnreachable."""
        # The simple client by name: another one may be configured for the
        # process, which does not take an SSL context.
        http: Any = SimpleAsyncHTTPClient(force_instance=True)
        wire = HTTPRequest(
            request.url,
            method=request.method,
            headers=dict(request.headers),
            body=request.body,
            connect_timeout=client.CONNECT_TIMEOUT_S,
            request_timeout=client.REQUEST_TIMEOUT_S,
            follow_redirects=False,
            ssl_options=self.ssl_context,
        )
        try:
            reply: HTTPResponse = await http.fetch(wire, raise_error=False)
        except (OSError, FetchError, ValueError) as error:
            sentence = client.unreachable_sentence(request.url, error)
            raise client.HubUnreachable(sentence) from error
        finally:
            http.close()
        if reply.code == 599:  # tornado's number for "no answer"
            raise client.HubUnreachable(client.unreachable_sentence(request.url, reply.error))
        received = {name.lower(): value for name, value in reply.headers.get_all()}
        return client.HubReply(reply.code, received, reply.body or b"")

    def fetch_blocking(self, request: client.HubRequest) -> client.HubReply:
        """Send a request and wait. Raises HubUnreachable."""
        return client.fetch_blocking(request, self.ssl_context)

    async def identify(
        self, token: str, session_id: str = "", max_age_s: float | None = None
    ) -> UserModel | None:
        """Who holds ``token``; None when the hub does not know it. Raises HubError."""

        async def ask() -> UserModel | None:
            reply = await self.fetch(client.whoami_request(self.api_url, token))
            return client.read_whoami(reply)

        return await self.identities.identify(token, session_id, ask, max_age_s)

    def identify_blocking(
        self, token: str, session_id: str = "", max_age_s: float | None = None
    ) -> UserModel | None:
        """As ``identify``, but waiting. Raises HubError."""

        def ask() -> UserModel | None:
            reply = self.fetch_blocking(client.whoami_request(self.api_url, token))
            return client.read_whoami(reply)

        return self.identities.identify_blocking(token, session_id, ask, max_age_s)

    def user_for_token(
        self, token: str, use_cache: bool = True, session_id: str = "", *, sync: bool = True
    ) -> UserModel | Awaitable[UserModel | None] | None:
        """The user model of a token's holder, or None.

        Raises ``tornado.web.HTTPError`` when the hub gives no answer.
        """
        max_age_s = None if use_cache else 0.0
        if not sync:
            return _as_http_error(self.identify(token, session_id, max_age_s))
        try:
            return self.identify_blocking(token, session_id, max_age_s)
        except client.HubError as error:
            raise http_error(error) from error

    def user_for_cookie(
        self, encrypted_cookie: str, use_cache: bool = True, session_id: str = ""
    ) -> UserModel:
        """Refuse: no cookie is shared between hub and services any more."""
        raise RuntimeError("A hub's cookies identify nobody at a service; use HubOAuth.")

    # -- one request ---------------------------------------------------------

    def get_session_id(self, handler: RequestHandler) -> str:
        """The browser session that the hub gave this visitor."""
        return browser.session_id(handler)

    def get_token(self, handler: RequestHandler, in_cookie: bool = True) -> str | None:
        """The token of this request, or None: URL (if allowed), header, cookie."""
        explicit = next((token for token, _ in self._explicit_tokens(handler)), "")
        return explicit or (self.cookie_token(handler) if in_cookie else "") or None

    def cookie_token(self, handler: RequestHandler) -> str:
        """The token in the login cookie; there is no such cookie without OAuth."""
        return browser.visit_of(handler).new_login_token

    def _explicit_tokens(self, handler: RequestHandler) -> Iterator[tuple[str, bool]]:
        """Tokens that a script sent, and whether in the URL."""
        in_url = browser.url_token(handler)
        if in_url and (self.allow_token_in_url or browser.is_websocket(handler)):
            yield in_url, True
        if in_header := browser.header_token(handler):
            yield in_header, False

    def usable_cookie_token(self, handler: RequestHandler) -> str:
        """The cookie's token, unless the request must prove itself and does not."""
        token = self.cookie_token(handler)
        if not token:
            return ""
        if browser.is_websocket(handler):
            trusted = self.allow_websocket_cookie_auth
        else:
            sent, method = handler.request.headers, handler.request.method or ""
            trusted = not xsrf.needs_proof(method, sent, self.base_url)
        return token if trusted or browser.xsrf_fault(handler, token) is None else ""

    def _token_left_aside(self, handler: RequestHandler) -> str:
        """The cookie's token where it does not count.

        Perhaps because the sign-in has ended: then what is remembered of the token
        must go, or a copy of the cookies would live on that for a while.
        """
        return "" if self.usable_cookie_token(handler) else self.cookie_token(handler)

    def candidates(self, handler: RequestHandler) -> Iterator[tuple[str, str]]:
        """Tokens to try in order, each with its source: ``url``, ``header`` or ``cookie``."""
        for token, in_url in self._explicit_tokens(handler):
            yield token, "url" if in_url else "header"
        if token := self.usable_cookie_token(handler):
            yield token, "cookie"

    def accept(self, handler: RequestHandler, model: UserModel, token: str, source: str) -> None:
        """Note on the request who was identified by which token."""
        visit = browser.visit_of(handler)
        visit.resolved, visit.model, visit.token = True, model, token
        visit.by_token = source != "cookie"
        handler.add_header("Vary", headers.VARY)

    async def visitor(self, handler: RequestHandler) -> UserModel | None:
        """Who sends this request; None for strangers. Raises HubError."""
        visit = browser.visit_of(handler)
        if visit.resolved:
            return visit.model
        for token, source in self.candidates(handler):
            if (model := await self.identify(token, browser.session_id(handler))) is not None:
                self.accept(handler, model, token, source)
                return model
        visit.resolved = True
        if token := self._token_left_aside(handler):
            await self.identify(token, browser.session_id(handler))
        return None

    def visitor_blocking(self, handler: RequestHandler) -> UserModel | None:
        """As ``visitor``, but waiting. Raises HubError."""
        visit = browser.visit_of(handler)
        if visit.resolved:
            return visit.model
        for token, source in self.candidates(handler):
            if (model := self.identify_blocking(token, browser.session_id(handler))) is not None:
                self.accept(handler, model, token, source)
                return model
        visit.resolved = True
        if token := self._token_left_aside(handler):
            self.identify_blocking(token, browser.session_id(handler))
        return None

    def get_user(
        self, handler: RequestHandler, *, sync: bool = True
    ) -> UserModel | Awaitable[UserModel | None] | None:
        """The user model of whoever sends this request, or None.

        Raises ``tornado.web.HTTPError`` when the hub gives no answer.
        """
        if not sync:
            return _as_http_error(self.visitor(handler))
        try:
            return self.visitor_blocking(handler)
        except client.HubError as error:
            raise http_error(error) from error

    def check_scopes(self, required_scopes: str | Iterable[str], user: UserModel) -> set[str]:
        """Those of the required scopes that a user has; empty means no access."""
        return scopes.check_scopes(required_scopes, user.get("scopes", []))

    def may_enter(self, user: UserModel) -> bool:
        """Whether a visitor has one of ``access_scopes`` (or, without any, the old group)."""
        if self.access_scopes:
            return bool(self.check_scopes(self.access_scopes, user))
        return bool(self.settings.group) and self.settings.group in user.get("groups", [])

    async def admit(self, handler: RequestHandler) -> UserModel | None:
        """Who sends this request and may enter; None otherwise, noting a refusal.

        Asks the hub again before it refuses somebody on an old answer. Raises
        HubError.
        """
        model = await self.visitor(handler)
        visit = browser.visit_of(handler)
        if model is None or self.may_enter(model):
            return model
        session = browser.session_id(handler)
        model = await self.identify(visit.token, session, max_age_s=SHORTEST_REFUSAL_S)
        visit.model = model
        if model is not None and not self.may_enter(model):
            app_log.warning("%s %r is not allowed here", model.get("kind", "user"), model["name"])
            visit.refused_name, visit.model, model = model["name"], None, None
        return model


def http_error(error: client.HubError) -> HTTPError:
    """What a visitor sees when the hub did not answer us."""
    return HTTPError(error.visitor_status, str(error))


async def _as_http_error(awaitable: Awaitable[UserModel | None]) -> UserModel | None:
    try:
        return await awaitable
    except client.HubError as error:
        raise http_error(error) from error
