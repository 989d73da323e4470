"""Heads and chunks read slowly and plainly, line by line: what the fast readers must agree with.

Written from RFC 9112 and the proxy's documented strictness, without a regular
expression, so that a mistake in a pattern is not made twice.
"""

from dataclasses import dataclass

TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
DIGITS = frozenset(b"0123456789")
HOST = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789._~!$&'()*+;=%-")
HEX = frozenset(b"0123456789abcdefABCDEF")


class Wrong(ValueError):
    """The bytes are not what they should be."""


@dataclass(frozen=True)
class Plain:
    """What a head says."""

    first: tuple[bytes, ...]
    http11: bool
    length: int
    chunked: bool
    keep: bool
    host: bytes | None
    end: int


def lines_of(data: bytes) -> tuple[list[bytes], int]:
    """The lines of a head and where it ends. Raises Wrong."""
    end = data.index(b"\r\n\r\n") + 4
    lines = data[: end - 4].split(b"\r\n")
    for line in lines:
        if any((byte < 32 and byte != 9) or byte == 127 for byte in line):
            raise Wrong("control character")
    return lines, end


def fields_of(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Lower-case names and stripped values. Raises Wrong."""
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or not set(name) <= TOKEN:
            raise Wrong("no field")
        fields.append((name.lower(), value.strip(b" \t")))
    return fields


def is_host(host: bytes) -> bool:
    """Whether a Host value (lower case) is a name or an address, with or without a port."""
    if host.startswith(b"["):
        inside, bracket, port = host[1:].partition(b"]")
        if not bracket or not inside or not set(inside) <= set(b"0123456789abcdef.:"):
            return False
        name, colon = b"", port[:1]
        port = port[1:]
        if colon not in (b"", b":"):
            return False
    else:
        name, _, port = host.partition(b":")
    return set(name) <= HOST and set(port) <= DIGITS and len(port) <= 5


def framing_of(
    fields: list[tuple[bytes, bytes]], http11: bool
) -> tuple[int, bool, bool, list[bytes]]:
    """Length (-1: none), chunking, keeping of the connection, its options. Raises Wrong."""
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
    if len(lengths) > 1 or len(codings) > 1 or (lengths and codings):
        raise Wrong("two framings")
    if lengths and not (lengths[0] and set(lengths[0]) <= DIGITS and len(lengths[0]) <= 18):
        raise Wrong("no length")
    if codings and (codings[0] != b"chunked" or not http11):
        raise Wrong("no coding")
    options = [
        option.strip(b" \t")
        for name, value in fields
        if name == b"connection"
        for option in value.lower().split(b",")
    ]
    keep = b"close" not in options and (http11 or b"keep-alive" in options)
    return (int(lengths[0]) if lengths else -1), bool(codings), keep, options


def plain_request(data: bytes) -> Plain:
    """A request. Raises Wrong."""
    lines, end = lines_of(data)
    words = lines[0].split(b" ")
    if len(words) != 3 or not words[0] or not set(words[0]) <= TOKEN or not words[1]:
        raise Wrong("no request line")
    if b"\t" in words[1] or words[2] not in (b"HTTP/1.0", b"HTTP/1.1"):
        raise Wrong("no request line")
    http11 = words[2] == b"HTTP/1.1"
    fields = fields_of(lines[1:])
    length, chunked, keep, _ = framing_of(fields, http11)
    hosts = [value.lower() for name, value in fields if name == b"host"]
    if len(hosts) > 1 or (http11 and not hosts) or not all(is_host(host) for host in hosts):
        raise Wrong("no host")
    if any(name == b"expect" and value.lower() != b"100-continue" for name, value in fields):
        raise Wrong("unknown expectation")
    if not words[1].startswith(b"/"):
        raise Wrong("other forms of targets are left out here")
    host = hosts[0] if hosts else None
    return Plain((words[0], words[1]), http11, max(0, length), chunked, keep, host, end)


def plain_response(data: bytes) -> Plain:
    """A response. Raises Wrong."""
    lines, end = lines_of(data)
    version, _, rest = lines[0].partition(b" ")
    status, blank = rest[:3], rest[3:4]
    if version not in (b"HTTP/1.0", b"HTTP/1.1") or blank not in (b"", b" "):
        raise Wrong("no status line")
    if len(status) != 3 or not set(status) <= DIGITS or not 100 <= int(status) <= 599:
        raise Wrong("no status")
    http11 = version == b"HTTP/1.1"
    length, chunked, keep, _ = framing_of(fields_of(lines[1:]), http11)
    return Plain((status,), http11, length, chunked, keep, None, end)


def plain_chunks(data: bytes) -> tuple[bytes, int]:
    """The payload of a chunked body without trailers and where it ends.

    Raises Wrong where it is malformed, IndexError where it is not complete.
    """
    payload, at = b"", 0
    while True:
        end = data.find(b"\n", at)
        if end < 0:
            raise IndexError("incomplete")
        line = data[at : end + 1]
        at = end + 1
        if not line.endswith(b"\r\n"):
            raise Wrong("bare LF")
        size, semicolon, extension = line[:-2].partition(b";")
        if semicolon:
            size = size.rstrip(b" \t")
        if any((byte < 32 and byte != 9) or byte == 127 for byte in extension):
            raise Wrong("control character")
        if not size or not set(size) <= HEX or len(size) > 15:
            raise Wrong("no size")
        count = int(size, 16)
        chunk, after = data[at : at + count], data[at + count : at + count + 2]
        if not b"\r\n".startswith(after):
            raise Wrong("no end of chunk" if count else "a trailer")
        if len(chunk) < count or len(after) < 2:
            raise IndexError("incomplete")
        payload += chunk
        at += count + 2
        if not count:
            return payload, at
