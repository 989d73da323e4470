"""The line to a client: reading and holding back, ends and deadlines.

``connection`` speaks HTTP over it; here is what any such line needs. There are
three ways for it to end: ``_close`` after what was written has gone out,
``_linger`` when the client may still be sending, and ``abort`` at once.
"""

import asyncio
from abc import abstractmethod
from functools import lru_cache
from math import inf
from typing import cast

from perijove.proxy import replies
from perijove.proxy.forward import Upstream
from perijove.proxy.forwarded import Forwarding
from perijove.proxy.limits import WRITE_BUFFER_BYTES
from perijove.proxy.plane import Plane
from perijove.proxy.refusals import Refused
from perijove.proxy.tunnel import pause, resume

HEAD, LENGTH, CHUNKED, WAIT, LINGER, CLOSED = range(6)
"""A head is due; a body runs; the answer is due; the end is near; it is over."""

HOLD_PIPELINE, HOLD_CONNECT, HOLD_SERVER, HOLD_SLOW = 1, 2, 4, 8
"""Reasons for not reading: early requests, no server yet, a slow server, a slow client."""

_PROBE_S = 5.0
_QUICK_PROBES = 3


class ClientLine(asyncio.Protocol):
    """A connection on the public port, without the meaning of its bytes."""

    __slots__ = (
        "_buffer", "_eof", "_fetching", "_forwarding", "_held", "_ip", "_opening", "_partial",
        "_plane", "_probes", "_secure", "_server", "_state", "_touched", "deadline", "http11",
        "keep", "sent_all", "transport", "write_paused",
    )  # fmt: skip

    transport: asyncio.Transport
    _forwarding: Forwarding

    def __init__(self, plane: Plane, secure: bool, ip: bytes | None = None) -> None:
        """``ip``: who the client is, where another than the transport knows it."""
        self._plane = plane
        self._ip = ip
        self._secure = secure
        self._state = HEAD
        self._buffer = b""
        self._held = 0
        self._probes = 0
        self._partial = self._eof = False
        self._server: Upstream | None = None
        self._opening: asyncio.Task[None] | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._touched = plane.now
        self.deadline = plane.now + plane.limits.head_s
        self.http11 = self.keep = self.sent_all = True
        self.write_paused = False

    @abstractmethod
    def _next(self) -> None:
        """Look at a request that came early, if the last one is answered."""

    @abstractmethod
    def _drop_server(self) -> None:
        """End what is under way with a server, telling nobody."""

    @abstractmethod
    def _refuse(self, refused: Refused) -> None:
        """Answer what is no acceptable request, and end."""

    @abstractmethod
    def server_failed(self, reason: str, may_retry: bool) -> None:
        """No response will come."""

    @abstractmethod
    def cut_off(self, reason: str) -> None:
        """No more of the response will come."""

    # -- transport callbacks --------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection in, or turn it away when there are too many."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(WRITE_BUFFER_BYTES)
        ip = self._ip or client_ip(transport)
        self._forwarding = Forwarding(ip, self._secure, self._plane.rules.trusted)
        if not self._plane.admit(self, ip):
            self._state = LINGER
            self.transport.write(replies.reply(503, keep=False))
            self.transport.close()

    def eof_received(self) -> bool:
        """The client sends no more. What it asked for completely is still answered."""
        if self._secure:  # a TLS transport cannot be kept half open
            return False
        self._eof = True
        if self._state == WAIT:
            self._probes = 0
            self.deadline = min(self.deadline, self._plane.now + self._plane.body_watch_s)
            return True
        if self._state in (LENGTH, CHUNKED):
            self.abort()
        return self._state == HEAD and bool(self._held)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: its exchange ends with it."""
        self._depart()
        self._state = CLOSED
        self._buffer = b""
        self._drop_server()

    def _depart(self) -> None:
        self._plane.depart(self, self._forwarding.ip)

    def pause_writing(self) -> None:
        """The client does not take its answer: do not read more of it."""
        self.write_paused = True
        if self._server is not None:
            pause(self._server.transport)

    def resume_writing(self) -> None:
        """The client takes more again."""
        self.write_paused = False
        if self._server is not None:
            resume(self._server.transport)
        if self._held & HOLD_SLOW:
            self._release(HOLD_SLOW)
            self._next()

    @property
    def _responding(self) -> bool:
        """Whether something of a server's answer has gone out, but not all of it."""
        return self._server is not None and self._server.answering

    def server_pauses(self) -> None:
        """The server does not take the body as fast as it comes."""
        self._hold(HOLD_SERVER)

    def server_resumes(self) -> None:
        """The server takes more of the body again."""
        self._release(HOLD_SERVER)

    def _hold(self, reason: int) -> None:
        if not self._held:
            pause(self.transport)
        self._held |= reason

    def _release(self, reasons: int) -> None:
        if self._held & reasons:
            self._held &= ~reasons
            if not self._held:
                resume(self.transport)

    # -- ends -----------------------------------------------------------------
    def _linger(self) -> None:
        """Read on for a moment after the last answer.

        Closing with unread bytes makes the kernel send a reset, which can
        overtake the answer (RFC 9112 section 9.6).
        """
        self._state = LINGER
        self._buffer = b""
        self._release(self._held)
        self._touched = self._plane.now
        self.deadline = self._plane.now + self._plane.limits.linger_s
        if self._eof or self.transport.is_closing():
            self._close()
        elif self.transport.can_write_eof():
            self.transport.write_eof()

    def _close(self) -> None:
        self._state = LINGER
        self._touched = self._plane.now
        self.deadline = self._plane.now + self._plane.limits.linger_s
        self.transport.close()

    def shut(self) -> None:
        """End when the exchange that runs is done, or now if there is none."""
        self.keep = False
        if self._state == HEAD and not self._buffer:
            self._close()

    def leave(self) -> None:
        """There is no more time to finish in."""
        self.abort()

    def abort(self) -> None:
        """End at once, without another byte."""
        self._drop_server()
        self._state = LINGER
        self.deadline = inf
        self.transport.abort()

    # -- deadlines (plane.Watched) --------------------------------------------
    def expire(self, now: float) -> None:
        """A deadline has passed: end, or say when to look again."""
        limits = self._plane.limits
        if self._state == HEAD:
            if self._partial:
                self._refuse(Refused(408, "The request's header took too long."))
            else:
                self._close()
        elif self._state == LINGER:
            unsent = self.transport.get_write_buffer_size()
            if unsent and now - self._touched < limits.stall_s:
                self.deadline = now + limits.linger_s
            elif self._secure and not self.transport.is_closing():
                self._close()
            else:
                self.transport.abort()
        elif self._state != CLOSED:
            self._watch_exchange(now)

    def _watch_exchange(self, now: float) -> None:
        """Apply the time-outs that can end a running exchange."""
        plane, settings = self._plane, self._plane.settings
        server_s = self._server.touched if self._server is not None else 0.0
        silent_s = now - max(self._touched, server_s)
        if settings.timeout_s and silent_s >= settings.timeout_s:
            self.abort()
            return
        if settings.proxy_timeout_s and silent_s >= settings.proxy_timeout_s and self.sent_all:
            if self._responding:
                self.cut_off("the server was silent for too long")
            elif self._fetching is None:
                self.server_failed("the server was silent for too long", False)
            return
        if not self.sent_all:
            limit_s = plane.limits.stall_s if self._held else plane.limits.body_idle_s
            if now - self._touched >= limit_s:
                self.abort()
                return
            self.deadline = now + plane.body_watch_s
        elif self._eof:
            self._watch_half_closed(now, silent_s)
        else:
            self.deadline = now + plane.wait_watch_s

    def _watch_half_closed(self, now: float, silent_s: float) -> None:
        """Find out whether a client that sends no more still wants an answer.

        One that has closed its connection altogether looks the same until
        something is sent to it; then its kernel answers with a reset, which
        the write after that one meets. An interim response may always be sent
        (RFC 9110 section 15.2). Where none can be, silence decides.
        """
        if self.http11 and not self._responding:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif silent_s >= self._plane.limits.half_open_s:
            self.abort()
            return
        self._probes += 1
        quick = self._probes < _QUICK_PROBES
        self.deadline = now + (self._plane.body_watch_s if quick else _PROBE_S)


def client_ip(transport: asyncio.BaseTransport) -> bytes:
    """The client's address for ``X-Forwarded-For``; ``unknown`` on a Unix socket."""
    peer = transport.get_extra_info("peername")
    return _plain_ip(peer[0]) if peer and isinstance(peer, tuple) else b"unknown"


@lru_cache(maxsize=1024)
def _plain_ip(text: str) -> bytes:
    return text.removeprefix("::ffff:").partition("%")[0].encode("ascii", "replace")
