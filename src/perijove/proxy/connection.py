"""A client's side: its connection, its requests one after the other, and its answers.

No task, future or stream object exists per request: the transport calls in,
and a state says what its bytes are (a head, a body, the next request that came
early, or the rest of something that was refused). Requests are read strictly
in order; the next one is looked at when the answer to the last is written.
"""

import asyncio
import logging
from time import monotonic

from perijove.proxy import rewrite, tunnel
from perijove.proxy.answers import AnsweringLine
from perijove.proxy.boundary import is_bare, own_prefix
from perijove.proxy.forward import borrow, connect
from perijove.proxy.framing import BadChunks, Chunks, TooLong
from perijove.proxy.head import IDEMPOTENT, NO_FIELDS, Fields, Request, read_request
from perijove.proxy.limits import MAX_HEAD_BYTES, PIPELINE_BYTES
from perijove.proxy.line import (
    CHUNKED,
    CLOSED,
    HEAD,
    HOLD_CONNECT,
    HOLD_PIPELINE,
    HOLD_SERVER,
    HOLD_SLOW,
    LENGTH,
    LINGER,
    WAIT,
)
from perijove.proxy.plane import Plane, loggable
from perijove.proxy.refusals import Refused
from perijove.proxy.response import Response
from perijove.proxy.table import Route

log = logging.getLogger("perijove.proxy")

_HEALTH = b"/_chp_healthz"


