"""What the headers of a visitor's request say, whatever framework received it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from perijove.hubauth import xsrf
from perijove.kit.crypto import MAX_TOKEN_LENGTH

SESSION_COOKIE = "jupyterhub-session-id"
MAX_SESSION_ID_LENGTH = 64

VARY = "Cookie, Authorization, X-XSRFToken, Sec-Fetch-Mode, Sec-Fetch-Dest"
"""What an answer for a visitor depends on.

Pages of several people may share an origin, and with it the browser's cache: a
page that may not ask for something must not find there what another page, or a
frame that was not even shown, has asked for.
"""

KEPT_APART = (
    ("content-security-policy", "frame-ancestors 'none'"),
    ("cross-origin-opener-policy", "noopener-allow-popups"),
)
"""Another page of the origin gets no hold of ours, in a frame or a window that it opens.

It could read what the page shows, and the XSRF token that the page's scripts read.
"""

_AUTHORIZATION = re.compile(r"(?:token|bearer)\s+(\S+)\s*", re.IGNORECASE)
_TOKEN = re.compile(rf"[\x21-\x7e]{{1,{MAX_TOKEN_LENGTH}}}")
_SECRET_KEYS = ("token", "code", "state", "xsrf", "next")


class Headers(Mapping[str, str]):
    """Headers by name, in any case; ``get_all`` has each of several with one name."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs: dict[str, list[str]] = {}
        for name, value in pairs:
            self._pairs.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        return self._pairs[name.lower()][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def get_all(self, name: str) -> list[str]:
        """All values of a header."""
        return self._pairs.get(name.lower(), [])


def kept_apart(given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of ``KEPT_APART`` that an answer with the ``given`` headers does not decide itself."""
    decided = set()
    for name, value in given:
        name = name.lower()
        if name == "x-frame-options" or (name == "content-security-policy" and _frames(value)):
            decided.add("content-security-policy")
        elif name == "cross-origin-opener-policy":
            decided.add(name)
    return [header for header in KEPT_APART if header[0] not in decided]


def _frames(policy: str) -> bool:
    return "frame-ancestors" in policy.lower()


def token_or_nothing(text: str) -> str:
    """``text`` if it could be a token, else the empty string."""
    return text if _TOKEN.fullmatch(text) else ""


def authorization_token(headers: Mapping[str, str]) -> str:
    """The token of ``Authorization: token X`` or ``bearer X``."""
    found = _AUTHORIZATION.fullmatch(headers.get("Authorization", ""))
    return token_or_nothing(found.group(1)) if found else ""


def session_id_or_nothing(value: str) -> str:
    """A session cookie's value: it is not signed, and answers are cached under it."""
    return value if len(value) <= MAX_SESSION_ID_LENGTH else ""


def is_https(headers: Mapping[str, str], scheme: str, public_url: str = "") -> bool:
    """Whether the browser uses https, also behind proxies that end TLS."""
    if public_url.startswith("https:"):
        return True
    for part in headers.get("Forwarded", "").split(",")[0].split(";"):
        name, _, value = part.partition("=")
        if name.strip().lower() == "proto":
            return value.strip().strip('"').lower() == "https"
    seen = headers.get("X-Scheme") or headers.get("X-Forwarded-Proto", "").split(",")[0]
    return (seen.strip() or scheme).lower() in {"https", "wss"}


def wants_page(headers: Mapping[str, str]) -> bool:
    """Whether the request can follow a sign-in: a browser that goes to a page, not a script."""
    if headers.get("X-Requested-With", "") == "XMLHttpRequest":
        return False
    accept = headers.get("Accept", "*/*")
    takes_html = "*/*" in accept or "html" in accept or not accept.strip()
    return takes_html and xsrf.is_navigation(headers)


def same_origin(headers: Mapping[str, str], public_url: str = "") -> bool:
    """Whether a WebSocket handshake comes from a page of this very host, or from no browser."""
    origin = headers.get("Origin")
    if origin is None:
        return True
    try:
        host = urlsplit(origin).netloc.lower()
        expected = {headers.get("Host", "").lower(), urlsplit(public_url).netloc.lower()}
    except ValueError:
        return False
    return bool(host) and host in expected


def clean_uri(uri: str) -> str:
    """A request's address for logs, without the values of arguments that hold secrets."""
    path, mark, query = uri.partition("?")
    parts = []
    for part in query.split("&"):
        key, equals, _ = part.partition("=")
        secret = equals and any(word in key.lower() for word in _SECRET_KEYS)
        parts.append(f"{key}=[secret]" if secret else part)
    return f"{path}{mark}{'&'.join(parts)}"
