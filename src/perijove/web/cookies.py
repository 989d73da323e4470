"""The cookies of the hub: their names, paths and flags in one place.

``jupyterhub-hub-login`` (signed), ``jupyterhub-session-id`` (shared with
servers and services, so that signing out reaches them) and ``_xsrf`` (signed,
readable by scripts).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from perijove.kit.cookies import format_cookie, format_removal, parse_cookies
from perijove.kit.crypto import sign_value, unsign_value

LOGIN = "jupyterhub-hub-login"
SESSION = "jupyterhub-session-id"
SERVICES = "jupyterhub-services"
XSRF = "_xsrf"
BROWSER_LIFE_DAYS = 30


@dataclass(frozen=True)
class CookieJar:
    """Reads and sets the hub's cookies.

    ``options`` and ``xsrf_options`` are the operator's extra attributes
    (``cookie_options``, ``xsrf_cookie_kwargs`` of ``tornado_settings``).
    """

    secret: bytes
    hub_prefix: str
    base_url: str
    domain: str = ""
    host_prefix: bool = False
    secure: bool = False
    max_age_days: float = 14
    options: dict[str, Any] = field(default_factory=dict)
    xsrf_options: dict[str, Any] = field(default_factory=dict)

    @property
    def login_name(self) -> str:
        """The login cookie's name, ``__Host-`` included."""
        return f"__Host-{LOGIN}" if self.host_prefix else LOGIN

    def sign(self, name: str, value: bytes) -> str:
        """A signed cookie value."""
        return sign_value(self.secret, name, value)

    def unsign(self, name: str, value: str, max_age_days: float | None = None) -> bytes | None:
        """The value of a signed cookie; None when forged or too old."""
        days = self.max_age_days if max_age_days is None else max_age_days
        return unsign_value(self.secret, name, value, days)

    def _is_secure(self, request: Request) -> bool:
        return self.secure or self.host_prefix or request.scope.get("scheme") == "https"

    def set(
        self,
        response: Response,
        request: Request,
        name: str,
        value: str,
        *,
        path: str,
        max_age_s: int | None = None,
        expires: datetime | None = None,
        httponly: bool = True,
        domain: str | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        """Set a cookie; the operator's options win."""
        attributes: dict[str, Any] = {
            "path": path,
            "httponly": httponly,
            "secure": self._is_secure(request),
            **({"domain": domain} if domain else {}),
            **(self.options if options is None else options),
        }
        if name.startswith("__Host-"):
            attributes.update(path="/", secure=True)
            attributes.pop("domain", None)
        response.headers.append(
            "set-cookie",
            format_cookie(name, value, attributes, max_age_s=max_age_s, expires=expires),
        )

    def clear(self, response: Response, name: str, *, path: str, domain: str | None = None) -> None:
        """Make the browser forget a cookie."""
        attributes: dict[str, Any] = {"path": path}
        if domain:
            attributes["domain"] = domain
        if name.startswith("__Host-"):
            attributes = {"path": "/", "secure": True}
        response.headers.append("set-cookie", format_removal(name, attributes))

    def set_login(self, response: Response, request: Request, value: str) -> None:
        """Set the login cookie to a (signed) value."""
        expires = datetime.now(UTC) + timedelta(days=BROWSER_LIFE_DAYS)
        self.set(response, request, self.login_name, value, path=self.hub_prefix, expires=expires)

    def set_session(self, response: Response, request: Request, session_id: str) -> None:
        """Set the session id, for the hub and all below its base URL."""
        self.set(
            response, request, SESSION, session_id, path=self.base_url, domain=self.domain or None
        )

    def clear_all(self, response: Response) -> None:
        """Sign the browser out: forget all of the hub's cookies."""
        self.clear(response, SESSION, path=self.base_url, domain=self.domain or None)
        self.clear(response, self.login_name, path=self.hub_prefix)
        self.clear(response, SERVICES, path=f"{self.base_url}services")
        self.clear(response, XSRF, path=self.hub_prefix)


def cookies_of(request: Request) -> dict[str, list[str]]:
    """All cookies of a request by name; a name may come several times (from several paths)."""
    return parse_cookies(request.headers.getlist("cookie"))
