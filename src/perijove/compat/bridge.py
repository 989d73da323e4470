"""A tornado application as a guest inside our ASGI application, on the same event loop.

Plug-ins' handlers are tornado handlers. Tornado separates them from its HTTP
server by two public interfaces, and both are used here: an ``HTTPConnection``
that handlers write to, whose writes become ASGI messages, and the message
delegate of ``Application.start_request``, which is fed with ASGI's events.

A write's future resolves when the server took the bytes, so ``await flush()``
has back-pressure. Websockets do not pass; they end at servers, not at the hub.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from tornado import httputil
from tornado.iostream import StreamClosedError
from tornado.web import Application

log = logging.getLogger("perijove.compat")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY_BYTES = 100 * 1024 * 1024

# The ASGI server sets these itself, or they belong to one connection only.
_DROPPED = frozenset({"connection", "transfer-encoding", "keep-alive", "server", "date"})


@dataclass(frozen=True, slots=True)
class ConnectionContext:
    """What tornado asks of a connection: who is at its other end."""

    remote_ip: str
    protocol: str
    address: tuple[str, int]


def context_of(scope: Scope) -> ConnectionContext:
    """Who sent a request."""
    host, port = scope.get("client") or ("127.0.0.1", 0)
    return ConnectionContext(host, scope.get("scheme", "http"), (host, port))


class BridgeConnection(httputil.HTTPConnection):
    """What a handler writes its answer to.

    ``before_send`` holds work that must be done before the answer leaves, for
    handlers that can begin it but not wait for it.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.context = context_of(scope)
        self.no_keep_alive = False
        self.before_send: list[Awaitable[Any]] = []
        self.started = False
        self._queue: asyncio.Queue[tuple[list[dict[str, Any]], asyncio.Future[None]] | None] = (
            asyncio.Queue()
        )
        self._gone = False
        self._on_close: Callable[[], None] | None = None

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Called once when the client leaves before the answer is complete."""
        self._on_close = callback

    def _put(self, *messages: dict[str, Any]) -> "asyncio.Future[None]":
        future = asyncio.get_running_loop().create_future()
        if self._gone:
            future.set_exception(StreamClosedError())
            future.exception()  # read once: most handlers do not wait for their last write
        else:
            self._queue.put_nowait((list(messages), future))
        return future

    def write_headers(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
        chunk: bytes | None = None,
    ) -> "asyncio.Future[None]":
        """The head of the answer, perhaps with the first bytes of its body."""
        self.started = True
        assert isinstance(start_line, httputil.ResponseStartLine)
        raw = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers.get_all()
            if name.lower() not in _DROPPED
        ]
        head = {"type": "http.response.start", "status": start_line.code, "headers": raw}
        return self._put(head, *([_body(chunk)] if chunk else []))

    def write(self, chunk: bytes) -> "asyncio.Future[None]":
        """More of the body."""
        return self._put(_body(chunk))

    def finish(self) -> None:
        """The answer is complete."""
        self._put(_body(b"", more=False))

    def refuse(self, status: HTTPStatus) -> None:
        """Answer a request that no handler can be given."""
        line = httputil.ResponseStartLine("HTTP/1.1", status.value, status.phrase)
        body = f"{status.value} {status.phrase}\n".encode()
        headers = httputil.HTTPHeaders(
            {"Content-Type": "text/plain", "Content-Length": str(len(body))}
        )
        self.write_headers(line, headers, body)
        self.finish()

    def abort(self) -> None:
        """Break the answer off, so that the client can tell it is incomplete."""
        self._gone = True
        self._queue.put_nowait(None)

    def client_left(self) -> None:
        """Tell the handler, if it still works on the answer."""
        self._gone = True
        callback, self._on_close = self._on_close, None
        if callback is not None:
            callback()
        self._queue.put_nowait(None)

    async def pump(self, send: Send) -> None:
        """Send what is written until the answer is complete or nobody waits for it."""
        while (item := await self._queue.get()) is not None:
            messages, future = item
            try:
                messages = await self._finish_work() or messages
                for message in messages:
                    await send(message)
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
                    future.exception()
                if not isinstance(error, OSError):
                    log.error("An answer could not be sent", exc_info=error)
                return
            if not future.done():
                future.set_result(None)
            if messages[-1].get("more_body") is False:
                return

    async def _finish_work(self) -> list[dict[str, Any]] | None:
        """Do what must be done first; another answer when that failed."""
        work, self.before_send = self.before_send, []
        try:
            for awaitable in work:
                await awaitable
        except Exception:
            log.exception("The work before an answer failed; it is not sent")
            headers = [(b"content-type", b"text/plain")]
            head = {"type": "http.response.start", "status": 500, "headers": headers}
            return [head, _body(b"500 Internal Server Error\n", more=False)]
        return None


def _body(chunk: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": bytes(chunk), "more_body": more}


class TornadoGuest:
    """An ASGI application that answers the paths of a tornado application."""

    def __init__(
        self,
        application: Application,
        patterns: Iterable[str],
        *,
        below: str = "/",
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        """``patterns`` are the regular expressions of the application's paths ``below`` one."""
        self._application = application
        self._below = below
        self._patterns = [re.compile(p if p.endswith("$") else f"{p}$") for p in patterns]
        self._max_body_bytes = max_body_bytes

    def owns(self, raw_path: str) -> bool:
        """Whether one of the handlers answers this path."""
        return raw_path.startswith(self._below) and any(
            pattern.match(raw_path) for pattern in self._patterns
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        connection = BridgeConnection(scope)
        feed = asyncio.ensure_future(self._feed(connection, scope, receive))
        try:
            await connection.pump(send)
        finally:
            feed.cancel()
            await asyncio.wait([feed])

    async def _feed(self, connection: BridgeConnection, scope: Scope, receive: Receive) -> None:
        delegate = self._application.start_request(self, connection)
        try:
            if not await self._feed_request(delegate, connection, scope, receive):
                return
        except httputil.HTTPInputError as error:
            log.info("Malformed request: %s", error)
            if connection.started:
                connection.abort()
            else:
                connection.refuse(HTTPStatus.BAD_REQUEST)
            return
        except Exception:
            log.exception("A request could not be given to its handler")
            if connection.started:
                connection.abort()
            else:
                connection.refuse(HTTPStatus.INTERNAL_SERVER_ERROR)
            return
        while (await receive())["type"] != "http.disconnect":
            pass
        connection.client_left()

    async def _feed_request(
        self,
        delegate: httputil.HTTPMessageDelegate,
        connection: BridgeConnection,
        scope: Scope,
        receive: Receive,
    ) -> bool:
        """Give the request to its handler; False when it did not arrive whole."""
        line = httputil.RequestStartLine(
            scope["method"], uri_of(scope), f"HTTP/{scope.get('http_version', '1.1')}"
        )
        await _maybe(delegate.headers_received(line, headers_of(scope)))
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                delegate.on_connection_close()
                connection.client_left()
                return False
            chunk, more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            if size > self._max_body_bytes:
                connection.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
                return False
            if chunk:
                await _maybe(delegate.data_received(chunk))
        delegate.finish()
        return True


def uri_of(scope: Scope) -> str:
    """Path and query of a request as they came."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    uri = raw.partition(b"?")[0].decode("latin-1")
    query: bytes = scope.get("query_string", b"")
    return f"{uri}?{query.decode('latin-1')}" if query else uri


def headers_of(scope: Scope) -> httputil.HTTPHeaders:
    """The headers of a request. Raises HTTPInputError for impossible ones."""
    headers = httputil.HTTPHeaders()
    for name, value in scope["headers"]:
        headers.add(name.decode("latin-1"), value.decode("latin-1"))
    return headers


async def _maybe(result: Awaitable[None] | None) -> None:
    if result is not None:
        await result
