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

When the proxy ends, a websocket's client is told so by a close frame with code
1001, put between two frames of the server; what the server still says is then
kept back, while the client's own close frame reaches the server. A server that
ends without a word is spoken for in the same way.
"""

import asyncio
from collections.abc import Callable
from math import inf

from perijove.proxy.frames import CLOSE, GOING_AWAY, SERVER_ENDED, Frames
from perijove.proxy.plane import Plane
from perijove.proxy.table import Route


class _End(asyncio.Protocol):
    """One of a tunnel's two connections."""

    __slots__ = (
        "_half_closed", "_plane", "_write", "peer", "touched", "transport",
    )  # fmt: skip

    peer: "_End"

    def __init__(
        self, plane: Plane, transport: asyncio.Transport, write: Callable[[bytes], None]
    ) -> None:
        self._plane = plane
        self._write = write
        self._half_closed = False
        self.transport = transport
        self.touched = 0.0

    # -- transport callbacks --------------------------------------------------
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

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the other side too."""
        self.peer.transport.close()


class ServerEnd(_End):
    """The server's connection. ``frames`` follows its frames if they are a websocket's."""

    __slots__ = ("_leaving", "frames")

    peer: "ClientEnd"

    def __init__(
        self, plane: Plane, transport: asyncio.Transport, client: asyncio.Transport,
        frames: Frames | None,
    ) -> None:  # fmt: skip
        super().__init__(plane, transport, client.write)
        self._leaving = False
        self.frames = frames

    def data_received(self, data: bytes) -> None:
        """Pass the bytes on to the client."""
        self.touched = self._plane.now
        frames = self.frames
        if frames is not None:
            size = len(data)
            if size < 2 or data[1] != size - 2 or size > 127 or frames.left or data[0] == CLOSE:
                self._follow(frames, data)
                return
            if self._leaving:
                return
        self._write(data)

    def _follow(self, frames: Frames, data: bytes) -> None:
        """Pass on what is not just one short frame; while leaving, only to the frame's end."""
        if self._leaving and not frames.left:
            return
        end = frames.feed(data)
        if self._leaving and end >= 0:
            frames.left = 0
            self._write(data[:end] + GOING_AWAY)
        else:
            self._write(data)

    def eof_received(self) -> bool:
        """The server sends no more: a websocket's client hears so in its own words."""
        self._say_ended()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The server is gone, and so will be the client's connection."""
        self._say_ended()
        super().connection_lost(exc)

    def _say_ended(self) -> None:
        """Have the client told why, unless the server has said goodbye itself."""
        frames = self.frames
        if frames is None or self._leaving or frames.left or frames.lost or frames.closed:
            return
        frames.closed = True
        if not self.peer.transport.is_closing():
            self._write(SERVER_ENDED)

    def half_close(self) -> None:
        """The server sends no more: its client has nothing to wait for."""
        super().half_close()
        self.peer.be_patient(self._plane.limits.linger_s)

    def leave(self) -> None:
        """Have the client told that the proxy ends, as soon as a frame is complete."""
        frames = self.frames
        if frames is None or frames.lost:
            self.transport.close()
            self.peer.transport.close()
        elif not self._leaving:
            self._leaving = True
            if not frames.left and not self.peer.transport.is_closing():
                self._write(GOING_AWAY)


class ClientEnd(_End):
    """The client's connection, whose deadline is watched."""

    __slots__ = ("_ip", "_patience_s", "_route", "deadline")

    peer: ServerEnd

    def __init__(
        self, plane: Plane, transport: asyncio.Transport, server: asyncio.Transport,
        route: Route, ip: bytes,
    ) -> None:  # fmt: skip
        super().__init__(plane, transport, server.write)
        self._ip = ip
        self._patience_s = inf
        self._route = route
        self.deadline = inf

    def data_received(self, data: bytes) -> None:
        """Pass the bytes on to the server; they are activity, noted once a second."""
        now = self._plane.now
        if self.touched != now:
            self.touched = now
            self._plane.activity.touch(self._route)
        self._write(data)

    def half_close(self) -> None:
        """The client sends no more."""
        super().half_close()
        self.be_patient(self._plane.limits.half_open_s)

    def be_patient(self, silent_s: float) -> None:
        """Give the tunnel up when it is silent for so long."""
        self._patience_s = silent_s
        self.deadline = self._plane.now + silent_s

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the client out and close the server's side too."""
        self._plane.depart(self, self._ip)
        super().connection_lost(exc)

    # -- deadlines (plane.Watched) --------------------------------------------
    def expire(self, now: float) -> None:
        """Give a half-closed tunnel up when it was silent."""
        last = max(self.touched, self.peer.touched)
        if now - last >= self._patience_s:
            self.abort()
        else:
            self.deadline = last + self._patience_s

    def shut(self) -> None:
        """A tunnel has no natural end: it goes on until ``leave``."""

    def leave(self) -> None:
        """Tell the client that the proxy ends."""
        self.peer.leave()

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
    plane: Plane, route: Route, client: asyncio.Transport, server: asyncio.Transport, ip: bytes,
    *, is_websocket: bool, head: bytes, to_client: bytes, to_server: bytes,
    client_is_full: bool, server_is_full: bool, client_is_done: bool,
) -> None:  # fmt: skip
    """Connect two transports for good, and send the ``head`` of the server's consent.

    ``to_client`` and ``to_server`` are bytes that arrived already; the flags say
    whose write buffer is above its mark, and whether the client sends no more.
    """
    near = ClientEnd(plane, client, server, route, ip)
    far = ServerEnd(plane, server, client, Frames() if is_websocket else None)
    near.peer, far.peer = far, near
    plane.clients.add(near)
    client.set_protocol(near)
    server.set_protocol(far)
    (pause if client_is_full else resume)(server)
    (pause if server_is_full else resume)(client)
    if far.frames is not None:
        far.frames.feed(to_client)
    client.write(head + to_client)
    if to_server:
        server.write(to_server)
    if client_is_done:
        near.half_close()
