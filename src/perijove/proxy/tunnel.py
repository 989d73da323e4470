"""After an upgrade: bytes both ways, and nothing else.

Both transports get new protocols, so the rules of HTTP can no longer apply by
accident. Each end writes what it reads to the other's transport; when that
transport's buffer is full, this end stops reading until it has drained. The
end of one direction (a half-closed socket) is passed on and the other
direction goes on; when either connection is lost, the other is closed after
what was written has gone out. A tunnel that only goes one way and is silent is
given up after a while, because whoever said "no more" is most likely gone: soon
when it was the server, whose clients have nothing to wait for.

Only the client's bytes count as activity: a server's pings must not keep an
abandoned server alive.
"""

import asyncio
from math import inf

from perijove.proxy.plane import Plane
from perijove.proxy.table import Route


class TunnelEnd(asyncio.Protocol):
    """One of a tunnel's two connections; the one with a ``route`` is the client's."""

    __slots__ = (
        "_half_closed", "_patience_s", "_plane", "_route", "deadline", "peer", "touched",
        "transport",
    )  # fmt: skip

    peer: "TunnelEnd"

    def __init__(self, plane: Plane, transport: asyncio.Transport, route: Route | None) -> None:
        self._plane = plane
        self._route = route
        self._half_closed = False
        self._patience_s = inf
        self.transport = transport
        self.deadline = inf
        self.touched = plane.now

    # -- transport callbacks --------------------------------------------------
    def data_received(self, data: bytes) -> None:
        """Pass the bytes on."""
        self.touched = self._plane.now
        if self._route is not None:
            self._plane.activity.touch(self._route)
        self.peer.transport.write(data)

    def pause_writing(self) -> None:
        """This side does not take more: read no more from the other."""
        pause(self.peer.transport)

    def resume_writing(self) -> None:
        """This side takes more again."""
        resume(self.peer.transport)

    def eof_received(self) -> bool:
        """Pass the end of this direction on; the other one may go on."""
        peer = self.peer
        if self._half_closed or not peer.transport.can_write_eof():
            peer.transport.close()
            return False
        self.half_close()
        return self.transport.can_write_eof()

    def half_close(self) -> None:
        """This side sends no more."""
        if not self.peer.transport.is_closing():
            self.peer.transport.write_eof()
        self.peer._half_closed = True
        limits = self._plane.limits
        client = self if self._route is not None else self.peer
        client._patience_s = limits.half_open_s if client is self else limits.linger_s
        client.deadline = self._plane.now + client._patience_s

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the other side too."""
        self._plane.clients.discard(self)
        self.peer.transport.close()

    # -- deadlines (the client's end is watched) ------------------------------
    def expire(self, now: float) -> None:
        """Give a half-closed tunnel up when it was silent."""
        last = max(self.touched, self.peer.touched)
        if now - last >= self._patience_s:
            self.abort()
        else:
            self.deadline = last + self._patience_s

    def shut(self) -> None:
        """A tunnel has no natural end: close both sides after what was written."""
        self.transport.close()
        self.peer.transport.close()

    def abort(self) -> None:
        """End both connections at once."""
        self.transport.abort()
        self.peer.transport.abort()


def pause(transport: asyncio.Transport) -> None:
    """Stop reading, unless the connection is ending anyway."""
    if not transport.is_closing():
        transport.pause_reading()


def resume(transport: asyncio.Transport) -> None:
    """Read again, unless the connection is ending anyway."""
    if not transport.is_closing():
        transport.resume_reading()


def join(
    plane: Plane, route: Route, client: asyncio.Transport, server: asyncio.Transport,
    *, to_client: bytes, to_server: bytes,
    client_is_full: bool, server_is_full: bool, client_is_done: bool,
) -> None:  # fmt: skip
    """Connect two transports for good.

    ``to_client`` and ``to_server`` are bytes that arrived already; the flags say
    whose write buffer is above its mark, and whether the client sends no more.
    """
    near = TunnelEnd(plane, client, route)
    far = TunnelEnd(plane, server, None)
    near.peer, far.peer = far, near
    plane.clients.add(near)
    client.set_protocol(near)
    server.set_protocol(far)
    (pause if client_is_full else resume)(server)
    (pause if server_is_full else resume)(client)
    client.write(to_client)
    if to_server:
        server.write(to_server)
    if client_is_done:
        near.half_close()
