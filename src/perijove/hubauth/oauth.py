"""Sign-in rounds with the hub (OAuth 2 authorization code with PKCE, RFC 6749 and 7636).

A round starts when a page is asked for without a valid login: the browser is
sent to the hub with a random state, and this process remembers what the state
stands for. Several rounds may be under way in one browser (two tabs after a
time-out), so each has a cookie of its own. A round that cannot be finished,
because it took too long or its cookie is gone, is started once more by itself.

Everything here is pure: no request, no cookie jar, no clock of its own.
"""

import base64
import hashlib
import hmac
import math
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlencode, urlsplit

MAX_ROUNDS = 2000
"""Rounds remembered at once; each is at most a few kilobytes."""

MAX_ROUNDS_PER_BROWSER = 8
"""State cookies left in one browser; more would make its requests too big."""

MAX_NEXT_URL_LENGTH = 4096

_COOKIE_NAME_BAD = re.compile(r"[^A-Za-z0-9!#$%&'*+.^_`|~-]")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")


def cookie_name(client_id: str, host_prefix: bool) -> str:
    """The login cookie's name: the client id, made a valid cookie name, maybe domain-locked."""
    name = _COOKIE_NAME_BAD.sub(lambda found: quote(found.group(), safe=""), client_id)
    return f"__Host-{name}" if host_prefix else name


def state_cookie_name(login_cookie: str) -> str:
    """The name of the first state cookie; further ones add ``-`` and eight characters."""
    return f"{login_cookie}-oauth-state"


def is_state_cookie(name: str, base_name: str) -> bool:
    """Whether a cookie belongs to a round of this client."""
    return name == base_name or (
        name.startswith(f"{base_name}-") and len(name) == len(base_name) + 9
    )


def pick_state_cookie(base_name: str, present: Iterable[str]) -> str:
    """A name for the cookie of a new round, other than those already there."""
    taken = set(present)
    name = base_name
    while name in taken:
        name = f"{base_name}-{secrets.token_hex(4)}"
    return name


def new_verifier() -> str:
    """A PKCE code verifier: 32 random bytes, url-safe."""
    return secrets.token_urlsafe(32)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def authorize_url(
    endpoint: str, client_id: str, redirect_uri: str, verifier: str | None = None, state: str = ""
) -> str:
    """Where a browser goes to sign in."""
    query = {"client_id": client_id, "redirect_uri": redirect_uri, "response_type": "code"}
    if verifier:
        query |= {"code_challenge": challenge_of(verifier), "code_challenge_method": "S256"}
    if state:
        query["state"] = state
    return f"{endpoint}?{urlencode(query)}"


def safe_next(next_url: str, base_url: str) -> str:
    """``next_url`` if it is a path below ``base_url``, else ``base_url``.

    Refuses whatever a browser could read as another host or another server's
    path: schemes, ``//``, backslashes, control characters, dot segments.
    """
    if len(next_url) > MAX_NEXT_URL_LENGTH or _CONTROL.search(next_url) or "\\" in next_url:
        return base_url
    if not next_url.startswith("/") or next_url.startswith("//"):
        return base_url
    path = urlsplit(next_url).path
    if not (path.startswith(base_url) or path == base_url.rstrip("/")):
        return base_url
    if any(unquote(segment) in {".", ".."} for segment in path.split("/")):
        return base_url
    return next_url


@dataclass(frozen=True, slots=True)
class Round:
    """What one state stands for. ``tries`` counts fresh starts of the same visit."""

    next_url: str
    cookie_name: str
    verifier: str | None = field(default=None, repr=False)
    tries: int = 0


@dataclass(frozen=True, slots=True)
class RememberedRound:
    """A round and whether it is still young enough to be finished."""

    round: Round
    fresh: bool


class StateStore:
    """Rounds by state, bounded in number; the oldest go first.

    A round that is too old to be finished stays until its place is needed, so
    that whoever signs in slowly still lands on the page asked for.
    """

    def __init__(
        self,
        max_age_s: float,
        max_rounds: int = MAX_ROUNDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_age_s = max_age_s
        self.max_rounds = max_rounds
        self._monotonic = monotonic
        self._rounds: OrderedDict[str, tuple[float, Round]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rounds)

    def add(self, round_: Round) -> str:
        """Remember a round and return its state: 16 random bytes, url-safe."""
        state = secrets.token_urlsafe(16)
        while len(self._rounds) >= self.max_rounds:
            self._rounds.popitem(last=False)
        self._rounds[state] = (self._monotonic(), round_)
        return state

    def get(self, state: str) -> RememberedRound | None:
        """The round of a state, if it is known."""
        entry = self._rounds.get(state)
        if entry is None:
            return None
        started_at, round_ = entry
        return RememberedRound(round_, self._monotonic() - started_at < self.max_age_s)

    def finish(self, state: str) -> None:
        """Let a round end: it still says where to go on a reload, but no code counts any more."""
        if (entry := self._rounds.get(state)) is not None:
            self._rounds[state] = (-math.inf, entry[1])


@dataclass(frozen=True, slots=True)
class Exchange:
    """The callback is genuine: change ``code`` for a token."""

    code: str
    round: Round


@dataclass(frozen=True, slots=True)
class Proceed:
    """Nothing to do any more (another tab was faster): go on to ``next_url``."""

    next_url: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Begin another round towards ``next_url``."""

    next_url: str
    tries: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with this status and sentence."""

    status: int
    message: str


CallbackStep = Exchange | Proceed | Restart | Refuse


def decide_callback(
    *,
    error: str,
    code: str,
    state: str,
    known: RememberedRound | None,
    cookies: Mapping[str, str],
    signed_in: bool,
    base_url: str,
) -> CallbackStep:
    """What a request to the callback leads to.

    ``cookies`` are the state cookies with a valid signature, by name.
    """
    if error:
        return Refuse(400, f"The hub did not sign you in: {error[:200]}")
    if not code:
        return Refuse(400, "This address is part of signing in; it came without a code.")
    if not state:
        return Refuse(400, "This address is part of signing in; it came without a state.")
    cookie = cookies.get(known.round.cookie_name) if known is not None else None
    if known is not None and known.fresh and cookie is not None and _same(cookie, state):
        return Exchange(code, known.round)
    next_url = known.round.next_url if known is not None else base_url
    if signed_in:
        return Proceed(next_url)
    if (cookie is not None and not _same(cookie, state)) or (known is None and cookies):
        return Refuse(403, "This sign-in was begun in another browser or tab. Please try again.")
    tries = known.round.tries if known is not None else 0
    if tries:
        return Refuse(
            403,
            "The browser did not keep the cookie of this sign-in."
            " Allow cookies for this site and try again.",
        )
    return Restart(next_url, tries + 1)


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode("utf-8"), right.encode("utf-8", "surrogatepass"))
