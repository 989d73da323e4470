"""A server's side of an exchange: its connection, its response, and the pool.

A connection serves one exchange at a time and then waits in its target's pool
(last in, first out). It is only kept when the exchange ended exactly where the
framing said; one surplus byte, and it is dropped, so that nobody can be given
another's answer.

Back-pressure: what a client does not take fills its transport's buffer, and
at the high-water mark the client's connection stops us from reading here;
likewise we stop the client's upload when the server does not take it.
"""

import asyncio
import socket
from math import inf
from typing import Protocol, cast

from perijove.proxy.framing import BadChunks, Chunks, Dechunker
from perijove.proxy.limits import MAX_HEAD_BYTES, MAX_INTERIM, WRITE_BUFFER_BYTES
from perijove.proxy.plane import Plane
from perijove.proxy.refusals import BadUpstream
from perijove.proxy.response import Response, read_response
from perijove.proxy.targets import Target

IDLE, HEAD, LENGTH, CHUNKED, UNTIL_EOF, GONE = range(6)

_FRESH_S = 2.0
"""A pooled connection unused for longer may be about to be closed by the server.

Only requests that can be sent again are risked on it.
"""


class Downstream(Protocol):
    """What a server's connection needs to know of the client's."""

    transport: asyncio.Transport
    http11: bool
    is_head: bool
    keep: bool
    sent_all: bool
    takes_as_is: bool
    """Whether a whole answer may go on as it came, if ``keep`` holds."""
    write_paused: bool
    upgrade: bytes | None

    def response_head(self, head: bytes, response: Response) -> bytes | None:
        """The head to send instead, or None to send it as it came."""

    def interim(self, head: bytes, response: Response) -> None:
        """A 1xx response came."""

    def response_done(self, status: int, size: int) -> None:
        """The response is complete, and all of it was written: ``size`` bytes of body."""

    def server_pauses(self) -> None:
        """The server takes no more for now."""

    def server_resumes(self) -> None:
        """The server takes more again."""

    def server_failed(self, reason: str, may_retry: bool) -> None:
        """There is no response, and nothing of one was passed on."""

    def cut_off(self, reason: str) -> None:
        """The response broke off in the middle."""

    def switch(
        self, server: asyncio.Transport, head: bytes, response: Response, rest: bytes, paused: bool
    ) -> None:
        """The server agreed to the upgrade; its transport is handed over."""


