"""A small, strict HTTP/1.1 server for the proxy's own pages.

The REST API, the metrics and the redirect to https have short requests and
ready answers, so each is a function from ``Asked`` to ``Reply``. It uses the
public port's reading of heads and bodies, and so refuses the same things.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from typing import cast

from perijove.proxy import replies
from perijove.proxy.framing import BadChunks, Dechunker
from perijove.proxy.head import Request, read_request
from perijove.proxy.limits import MAX_CONTROL_BODY_BYTES
from perijove.proxy.plane import Plane
from perijove.proxy.refusals import Refused


@dataclass(frozen=True, slots=True)
class Asked:
    """A whole request. ``fields`` has lower-case names; of repeated ones the first counts."""

    method: str
    target: str
    fields: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the question mark."""
        return self.target.partition("?")[2]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    body: bytes = b""
    content_type: str = ""
    fields: tuple[tuple[str, str], ...] = field(default=())


Handler = Callable[[Asked], Reply | Awaitable[Reply]]


class OwnConnection(asyncio.Protocol):
    """One connection of somebody who asks the proxy itself."""

    __slots__ = (
        "_answering", "_body", "_buffer", "_decoder", "_handler", "_head", "_plane", "_request",
        "deadline", "transport",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, plane: Plane, handler: Handler) -> None:
        self._plane = plane
        self._handler = handler
        self._buffer = self._head = self._body = b""
        self._request: Request | None = None
        self._answering = False
        self._decoder: Dechunker | None = None
        self.deadline = plane.now + plane.limits.head_s

    # -- transport callbacks --------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection in."""
        self.transport = cast(asyncio.Transport, transport)
        self._plane.clients.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it out."""
        self._plane.clients.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        try:
            while self._buffer and not self.transport.is_closing() and self._take():
                pass
        except Refused as refused:
            self._refuse(refused)
        except BadChunks as error:
            self._refuse(Refused(400, f"The request's chunks are malformed: {error}."))

    def _take(self) -> bool:
        """Answer one request from the buffer; False while it is incomplete or one is answered."""
        if self._answering:
            if len(self._buffer) > MAX_CONTROL_BODY_BYTES:
                raise Refused(413, "Too much was sent before the answer.")
            return False
        if self._request is None and not self._take_head():
            return False
        request, body = self._request, self._take_body()
        if request is None or body is None:
            return False
        asked = _asked(self._head, request, body)
        self._request = self._decoder = None
        reply = self._handler(asked)
        if isinstance(reply, Reply):
            self._send(request, reply)
            return True
        self._answering = True
        self.deadline = inf
        self._plane.tasks.spawn(self._send_when_ready(request, reply), "answer")
        return False

    async def _send_when_ready(self, request: Request, reply: Awaitable[Reply]) -> None:
        found = await reply
        self._answering = False
        if not self.transport.is_closing():
            self._send(request, found)
            self.data_received(b"")

    def _take_head(self) -> bool:
        if self._buffer[:2] == b"\r\n":
            self._buffer = self._buffer[2:]
        request = read_request(self._buffer) if self._buffer else None
        if request is None:
            return False
        if request.fields.length > MAX_CONTROL_BODY_BYTES:
            raise Refused(413, "The request's body is too large.")
        self._request = request
        self._decoder = Dechunker() if request.fields.chunked else None
        self._body = b""
        self._head = self._buffer[: request.end]
        self._buffer = self._buffer[request.end :]
        if request.fields.has_body and b"\r\nexpect:" in self._head.lower():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _take_body(self) -> bytes | None:
        """The body, or None while it is incomplete."""
        assert self._request is not None
        decoder = self._decoder
        if decoder is None:
            length = self._request.fields.length
            if len(self._buffer) < length:
                return None
            body, self._buffer = self._buffer[:length], self._buffer[length:]
            return body
        used = decoder.feed(self._buffer)
        self._body += decoder.take()
        self._buffer = self._buffer[used:]
        if len(self._body) > MAX_CONTROL_BODY_BYTES:
            raise Refused(413, "The request's body is too large.")
        return self._body if decoder.done else None

    def _send(self, request: Request, reply: Reply) -> None:
        self.deadline = self._plane.now + self._plane.limits.head_s
        keep = request.fields.keep and not self._plane.ending
        self.transport.write(
            replies.reply(
                reply.status,
                reply.body,
                reply.content_type,
                fields=reply.fields,
                keep=keep,
                head_only=request.method == b"HEAD",
            )
        )
        if not keep:
            self.transport.close()

    def _refuse(self, refused: Refused) -> None:
        body = refused.reason.encode() + b"\n"
        self.transport.write(replies.reply(refused.status, body, "text/plain", keep=False))
        self.transport.close()

    # -- deadlines (plane.Watched) --------------------------------------------
    def expire(self, now: float) -> None:
        """Nothing complete came in time."""
        self.deadline = inf
        self.transport.abort()

    def shut(self) -> None:
        """Requests are answered as they come, so nothing runs."""
        self.transport.close()

    def leave(self) -> None:
        """There is no more time to finish in."""
        self.abort()

    def abort(self) -> None:
        """End at once."""
        self.transport.abort()


def _asked(head: bytes, request: Request, body: bytes) -> Asked:
    fields: dict[str, str] = {}
    for line in head.decode("latin-1").split("\r\n")[1:-2]:
        name, _, value = line.partition(":")
        fields.setdefault(name.lower(), value.strip(" \t"))
    return Asked(request.method.decode(), request.target.decode("latin-1"), fields, body)


def redirect_to_https(port: int) -> Handler:
    """Answers every request with its address under https, on ``port``."""

    def redirect(asked: Asked) -> Reply:
        host = asked.fields.get("host", "")
        name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
        if not name:
            return Reply(400, b"A Host header is needed.\n", "text/plain")
        authority = name if port == 443 else f"{name}:{port}"
        return Reply(301, fields=(("Location", f"https://{authority}{asked.target}"),))

    return redirect
