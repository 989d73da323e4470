"""Proofs that a request with a cookie was meant: the hub's XSRF scheme, per path and session.

The ``_xsrf`` cookie holds a signed id: of the browser session and the login
behind it, or of an anonymous visitor. Scripts of the page can read it and send
it along; pages of other servers on the same domain cannot, since the cookie's
path hides it from them, and a planted one fails the signature or the id.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from perijove.kit.crypto import hash_token, sign_value, unsign_value

COOKIE = "_xsrf"
MAX_AGE_DAYS = 31.0
ANONYMOUS_MAX_AGE_S = 3600
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def login_id(session_id: str, token: str) -> str:
    """The id of somebody who is signed in: ``SESSION:SHA256(token)``."""
    return f"{session_id}:{hash_token(token)}"


def anonymous_id(
    session_id: str,
    remote_ip: str,
    headers: Mapping[str, str],
    cidrs: Iterable[str] = (),
    id_headers: Iterable[str] = ("User-Agent",),
) -> str:
    """The id of a visitor who is not signed in.

    Addresses within one network of ``cidrs`` count as one, for visitors whose
    address changes. ``id_headers`` are mixed in.
    """
    digest = hashlib.sha256(_network_of(remote_ip, cidrs).encode("utf-8", "replace"))
    for name in id_headers:
        digest.update(headers.get(name, "").encode("utf-8", "replace"))
        digest.update(b"\xff")
    mark = base64.urlsafe_b64encode(digest.digest()).decode("ascii")
    return f"{session_id or None}:{mark}"


def _network_of(remote_ip: str, cidrs: Iterable[str]) -> str:
    try:
        address = ipaddress.ip_address(remote_ip)
    except ValueError:
        return remote_ip
    for cidr in cidrs:
        network = ipaddress.ip_network(cidr.strip(), strict=False)
        if address.version == network.version and address in network:
            return str(network)
    return remote_ip


@dataclass(frozen=True, slots=True)
class AnonymousRules:
    """How anonymous visitors are told apart."""

    cidrs: tuple[str, ...] = ()
    id_headers: tuple[str, ...] = ("User-Agent",)

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "AnonymousRules":
        """Read ``JUPYTERHUB_XSRF_ANONYMOUS_*``. Raises ValueError for a bad network."""
        cidrs = tuple(_split(env.get("JUPYTERHUB_XSRF_ANONYMOUS_IP_CIDRS", "")))
        for cidr in cidrs:
            ipaddress.ip_network(cidr, strict=False)
        names = env.get("JUPYTERHUB_XSRF_ANONYMOUS_ID_HEADERS")
        return cls(cidrs, ("User-Agent",) if names is None else tuple(_split(names)))


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def make_token(secret: bytes, identifier: str) -> str:
    """A fresh cookie value for an id."""
    signed = sign_value(secret, COOKIE, identifier.encode("utf-8"))
    return base64.urlsafe_b64encode(signed.encode("ascii")).rstrip(b"=").decode("ascii")


def read_token(secret: bytes, value: str) -> str | None:
    """The id in a cookie value, or None when it is not one of ours or too old."""
    try:
        padded = value.encode("ascii") + b"=" * (-len(value) % 4)
        signed = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        identifier = unsign_value(secret, COOKIE, signed, MAX_AGE_DAYS)
        return None if identifier is None else identifier.decode("utf-8")
    except (UnicodeError, binascii.Error):
        return None


def needs_proof(method: str, headers: Mapping[str, str], base_url: str) -> bool:
    """Whether a request with a cookie must also carry the token.

    Not needed for WebSockets (their Origin is checked instead), for plain
    navigation, and for what the own pages embed, such as images.
    """
    mode = headers.get("Sec-Fetch-Mode", "")
    if mode == "websocket":
        return False
    if method not in SAFE_METHODS:
        return True
    if mode in {"", "navigate"}:
        return False
    if mode == "no-cors" and headers.get("Sec-Fetch-Site", "") == "same-origin":
        # A script's fetch may claim this mode too, and reads the answer.
        destination = headers.get("Sec-Fetch-Dest", "")
        # Another server's page on the same domain embeds from its own path, or hides it.
        referer = headers.get("Referer", "")
        return destination == "empty" or (
            _is_foreign(referer, base_url) if referer else bool(destination)
        )
    return True


def _is_foreign(referer: str, base_url: str) -> bool:
    """Whether a Referer names a page that is not below ``base_url``."""
    try:
        return not urlsplit(referer).path.startswith(base_url)
    except ValueError:
        return True


def is_navigation(headers: Mapping[str, str]) -> bool:
    """Whether a browser shows the answer as a page (old browsers do not say)."""
    return headers.get("Sec-Fetch-Mode", "navigate") == "navigate"


def check_proof(
    secret: bytes, identifier: str, proof: str | None, cookies: Iterable[str], method: str
) -> str | None:
    """None when ``proof`` equals a cookie of this id, else why not.

    Several ``_xsrf`` cookies of different paths may arrive; ours is the one
    whose signature and id fit.
    """
    if not proof:
        return f"'{COOKIE}' argument missing from {method}"
    for value in cookies:
        if _same(value, proof) and read_token(secret, value) == identifier:
            return None
    return f"XSRF cookie does not match {method} argument"


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode("utf-8", "replace"), right.encode("utf-8", "replace"))
