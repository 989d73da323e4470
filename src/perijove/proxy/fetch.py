"""One GET, for error pages: the smallest client that is still strict."""

import asyncio
import ssl
from typing import NamedTuple

from perijove.proxy.framing import BadChunks, Dechunker
from perijove.proxy.limits import MAX_HEAD_BYTES
from perijove.proxy.refusals import BadUpstream
from perijove.proxy.response import read_response
from perijove.proxy.targets import Target


class Fetched(NamedTuple):
    """A response's status, fields (lower-case names) and body."""

    status: int
    fields: dict[str, str]
    body: bytes


async def fetch(
    target: Target, path: str, tls: ssl.SSLContext | None, timeout_s: float, max_bytes: int
) -> Fetched:
    """GET ``path`` (with query, below the target's base) and read the whole answer.

    Raises OSError (TimeoutError included) when the server cannot be reached in
    time, BadUpstream when its answer is malformed or longer than ``max_bytes``.
    """
    async with asyncio.timeout(timeout_s):
        reader, writer = await _open(target, tls)
        try:
            writer.write(
                b"GET %s%s HTTP/1.1\r\nHost: %s\r\nAccept: text/html, */*\r\n"
                b"User-Agent: perijove-proxy\r\nConnection: close\r\n\r\n"
                % (target.base, path.encode("ascii"), target.authority)
            )
            return await _read(reader, max_bytes)
        finally:
            writer.transport.abort()


async def _open(
    target: Target, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if target.socket is not None:
        return await asyncio.open_unix_connection(target.socket)
    context = tls if target.tls else None
    name = target.host if target.tls else None
    return await asyncio.open_connection(
        target.host, target.port, ssl=context, server_hostname=name
    )


async def _read(reader: asyncio.StreamReader, max_bytes: int) -> Fetched:
    data = b""
    response = None
    while response is None or response.status < 200:
        data = data[response.end :] if response is not None else data
        response = read_response(data) if data else None
        if response is None:
            more = await reader.read(65536)
            if not more:
                raise BadUpstream("the connection ended within the response's header")
            data += more
    fields = _fields(data[: response.end])
    first = data[response.end :]
    if response.chunked:
        return Fetched(response.status, fields, await _read_chunks(reader, first, max_bytes))
    body = first
    while response.length < 0 or len(body) < response.length:
        if len(body) > max_bytes:
            raise BadUpstream("the response is too long")
        more = await reader.read(65536)
        if not more:
            if response.length >= 0:
                raise BadUpstream("the connection ended within the response")
            break
        body += more
    if len(body) > max_bytes:
        raise BadUpstream("the response is too long")
    return Fetched(
        response.status, fields, body if response.length < 0 else body[: response.length]
    )


async def _read_chunks(reader: asyncio.StreamReader, first: bytes, max_bytes: int) -> bytes:
    decoder = Dechunker()
    body = b""
    data = first
    try:
        while True:
            decoder.feed(data)
            body += decoder.take()
            if len(body) > max_bytes:
                raise BadUpstream("the response is too long")
            if decoder.done:
                return body
            data = await reader.read(65536)
            if not data:
                raise BadUpstream("the connection ended within the response")
    except BadChunks as error:
        raise BadUpstream(str(error)) from None


def _fields(head: bytes) -> dict[str, str]:
    assert len(head) <= MAX_HEAD_BYTES
    fields = {}
    for line in head.decode("latin-1").split("\r\n")[1:-2]:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    return fields
