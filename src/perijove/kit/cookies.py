"""Cookies as they travel: the header that sets one, the headers that bring them back (RFC 6265).

The standard library's reader gives up at the first odd byte, and its writer
knows only the attributes of its Python version; operators set others.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

_FLAGS = {"secure": "Secure", "httponly": "HttpOnly", "partitioned": "Partitioned"}
_SPELLING = {"samesite": "SameSite", "max-age": "Max-Age", "domain": "Domain", "path": "Path"}


def format_cookie(
    name: str,
    value: str,
    attributes: Mapping[str, Any],
    *,
    max_age_s: int | None = None,
    expires: datetime | None = None,
) -> str:
    """The value of a ``Set-Cookie`` header.

    ``attributes`` may be spelled as tornado's cookie options are
    (``expires_days``, ``samesite``); those without a value are left out.
    """
    parts = [f"{name}={value}" if value else f'{name}=""']
    if max_age_s is not None:
        parts.append(f"Max-Age={max_age_s}")
    if expires is not None:
        parts.append(f"expires={expires:%a, %d %b %Y %H:%M:%S GMT}")
    for key, setting in attributes.items():
        spelled = key.replace("_", "-").lower()
        if spelled in _FLAGS:
            if setting:
                parts.append(_FLAGS[spelled])
        elif spelled == "expires-days":
            if setting is not None:
                moment = datetime.now(UTC) + timedelta(days=float(setting))
                parts.append(f"expires={moment:%a, %d %b %Y %H:%M:%S GMT}")
        elif setting:
            parts.append(f"{_SPELLING.get(spelled, spelled.capitalize())}={setting}")
    return "; ".join(parts)


def format_removal(name: str, attributes: Mapping[str, Any]) -> str:
    """The value of a ``Set-Cookie`` header that makes a browser forget a cookie."""
    past = datetime.now(UTC) - timedelta(days=365)
    return format_cookie(name, "", attributes, expires=past)


def parse_cookies(headers: Iterable[str]) -> dict[str, list[str]]:
    """All cookies by name; a name may come several times (from several paths).

    Lenient, since browsers and robots send the oddest things: a part without
    ``=`` is skipped, quotes around a value are taken off.
    """
    found: dict[str, list[str]] = {}
    for header in headers:
        for part in header.split(";"):
            name, separator, value = part.strip().partition("=")
            if separator:
                if len(value) >= 2 and value[0] == value[-1] == '"':
                    value = value[1:-1]
                found.setdefault(name, []).append(value)
    return found
