"""HTTP/2 towards clients, where the operator offers it (RFC 9113), by the library h2.

Only over TLS, where the client chooses it in the handshake; websockets come on
connections of HTTP/1.1, as browsers do when nothing else is offered. Behind
this proxy everything is HTTP/1.1. A client that opens and resets streams as a
business, or sends frames that make no sense, is told to calm down and cut off.
"""

import asyncio
from collections.abc import Callable
from math import inf
from typing import cast

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from h2.errors import ErrorCodes
from h2.settings import SettingCodes, Settings

from perijove.proxy.limits import MAX_HEAD_BYTES, WRITE_BUFFER_BYTES
from perijove.proxy.line import client_ip
from perijove.proxy.plane import Plane
from perijove.proxy.streams import BadStream, Field, Stream

_SETTINGS = {
    SettingCodes.MAX_CONCURRENT_STREAMS: 100,
    SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEAD_BYTES,
    SettingCodes.INITIAL_WINDOW_SIZE: WRITE_BUFFER_BYTES,
}
_WINDOW_BYTES = 1 << 20
_MOST_RESETS = 200
_RESETS_PER_S = 20.0


class Negotiated(asyncio.Protocol):
    """Stands in until the handshake has told which protocol the client wants."""

    def __init__(
        self, http2: Callable[[], asyncio.Protocol], http1: Callable[[], asyncio.Protocol]
    ) -> None:
        self._http2 = http2
        self._http1 = http1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand over to the right one."""
        tls = transport.get_extra_info("ssl_object")
        chosen = tls.selected_alpn_protocol() if tls is not None else None
        protocol = self._http2() if chosen == "h2" else self._http1()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)


class Http2Connection(asyncio.Protocol):
    """One connection of HTTP/2 with its streams."""

    transport: asyncio.Transport

    def __init__(self, plane: Plane, ip: bytes | None = None) -> None:
        self._plane = plane
        self._ip = ip or b""
        self._streams: dict[int, Stream] = {}
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding=False)
        )
        self._full = self._flushing = False
        self._resets = 0.0
        self._reset_at = plane.now
        self.deadline = plane.now + plane.limits.head_s

    # -- transport callbacks --------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say what is spoken here, or turn the connection away."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(WRITE_BUFFER_BYTES)
        self._ip = self._ip or client_ip(transport)
        if not self._plane.admit(self, self._ip):
            self.transport.abort()
            return
        self._h2.local_settings = Settings(client=False, initial_values=_SETTINGS)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_WINDOW_BYTES)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take frames in."""
        try:
            for event in self._h2.receive_data(data):
                self._take(event)
        except h2.exceptions.ProtocolError:
            self._flush()  # says why
            self._close()
            return
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """All streams end with the connection."""
        self._plane.depart(self, self._ip)
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.lost()

    def pause_writing(self) -> None:
        """The client reads nothing: streams collect what they have."""
        self._full = True

    def resume_writing(self) -> None:
        """The client reads again."""
        self._full = False
        self._go_on()

    # -- events ---------------------------------------------------------------
    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._begin(event)
        elif isinstance(event, h2.events.DataReceived):
            stream = self._streams.get(event.stream_id)
            if stream is not None:
                stream.data(event.data, event.flow_controlled_length)
            else:
                self.took(event.stream_id, event.flow_controlled_length)
        elif isinstance(event, h2.events.StreamEnded):
            if (stream := self._streams.get(event.stream_id)) is not None:
                stream.end()
        elif isinstance(event, h2.events.StreamReset):
            self._was_reset(event.stream_id)
        elif isinstance(event, h2.events.WindowUpdated | h2.events.RemoteSettingsChanged):
            self._go_on()
        elif isinstance(event, h2.events.ConnectionTerminated):
            self._close()

    def _begin(self, event: h2.events.RequestReceived) -> None:
        stream = Stream(self, event.stream_id, self._plane, self._ip)
        self._streams[stream.number] = stream
        self.deadline = inf
        try:
            stream.begin(event.headers, event.stream_ended is not None)
        except BadStream:
            self.send_head(stream.number, [(b":status", b"400")], True)
            self.reset(stream.number, True)
            stream.lost()

    def _was_reset(self, number: int) -> None:
        now = self._plane.now
        self._resets = max(0.0, self._resets - (now - self._reset_at) * _RESETS_PER_S) + 1
        self._reset_at = now
        stream = self._streams.pop(number, None)
        if stream is not None:
            stream.lost()
        self._rest()
        if self._resets > _MOST_RESETS:
            self._h2.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
            self._flush()
            self._close()

    def _go_on(self) -> None:
        for stream in list(self._streams.values()):
            if stream.pending:
                stream.go_on()
        self._flush_soon()

    def _rest(self) -> None:
        """Wait for the next stream, or end if there is to be none."""
        if not self._streams:
            self.deadline = self._plane.now + self._plane.settings.keep_alive_s
            if self._plane.ending:
                self._say_goodbye()

    # -- what streams ask for (streams.Carrier) ----------------------------------
    def send_head(self, number: int, fields: list[Field], last: bool) -> None:
        """Send header fields, unless the client has given the stream up."""
        try:
            self._h2.send_headers(number, fields, end_stream=last)
        except h2.exceptions.ProtocolError:
            return
        if last:
            self._streams.pop(number, None)
            self._rest()
        self._flush_soon()

    def send_body(self, stream: Stream) -> None:
        """Send pending data as far as the windows and the client's reading allow."""
        try:
            while stream.pending and not self._full:
                size = min(
                    self._h2.local_flow_control_window(stream.number),
                    self._h2.max_outbound_frame_size,
                    len(stream.pending),
                )
                if size <= 0:
                    break
                self._h2.send_data(stream.number, stream.pending[:size])
                stream.pending = stream.pending[size:]
                self._flush()
            if stream.last and not stream.pending:
                self._h2.end_stream(stream.number)
                self._streams.pop(stream.number, None)
                self._rest()
        except h2.exceptions.ProtocolError:
            stream.pending = b""
        self._flush_soon()

    def reset(self, number: int, whole: bool) -> None:
        """End a stream before the client has."""
        code = ErrorCodes.NO_ERROR if whole else ErrorCodes.INTERNAL_ERROR
        try:
            self._h2.reset_stream(number, code)
        except h2.exceptions.ProtocolError:
            pass
        self._streams.pop(number, None)
        self._rest()
        self._flush_soon()

    def took(self, number: int, size: int) -> None:
        """Give the client its window back."""
        if size:
            try:
                self._h2.acknowledge_received_data(size, number)
            except h2.exceptions.ProtocolError:
                return
            self._flush_soon()

    # -- out ------------------------------------------------------------------
    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        data = self._h2.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)

    def _say_goodbye(self) -> None:
        try:
            self._h2.close_connection()
        except h2.exceptions.ProtocolError:
            pass
        self._flush()
        self._close()

    def _close(self) -> None:
        self.deadline = self._plane.now + self._plane.limits.linger_s
        self.transport.close()

    # -- deadlines (plane.Watched) --------------------------------------------
    def expire(self, now: float) -> None:
        """No stream came in time, or the last frames are not taken."""
        if self.transport.is_closing():
            self.transport.abort()
        else:
            self._say_goodbye()

    def shut(self) -> None:
        """End when the running streams are done."""
        if not self._streams:
            self._say_goodbye()

    def leave(self) -> None:
        """There is no more time for streams."""
        self._say_goodbye()

    def abort(self) -> None:
        """End at once."""
        self.transport.abort()
