"""The WSGI face: a middleware that lets only visitors in whom the hub knows and admits.

Works with any WSGI application and imports no framework::

    application = HubAuthMiddleware(application)

What it learnt about a visitor is in ``environ["perijove.visitor"]`` (a
``Visitor``); ``perijove.hubauth.flask`` reads it for Flask.
"""

import io
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote

from perijove.hubauth import forms
from perijove.hubauth.client import HubError
from perijove.hubauth.gate import HubGate
from perijove.hubauth.headers import Headers
from perijove.hubauth.link import CACHE_MAX_AGE_S, HubLink
from perijove.hubauth.visits import Answer, Visitor
from perijove.hubauth.web_request import PATH_SAFE, WebRequest

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]

VISITOR = "perijove.visitor"
"""The key of the visitor in the environment."""


class StartResponse(Protocol):
    """What a WSGI server gives an application to begin its answer with (PEP 3333)."""

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]: ...


class HubAuthMiddleware:
    """Identifies visitors by the hub; serves sign-in and sign-out below the prefix.

    ``allow_anonymous``: strangers reach the application too, without a user,
    and pages decide. ``cache_max_age_s``: for so many seconds an answer of the
    hub counts, and a revoked token may still be taken. Raises BadEnvironment
    when the hub's variables are missing.
    """

    def __init__(
        self,
        app: Application,
        gate: HubGate | None = None,
        *,
        allow_anonymous: bool = False,
        cache_max_age_s: float = CACHE_MAX_AGE_S,
        link: HubLink | None = None,
    ) -> None:
        self.app = app
        self.gate = gate or HubGate()
        self.link = link or HubLink(self.gate.settings, cache_max_age_s)
        self.allow_anonymous = allow_anonymous

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Handle one request."""
        request = self._with_form_proof(request_of(environ), environ)
        try:
            visitor = self._own_pages(request) or self._admit(request)
        except HubError as error:
            visitor = Answer(error.visitor_status, str(error))
        if isinstance(visitor, Answer):
            return reply(visitor, environ, start_response)
        environ[VISITOR] = visitor

        def start(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], object]:
            return start_response(status, [*headers, *visitor.header_pairs(headers)], exc_info)

        return self.app(environ, start)

    def _with_form_proof(self, request: WebRequest, environ: Environ) -> WebRequest:
        kind = request.headers.get("Content-Type", "")
        if not (self.gate.may_prove_in_body(request) and forms.is_form(kind)):
            return request
        return request.with_form_proof(forms.find_proof(kind, look_ahead(environ)))

    def _own_pages(self, request: WebRequest) -> Answer | None:
        if request.path == self.gate.callback_path:
            return self.link.drive_blocking(self.gate.finish(request))
        if request.path == self.gate.sign_out_path:
            return self.gate.sign_out(request)
        return None

    def _admit(self, request: WebRequest) -> Visitor | Answer:
        visitor = self.link.drive_blocking(self.gate.admit(request))
        open_to_all = self.allow_anonymous or self.gate.is_public(request)
        if visitor.user is None and not open_to_all:
            return self.gate.refuse(request, visitor)
        return visitor


class Replayed(io.RawIOBase):
    """A body whose beginning was read early, as a stream from its first byte."""

    def __init__(self, beginning: bytes, rest: Any) -> None:
        self._beginning = memoryview(beginning)
        self._rest = rest

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the beginning, then from the rest."""
        if not self._beginning:
            data = self._rest.read(len(buffer))
        else:
            data = bytes(self._beginning[: len(buffer)])
            self._beginning = self._beginning[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def look_ahead(environ: Environ) -> bytes:
    """The body, or its first part when it is long; the application reads it as if nobody had."""
    try:
        size = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return b""
    if not size and not environ.get("wsgi.input_terminated"):
        return b""
    # Without a length (chunked) the server ends the stream itself.
    stream = environ["wsgi.input"]
    wanted = min(size, forms.MAX_LOOK_BYTES) if size else forms.MAX_LOOK_BYTES
    parts: list[bytes] = []
    while wanted > 0 and (data := stream.read(wanted)):
        parts.append(data)
        wanted -= len(data)
    beginning = b"".join(parts)
    environ["wsgi.input"] = io.BufferedReader(Replayed(beginning, stream))
    return beginning


def request_of(environ: Environ) -> WebRequest:
    """The framework-free view of a request."""
    # PEP 3333: the path's bytes come as latin-1 text.
    raw = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}".encode(
        "latin-1", "replace"
    )
    pairs = [
        (key[5:].replace("_", "-"), str(value))
        for key, value in environ.items()
        if key.startswith("HTTP_")
    ]
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(key):
            pairs.append((key.replace("_", "-"), str(environ[key])))
    return WebRequest(
        method=environ["REQUEST_METHOD"],
        path=raw.decode("utf-8", "replace"),
        query=environ.get("QUERY_STRING", ""),
        headers=Headers(pairs),
        scheme=environ.get("wsgi.url_scheme", "http"),
        remote_ip=environ.get("REMOTE_ADDR", ""),
        raw_path=quote(raw, safe=PATH_SAFE),
    )


def reply(answer: Answer, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Send an answer of the gate."""
    status = HTTPStatus(answer.status)
    start_response(f"{status.value} {status.phrase}", answer.header_pairs())
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]
