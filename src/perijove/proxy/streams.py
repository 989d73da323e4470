"""A stream of HTTP/2 as a client's connection of HTTP/1.1.

The public port's rules are written once, for HTTP/1.1 (``connection``). A stream
therefore becomes a connection of its own with one request: its header fields
are written as a head, its data as a body, and what the connection writes to its
transport is read back as a response. Nothing is trusted on the way: names and
values that could break out of a line are refused (RFC 9113 section 8.2.1).
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

from perijove.proxy.connection import ClientConnection
from perijove.proxy.forwarded import Forwarding
from perijove.proxy.framing import Dechunker
from perijove.proxy.limits import WRITE_BUFFER_BYTES
from perijove.proxy.plane import Plane
from perijove.proxy.response import Response, read_response

Field = tuple[bytes, bytes]

_NOT_SENT = frozenset((
    b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"proxy-connection",
))  # fmt: skip


class BadStream(ValueError):
    """The stream holds no request that can be written as HTTP/1.1."""


class Carrier(Protocol):
    """What a stream needs of the connection that carries it."""

    def send_head(self, number: int, fields: list[Field], last: bool) -> None:
        """Send header fields; with ``last`` nothing follows."""

    def send_body(self, stream: "Stream") -> None:
        """Send what the stream has ``pending`` as far as the windows allow."""

    def reset(self, number: int, whole: bool) -> None:
        """End a stream early: all is said (``whole``), or the response is broken."""

    def took(self, number: int, size: int) -> None:
        """So much of the request's data has been passed on."""


def request_head(fields: Iterable[Field], ended: bool) -> tuple[bytes, bool, bool]:
    """The head of HTTP/1.1; whether the body needs chunks; whether the method is HEAD.

    Raises BadStream.
    """
    pseudo: dict[bytes, bytes] = {}
    lines: list[bytes] = []
    cookies: list[bytes] = []
    host = None
    has_length = False
    for name, value in fields:
        if b"\r" in value or b"\n" in value or b"\0" in value:
            raise BadStream("a value breaks its line")
        if name[:1] == b":":
            pseudo[name] = value
        elif name == b"host":
            host = value
        elif name == b"cookie":
            cookies.append(value)
        elif name not in _NOT_SENT:
            has_length = has_length or name == b"content-length"
            lines.append(b"%s: %s\r\n" % (name, value))
    method, path = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    authority = pseudo.get(b":authority", host)
    if not path.startswith(b"/") and not (path == b"*" and method == b"OPTIONS"):
        raise BadStream("no path")
    if authority is None or (host is not None and host != authority):
        raise BadStream("no clear host")
    if cookies:
        lines.append(b"cookie: %s\r\n" % b"; ".join(cookies))
    chunked = not ended and not has_length
    if chunked:
        lines.append(b"transfer-encoding: chunked\r\n")
    first = b"%s %s HTTP/1.1\r\nhost: %s\r\n" % (method, path, authority)
    return first + b"".join(lines) + b"\r\n", chunked, method == b"HEAD"


def response_fields(head: bytes, response: Response) -> list[Field]:
    """The fields of a response of HTTP/1.1 as HTTP/2 has them."""
    fields = [(b":status", b"%d" % response.status)]
    for line in head.split(b"\r\n")[1:-2]:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name not in _NOT_SENT:
            fields.append((name, value.strip(b" \t")))
    return fields


class StreamConnection(ClientConnection):
    """A client's connection that is one stream of another, and is not counted by itself."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, without asking for a place: the carrying connection has one."""
        self.transport = cast(asyncio.Transport, transport)
        assert self._ip is not None
        self._forwarding = Forwarding(self._ip, self._secure, self._plane.rules.trusted)
        self._plane.clients.add(self)

    def _depart(self) -> None:
        self._plane.clients.discard(self)


