"""Proof that a cookie request was made by our own page.

A page of one person's server shares the host with the hub, so the browser would
send the hub's cookies with requests that it forges. The ``_xsrf`` cookie, which
only pages below the hub's path can read, must come back as an argument or
header. Its value is signed and bound to the session and the sign-in; a cookie
that another page has planted ("tossed") has no valid signature or a foreign
identity.
"""

import base64
import hashlib
import hmac
import ipaddress
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from perijove.domain.errors import Forbidden
from perijove.web.cookies import XSRF, CookieJar, cookies_of

MAX_AGE_DAYS = 31
ANONYMOUS_AGE_S = 3600
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Xsrf:
    """Makes, sets and checks the token.

    Strangers are told apart by their address, or its network among ``networks``
    (CIDR), and by ``id_headers``.
    """

    jar: CookieJar
    networks: tuple[str, ...] = ()
    id_headers: tuple[str, ...] = ("User-Agent",)
    _parsed: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = field(
        init=False, repr=False
    )

    def __post_init__(self) -> None:
        parsed = tuple(ipaddress.ip_network(network) for network in self.networks)
        object.__setattr__(self, "_parsed", parsed)

    def identity(self, request: Request, session_id: str | None, cookie_id: str | None) -> str:
        """Whom the token is bound to: the sign-in, or for strangers their address and browser."""
        if cookie_id is not None:
            return f"{session_id}:{cookie_id}"
        digest = hashlib.sha256(self._address(request).encode())
        for name in self.id_headers:
            digest.update(request.headers.get(name, "").encode("utf-8", "replace") + b"\xff")
        anonymous = base64.urlsafe_b64encode(digest.digest()).decode()
        return f"{session_id}:{anonymous}"

    def _address(self, request: Request) -> str:
        host = request.client.host if request.client else ""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return host
        for network in self._parsed:
            if address in network:
                return str(network)
        return host

    def own_cookie(self, request: Request, identity: str) -> str | None:
        """The ``_xsrf`` cookie that we made for this identity.

        Others may lie beside it: from an earlier sign-in, or planted by another page.
        """
        wanted = identity.encode()
        for raw in cookies_of(request).get(XSRF, []):
            found = self._decode(raw)
            if found is not None and hmac.compare_digest(found, wanted):
                return raw
        return None

    def _decode(self, raw: str) -> bytes | None:
        try:
            padded = raw + "=" * (-len(raw) % 4)
            signed = base64.urlsafe_b64decode(padded.encode("ascii")).decode("ascii")
        except ValueError:
            return None
        return self.jar.unsign(XSRF, signed, MAX_AGE_DAYS)

    def new_value(self, identity: str) -> str:
        """A fresh cookie value for an identity."""
        signed = self.jar.sign(XSRF, identity.encode())
        return base64.urlsafe_b64encode(signed.encode()).decode().rstrip("=")

    def set(self, response: Response, request: Request, value: str, *, anonymous: bool) -> None:
        """Send the cookie; a stranger's lives an hour, a person's as long as the browser."""
        self.jar.set(
            response,
            request,
            XSRF,
            value,
            path=self.jar.hub_prefix,
            httponly=False,
            max_age_s=ANONYMOUS_AGE_S if anonymous else None,
            options={**self.jar.options, **self.jar.xsrf_options},
        )

    def check(self, request: Request, argument: str | None, identity: str) -> None:
        """Raises Forbidden when the proof is missing or wrong.

        ``argument`` is the ``_xsrf`` query or form field, if the request has one.
        """
        if not needs_proof(request):
            return
        given = argument or request.headers.get("x-xsrftoken") or request.headers.get("x-csrftoken")
        if not given:
            raise Forbidden(f"'_xsrf' argument missing from {request.method}")
        cookie = self.own_cookie(request, identity)
        sent = given.encode("utf-8", "replace")
        if cookie is None or not hmac.compare_digest(cookie.encode("utf-8", "replace"), sent):
            raise Forbidden(f"XSRF cookie does not match {request.method} argument")


def is_navigation(request: Request) -> bool:
    """Whether the browser says (or does not deny) that a person went to this page."""
    return request.headers.get("sec-fetch-mode", "navigate") == "navigate"


def needs_proof(request: Request) -> bool:
    """Whether a cookie request must prove its origin, by what the browser says of it."""
    mode = request.headers.get("sec-fetch-mode")
    if mode == "websocket":
        return False
    if request.method in SAFE:
        if mode in (None, "navigate"):
            return False
        if mode == "no-cors" and request.headers.get("sec-fetch-site") == "same-origin":
            # Images and the like. A script's fetch may claim this mode too, and reads the answer.
            return request.headers.get("sec-fetch-dest") == "empty"
    return True
