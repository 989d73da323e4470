"""Chunked bodies: where they end, and that no two readers can disagree about it. Pure.

``Chunks`` follows a body that passes through unchanged; ``Dechunker`` also
hands out the payload, for clients of HTTP/1.0 and for our own use. Grammar:
RFC 9112 section 7.1, without the leniencies: sizes are plain hexadecimal
digits, lines end with CR LF, and trailers hold no field that frames or routes.
"""

import re

from perijove.proxy.head import TOKEN
from perijove.proxy.limits import MAX_CHUNK_LINE_BYTES, MAX_TRAILER_BYTES

_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})(?:[ \t]*;[\t -~\x80-\xff]*)?\r\n").fullmatch
_TRAILER = re.compile(rb"([" + TOKEN + rb"]+):[\t -~\x80-\xff]*\r\n").fullmatch
_NOT_IN_TRAILERS = re.compile(
    rb"(?i)content-(?:length|encoding|type|range)|transfer-encoding|te|trailer|host|connection"
    rb"|keep-alive|upgrade|expect|authorization|cookie|set-cookie|range|proxy.*|x-forwarded-.*"
    rb"|forwarded|x-real-ip|x-scheme"
).fullmatch

_SIZE_LINE, _PAYLOAD, _PAYLOAD_END, _TRAILERS = range(4)


class BadChunks(ValueError):
    """The body is not valid chunked coding."""


class TooLong(BadChunks):
    """The body is longer than it may be."""


class Chunks:
    """Follows a chunked body; ``done`` once its last byte was seen.

    With ``most_bytes``, a payload that is longer is refused as TooLong.
    """

    __slots__ = ("_left", "_line", "_most_bytes", "_state", "_total", "_trailer_bytes", "done")

    def __init__(self, most_bytes: int = 0) -> None:
        self.done = False
        self._most_bytes = most_bytes
        self._total = 0
        self._state = _SIZE_LINE
        self._left = 0
        self._line = b""
        self._trailer_bytes = 0

    def feed(self, data: bytes) -> int:
        """How many bytes of ``data`` belong to the body. Raises BadChunks."""
        at, size = 0, len(data)
        while at < size:
            if self._state == _PAYLOAD:
                end = min(size, at + self._left)
                self._payload(data, at, end)
                self._left -= end - at
                at = end
                if self._left == 0:
                    self._state = _PAYLOAD_END
                continue
            end = data.find(b"\n", at) + 1
            line = self._line + (data[at:end] if end else data[at:])
            if len(line) > MAX_CHUNK_LINE_BYTES:
                raise BadChunks("line too long")
            if not end:
                if self._state == _PAYLOAD_END and not b"\r\n".startswith(line):
                    raise BadChunks("chunk longer than its size")
                self._line = line
                return size
            self._line = b""
            at = end
            self._take(line)
            if self.done:
                return at
        return at

    def _take(self, line: bytes) -> None:
        if self._state == _SIZE_LINE:
            match = _SIZE(line)
            if match is None:
                raise BadChunks("invalid chunk size")
            self._left = int(match[1], 16)
            self._total += self._left
            if 0 < self._most_bytes < self._total:
                raise TooLong(f"more than {self._most_bytes} bytes")
            self._state = _PAYLOAD if self._left else _TRAILERS
        elif self._state == _PAYLOAD_END:
            if line != b"\r\n":
                raise BadChunks("chunk longer than its size")
            self._state = _SIZE_LINE
        elif line == b"\r\n":
            self.done = True
        else:
            self._trailer_bytes += len(line)
            match = _TRAILER(line)
            if match is None or self._trailer_bytes > MAX_TRAILER_BYTES:
                raise BadChunks("invalid trailer")
            if _NOT_IN_TRAILERS(match[1]):
                raise BadChunks("a trailer must not frame or route the message")

    def _payload(self, data: bytes, start: int, end: int) -> None:
        """Called with every stretch of payload."""


class Dechunker(Chunks):
    """Follows a chunked body and collects its payload."""

    __slots__ = ("_parts",)

    def __init__(self, most_bytes: int = 0) -> None:
        super().__init__(most_bytes)
        self._parts: list[bytes] = []

    def _payload(self, data: bytes, start: int, end: int) -> None:
        self._parts.append(data[start:end])

    def take(self) -> bytes:
        """The payload since the last call."""
        payload = b"".join(self._parts)
        self._parts.clear()
        return payload
