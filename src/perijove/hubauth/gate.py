"""The decision who may enter a service, without a framework and without the network.

``HubGate`` answers what happens to a request. Where it has to ask the hub it
yields a question and is sent the answer, so that one text serves programs with
an event loop and programs with threads (``link`` carries the questions). The
faces for ASGI and WSGI translate requests and answers, nothing more.

Nothing is kept in memory between requests: a sign-in under way lives in a signed
cookie of its own, and all workers of a service derive the same key for it from
the service's token. So any worker can finish what another began.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from perijove.hubauth import headers, oauth, scopes, xsrf
from perijove.hubauth.identity import UserModel
from perijove.hubauth.settings import BadEnvironment, HubAuthSettings, callback_route
from perijove.hubauth.visits import Answer, Redeem, Steps, Visitor, WhoIs
from perijove.hubauth.web_request import WebRequest
from perijove.kit.cookies import format_cookie, format_removal
from perijove.kit.crypto import sign_value, unsign_value

LOGIN_MAX_AGE_DAYS = 30
ROUND_MAX_AGE_S = 600.0
"""Seconds within which a sign-in has to be finished."""
ROUND_COOKIE_LIFE_S = 3600
"""The cookie lives longer, so that whoever was slow still lands on the page asked for."""
MAX_COOKIE_NEXT = 1500
"""Longer addresses are not remembered: the cookie would not fit into a header."""
SHORTEST_REFUSAL_S = 10.0
"""Somebody who was just given access waits at most this long for it to count."""


def derive_secret(settings: HubAuthSettings) -> bytes:
    """The key of this service's cookies: the same in all its workers, gone with its token.

    Slow by intent: a token chosen by hand must not be found by trying against
    a cookie.
    """
    salt = f"perijove cookies of {settings.client_id}".encode()
    return hashlib.scrypt(settings.api_token.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)


class HubGate:
    """Decides about the requests to one service.

    ``access_scopes``: one of them lets a visitor in (default: those that the
    hub names in the environment). ``public``: paths below the prefix that
    strangers may see; with a trailing slash all below it. ``cookie_secret``:
    the key of the cookies, if not the one that comes from the service's token.
    Raises BadEnvironment when the hub's variables are missing.
    """

    def __init__(
        self,
        settings: HubAuthSettings | None = None,
        *,
        access_scopes: Iterable[str] = (),
        public: Iterable[str] = (),
        cookie_secret: bytes = b"",
    ) -> None:
        self.settings = settings or HubAuthSettings.from_environment(os.environ)
        self.access_scopes = frozenset(access_scopes) or self.settings.access_scopes
        self.public = tuple(public)
        self._check()
        self.cookie_secret = cookie_secret or derive_secret(self.settings)

    def _check(self) -> None:
        wanted = {"JUPYTERHUB_API_TOKEN": "api_token", "JUPYTERHUB_CLIENT_ID": "client_id"}
        for variable, name in wanted.items():
            if not getattr(self.settings, name):
                raise BadEnvironment(
                    f"{variable} is not set. The hub sets it for services that it starts;"
                    " a service that you run yourself needs it in its environment."
                )
        if not self.access_scopes:
            raise BadEnvironment(
                "No scope lets anybody in: set JUPYTERHUB_SERVICE_NAME or"
                " JUPYTERHUB_OAUTH_ACCESS_SCOPES, or name access_scopes."
            )

    # -- what is where ---------------------------------------------------------

    @property
    def base_url(self) -> str:
        """The prefix of the service."""
        return self.settings.base_url

    @property
    def callback_path(self) -> str:
        """Where the hub sends browsers back to."""
        return unquote(
            self.base_url + callback_route(self.base_url, self.settings.oauth_redirect_uri)
        )

    @property
    def sign_out_path(self) -> str:
        """Where people sign out."""
        return f"{self.base_url}logout"

    def is_public(self, request: WebRequest) -> bool:
        """Whether strangers may see a page. Paths with dot segments never are public."""
        path = request.path
        if not path.startswith(self.base_url) or {".", ".."} & set(path.split("/")):
            return False
        below = path[len(self.base_url) :]
        return any(
            below.startswith(entry) if entry.endswith("/") else below == entry
            for entry in (entry.lstrip("/") for entry in self.public)
            if entry
        )

    # -- who is it ---------------------------------------------------------------

    def admit(self, request: WebRequest) -> Steps[Visitor]:
        """Who sends this request; asks the hub again before it refuses on an old answer."""
        login = self.login_token(request)
        fault = self._cookie_fault(request, login)
        session = request.session_id
        for token, by_token in self._candidates(request, "" if fault else login):
            model = yield WhoIs(token, session)
            if model is not None and not self.may_enter(model):
                model = yield WhoIs(token, session, SHORTEST_REFUSAL_S)
            if model is None:
                continue
            if not self.may_enter(model):
                return Visitor(refused_name=str(model["name"]))
            proof, cookies = ("", ()) if by_token else self._proof_for(request, token)
            return Visitor(model, token, session, by_token, proof, cookies=cookies)
        if fault:
            # Perhaps because the sign-in has ended: then what was known of its token must go,
            # or a copy of its cookies would live on that for a while.
            yield WhoIs(login, session)
        return Visitor(fault=fault, cookies=() if fault else self._drop_dead_login(request))

    def _candidates(self, request: WebRequest, login: str) -> Iterator[tuple[str, bool]]:
        """Tokens to try in order, and whether the sender put them there by hand."""
        if request.url_token and (request.websocket or self.settings.allow_token_in_url):
            yield request.url_token, True
        if request.header_token:
            yield request.header_token, True
        if login:
            yield login, False

    def may_enter(self, user: UserModel) -> bool:
        """Whether a visitor has one of the scopes."""
        return bool(self.granted(user, self.access_scopes))

    @staticmethod
    def granted(user: UserModel, needed: Iterable[str]) -> frozenset[str]:
        """Those of the ``needed`` scopes that a visitor has."""
        return scopes.granted(needed, user.get("scopes", []))

    def login_token(self, request: WebRequest) -> str:
        """The token in the login cookie, the first of that name with our signature."""
        for raw in request.cookies.get(self._login_cookie, []):
            value = unsign_value(self.cookie_secret, self._login_cookie, raw, LOGIN_MAX_AGE_DAYS)
            if value:
                return value.decode("utf-8", "replace")
        return ""

    def _cookie_fault(self, request: WebRequest, login: str) -> str:
        """Why the login cookie does not count on this request; empty when it does."""
        if not login:
            return ""
        if request.websocket:
            if not self.settings.allow_websocket_cookie_auth:
                return "WebSockets need a token here."
            same = headers.same_origin(request.headers, self.settings.public_url)
            return "" if same else "This WebSocket was opened by a page of another site."
        if not xsrf.needs_proof(request.method, request.headers, self.base_url):
            return ""
        return self.xsrf_fault(request, login) or ""

    def xsrf_fault(self, request: WebRequest, login: str) -> str | None:
        """None when the request proves that it was meant, else what is wrong."""
        cookies = request.cookies.get(xsrf.COOKIE, [])
        wanted = xsrf.login_id(request.session_id, login)
        return xsrf.check_proof(
            self.cookie_secret, wanted, request.proof or None, cookies, request.method
        )

    def may_prove_in_body(self, request: WebRequest) -> bool:
        """Whether a form in the body decides if the login cookie counts."""
        if request.method in xsrf.SAFE_METHODS or request.websocket or request.proof:
            return False
        return bool(self.login_token(request)) and not request.header_token

    def _proof_for(self, request: WebRequest, login: str) -> tuple[str, tuple[str, ...]]:
        """The XSRF token for the pages of somebody signed in, and the cookie to set with it."""
        wanted = xsrf.login_id(request.session_id, login)
        for value in request.cookies.get(xsrf.COOKIE, []):
            if xsrf.read_token(self.cookie_secret, value) == wanted:
                return value, ()
        if request.websocket or not xsrf.is_navigation(request.headers):
            return "", ()
        return self._new_proof(request, wanted)

    def _new_proof(self, request: WebRequest, identifier: str) -> tuple[str, tuple[str, ...]]:
        value = xsrf.make_token(self.cookie_secret, identifier)
        attributes = {"path": self.base_url, "secure": self._is_secure(request), "samesite": "Lax"}
        return value, (format_cookie(xsrf.COOKIE, value, attributes),)

    # -- cookies -------------------------------------------------------------------

    @property
    def _login_cookie(self) -> str:
        return oauth.cookie_name(self.settings.client_id, self.settings.cookie_host_prefix_enabled)

    @property
    def _round_cookie(self) -> str:
        return oauth.state_cookie_name(self._login_cookie)

    def _is_secure(self, request: WebRequest) -> bool:
        return headers.is_https(request.headers, request.scheme, self.settings.public_url)

    def _attributes(self, request: WebRequest) -> dict[str, Any]:
        locked = self.settings.cookie_host_prefix_enabled
        own: dict[str, Any] = {
            "path": "/" if locked else self.base_url,
            "httponly": True,
            "secure": locked or self._is_secure(request),
            "samesite": "Lax",
        }
        merged = own | {key.lower(): value for key, value in self.settings.cookie_options.items()}
        if locked:
            merged |= {"path": "/", "secure": True}
            merged.pop("domain", None)
        return merged

    def _forget(self, request: WebRequest, name: str) -> str:
        attributes = self._attributes(request)
        kept = {key: attributes.get(key) for key in ("path", "domain", "secure")}
        return format_removal(name, kept)

    def _drop_dead_login(self, request: WebRequest) -> tuple[str, ...]:
        """Forget a login cookie that led nowhere: its token has ended, or it is not ours."""
        if request.websocket or self._login_cookie not in request.cookies:
            return ()
        return (self._forget(request, self._login_cookie),)

    # -- a sign-in -------------------------------------------------------------------

    def refuse(self, request: WebRequest, visitor: Visitor) -> Answer:
        """What somebody gets who may not see a page: the way to sign in, or a reason."""
        if visitor.refused_name:
            return Answer(403, f"{visitor.refused_name} is not allowed here.")
        if visitor.fault:
            return Answer(403, visitor.fault)
        page = request.method in {"GET", "HEAD"} and headers.wants_page(request.headers)
        if request.websocket or not page:
            return Answer(403, "Please sign in.", cookies=visitor.cookies)
        return self.begin(request, request.uri)

    def begin(self, request: WebRequest, next_url: str, tries: int = 0) -> Answer:
        """Send a browser to the hub to sign in and come back to ``next_url``."""
        next_url = oauth.safe_next(next_url, self.base_url)
        if len(next_url) > MAX_COOKIE_NEXT:
            next_url = self.base_url
        present = [n for n in request.cookies if oauth.is_state_cookie(n, self._round_cookie)]
        cleared: list[str] = []
        if len(present) >= oauth.MAX_ROUNDS_PER_BROWSER:
            cleared = [self._forget(request, name) for name in present]
        name = f"{self._round_cookie}-{secrets.token_hex(4)}"
        # The number of tries comes back even from a browser that keeps no cookies.
        state = f"{tries}.{secrets.token_urlsafe(16)}"
        verifier = oauth.new_verifier()
        kept = json.dumps({"state": state, "next": next_url, "verifier": verifier})
        signed = sign_value(self.cookie_secret, name, kept.encode())
        cookie = format_cookie(
            name, signed, self._attributes(request), max_age_s=ROUND_COOKIE_LIFE_S
        )
        return Answer(302, location=self._authorize(verifier, state), cookies=(*cleared, cookie))

    def _authorize(self, verifier: str, state: str) -> str:
        endpoint = f"{self.settings.hub_host}{self.settings.hub_prefix}api/oauth2/authorize"
        redirect_uri = self.settings.oauth_redirect_uri
        return oauth.authorize_url(endpoint, self.settings.client_id, redirect_uri, verifier, state)

    def _rounds(self, request: WebRequest) -> Iterator[tuple[str, str, oauth.RememberedRound]]:
        """Rounds under way in this browser: cookie name, state, what it stands for."""
        for name, values in request.cookies.items():
            if not oauth.is_state_cookie(name, self._round_cookie):
                continue
            for raw in values:
                kept = unsign_value(self.cookie_secret, name, raw, ROUND_COOKIE_LIFE_S / 86400)
                if kept is None:
                    continue
                told = json.loads(kept)
                fresh = unsign_value(self.cookie_secret, name, raw, ROUND_MAX_AGE_S / 86400)
                tries = int(told["state"].partition(".")[0])
                round_ = oauth.Round(told["next"], name, told["verifier"], tries)
                yield name, told["state"], oauth.RememberedRound(round_, fresh is not None)

    def finish(self, request: WebRequest) -> Steps[Answer]:
        """Handle the hub's callback: exchange the code, or say why not."""
        state, error = request.argument("state"), request.argument("error")
        found = [entry for entry in self._rounds(request) if entry[1] == state]
        cookies = {name: state for name, _, _ in found}
        known = found[0][2] if found else self._forgotten(state)
        visitor = yield from self.admit(request)
        step = oauth.decide_callback(
            error=(request.argument("error_description") or error) if error else "",
            code=request.argument("code"),
            state=state,
            known=known,
            cookies=cookies,
            signed_in=visitor.user is not None,
            base_url=self.base_url,
        )
        match step:
            case oauth.Refuse(status, message):
                return Answer(status, message)
            case oauth.Restart(next_url, tries):
                return self.begin(request, next_url, tries)
            case oauth.Proceed(next_url):
                return Answer(302, location=next_url)
            case oauth.Exchange(code, round_):
                return (yield from self._sign_in(request, code, round_))

    def _forgotten(self, state: str) -> oauth.RememberedRound:
        """A round whose cookie did not come back; the state says how often that was tried."""
        tries = int(state.startswith("1."))
        return oauth.RememberedRound(oauth.Round(self.base_url, "", tries=tries), fresh=False)

    def _sign_in(self, request: WebRequest, code: str, round_: oauth.Round) -> Steps[Answer]:
        token = yield Redeem(code, round_.verifier or "")
        session = request.session_id
        model = yield WhoIs(token, session)
        if model is None:
            return Answer(500, "The hub does not know the token that it has just issued.")
        if not self.may_enter(model):
            return Answer(403, f"{model['name']} is not allowed here.")
        signed = sign_value(self.cookie_secret, self._login_cookie, token.encode())
        life_s = LOGIN_MAX_AGE_DAYS * 86400
        login = format_cookie(
            self._login_cookie, signed, self._attributes(request), max_age_s=life_s
        )
        _, proof = self._new_proof(request, xsrf.login_id(session, token))
        cookies = (self._forget(request, round_.cookie_name), login, *proof)
        return Answer(302, location=round_.next_url, cookies=cookies)

    def sign_out(self, request: WebRequest) -> Answer:
        """Forget the browser here, and go on to the hub, where the session ends everywhere."""
        cookies = (
            self._forget(request, self._login_cookie),
            format_removal(xsrf.COOKIE, {"path": self.base_url}),
        )
        location = f"{self.settings.hub_host}{self.settings.hub_prefix}logout"
        return Answer(302, location=location, cookies=cookies)
