"""The hub as one ASGI application: from raw path to finished answer.

Order of a request: plug-ins' own handlers under the hub prefix (the
authenticator's first), the hub's routes, the error page. Everything outside the
hub prefix is redirected into it. Each answer gets the common headers, is
counted and logged here, and nowhere else.
"""

import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from perijove import INTERFACE_VERSION
from perijove.domain.errors import MethodNotAllowed, NotFound
from perijove.domain.settings import NetworkSettings, PageSettings
from perijove.telemetry import metrics
from perijove.telemetry.log import RequestLine, log_request
from perijove.web.call import CALLER_NAME
from perijove.web.caller import header_of
from perijove.web.cors import Cors
from perijove.web.problems import Problems
from perijove.web.routing import Endpoint, Match, Routes

log = logging.getLogger("perijove.web")

PLUGIN_COOKIES = "perijove.cookies"
PLUGIN_REDIRECT = "perijove.redirect"
"""Where an authenticator's cookies wait that it set while the hub answered a sign-in."""

RawHeader = tuple[bytes, bytes]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Guest(Protocol):
    """An ASGI application of plug-ins' handlers that knows which paths are its own."""

    def owns(self, raw_path: str) -> bool:
        """Whether it answers this path."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        ...


class HubApplication:
    """The hub's ASGI application. Only HTTP: websockets end at servers, not here."""

    def __init__(
        self,
        *,
        base_url: str,
        hub_prefix: str,
        routes: Routes,
        problems: Problems,
        make_call: Callable[[Request, dict[str, str]], Any],
        outside: Endpoint,
        cors: Cors,
        page_headers: dict[str, str],
        forwarded: Callable[[Scope], None],
        guests: tuple[Guest, ...] = (),
    ) -> None:
        self._base_url = base_url
        self._hub_prefix = hub_prefix
        self._routes = routes
        self._problems = problems
        self._make_call = make_call
        self._outside = outside
        self._cors = cors
        self._page_headers = _encoded(page_headers)
        self._api_headers = _encoded(_api_headers(page_headers))
        self._forwarded = forwarded
        self.guests = guests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await _refuse(scope, send)
            return
        self._forwarded(scope)
        raw_path = _raw_path(scope)
        for guest in self.guests:
            if guest.owns(raw_path):
                await guest(scope, receive, send)
                return
        began = time.perf_counter()
        request = Request(scope, receive)
        response, label = await self._answer(request, raw_path)
        if scope["method"] == "HEAD" and isinstance(response, StreamingResponse):
            # Its body may have no end.
            response = Response(status_code=response.status_code, headers=response.headers)
        self._finish(scope, response)
        try:
            await response(scope, receive, send)
        except (ClientDisconnect, OSError):
            log.debug("The client left before the answer was complete")
        took_s = time.perf_counter() - began
        metrics.request_duration(scope["method"], label, response.status_code).observe(took_s)
        self._log(request, response, raw_path, took_s)

    def _log(self, request: Request, response: Response, raw_path: str, took_s: float) -> None:
        scope = request.scope
        query = scope["query_string"].decode("latin-1")
        client = scope.get("client")
        log_request(
            log,
            RequestLine(
                method=scope["method"],
                uri=f"{raw_path}?{query}" if query else raw_path,
                status=response.status_code,
                duration_s=took_s,
                user=scope.get("state", {}).get(CALLER_NAME, ""),
                ip=client[0] if client else "",
                location=header_of(response.raw_headers, b"location"),
                quiet=raw_path.endswith("/health") or "/static/" in raw_path,
                headers=request.headers if response.status_code >= 500 else {},
            ),
        )

    async def _answer(self, request: Request, raw_path: str) -> tuple[Response, str]:
        label = "perijove.web.Unknown"
        try:
            if not raw_path.startswith(self._hub_prefix):
                call = self._make_call(request, {"path": raw_path})
                return await self._outside(call), "perijove.web.Outside"
            match = self._routes.match(raw_path[len(self._hub_prefix) - 1 :])
            if match is None:
                raise NotFound
            endpoint = _endpoint(match, request.method)
            if endpoint is None:
                return self._cors.preflight(request), label
            label = f"{endpoint.__module__}.{endpoint.__name__}"
            response: Response = await endpoint(self._make_call(request, match.params))
            return response, label
        except Exception as error:
            return await self._problems.handle(request, error), label

    def _finish(self, scope: Scope, response: Response) -> None:
        """The headers that every answer has; entity tags for small answers of the API."""
        is_api = self._problems.is_api(scope)
        headers = response.raw_headers
        present = {name for name, _ in headers}
        if b"_xsrf=" in scope["query_string"] and b"referrer-policy" not in present:
            headers.append((b"referrer-policy", NO_ADDRESS.encode()))
            present.add(b"referrer-policy")
        common = self._api_headers if is_api else self._page_headers
        headers += [header for header in common if header[0] not in present]
        if is_api and self._cors.enabled:
            self._cors.mark(Request(scope), response)
        for cookie in scope.get(PLUGIN_COOKIES, ()):
            headers.append((b"set-cookie", cookie.encode("latin-1")))
        body = getattr(response, "body", None)
        if not body:
            return
        method = scope["method"]
        if is_api and method == "GET" and response.status_code == 200:
            # An entity tag identifies the body; it guards nothing.
            etag = f'"{hashlib.sha1(body, usedforsecurity=False).hexdigest()}"'
            headers.append((b"etag", etag.encode()))
            if etag in header_of(scope["headers"], b"if-none-match"):
                response.status_code = 304
                response.body = b""
                response.headers["content-length"] = "0"
        elif method == "HEAD":
            response.body = b""


