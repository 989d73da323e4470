"""Cookies, tokens and headers of one tornado request, as the hub's scheme reads them.

Works on any ``tornado.web.RequestHandler``, so that services and the Jupyter
Server extension share it. What is learnt about a request is kept on its
handler in one ``Visit``.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tornado.escape import utf8
from tornado.web import RequestHandler, decode_signed_value

from perijove.hubauth import headers, xsrf
from perijove.kit.cookies import parse_cookies


@dataclass(slots=True)
class Visit:
    """What was found out about a request so far."""

    resolved: bool = False
    model: dict[str, Any] | None = None
    token: str = ""
    by_token: bool = False
    refused_name: str = ""
    new_login_token: str = ""
    xsrf_token: str = ""


def visit_of(handler: RequestHandler) -> Visit:
    """The notes about this request, created at the first call."""
    visit = getattr(handler, "_hub_visit", None)
    if visit is None:
        visit = Visit()
        handler._hub_visit = visit  # type: ignore[attr-defined]
    return visit


def session_id(handler: RequestHandler) -> str:
    """The browser session at the hub; empty for scripts and strangers."""
    return headers.session_id_or_nothing(handler.get_cookie(headers.SESSION_COOKIE, "") or "")


def is_websocket(handler: RequestHandler) -> bool:
    """Whether this is a WebSocket handshake. Links and forms cannot send that header."""
    return handler.request.headers.get("Upgrade", "").lower() == "websocket"


def header_token(handler: RequestHandler) -> str:
    """The token of ``Authorization: token X`` or ``bearer X``."""
    return headers.authorization_token(handler.request.headers)


def url_token(handler: RequestHandler) -> str:
    """The token of ``?token=``."""
    return headers.token_or_nothing(handler.get_query_argument("token", ""))


def is_https(handler: RequestHandler, public_url: str = "") -> bool:
    """Whether the browser uses https, also behind proxies that end TLS."""
    return headers.is_https(handler.request.headers, handler.request.protocol, public_url)


def request_summary(handler: RequestHandler) -> str:
    """What tornado logs about a request that failed, without secrets."""
    request = handler.request
    return f"{request.method} {headers.clean_uri(request.uri or '')} ({request.remote_ip})"


def cookies_named(handler: RequestHandler, name: str) -> Iterator[str]:
    """All values of a cookie; ``handler.cookies`` would hide all but one."""
    yield from parse_cookies(handler.request.headers.get_list("Cookie")).get(name, [])


def cookie_secret(handler: RequestHandler) -> bytes:
    """The application's secret; with rotating secrets, the current one."""
    handler.require_setting("cookie_secret", "hub authentication")
    secret = handler.settings["cookie_secret"]
    if isinstance(secret, dict):
        secret = secret[handler.settings.get("key_version", max(secret))]
    return bytes(utf8(secret))


def signed_cookie(handler: RequestHandler, name: str) -> str:
    """The value of a signed cookie, the first valid one of that name; empty without any."""
    secret = handler.settings.get("cookie_secret")
    for raw in cookies_named(handler, name):
        value = decode_signed_value(secret, name, raw, min_version=2) if secret else None
        if value:
            return value.decode("utf-8", "replace")
    return ""


@lru_cache(maxsize=1)
def anonymous_rules() -> xsrf.AnonymousRules:
    """The rules of this process's environment."""
    return xsrf.AnonymousRules.from_environment(os.environ)


def xsrf_id(handler: RequestHandler, login_token: str) -> str:
    """The id that the ``_xsrf`` cookie of this request should carry."""
    if login_token:
        return xsrf.login_id(session_id(handler), login_token)
    rules = anonymous_rules()
    sent: Mapping[str, str] = handler.request.headers
    remote_ip = handler.request.remote_ip or ""
    return xsrf.anonymous_id(session_id(handler), remote_ip, sent, rules.cidrs, rules.id_headers)


def xsrf_token(handler: RequestHandler, login_token: str, cookie_path: str, secure: bool) -> str:
    """The token for pages and scripts; sets the cookie when a navigation lacks a right one."""
    visit = visit_of(handler)
    if visit.xsrf_token:
        return visit.xsrf_token
    secret, wanted = cookie_secret(handler), xsrf_id(handler, login_token)
    for value in cookies_named(handler, xsrf.COOKIE):
        if xsrf.read_token(secret, value) == wanted:
            visit.xsrf_token = value
            return value
    visit.xsrf_token = xsrf.make_token(secret, wanted)
    if xsrf.is_navigation(handler.request.headers):
        options: dict[str, Any] = {"path": cookie_path}
        if secure:
            options["secure"] = True
        if not login_token:
            options["max_age"] = xsrf.ANONYMOUS_MAX_AGE_S
        options |= handler.settings.get("xsrf_cookie_kwargs", {})
        handler.set_cookie(xsrf.COOKIE, visit.xsrf_token, **options)
    return visit.xsrf_token


def xsrf_fault(handler: RequestHandler, login_token: str) -> str | None:
    """None when the request carries a valid proof, else what is wrong with it."""
    sent = handler.request.headers
    proof = (
        handler.get_argument(xsrf.COOKIE, None)
        or sent.get("X-XSRFToken")
        or sent.get("X-CSRFToken")
    )
    return xsrf.check_proof(
        cookie_secret(handler),
        xsrf_id(handler, login_token),
        proof,
        cookies_named(handler, xsrf.COOKIE),
        handler.request.method or "",
    )
