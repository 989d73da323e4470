"""One request of a visitor as the framework-free part sees it: method, address, headers.

The ASGI and WSGI faces each make one; nothing is read from the network here.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from urllib.parse import parse_qs, quote

from perijove.hubauth import xsrf
from perijove.hubauth.headers import (
    SESSION_COOKIE,
    Headers,
    authorization_token,
    session_id_or_nothing,
    token_or_nothing,
)
from perijove.kit.cookies import parse_cookies

MAX_ARGUMENTS = 100
PATH_SAFE = "/@:!$&'()*+,;=~"


@dataclass(frozen=True)
class WebRequest:
    """What one request says.

    ``path`` is decoded and includes the prefix; ``uri`` is what the browser
    asked for, escaped, with its query. ``form_proof`` is the ``_xsrf`` field of
    a form in the body, when somebody has looked for it.
    """

    method: str
    path: str
    query: str = field(default="", repr=False)
    headers: Headers = field(default_factory=lambda: Headers(()), repr=False)
    scheme: str = "http"
    remote_ip: str = ""
    websocket: bool = False
    raw_path: str = ""
    form_proof: str = field(default="", repr=False)

    @property
    def uri(self) -> str:
        """Path and query as they stand in the address bar."""
        path = self.raw_path or quote(self.path, safe=PATH_SAFE)
        return f"{path}?{self.query}" if self.query else path

    def with_form_proof(self, proof: str) -> "WebRequest":
        """This request, with the ``_xsrf`` field that was found in its form."""
        return replace(self, form_proof=proof)

    @cached_property
    def cookies(self) -> dict[str, list[str]]:
        """All cookies; a name may come several times."""
        return parse_cookies(self.headers.get_all("Cookie"))

    @cached_property
    def _arguments(self) -> dict[str, list[str]]:
        try:
            return parse_qs(
                self.query, keep_blank_values=True, errors="replace", max_num_fields=MAX_ARGUMENTS
            )
        except ValueError:
            return {}

    def argument(self, name: str) -> str:
        """The first value of an argument in the query; empty without any."""
        return self._arguments.get(name, [""])[0]

    @property
    def session_id(self) -> str:
        """The browser session at the hub; empty for scripts and strangers."""
        return session_id_or_nothing(self.cookies.get(SESSION_COOKIE, [""])[0])

    @property
    def header_token(self) -> str:
        """The token of the ``Authorization`` header."""
        return authorization_token(self.headers)

    @property
    def url_token(self) -> str:
        """The token of ``?token=``."""
        return token_or_nothing(self.argument("token"))

    @property
    def proof(self) -> str:
        """What the request offers against forgery: header, query or form field."""
        return (
            self.headers.get("X-XSRFToken")
            or self.headers.get("X-CSRFToken")
            or self.argument(xsrf.COOKIE)
            or self.form_proof
        )
