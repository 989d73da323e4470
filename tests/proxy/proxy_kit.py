"""Raw sockets on both sides of a proxy: a client that reads exactly, a server that misbehaves."""

import asyncio
import base64
import contextlib
import hashlib
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from free_ports import free_ports
from perijove.proxy.limits import Limits
from perijove.proxy.options import Address, Options
from perijove.proxy.service import Proxy

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter

LIMIT_S = 10.0
"""How long a test waits for anything."""

QUICK = Limits(sweep_s=0.05, linger_s=0.5)
"""Limits for tests: deadlines are looked at often."""

HOST = b"Host: x.test\r\n"
TOKEN = "a-secret"


def get(path: bytes, extra: bytes = b"", version: bytes = b"1.1", method: bytes = b"GET") -> bytes:
    """A request without body."""
    return method + b" " + path + b" HTTP/" + version + b"\r\n" + HOST + extra + b"\r\n"


def post(path: bytes, body: bytes, extra: bytes = b"") -> bytes:
    """A POST with a Content-Length."""
    length = b"Content-Length: %d\r\n" % len(body)
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + length + extra + b"\r\n" + body


def post_chunked(path: bytes, *chunks: bytes, extra: bytes = b"") -> bytes:
    """A POST in chunks."""
    coded = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    return (
        b"POST "
        + path
        + b" HTTP/1.1\r\n"
        + HOST
        + b"Transfer-Encoding: chunked\r\n"
        + extra
        + b"\r\n"
        + coded
    )


async def until(condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Wait for a condition that the name says."""
    end = asyncio.get_running_loop().time() + limit_s
    while not condition():
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(f"not within {limit_s} s: {what}")
        await asyncio.sleep(0.005)


@dataclass
class Answer:
    """A response as a strict client reads it."""

    status: int
    head: bytes
    body: bytes
    raw_body: bytes = b""

    def field(self, name: bytes) -> bytes | None:
        """The value of a header field, lower-case name."""
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == name:
                return value.strip()
        return None


class Client:
    """A connection to the proxy."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *parts: bytes) -> None:
        """Send the parts, letting the other side look in between."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            if len(parts) > 1:
                await asyncio.sleep(0.001)

    async def head(self) -> tuple[int, bytes]:
        """Status and bytes of the next head."""
        async with asyncio.timeout(LIMIT_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
        return int(head.split(None, 2)[1]), head

    async def answer(self, method: bytes = b"GET", interim: bool = False) -> Answer:
        """The next response; 1xx ones are skipped unless ``interim``."""
        while True:
            status, head = await self.head()
            if status >= 200 or interim:
                break
        found = Answer(status, head, b"")
        if status < 200 or method == b"HEAD" or status in (204, 304):
            return found
        async with asyncio.timeout(LIMIT_S):
            if found.field(b"transfer-encoding") == b"chunked":
                await self._chunks(found)
            elif (length := found.field(b"content-length")) is not None:
                found.body = await self.reader.readexactly(int(length))
            else:
                found.body = await self.reader.read(-1)
        return found

    async def _chunks(self, found: Answer) -> None:
        raw = b""
        while True:
            line = await self.reader.readuntil(b"\r\n")
            raw += line
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            data = await self.reader.readexactly(size + 2)
            raw += data
            found.body += data[:-2]
        while True:
            line = await self.reader.readuntil(b"\r\n")
            raw += line
            if line == b"\r\n":
                break
        found.raw_body = raw

    async def ask(self, request: bytes, method: bytes = b"GET") -> Answer:
        """Send a request and read the answer."""
        await self.send(request)
        return await self.answer(method)

    async def exactly(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        async with asyncio.timeout(3 * LIMIT_S):
            return await self.reader.readexactly(size)

    async def ended(self) -> bytes:
        """Everything until the connection ends; a reset counts as an end too."""
        got = b""
        async with asyncio.timeout(LIMIT_S):
            try:
                while data := await self.reader.read(65536):
                    got += data
            except ConnectionError:
                got += b"<reset>"
        return got

    def half_close(self) -> None:
        """Say that nothing more will be sent."""
        self.writer.write_eof()

    def reset(self) -> None:
        """End the connection with a reset."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.writer.transport.abort()

    def close(self) -> None:
        """End the connection."""
        self.writer.close()


@dataclass
class Seen:
    """A request as the scripted server got it."""

    head: bytes
    body: bytes

    @property
    def line(self) -> bytes:
        """The request line."""
        return self.head.split(b"\r\n")[0]

    @property
    def target(self) -> bytes:
        """The request target."""
        return self.line.split(b" ")[1]

    def field(self, name: bytes) -> bytes | None:
        """The value of a header field, lower-case name."""
        return Answer(0, self.head, b"").field(name)


CANNED: dict[str, tuple[bytes, bool]] = {
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", True),
    "304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n", True),
    "500": (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", True),
    "eof": (b"HTTP/1.1 200 OK\r\n\r\nuntil eof", False),
    "http10": (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", False),
    "close": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", False),
    "named": (
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Private\r\nX-Private: 1\r\n"
        b"Keep-Alive: 5\r\nContent-Length: 0\r\n\r\n",
        True,
    ),
    "early_hints": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone",
        True,
    ),
    "no_chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", True),
    "cut": (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", False),
    "cut_chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nonly this",
        False,
    ),
    "drop": (b"", False),
    "both": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        True,
    ),
    "two_lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        True,
    ),
    "odd_coding": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", True),
    "odd_chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n", True),
    "garbage": (b"this is no HTTP\r\n\r\n", True),
    "extra": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        b"HTTP/1.1 200 EVIL\r\nContent-Length: 4\r\n\r\nEVIL",
        True,
    ),
    "refuse": (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope", True),
    "unasked": (
        b"HTTP/1.1 101 Ok\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        b"HTTP/1.1 200 EVIL\r\n",
        True,
    ),
}
"""Answers by word, and whether the server keeps the connection."""


