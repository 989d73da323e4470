"""The PROXY protocol: who a connection really comes from, told in front of its bytes.

Load balancers that pass TCP on write it (versions 1 and 2 of HAProxy's
specification). Only from addresses that the operator lists, and there always;
others who send it have made no valid request. The header is read off the
socket exactly, so that TLS can begin right behind it.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

from perijove.kit.aio import Tasks
from perijove.proxy.forwarded import Networks

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_LONGEST_LINE = 107
_MOST_BYTES = 4096
"""Of addresses and extensions in a header of version 2."""
_ADDRESSES = {1: (socket.AF_INET, 4), 2: (socket.AF_INET6, 16)}

Entered = Callable[[socket.socket, bytes | None], None]


class BadHeader(ValueError):
    """The connection does not begin with a PROXY header."""


def read_line(line: bytes) -> bytes | None:
    """The client's address in a header of version 1 (with its CR LF); None if unknown.

    Raises BadHeader.
    """
    words = line.removesuffix(b"\r\n").split(b" ")
    if words[:2] == [b"PROXY", b"UNKNOWN"]:
        return None
    if len(words) != 6 or words[0] != b"PROXY" or words[1] not in (b"TCP4", b"TCP6"):
        raise BadHeader("malformed PROXY line")
    try:
        source = ip_address(words[2].decode("ascii"))
        ip_address(words[3].decode("ascii"))
        ports = [int(word) for word in words[4:] if word.isdigit()]
    except ValueError:
        raise BadHeader("malformed address in a PROXY line") from None
    if source.version != int(words[1][3:]) or len(ports) != 2 or max(ports) > 65535:
        raise BadHeader("malformed address in a PROXY line")
    return str(source).encode()


def read_block(head: bytes, rest: bytes) -> bytes | None:
    """The client's address in a header of version 2, whose first 16 bytes are ``head``.

    None for the balancer's own connections (LOCAL) and for other families.
    Raises BadHeader.
    """
    version, command = head[12] >> 4, head[12] & 0xF
    if version != 2 or command > 1:
        raise BadHeader("unknown version or command in a PROXY header")
    family = _ADDRESSES.get(head[13] >> 4)
    if command == 0 or family is None:
        return None
    kind, size = family
    if len(rest) < 2 * size + 4:
        raise BadHeader("short PROXY header")
    return socket.inet_ntop(kind, rest[:size]).encode()


async def read_header(raw: socket.socket) -> bytes | None:
    """Take the header off a connection, and not a byte more; the client's address, if told.

    Raises BadHeader, or OSError when the connection fails.
    """
    first = await _exactly(raw, 8)
    if first == SIGNATURE[:8]:
        head = first + await _exactly(raw, 8)
        (size,) = struct.unpack(">H", head[14:])
        if head[:12] != SIGNATURE or size > _MOST_BYTES:
            raise BadHeader("malformed PROXY header")
        return read_block(head, await _exactly(raw, size))
    line = first
    while not line.endswith(b"\r\n"):
        if len(line) >= _LONGEST_LINE or not line.startswith(b"PROXY "):
            raise BadHeader("no PROXY header")
        line += await _exactly(raw, 1)
    return read_line(line)


async def _exactly(raw: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < size:
        more = await loop.sock_recv(raw, size - len(data))
        if not more:
            raise BadHeader("the connection ended within the PROXY header")
        data += more
    return data


class Door:
    """Accepts connections itself, and reads the header of those from ``trusted`` addresses."""

    def __init__(
        self, raw: socket.socket, trusted: Networks, tasks: Tasks, limit_s: float, entered: Entered
    ) -> None:
        """``entered`` gets each connection, and the client's address if that was announced."""
        self._raw = raw
        self._trusted = trusted
        self._tasks = tasks
        self._limit_s = limit_s
        self._entered = entered
        asyncio.get_running_loop().add_reader(raw.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(100):
            try:
                connection, peer = self._raw.accept()
            except OSError:
                return
            connection.setblocking(False)
            ip = b"unknown" if self._raw.family == socket.AF_UNIX else _plain(peer[0])
            if ip in self._trusted:
                self._tasks.spawn(self._read(connection), "PROXY header")
            else:
                self._entered(connection, None)

    async def _read(self, connection: socket.socket) -> None:
        try:
            async with asyncio.timeout(self._limit_s):
                ip = await read_header(connection)
        except (BadHeader, OSError):
            connection.close()
            return
        self._entered(connection, ip)

    def close(self) -> None:
        """Accept no more."""
        with suppress(OSError, ValueError):
            asyncio.get_running_loop().remove_reader(self._raw.fileno())
        self._raw.close()


def _plain(host: str) -> bytes:
    return host.removeprefix("::ffff:").partition("%")[0].encode("ascii", "replace")
