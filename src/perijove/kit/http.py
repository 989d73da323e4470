"""Small requests to neighbours: to the proxy's API, and to servers that may answer yet.

The hub makes a few of them for each start, so they are counted: what a general client
does for any request (cookies, redirects, proxies, streams) costs several times what a
request and an answer in memory cost, and ten megabytes besides. Answers are parsed by
httptools, as those of the hub's own web server are. HTTP/1.1 over TCP, TLS or a UNIX
socket; nothing is followed, decoded or kept.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple, Protocol, cast
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from perijove.kit.urls import unix_socket_of

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Of an answer, its head included; a table of 100,000 routes has about half of that."""
MOST_IDLE = 10
"""Connections that are kept for the next request to one place."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. The names of ``headers`` are in lower case; of several the last counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http(Protocol):
    """What makes requests."""

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        only_head: bool = False,
        timeout_s: float,
    ) -> Answer:
        """The answer to one request. Paths are sent as they are written.

        ``only_head``: the answer's body, however long, is not waited for.

        Raises OSError (TimeoutError included) when there is no answer, and ValueError for
        what cannot be sent.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class _Place(NamedTuple):
    """Where to connect to: ``socket`` is the path of a UNIX socket, if it is one."""

    host: str
    port: int
    tls: bool
    socket: str | None


class HttpClient:
    """Asks without further ado."""

    def __init__(
        self, tls: ssl.SSLContext | None = None, *, keep: bool, max_bytes: int = MAX_ANSWER_BYTES
    ) -> None:
        """``tls``: for https, in place of the system's trust. ``keep``: connections stay open."""
        self._tls = tls
        self._keep = keep
        self._max_bytes = max_bytes
        self._idle: dict[_Place, list[_Connection]] = {}
        self._busy: set[_Connection] = set()

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        only_head: bool = False,
        timeout_s: float,
    ) -> Answer:
        """As ``Http.ask``.

        A connection that was kept may be closed by the other side at the moment of asking;
        then a new one is tried (RFC 9112 section 9.3.1), so requests must bear repetition.
        """
        place, authority, target = _parse(url)
        fields = {} if self._keep else {"Connection": "close"}
        if body is not None:
            fields["Content-Length"] = str(len(body))
        head = _head(method, target, {"Host": authority, **fields, **(headers or {})})
        async with asyncio.timeout(timeout_s):
            while (kept := self._take_idle(place)) is not None:
                with suppress(_Gone):
                    return await self._exchange(kept, place, head + (body or b""), only_head)
            made = await self._connect(place)
            return await self._exchange(made, place, head + (body or b""), only_head)

    def _take_idle(self, place: _Place) -> "_Connection | None":
        idle = self._idle.get(place, [])
        while idle:
            connection = idle.pop()
            if not connection.ended:
                return connection
        return None

    async def _connect(self, place: _Place) -> "_Connection":
        loop = asyncio.get_running_loop()
        context = (self._tls or _default_context()) if place.tls else None
        name = place.host if place.tls else None

        def make() -> _Connection:
            return _Connection(self._max_bytes)

        if place.socket is not None:
            _, made = await loop.create_unix_connection(
                make, place.socket, ssl=context, server_hostname=name
            )
        elif (sock := await _dial(place.host, place.port)) is not None:
            _, made = await loop.create_connection(
                make, sock=sock, ssl=context, server_hostname=name
            )
        else:
            _, made = await loop.create_connection(make, place.host, place.port, ssl=context)
        return made

    async def _exchange(
        self, connection: "_Connection", place: _Place, request: bytes, only_head: bool
    ) -> Answer:
        self._busy.add(connection)
        try:
            answer = await connection.ask(request, only_head)
        except BaseException:
            connection.abort()
            raise
        finally:
            self._busy.discard(connection)
        idle = self._idle.setdefault(place, []) if self._keep else []
        if self._keep and connection.stays and len(idle) < MOST_IDLE:
            idle.append(connection)
        else:
            connection.abort()
        return answer

    async def close(self) -> None:
        """Close the connections; requests that wait for an answer fail."""
        idle, self._idle = self._idle, {}
        for connection in [c for several in idle.values() for c in several] + [*self._busy]:
            connection.abort()