class ScriptedServer:
    """Answers by the last word of the path; remembers requests and connections."""

    def __init__(self) -> None:
        self.port = 0
        self.seen: list[Seen] = []
        self.connections = 0
        self.open = 0
        self.gate = asyncio.Event()
        self.received = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, path: str | None = None, ssl: Any = None) -> None:
        """Listen on a free port, or on a Unix socket."""
        if path is not None:
            self._server = await asyncio.start_unix_server(self._serve, path)
            return
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, limit=1 << 20, ssl=ssl
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End all connections and stop listening."""
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            self._tasks.discard(task)
            with contextlib.suppress(ConnectionError):
                writer.close()

    async def _one(self, reader: Reader, writer: Writer) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        seen = Seen(head, b"")
        self.seen.append(seen)
        word = seen.target.split(b"?")[0].rsplit(b"/", 1)[-1].decode()
        go_on = True
        if word in CANNED:
            answer, go_on = CANNED[word]
            writer.write(answer)
        else:
            go_on = await getattr(self, f"_do_{word}", self._do_echo)(seen, reader, writer)
        await writer.drain()
        return go_on

    async def _body(self, seen: Seen, reader: Reader) -> bytes:
        if seen.field(b"transfer-encoding") == b"chunked":
            raw = b""
            while True:
                line = await reader.readuntil(b"\r\n")
                raw += line
                size = int(line.split(b";")[0], 16)
                raw += await reader.readexactly(size + 2) if size else b""
                if not size:
                    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
                        raw += line
                    seen.body = raw + b"\r\n"
                    return seen.body
        seen.body = await reader.readexactly(int(seen.field(b"content-length") or 0))
        return seen.body

    @staticmethod
    def _ok(writer: Writer, body: bytes, extra: bytes = b"") -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), extra, body)
        )

    async def _do_echo(self, seen: Seen, reader: Reader, writer: Writer) -> bool:
        body = await self._body(seen, reader)
        if seen.head.startswith(b"HEAD "):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        else:
            self._ok(writer, seen.head + body)
        return True

    async def _do_sink(self, seen: Seen, reader: Reader, writer: Writer) -> bool:
        if seen.field(b"expect"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        left = int(seen.field(b"content-length") or 0)
        digest = hashlib.sha256()
        while left:
            data = await reader.read(min(left, 65536))
            if not data:
                return False
            left -= len(data)
            digest.update(data)
            self.received += len(data)
        self._ok(writer, digest.hexdigest().encode())
        return True

    async def _do_redirect(self, seen: Seen, reader: Reader, writer: Writer) -> bool:
        where = b"http://127.0.0.1:%d/t/there?a=1" % self.port
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % where)
        return True

    async def _do_chunked(self, seen: Seen, reader: Reader, writer: Writer) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n")
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(b"5;ext=1\r\nworld\r\n0\r\nTrailer-A: b\r\n\r\n")
        return True

    async def _do_bad_chunks(self, seen: Seen, reader: Reader, writer: Writer) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await writer.drain()
        await self.gate.wait()
        writer.write(b"0x5\r\nhello\r\n0\r\n\r\n")
        return True

    async def _do_late_extra(self, seen: Seen, reader: Reader, writer: Writer) -> bool:
        self._ok(writer, b"ok")
        await writer.drain()
        await self.gate.wait()
        writer.write(b"HTTP/1.1 200 EVIL\r\nContent-Length: 4\r\n\r\nEVIL")
        return True

    async def _do_once(self, seen: Seen, reader: Reader, writer: Writer) -> bool:
        """Answer, and drop the connection when the next request comes."""
        self._ok(writer, b"once")
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")
        return False

    async def _do_gated(self, seen: Seen, reader: Reader, writer: Writer) -> bool:
        """Answer when the test opens the gate, unless the connection ends before."""
        gate = asyncio.ensure_future(self.gate.wait())
        end = asyncio.ensure_future(reader.read(1))
        await asyncio.wait({gate, end}, return_when=asyncio.FIRST_COMPLETED)
        for future in (gate, end):
            future.cancel()
        if not self.gate.is_set():
            return False
        self._ok(writer, b"gated")
        await writer.drain()
        return False

    async def _do_early(self, seen: Seen, reader: Reader, writer: Writer) -> bool:
        """Refuse at once, without reading the body."""
        body = b"too much" * 1000
        writer.write(b"HTTP/1.1 413 No\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        await self.gate.wait()
        return False

    async def _do_big(self, seen: Seen, reader: Reader, writer: Writer) -> bool:
        """64 MiB, or as many as the query says; ``received`` counts what has left here."""
        size = int(seen.target.partition(b"?")[2] or b"64") << 20
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        block = bytes(1 << 16)
        for _ in range(size >> 16):
            writer.write(block)
            await writer.drain()
            self.received += len(block)
        return True

    async def _do_reset(self, seen: Seen, reader: Reader, writer: Writer) -> bool:
        """Half an answer, then a reset."""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(0.05)
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()
        return False

    async def _do_stream(self, seen: Seen, reader: Reader, writer: Writer) -> bool:
        """Events for as long as the other side is there."""
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not reader.at_eof():
            writer.write(b"5\r\nevent\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)
        return False

    async def _do_ws(self, seen: Seen, reader: Reader, writer: Writer) -> bool:
        """Agree to the upgrade and send everything back."""
        key = seen.field(b"sec-websocket-key") or b""
        accept = base64.b64encode(
            hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        )
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %s\r\n\r\n" % accept
        )
        while data := await reader.read(65536):
            self.received += len(data)
            writer.write(data)
            await writer.drain()
        writer.write(b"<end>")
        await writer.drain()
        return False

    async def _do_ws_leaves(self, seen: Seen, reader: Reader, writer: Writer) -> bool:
        """Agree to the upgrade, and go away when the gate opens."""
        writer.write(b"HTTP/1.1 101 Ok\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi")
        await writer.drain()
        await self.gate.wait()
        writer.transport.abort()
        return False


@dataclass
class Rig:
    """A running proxy, the server behind it, and connections to it."""

    proxy: Proxy
    server: ScriptedServer
    clients: list[Client] = field(default_factory=list)

    @property
    def port(self) -> int:
        """The public port."""
        return self.proxy.ports[0]

    @property
    def api_port(self) -> int:
        """The port of the REST API."""
        return self.proxy.ports[1]

    async def connect(self, port: int | None = None, **options: Any) -> Client:
        """A new connection, closed after the test."""
        client = Client(*await asyncio.open_connection("127.0.0.1", port or self.port, **options))
        self.clients.append(client)
        return client

    async def ask(self, request: bytes, method: bytes = b"GET") -> Answer:
        """One request on a connection of its own."""
        client = await self.connect()
        try:
            return await client.ask(request, method)
        finally:
            client.close()

    async def api(
        self, method: str, path: str, body: bytes = b"", token: str | None = TOKEN
    ) -> Answer:
        """One request to the REST API."""
        client = await self.connect(self.api_port)
        auth = f"Authorization: token {token}\r\n" if token is not None else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: api\r\n{auth}Content-Length: {len(body)}\r\n\r\n"
        try:
            return await client.ask(head.encode() + body, method.encode())
        finally:
            client.close()

    def route(self, key: str, url: str | None = None, **data: Any) -> None:
        """Add a route, to the scripted server unless another is named."""
        url = url or self.server.url
        self.proxy.control.add_route(key, url, {"target": url, **data})


def options(**changes: Any) -> Options:
    """Options for a proxy on free ports of the loopback."""
    usual = Options(public=Address("127.0.0.1", 0), api=Address("127.0.0.1", 0), token=TOKEN)
    return replace(usual, **changes)


def closed_port() -> int:
    """A port that nobody listens on."""
    (port,) = free_ports(1)
    return port


@asynccontextmanager
async def running_proxy(
    server: ScriptedServer, limits: Limits = QUICK, routes: Iterable[str] = ("/t",), **changes: Any
) -> AsyncIterator[Rig]:
    """A proxy in this loop; ends with the block."""
    proxy = Proxy(options(**changes), limits)
    await proxy.start()
    rig = Rig(proxy, server)
    for key in routes:
        rig.route(key)
    rig.route("/down", f"http://127.0.0.1:{closed_port()}")
    try:
        yield rig
    finally:
        for client in rig.clients:
            client.close()
        await proxy.stop()