class Stream(asyncio.Transport):
    """One stream: a transport for its connection, which reads the response back."""

    def __init__(self, carrier: Carrier, number: int, plane: Plane, ip: bytes) -> None:
        super().__init__()
        self.number = number
        self.pending = b""
        self.last = False
        """Whether nothing follows what is pending."""
        self.connection = StreamConnection(plane, True, ip)
        self._carrier = carrier
        self._call_soon: Callable[..., Any] = asyncio.get_running_loop().call_soon
        self._buffer = b""
        self._chunks: Dechunker | None = None
        self._left = -1
        self._in_body = self._closing = self._request_ended = self._writing_paused = False
        self._is_head = self._chunked_request = False
        self._paused = False
        self._untaken = 0
        self.connection.connection_made(self)

    # -- the request ----------------------------------------------------------
    def begin(self, fields: Iterable[Field], ended: bool) -> None:
        """The request's header fields. Raises BadStream."""
        head, self._chunked_request, self._is_head = request_head(fields, ended)
        self._request_ended = ended
        self.connection.data_received(head)

    def data(self, data: bytes, taken: int) -> None:
        """Data of the request; ``taken`` counts against the windows."""
        self._untaken += taken
        if data and not self._closing:
            self.connection.data_received(
                b"%x\r\n%s\r\n" % (len(data), data) if self._chunked_request else data
            )
        self._acknowledge()

    def end(self) -> None:
        """The request is complete."""
        if not self._request_ended:
            self._request_ended = True
            if self._chunked_request and not self._closing:
                self.connection.data_received(b"0\r\n\r\n")

    def _acknowledge(self) -> None:
        if self._untaken and (self._closing or not self._paused):
            taken, self._untaken = self._untaken, 0
            self._carrier.took(self.number, taken)

    # -- the response (asyncio.Transport, as far as a connection uses it) -------
    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Read on in the response, and have it sent."""
        if self._closing:
            return
        self._buffer += bytes(data)
        while self._buffer and not self._closing:
            if self._in_body:
                self._take_body()
                return
            response = read_response(self._buffer)
            if response is None:
                return
            head, self._buffer = self._buffer[: response.end], self._buffer[response.end :]
            self._take_head(head, response)

    def _take_head(self, head: bytes, response: Response) -> None:
        fields = response_fields(head, response)
        if response.status < 200:
            self._carrier.send_head(self.number, fields, False)
            return
        no_body = self._is_head or response.status in (204, 304) or response.length == 0
        self._in_body = True
        self._chunks = Dechunker() if response.chunked else None
        self._left = response.length
        self._carrier.send_head(self.number, fields, no_body)
        if no_body:
            self._done()

    def _take_body(self) -> None:
        data, self._buffer = self._buffer, b""
        whole = False
        if self._chunks is not None:
            self._chunks.feed(data)
            data = self._chunks.take()
            whole = self._chunks.done
        elif self._left >= 0:
            self._left -= len(data)
            whole = self._left <= 0
        self.pending += data
        self.last = whole
        self._send()

    def _send(self) -> None:
        self._carrier.send_body(self)
        if self.last and not self.pending:
            self._done()
        elif len(self.pending) > WRITE_BUFFER_BYTES and not self._writing_paused:
            self._writing_paused = True
            self.connection.pause_writing()

    def go_on(self) -> None:
        """A window has opened: send more of what is pending."""
        self._carrier.send_body(self)
        if self.last and not self.pending:
            self._done()
        elif self._writing_paused and len(self.pending) <= WRITE_BUFFER_BYTES // 2:
            self._writing_paused = False
            self.connection.resume_writing()

    def _done(self) -> None:
        """The whole response is sent."""
        if not self._closing:
            if not self._request_ended:
                self._carrier.reset(self.number, True)
            self._lose()

    def close(self) -> None:
        """The connection says no more: an answer without length is complete."""
        if self._closing or (self.last and self.pending):
            return
        if self._in_body and self._chunks is None and self._left < 0:
            self.last = True
            self._send()
        else:
            self.abort()

    def abort(self) -> None:
        """The response is broken off."""
        if not self._closing:
            self._carrier.reset(self.number, False)
            self._lose()

    def _lose(self) -> None:
        self._closing = True
        self.pending = b""
        self._acknowledge()
        self._call_soon(self.connection.connection_lost, None)

    def lost(self) -> None:
        """The client gave the stream up, or the carrying connection is gone."""
        if not self._closing:
            self._lose()

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self._closing

    def pause_reading(self) -> None:
        """Let the client's window run dry."""
        self._paused = True

    def resume_reading(self) -> None:
        """Open the client's window again."""
        self._paused = False
        self._acknowledge()

    def can_write_eof(self) -> bool:
        """A stream is not kept half open."""
        return False

    def get_write_buffer_size(self) -> int:
        """Bytes that wait for a window."""
        return len(self.pending)