class _Gone(ConnectionError):
    """The other side closed the connection before it said anything."""


class _Connection(asyncio.Protocol):
    """One connection, with one request at a time.

    ``ended``: nothing more can be asked on it. ``stays``: the last answer left it open.
    """

    def __init__(self, max_bytes: int) -> None:
        self.ended = False
        self.stays = False
        self._max_bytes = max_bytes
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._asking: asyncio.Future[Answer] | None = None
        self._only_head = False
        self._received = 0
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    async def ask(self, request: bytes, only_head: bool) -> Answer:
        """Send a request and wait for its answer. Raises OSError."""
        assert self._transport is not None
        self.stays = False
        self._only_head = only_head
        self._received = self._status = 0
        self._asking = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._asking

    def abort(self) -> None:
        """Close it at once."""
        self.ended = True
        if self._transport is not None:
            self._transport.abort()

    # -- of the transport -----------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass

    def data_received(self, data: bytes) -> None:
        """A piece of the answer."""
        if self._asking is None or self._asking.done():
            self.abort()  # nobody asked: what comes cannot be told from the next answer
            return
        self._received += len(data)
        if self._received > self._max_bytes:
            self._fail(ConnectionError(f"the answer is longer than {self._max_bytes} bytes"))
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(ConnectionError(f"the answer is no HTTP: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        """It is closed. An answer that states no length ends so (RFC 9112 section 6.3)."""
        self.ended = True
        if self._asking is None or self._asking.done():
            return
        sized = "content-length" in self._headers or "transfer-encoding" in self._headers
        if not self._received:
            self._fail(_Gone("the connection was closed before any answer"))
        elif error is None and self._status >= 200 and not sized:
            self.on_message_complete()
        else:
            self._fail(ConnectionError("the connection was closed within the answer"))

    def _fail(self, error: ConnectionError) -> None:
        self.abort()
        if self._asking is not None and not self._asking.done():
            self._asking.set_exception(error)

    # -- of the parser --------------------------------------------------------------------
    def on_message_begin(self) -> None:
        """An answer, be it an interim one, begins."""
        if self._asking is None or self._asking.done():
            self.abort()  # a second answer to one request
        self._status, self._headers, self._body = 0, {}, []

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._status = self._parser.get_status_code()
        if self._only_head:
            self._answer(stays=False)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """All of it is there. After an interim answer (status 1xx) another one follows."""
        self._answer(stays=not self.ended and self._parser.should_keep_alive())

    def _answer(self, *, stays: bool) -> None:
        if self._status < 200 or self._asking is None or self._asking.done():
            return
        self.stays = stays
        self._asking.set_result(Answer(self._status, self._headers, b"".join(self._body)))


async def _dial(host: str, port: int) -> socket.socket | None:
    """A connected socket, where ``host`` is an address; None where it is a name.

    A server that does not listen yet is asked again and again, and a socket alone finds
    that out for a third of what the loop's way to connect costs.
    """
    try:
        family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        return None
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (host, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _parse(url: str) -> tuple[_Place, str, str]:
    """Where to connect to, the value of ``Host``, and what is asked for. Raises ValueError."""
    parts = urlsplit(url)
    scheme, _, unix = parts.scheme.partition("+")
    if scheme not in ("http", "https") or unix not in ("", "unix") or not parts.netloc:
        raise ValueError(f"{url!r} is no URL that can be asked")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if unix:
        return _Place("localhost", 0, scheme == "https", unix_socket_of(url)), "localhost", target
    host = parts.hostname or ""
    port = parts.port or (443 if scheme == "https" else 80)
    return _Place(host, port, scheme == "https", None), parts.netloc.rpartition("@")[2], target


def _head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """The head of a request. Raises ValueError for what would break out of its line."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{key}: {value}" for key, value in headers.items())]
    if not (target.isascii() and target.isprintable()) or " " in target:
        raise ValueError(f"{target!r} is not percent-encoded")
    if not all(line.isprintable() for line in lines):
        raise ValueError("a header holds control characters")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@lru_cache
def _default_context() -> ssl.SSLContext:
    return ssl.create_default_context()
