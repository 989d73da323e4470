"""Where websocket frames begin and end in a stream of bytes (RFC 6455 section 5.2). Pure.

A proxy may only put in a frame of its own, such as a goodbye, between two others.
"""

CLOSE = 0x88
"""The first byte of a close frame."""

GOING_AWAY = b"\x88\x02\x03\xe9"
"""An unmasked close frame with code 1001."""

_REASON = b"the server behind it has ended"
SERVER_ENDED = b"\x88%c\x03\xe9%s" % (2 + len(_REASON), _REASON)
"""The same with a reason."""

_LONGEST_HEAD = 14
_MOST_IN_ONE = 512
"""Frames in one piece of data. Who sends more of them is not followed any further, since
finding their ends would cost more than passing them on."""


class Frames:
    """Follows the frames of one direction; ``left`` is 0 between two frames.

    ``left`` counts the payload still to come, or is -1 within a frame's head;
    ``closed`` tells that a close frame has come. Once ``lost``, they tell nothing
    any more.
    """

    __slots__ = ("_head", "closed", "left", "lost")

    def __init__(self) -> None:
        self.left = 0
        self.closed = self.lost = False
        self._head = b""

    def feed(self, data: bytes) -> int:
        """Follow ``data``; returns where in it a frame ended first, or -1."""
        first_end = -1
        at, size, count = 0, len(data), 0
        while at < size and not self.lost:
            if self.left > 0:
                step = min(self.left, size - at)
                at += step
                self.left -= step
            elif not self._head and at + 1 < size and at + (short := data[at + 1] + 2) <= size:
                if short < 128 and data[at] != CLOSE:  # whole and unmasked, as most are
                    at += short
                else:
                    at = self._read_head(data, at)
            else:
                at = self._read_head(data, at)
            if self.left == 0 and first_end < 0:
                first_end = at
            count += 1
            self.lost = count > _MOST_IN_ONE
        return first_end

    def _read_head(self, data: bytes, at: int) -> int:
        """Take a head, or what there is of it; returns where it ends."""
        before = len(self._head)
        head = self._head + data[at : at + _LONGEST_HEAD - before]
        found = _measure(head)
        if found is None:
            self._head = head
            self.left = -1
            return len(data)
        size, self.left = found
        self.closed = self.closed or head[0] == CLOSE
        self._head = b""
        return at + size - before


def _measure(head: bytes) -> tuple[int, int] | None:
    """Sizes of head and payload, or None while the head is incomplete."""
    if len(head) < 2:
        return None
    length, extended = head[1] & 0x7F, 0
    if length == 126:
        extended = 2
    elif length == 127:
        extended = 8
    size = 2 + extended + (4 if head[1] & 0x80 else 0)
    if len(head) < size:
        return None
    return size, int.from_bytes(head[2 : 2 + extended], "big") if extended else length