class Upstream(asyncio.Protocol):
    """One connection to a server."""

    __slots__ = (
        "_buffer", "_chunks", "_dechunk", "_got", "_keep", "_left", "_passed", "_plane", "_state",
        "_status", "client", "idle_since", "reused", "target", "touched", "transport",
        "write_paused",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, plane: Plane, target: Target) -> None:
        self._plane = plane
        self.target = target
        self.client: Downstream | None = None
        self.reused = False
        self.write_paused = False
        self.touched = self.idle_since = plane.now
        self._state = IDLE
        self._buffer = b""
        self._chunks: Chunks | None = None
        self._dechunk = False
        self._got = False
        self._keep = False
        self._left = 0
        self._passed = 0
        self._status = 0

    # -- transport callbacks --------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport and notice hosts that vanish."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(WRITE_BUFFER_BYTES)
        raw = transport.get_extra_info("socket")
        if raw is not None and self.target.socket is None:
            keep_watch(raw)

    def data_received(self, data: bytes) -> None:
        """Pass on what belongs to the response."""
        self.touched = self._plane.now
        state = self._state
        client = self.client
        if client is None:
            self._drop_idle()
        elif state == HEAD:
            self._got = True
            self._take_head(client, data)
        elif state == LENGTH:
            size, left = len(data), self._left
            if size < left:
                self._left = left - size
                self._passed += size
                client.transport.write(data)
            else:
                self._passed += left
                client.transport.write(data if size == left else data[:left])
                self._finish(client, size == left)
        elif state == CHUNKED:
            self._relay_chunks(b"", data)
        else:
            self._passed += len(data)
            client.transport.write(data)

    def eof_received(self) -> bool:
        """The server sends no more: the end of a response, or of the connection."""
        self._ended(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._ended(exc)

    def pause_writing(self) -> None:
        """The server does not take what the client sends."""
        self.write_paused = True
        if self.client is not None:
            self.client.server_pauses()

    def resume_writing(self) -> None:
        """The server takes more again."""
        self.write_paused = False
        if self.client is not None:
            self.client.server_resumes()

    # -- an exchange ----------------------------------------------------------
    @property
    def answering(self) -> bool:
        """Whether a response has begun and not ended."""
        return self._state in (LENGTH, CHUNKED, UNTIL_EOF)

    def send(self, client: Downstream, data: bytes) -> None:
        """Begin an exchange: send the request's head and what there is of its body."""
        self.client = client
        self._state = HEAD
        self._got = False
        self.touched = self._plane.now
        if client.write_paused:
            self.transport.pause_reading()
        self.transport.write(data)

    def abort(self) -> None:
        """End the connection at once; nobody is told."""
        self.client = None
        self._state = GONE
        self.transport.abort()

    def _take_head(self, client: Downstream, data: bytes) -> None:
        if self._buffer:
            seen = len(self._buffer)
            data = self._buffer + data
            if data.find(b"\r\n\r\n", max(0, seen - 3)) < 0 and len(data) <= MAX_HEAD_BYTES:
                self._buffer = data
                return
            self._buffer = b""
        interim = 0
        try:
            while data:
                response = read_response(data)
                if response is None:
                    self._buffer = data
                    return
                status, _, _, length, _, _, as_is, _, end = response
                if (
                    as_is and length == len(data) - end and client.takes_as_is and client.keep
                    and client.sent_all and status != 204 and status != 304
                ):  # fmt: skip
                    # whole, and nothing to be changed, like most
                    client.transport.write(data)
                    self._keep = True
                    self._status = status
                    self._passed = length
                    self._finish(client, True)
                    return
                if status >= 200:
                    self._answer(client, data, response)
                    return
                if status == 101:
                    self._switch(client, data, response)
                    return
                interim += 1
                if interim > MAX_INTERIM:
                    raise BadUpstream("the server sends no end of interim responses")
                client.interim(data[:end], response)
                data = data[end:]
        except BadUpstream as error:
            self.abort()
            client.server_failed(str(error), False)

    def _answer(self, client: Downstream, data: bytes, response: Response) -> None:
        """Send the head, with what came of the body in the same write."""
        status = self._status = response.status
        no_body = client.is_head or status in (204, 304)
        until_eof = not no_body and not response.chunked and response.length < 0
        dechunk = response.chunked and not no_body and not client.http11
        if until_eof or dechunk or not client.sent_all:
            client.keep = False
        self._keep = response.keep and not until_eof
        self._dechunk = dechunk
        end = response.end
        if response.chunked and not no_body:
            self._chunks = Dechunker() if dechunk else Chunks()
            body = data[end:]
            self._passed = 0
            used = self._follow(body)  # before anything is sent: 503 is still possible
            head = client.response_head(data, response)
            self._state = CHUNKED
            self._write_chunks(client, data[:end] if head is None else head, body, used)
            return
        head = client.response_head(data, response)
        out = data if head is None else head + data[end:]
        if until_eof:
            self._state = UNTIL_EOF
            self._passed = len(data) - end
            client.transport.write(out)
            return
        length = 0 if no_body else response.length
        got = len(data) - end
        if got < length:
            self._passed = got
            self._left = length - got
            self._state = LENGTH
            client.transport.write(out)
        else:
            self._passed = length
            client.transport.write(out if got == length else out[: len(out) - (got - length)])
            self._finish(client, got == length)

    def _follow(self, body: bytes) -> int:
        """How much of ``body`` is chunked coding. Raises BadUpstream."""
        assert self._chunks is not None
        try:
            return self._chunks.feed(body) if body else 0
        except BadChunks as error:
            raise BadUpstream(f"the response's chunks are malformed: {error}") from None

    def _relay_chunks(self, head: bytes, body: bytes) -> None:
        client = self.client
        assert client is not None
        try:
            used = self._follow(body)
        except BadUpstream as error:
            self.abort()
            client.cut_off(str(error))
            return
        self._write_chunks(client, head, body, used)

    def _write_chunks(self, client: Downstream, head: bytes, body: bytes, used: int) -> None:
        chunks = self._chunks
        assert chunks is not None
        if isinstance(chunks, Dechunker):
            payload = chunks.take()
        else:
            payload = body if used == len(body) else body[:used]
        self._passed += len(payload)
        out = head + payload if head else payload
        if out:
            client.transport.write(out)
        if chunks.done:
            self._finish(client, used == len(body))

    def _switch(self, client: Downstream, data: bytes, response: Response) -> None:
        if client.upgrade is None or response.upgrade != client.upgrade or not response.http11:
            raise BadUpstream("the server switched protocols unasked")
        self._state = GONE
        self.client = None
        end = response.end
        client.switch(self.transport, data[:end], response, data[end:], self.write_paused)

    def _finish(self, client: Downstream, clean: bool) -> None:
        """The response is complete; ``clean`` if not a byte more has come."""
        self._chunks = None
        target = self.target
        may_rest = clean and self._keep and client.sent_all and not self.write_paused
        if may_rest and not target.closed and len(target.pool) < self._plane.limits.pool_size:
            # wait in the pool for the next exchange
            if client.write_paused:
                self.transport.resume_reading()
            self.client = None
            self._state = IDLE
            self.reused = True
            self.idle_since = self.touched
            target.pool.append(self)
        else:
            self.abort()
        client.response_done(self._status, self._passed)

    def _drop_idle(self) -> None:
        """Bytes came that nobody asked for: never let them reach a client."""
        if self in self.target.pool:
            self.target.pool.remove(self)
        if self._state != GONE:
            self.abort()

    def _ended(self, error: Exception | None) -> None:
        state, client = self._state, self.client
        self._state = GONE
        self.client = None
        if client is None:
            if state == IDLE and self in self.target.pool:
                self.target.pool.remove(self)
            return
        self.transport.abort()
        if state == UNTIL_EOF and error is None:
            client.response_done(self._status, self._passed)
        elif state == HEAD:
            reason = str(error) if error else "the server closed the connection without an answer"
            client.server_failed(reason, self.reused and not self._got)
        else:
            client.cut_off(str(error or "the server closed the connection too early"))


def borrow(target: Target, now: float) -> Upstream | None:
    """An idle connection to the target that will hardly end before it is used."""
    pool = target.pool
    while pool:
        upstream = pool.pop()
        if upstream.transport.is_closing():
            continue
        if now - upstream.idle_since > _FRESH_S:
            pool.append(upstream)
            return None
        return upstream
    return None


async def connect(plane: Plane, target: Target) -> Upstream:
    """A new connection to the target. Raises OSError when it cannot be had in time."""
    loop = asyncio.get_running_loop()
    limit_s = min(plane.limits.connect_s, plane.settings.proxy_timeout_s or inf)
    async with asyncio.timeout(limit_s):
        if target.socket is not None:
            _, upstream = await loop.create_unix_connection(
                lambda: Upstream(plane, target), target.socket
            )
        elif target.tls:
            _, upstream = await loop.create_connection(
                lambda: Upstream(plane, target),
                target.host,
                target.port,
                ssl=plane.server_tls,
                server_hostname=target.host,
            )
        else:
            _, upstream = await loop.create_connection(
                lambda: Upstream(plane, target), target.host, target.port
            )
    return upstream


def keep_watch(raw: socket.socket) -> None:
    """Have the kernel notice within two minutes that the other host has vanished."""
    try:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
            if hasattr(socket, name):
                raw.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    except OSError:
        pass  # the connection is gone already; its transport will say so