def _endpoint(match: Match, method: str) -> Endpoint | None:
    """The handler of a method; None for OPTIONS. Raises MethodNotAllowed."""
    endpoint = match.endpoints.get(method)
    if endpoint is None and method == "HEAD":
        endpoint = match.endpoints.get("GET")
    if endpoint is None and method != "OPTIONS":
        raise MethodNotAllowed(f"Method {method} is not supported here", _allowed(match))
    return endpoint


def _allowed(match: Match) -> tuple[str, ...]:
    """The methods that a path answers (RFC 9110, section 10.2.1)."""
    also = ("HEAD", "OPTIONS") if "GET" in match.endpoints else ("OPTIONS",)
    return (*match.endpoints, *also)


def _raw_path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")


def _api_headers(page_headers: dict[str, str]) -> dict[str, str]:
    headers = dict(page_headers)
    policy = headers.get("content-security-policy", "")
    headers["content-security-policy"] = f"{policy}; default-src 'none'" if policy else ""
    return {name: value for name, value in headers.items() if value}


def _encoded(headers: dict[str, str]) -> tuple[RawHeader, ...]:
    return tuple((name.encode(), value.encode("latin-1")) for name, value in headers.items())


NO_ADDRESS = "strict-origin"
"""The referrer policy of pages whose address holds a code or a proof: it is told to nobody, even
within the origin, which people's servers may share."""

OPENER_POLICY = "noopener-allow-popups"
"""A page that opened the hub's in a window gets no hold of it, even from the same origin."""


def page_headers(pages: PageSettings, network: NetworkSettings) -> dict[str, str]:
    """The headers of every page; the operator's win.

    A hub without pages takes no reports of breaches, so browsers are told of no
    address for them unless the operator names one.
    """
    own = "" if network.api_only else f"{network.hub_prefix}security/csp-report"
    report_to = pages.csp_report_uri or own
    report = f"; report-uri {report_to}" if report_to else ""
    headers = {
        "x-jupyterhub-version": INTERFACE_VERSION,
        "content-security-policy": f"frame-ancestors 'none'{report}",
        "access-control-allow-headers": "accept, content-type, authorization",
        "x-content-type-options": "nosniff",
        # Within the origin whole addresses are told: the hub knows by them which pages are its own.
        "referrer-policy": "strict-origin-when-cross-origin",
        # Pages of people's servers may share the origin: with it the browser's cache, and the
        # windows that they open.
        "cache-control": "no-store",
        "cross-origin-opener-policy": OPENER_POLICY,
    }
    headers.update({name.lower(): value for name, value in pages.headers.items()})
    return headers


def redirect(url: str, status: int = 302) -> Response:
    """A redirect to a URL that is already percent-encoded."""
    response = RedirectResponse("/", status)
    response.headers["location"] = url
    return response


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