class ClientConnection(AnsweringLine):
    """One connection on the public port."""

    __slots__ = (
        "_chunks", "_fields", "_kept", "_left", "_may_pass", "_outgoing", "_pending", "_serving",
        "takes_as_is",
    )  # fmt: skip

    def __init__(self, plane: Plane, secure: bool, ip: bytes | None = None) -> None:
        super().__init__(plane, secure, ip)
        self._serving = self._may_pass = self.takes_as_is = False
        self._fields: Fields = NO_FIELDS
        self._kept: bytes | None = None
        self._outgoing = b""
        self._pending: list[bytes] | None = None
        self._chunks: Chunks | None = None
        self._left = 0

    # -- bytes and requests ---------------------------------------------------
    def data_received(self, data: bytes) -> None:
        """Bytes from the client; the state says what they are."""
        self._touched = self._plane.now
        state = self._state
        if state == HEAD:
            if not self._buffer or (data := self._joined(data)):
                self._serve(data)
        elif state == LENGTH:
            left = self._left
            if len(data) > left:
                self._buffer = data[left:]
                data = data[:left]
            self._left = left - len(data)
            self._pass_body(data, self._left == 0)
        elif state == CHUNKED:
            self._take_chunks(data)
        elif state == WAIT:
            self._buffer += data
            if len(self._buffer) > PIPELINE_BYTES:
                self._hold(HOLD_PIPELINE)

    def _joined(self, data: bytes) -> bytes:
        """A dripped head with its new bytes, among which alone its end is looked for."""
        seen = len(self._buffer)
        data = self._buffer + data
        if data.find(b"\r\n\r\n", max(0, seen - 3)) < 0 and len(data) <= MAX_HEAD_BYTES:
            self._buffer = data
            return b""
        self._buffer = b""
        return data

    def _serve(self, data: bytes) -> None:
        """Take one request after the other off ``data``, until one must be waited for."""
        self._serving = True
        try:
            while data:
                if self.write_paused:
                    self._buffer = data
                    self.deadline = self._plane.now + self._plane.limits.stall_s
                    self._hold(HOLD_SLOW)
                    return
                if data[0] == 13 and data[:2] == b"\r\n":  # RFC 9112 section 2.2 allows one
                    data = data[2:]
                request = read_request(data, self._fields) if data else None
                if request is None:
                    self._await_rest(data)
                    return
                if len(data) == request.end:
                    self._begin(request, data)
                    data = b""
                else:
                    self._begin(request, data[: request.end])
                    data = data[request.end :]
                if self._state != HEAD:
                    if data:
                        self.data_received(data)
                    return
            if self._eof:
                self._close()
        except Refused as refused:
            self._refuse(refused)
        finally:
            self._serving = False

    def _await_rest(self, data: bytes) -> None:
        """A head has begun; its deadline runs from its first byte, however it drips."""
        self._buffer = data
        if data and not self._partial:
            self._partial = True
            self.deadline = self._plane.now + self._plane.limits.head_s
        if self._eof:
            self._close()

    def _learn(self, fields: Fields) -> None:
        """Work out what holds for all requests with these fields."""
        rules = self._plane.rules
        self._fields = fields
        self._kept = rewrite.kept_fields(fields, self._forwarding, rules)
        self._may_pass = fields.http11 and rules.keeps_location
        self.http11 = fields.http11
        self.upgrade = fields.upgrade

    def _begin(self, request: Request, head: bytes) -> None:
        """Decide where a request goes, and send it there. Raises Refused."""
        plane = self._plane
        fields = request.fields
        self._request = request
        self._route = None
        self._partial = False
        if plane.access is not None:
            self._began = monotonic()
        if fields is not self._fields:
            self._learn(fields)
        self.keep = fields.keep and not plane.ending
        self.is_head = is_head = request.method == b"HEAD"
        if fields.has_body:
            self._expect_body(fields)
        else:
            self.sent_all = True
            self._state = WAIT
            self.deadline = plane.now + plane.wait_watch_s
        if fields.upgrade:
            plane.metrics.requests_ws += 1
        else:
            plane.metrics.requests_web += 1
        if request.path == _HEALTH:
            self._answer(200, b'{"status":"OK"}', "application/json")
            return
        route = self._route = plane.find(request.path, fields.host, request.simple)
        if route is None:
            self.fail(404)
            return
        if plane.debug:
            log.debug(
                "%s %s to %s", request.method.decode(), loggable(request.path), route.target.url
            )
        self.takes_as_is = self._may_pass and not is_head and not is_bare(request.path, route.bound)
        head = rewrite.request_head(head, request, route, self._forwarding, plane.rules, self._kept)
        may_retry = self.sent_all and request.method in IDEMPOTENT
        pool = route.target.pool
        # what can be sent again may be risked on any connection
        server = (pool.pop() if pool else None) if may_retry else borrow(route.target, plane.now)
        if server is None:
            self._connect(route, head)
            return
        self._outgoing = head if may_retry else b""
        self._server = server
        server.send(self, head)

    def _expect_body(self, fields: Fields) -> None:
        """A body follows. Raises Refused when it is said to be too large."""
        plane = self._plane
        self.sent_all = False
        most = plane.limits.body_bytes
        if 0 < most < fields.length:
            raise Refused(413, "The request's body is too large.")
        self._chunks = Chunks(most) if fields.chunked else None
        self._left = fields.length
        self._state = CHUNKED if fields.chunked else LENGTH
        self.deadline = plane.now + plane.body_watch_s

    def _connect(self, route: Route, head: bytes) -> None:
        self._outgoing = head
        self._pending = []
        self._opening = self._plane.tasks.spawn(self._open(route), "connect")

    async def _open(self, route: Route) -> None:
        try:
            server = await connect(self._plane, route.target)
        except (OSError, ValueError) as error:
            self._opening = None
            if self._state not in (LINGER, CLOSED):
                self.server_failed(str(error) or "no connection in time", False)
            return
        self._opening = None
        if self._state in (LINGER, CLOSED):
            server.abort()
            return
        pending, self._pending = self._pending or [], None
        head, self._outgoing = self._outgoing, b""
        self._server = server
        server.send(self, head + b"".join(pending) if pending else head)
        self._release(HOLD_CONNECT)

    # -- bodies ---------------------------------------------------------------
    def _take_chunks(self, data: bytes) -> None:
        assert self._chunks is not None
        try:
            used = self._chunks.feed(data)
        except BadChunks as error:
            if self._responding:
                self.abort()
            elif isinstance(error, TooLong):
                self._refuse(Refused(413, "The request's body is too large."))
            else:
                self._refuse(Refused(400, f"The request's chunks are malformed: {error}."))
            return
        if used < len(data):
            self._buffer = data[used:]
            data = data[:used]
        self._pass_body(data, self._chunks.done)

    def _pass_body(self, data: bytes, last: bool) -> None:
        """Bytes of the body; with ``last`` the request is complete."""
        if self._route is not None:
            self._plane.activity.touch(self._route)
        if last:
            self.sent_all = True
            self._state = WAIT
            self.deadline = self._plane.now + self._plane.wait_watch_s
            if len(self._buffer) > PIPELINE_BYTES:
                self._hold(HOLD_PIPELINE)
        if self._server is not None:
            self._server.transport.write(data)
        elif self._pending is not None:
            self._pending.append(data)
            self._hold(HOLD_CONNECT)
        # else the server has failed, and the rest of the body is of no use

    # -- what the server's connection tells (forward.Downstream) --------------
    def response_head(self, head: bytes, response: Response) -> bytes | None:
        """The head to send, or None where it may go as it came."""
        rules = self._plane.rules
        status = response.status
        request, route = self._request, self._route
        assert route is not None
        bare = is_bare(request.path, route.bound)
        as_is = response.as_is and self.keep and self._may_pass and not bare
        if as_is and status not in (204, 304):
            return None
        prefix = b"" if response.as_is and not bare else self._own_prefix()
        location = None
        if not rules.keeps_location:
            location = rewrite.location_of(request, response, route.target, rules)
        return rewrite.response_head(
            head,
            response,
            connection=b"keep-alive" if self.keep else b"close",
            dechunk=response.chunked and not self.http11,
            drop_length=status == 204 or (status == 304 and response.chunked),
            location=location,
            prefix=prefix,
            scope=prefix if bare else b"",
        )

    def interim(self, head: bytes, response: Response) -> None:
        """Relay 1xx, which clients of HTTP/1.0 would not understand."""
        if self.http11:
            if not response.as_is:
                head = rewrite.response_head(
                    head, response, connection=None, prefix=self._own_prefix()
                )
            self.transport.write(head)

    def response_done(self, status: int, size: int) -> None:
        """The response is complete: go on with the next request, or end."""
        plane = self._plane
        self._server = None
        self._outgoing = b""
        if plane.access is None:
            plane.metrics.requests_proxy[status] += 1
        else:
            self._count(status, size)
        if status < 300 and self._route is not None:
            plane.activity.touch(self._route)
        if self.keep and self.sent_all:
            self._go_on()
        else:
            self._end()

    def server_failed(self, reason: str, may_retry: bool) -> None:
        """Ask again over a new connection if that is safe, else answer 503."""
        self._server = None
        if may_retry and self._outgoing and self._route is not None:
            self._connect(self._route, self._outgoing)
            return
        route = self._route
        if route is not None:
            self._plane.report(
                route.key, "503 %s %s: %s", self._request.method.decode(),
                loggable(self._request.path), reason,
            )  # fmt: skip
        self.fail(503)

    def cut_off(self, reason: str) -> None:
        """Half an answer is out: only ending the connection tells the client so."""
        self._server = None
        if self._route is not None:
            self._plane.report(
                self._route.key, "Response of %s cut off: %s", loggable(self._request.path), reason
            )
        self.abort()

    def switch(
        self, server: asyncio.Transport, head: bytes, response: Response, rest: bytes, paused: bool
    ) -> None:
        """Hand both transports over to a tunnel, with what has come early."""
        assert self._route is not None
        head = rewrite.response_head(
            head, response, connection=None, drop_length=True, prefix=self._own_prefix()
        )
        self._server = None
        self._state = CLOSED
        self._plane.clients.discard(self)
        self._count(101, 0)
        tunnel.join(
            self._plane, self._route, self.transport, server, self._forwarding.ip,
            is_websocket=self.upgrade == b"websocket", head=head,
            to_client=rest, to_server=self._buffer,
            client_is_full=self.write_paused, server_is_full=paused, client_is_done=self._eof,
        )  # fmt: skip
        self._buffer = b""

    def _own_prefix(self) -> bytes:
        """What the server of this exchange may speak for; empty: the whole origin."""
        return own_prefix(self._request.path, self._route.bound) if self._route else b""

    # -- from one request to the next ------------------------------------------
    def _go_on(self) -> None:
        """The answer is written: be ready for the next request, or serve one that came early."""
        self._state = HEAD
        self.deadline = self._plane.now + self._plane.settings.keep_alive_s
        if self._held:
            self._release(HOLD_PIPELINE | HOLD_SERVER)
        if self._buffer or self._eof or self._plane.ending:
            self._next()

    def _next(self) -> None:
        """Look at a request that came early; ``_serve`` does so itself while it runs."""
        if self._serving or self._state != HEAD:
            return
        if self._buffer:
            data, self._buffer = self._buffer, b""
            self._serve(data)
        elif self._eof or self._plane.ending:
            self._close()

    def _end(self) -> None:
        """The last answer is written."""
        if self.sent_all and not self._buffer and not self._serving:
            self._close()
        else:
            self._linger()

    def _drop_server(self) -> None:
        for task in (self._opening, self._fetching):
            if task is not None:
                task.cancel()
        self._opening = self._fetching = None
        self._pending = None
        self._outgoing = b""
        if self._server is not None:
            self._server.abort()
            self._server = None
