"""HubOAuth: HubAuth plus the browser's way in, OAuth with the hub and a login cookie."""

from collections.abc import Awaitable
from typing import Any

from tornado.log import app_log
from tornado.web import HTTPError, RequestHandler
from traitlets import Bool, Instance, Integer, TraitError, Unicode, default, validate

from perijove.hubauth import browser, client, oauth, xsrf
from perijove.hubauth.configurable import HubAuth, http_error
from perijove.hubauth.identity import UserModel


class HubOAuth(HubAuth):
    """Signs browsers in by OAuth and remembers them in a cookie that holds their token."""

    login_url = Unicode(help="Where a sign-in starts, without state.").tag(config=True)
    oauth_client_id = Unicode(help="The OAuth client id; may not be empty.").tag(config=True)
    oauth_authorization_url = Unicode(help="The hub's page that starts a sign-in.").tag(config=True)
    oauth_redirect_uri = Unicode(help="Where the hub sends browsers back to.").tag(config=True)
    oauth_token_url = Unicode(help="Where codes are exchanged for tokens.").tag(config=True)
    oauth_state_max_age = Integer(
        600, help="Seconds within which a sign-in has to be finished."
    ).tag(config=True)
    pkce_enabled = Bool(True, help="Protect codes with PKCE (S256).").tag(config=True)

    states = Instance(oauth.StateStore)

    @default("oauth_client_id")
    def _default_oauth_client_id(self) -> str:
        if not self.settings.client_id:
            self.log.warning(
                "JUPYTERHUB_CLIENT_ID is not set and HubOAuth.oauth_client_id is empty, so the hub "
                "will refuse every sign-in; it sets it for servers, and for services with a url."
            )
        return self.settings.client_id

    @validate("oauth_client_id", "api_token")
    def _not_empty(self, proposal: Any) -> str:
        if not proposal.value:
            raise TraitError(f"HubOAuth.{proposal.trait.name} may not be empty.")
        return str(proposal.value)

    @default("oauth_authorization_url")
    def _default_oauth_authorization_url(self) -> str:
        return f"{self.hub_host}{self.hub_prefix}api/oauth2/authorize"

    @default("oauth_redirect_uri")
    def _default_oauth_redirect_uri(self) -> str:
        return self.settings.oauth_redirect_uri

    @default("oauth_token_url")
    def _default_oauth_token_url(self) -> str:
        return f"{self.api_url}/oauth2/token"

    @default("login_url")
    def _default_login_url(self) -> str:
        return oauth.authorize_url(
            self.oauth_authorization_url, self.oauth_client_id, self.oauth_redirect_uri
        )

    @default("states")
    def _default_states(self) -> oauth.StateStore:
        return oauth.StateStore(float(self.oauth_state_max_age))

    # -- cookies ---------------------------------------------------------------

    @property
    def cookie_name(self) -> str:
        """The name of the login cookie."""
        return oauth.cookie_name(self.oauth_client_id, self.cookie_host_prefix_enabled)

    @property
    def state_cookie_name(self) -> str:
        """The name of a state cookie when there is no other."""
        return oauth.state_cookie_name(self.cookie_name)

    def is_secure(self, handler: RequestHandler) -> bool:
        """Whether cookies are for https only."""
        if self.cookie_host_prefix_enabled:
            return True
        return browser.is_https(handler, self.settings.public_url)

    def _cookie_options(self, handler: RequestHandler) -> dict[str, Any]:
        options: dict[str, Any] = {"path": self.cookie_path, "httponly": True}
        if self.is_secure(handler):
            options["secure"] = True
        return options | self.cookie_options

    def cookie_token(self, handler: RequestHandler) -> str:
        """The token in the login cookie, also when it was set a moment ago."""
        fresh = browser.visit_of(handler).new_login_token
        return fresh or browser.signed_cookie(handler, self.cookie_name)

    def set_cookie(self, handler: RequestHandler, access_token: str) -> None:
        """Sign the browser in: remember its token, and give its pages an XSRF token."""
        handler.set_signed_cookie(self.cookie_name, access_token, **self._cookie_options(handler))
        visit = browser.visit_of(handler)
        visit.new_login_token, visit.xsrf_token = access_token, ""
        self.xsrf_token(handler)

    def clear_cookie(self, handler: RequestHandler) -> None:
        """Sign the browser out of this server."""
        self._clear(handler, self.cookie_name)

    def _clear(self, handler: RequestHandler, name: str) -> None:
        options: dict[str, Any] = {"path": self.cookie_path}
        if domain := self.cookie_options.get("domain"):
            options["domain"] = domain
        if self.cookie_host_prefix_enabled:
            # Browsers ignore a change of a __Host- cookie that is not secure.
            options["secure"] = True
        handler.clear_cookie(name, **options)

    def xsrf_token(self, handler: RequestHandler) -> str:
        """The XSRF token for this visitor's pages."""
        token = self.cookie_token(handler)
        return browser.xsrf_token(handler, token, self.base_url, self.is_secure(handler))

    def xsrf_fault(self, handler: RequestHandler) -> str | None:
        """None when the request proves that it was meant, else what is wrong."""
        return browser.xsrf_fault(handler, self.cookie_token(handler))

    def check_xsrf_cookie(self, handler: RequestHandler) -> None:
        """Raise 403 for a cookie's request without proof; tokens of their own need none."""
        if browser.visit_of(handler).by_token or handler.settings.get("disable_check_xsrf"):
            return
        if fault := self.xsrf_fault(handler):
            raise HTTPError(403, fault)

    # -- a round ---------------------------------------------------------------

    def start_round(self, handler: RequestHandler, next_url: str, tries: int = 0) -> str:
        """Begin a sign-in that ends at ``next_url``; returns where to send the browser."""
        present = self._state_cookies(handler)
        if len(present) >= oauth.MAX_ROUNDS_PER_BROWSER:
            for name in present:
                self._clear(handler, name)
            present = {}
        name = oauth.pick_state_cookie(self.state_cookie_name, present)
        verifier = oauth.new_verifier() if self.pkce_enabled else None
        next_url = oauth.safe_next(next_url, self.base_url)
        state = self.states.add(oauth.Round(next_url, name, verifier, tries))
        self._write_state_cookie(handler, name, state)
        return oauth.authorize_url(
            self.oauth_authorization_url,
            self.oauth_client_id,
            self.oauth_redirect_uri,
            verifier,
            state,
        )

    def _write_state_cookie(self, handler: RequestHandler, name: str, state: str) -> None:
        options = self._cookie_options(handler) | {"max_age": int(self.oauth_state_max_age)}
        handler.set_signed_cookie(name, state, **options)

    def _state_cookies(self, handler: RequestHandler) -> dict[str, str]:
        """State cookies of this client, with the state where the signature holds."""
        names = (
            name for name in handler.cookies if oauth.is_state_cookie(name, self.state_cookie_name)
        )
        return {name: browser.signed_cookie(handler, name) for name in names}

    async def finish_round(self, handler: RequestHandler, signed_in: bool) -> str:
        """Handle the hub's callback; returns where to send the browser.

        Raises ``tornado.web.HTTPError``.
        """
        cookies = self._state_cookies(handler)
        state = handler.get_query_argument("state", "")
        error = handler.get_query_argument("error", "")
        step = oauth.decide_callback(
            error=handler.get_query_argument("error_description", "") or error if error else "",
            code=handler.get_query_argument("code", ""),
            state=state,
            known=self.states.get(state),
            cookies={name: value for name, value in cookies.items() if value},
            signed_in=signed_in,
            base_url=self.base_url,
        )
        match step:
            case oauth.Refuse(status, message):
                raise HTTPError(status, message)
            case oauth.Restart(next_url, tries):
                return self.start_round(handler, next_url, tries)
            case oauth.Proceed(next_url):
                return next_url
            case oauth.Exchange(code, round_):
                self.clear_oauth_state_cookies(handler)
                self.states.finish(state)
                await self._sign_in(handler, code, round_)
                return round_.next_url

    async def _sign_in(self, handler: RequestHandler, code: str, round_: oauth.Round) -> None:
        try:
            reply = await self.fetch(self._token_request(code, round_.verifier))
            token = client.read_token(reply)
            model = await self.identify(token, browser.session_id(handler))
        except client.HubError as error:
            raise http_error(error) from error
        if model is None:
            raise HTTPError(500, "The hub does not know the token that it has just issued.")
        app_log.info("Signed in: %s", model["name"])
        self.set_cookie(handler, token)

    def _token_request(self, code: str, verifier: str | None) -> client.HubRequest:
        return client.token_request(
            self.oauth_token_url,
            client_id=self.oauth_client_id,
            client_secret=self.api_token,
            code=code,
            redirect_uri=self.oauth_redirect_uri,
            code_verifier=verifier,
        )

    def accept(self, handler: RequestHandler, model: UserModel, token: str, source: str) -> None:
        """Note who was identified; a token in the URL of a page is kept in the cookie."""
        super().accept(handler, model, token, source)
        page = xsrf.is_navigation(handler.request.headers) and not browser.is_websocket(handler)
        if page and source != "cookie" and self.allow_token_in_url and browser.url_token(handler):
            self.set_cookie(handler, token)

    # -- for programs that walk the rounds themselves ----------------------------

    def generate_state(self, next_url: str | None = None, **extra_state: Any) -> str:
        """A new state that stands for ``next_url`` (default: the own prefix)."""
        name = extra_state.pop("cookie_name", self.state_cookie_name)
        verifier = extra_state.pop("code_verifier", None)
        target = oauth.safe_next(next_url or self.base_url, self.base_url)
        return self.states.add(oauth.Round(target, name, verifier))

    def get_next_url(self, state_id: str = "") -> str:
        """Where a round leads; the own prefix when the state is not known."""
        known = self.states.get(state_id) if state_id else None
        return known.round.next_url if known is not None else self.base_url

    def get_code_verifier(self, state_id: str = "") -> str | None:
        """The PKCE verifier of a round, if it has one."""
        known = self.states.get(state_id) if state_id else None
        return known.round.verifier if known is not None else None

    def get_state_cookie_name(self, state_id: str = "") -> str:
        """The name of a round's cookie."""
        known = self.states.get(state_id) if state_id else None
        return known.round.cookie_name if known is not None else self.state_cookie_name

    def set_state_cookie(
        self,
        handler: RequestHandler,
        next_url: str | None = None,
        *,
        code_verifier: str | None = None,
    ) -> str:
        """Begin a round: set its cookie and return its state."""
        present = self._state_cookies(handler)
        name = oauth.pick_state_cookie(self.state_cookie_name, present)
        state = self.generate_state(next_url, cookie_name=name, code_verifier=code_verifier)
        self._write_state_cookie(handler, name, state)
        return state

    def generate_pkce_code_challenge(self, method: str = "S256") -> tuple[str, str, str]:
        """A new verifier, its challenge and the method (RFC 7636).

        Raises ValueError for another method than S256.
        """
        if method != "S256":
            raise ValueError(f"PKCE is done with S256 here, not with {method!r}")
        verifier = oauth.new_verifier()
        return verifier, oauth.challenge_of(verifier), method

    def clear_oauth_state(self, state_id: str) -> None:
        """End a round: its code counts no more."""
        self.states.finish(state_id)

    def clear_oauth_state_cookies(self, handler: RequestHandler) -> None:
        """Forget all rounds that this browser has under way here."""
        for name in self._state_cookies(handler):
            self._clear(handler, name)

    def token_for_code(
        self, code: str, *, code_verifier: str | None = None, sync: bool = True
    ) -> str | Awaitable[str]:
        """The access token for a code. Raises ``tornado.web.HTTPError``."""
        request = self._token_request(code, code_verifier)
        if not sync:
            return self._token_later(request)
        try:
            return client.read_token(self.fetch_blocking(request))
        except client.HubError as error:
            raise http_error(error) from error

    async def _token_later(self, request: client.HubRequest) -> str:
        try:
            return client.read_token(await self.fetch(request))
        except client.HubError as error:
            raise http_error(error) from error
