"""The small HTTP client, against servers that say exactly what a test wants."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from perijove.kit.certificates import make_certificates
from perijove.kit.http import HttpClient
from perijove.kit.tls import HUB

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Peer:
    """A server that takes requests without bodies and answers each with the next of ``says``.

    ``None`` closes the connection, ``...`` says nothing more and keeps it open.
    """

    def __init__(self) -> None:
        self.says: list[object] = []
        self.heads: list[bytes] = []
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                said = self.says.pop(0) if self.says else OK
                if isinstance(said, bytes):
                    writer.write(said)
                    if b"\r\nConnection: close" in said:
                        break
                elif said is None:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    made = Peer()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made
    server.close()
    for writer in made.writers:
        writer.transport.abort()


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient(keep=True, max_bytes=10_000)
    yield made
    await made.close()
    await made.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_path_and_headers_arrive_as_they_are_written(peer: Peer, client: HttpClient) -> None:
    url = f"{peer.url}/api/routes/user/%40a%2Fb/?x=%20#part"
    answer = await client.ask("DELETE", url, headers={"Authorization": "token t"}, timeout_s=5)
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.headers == {"content-length": "2"}
    host = peer.url.removeprefix("http://").encode()
    assert peer.heads == [
        b"DELETE /api/routes/user/%40a%2Fb/?x=%20 HTTP/1.1\r\nHost: "
        + host
        + b"\r\nAuthorization: token t\r\n\r\n"
    ]


async def test_a_body_is_announced_by_its_length(client: HttpClient) -> None:
    seen = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen = await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(3)
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    answer = await client.ask("POST", f"http://127.0.0.1:{port}", body=b"abc", timeout_s=5)
    server.close()
    assert answer.status == 201
    assert seen.startswith(b"POST / HTTP/1.1\r\n")
    assert b"\r\nContent-Length: 3\r\n" in seen
    assert seen.endswith(b"\r\n\r\nabc")


async def test_a_connection_serves_one_request_after_another(
    peer: Peer, client: HttpClient
) -> None:
    for _ in range(3):
        await client.ask("GET", peer.url, timeout_s=5)
    assert peer.connections == 1
    await asyncio.gather(*(client.ask("GET", peer.url, timeout_s=5) for _ in range(3)))
    assert peer.connections == 3


async def test_a_client_that_keeps_none_says_so_and_closes(peer: Peer) -> None:
    client = HttpClient(keep=False)
    for _ in range(2):
        await client.ask("GET", peer.url, timeout_s=5)
    assert peer.connections == 2
    assert b"\r\nConnection: close\r\n" in peer.heads[0]
    await until(lambda: all(writer.is_closing() for writer in peer.writers))


async def test_what_the_other_side_will_close_is_not_used_again(
    peer: Peer, client: HttpClient
) -> None:
    peer.says = [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"]
    for _ in range(2):
        assert (await client.ask("GET", peer.url, timeout_s=5)).status == 200
    assert peer.connections == 2


async def test_a_connection_closed_meanwhile_is_replaced(peer: Peer, client: HttpClient) -> None:
    await client.ask("GET", peer.url, timeout_s=5)
    peer.says = [None]  # it looks open when the next request is sent
    assert (await client.ask("GET", peer.url, timeout_s=5)).body == b"ok"
    assert peer.connections == 2
    assert len(peer.heads) == 3


async def test_a_new_connection_that_ends_without_a_word_is_an_error(
    peer: Peer, client: HttpClient
) -> None:
    peer.says = [None]
    with pytest.raises(ConnectionError):
        await client.ask("GET", peer.url, timeout_s=5)
    assert peer.connections == 1


@pytest.mark.parametrize(
    ("said", "body"),
    [
        (CHUNKED + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", b"abc"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.0 200 OK\r\nX: y\r\nConnection: close\r\n\r\nold", b"old"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK, b"ok"),
    ],
    ids=["chunked", "until the end", "HTTP/1.0", "no content", "continue", "early hints"],
)
async def test_every_way_to_end_an_answer_is_understood(
    peer: Peer, client: HttpClient, said: bytes, body: bytes
) -> None:
    peer.says = [said]
    answer = await client.ask("GET", peer.url, timeout_s=5)
    assert answer.body == body
    assert "link" not in answer.headers
    assert (await client.ask("GET", peer.url, timeout_s=5)).body == b"ok"


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nConnection: close",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20000,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20000,
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ],
    ids=[
        "short",
        "cut chunk",
        "cut head",
        "long body",
        "long head",
        "no HTTP",
        "upgrade",
        "two lengths",
    ],
)
async def test_what_is_no_whole_answer_is_an_error(
    peer: Peer, client: HttpClient, said: bytes
) -> None:
    peer.says = [said]
    with pytest.raises(ConnectionError):
        await client.ask("GET", peer.url, timeout_s=5)
    await until(lambda: peer.writers[0].is_closing())
    assert (await client.ask("GET", peer.url, timeout_s=5)).body == b"ok"


@pytest.mark.parametrize("rest", [b"", b"x" * 9_000], ids=["nothing follows", "much follows"])
async def test_who_wants_only_the_head_waits_for_no_body(
    peer: Peer, client: HttpClient, rest: bytes
) -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\n"
    peer.says = [
        early + b"HTTP/1.1 404 Not Found\r\nContent-Length: 99999999\r\nX: y\r\n\r\n" + rest
    ]
    answer = await client.ask("GET", peer.url, only_head=True, timeout_s=5)
    assert (answer.status, answer.headers["x"], answer.body) == (404, "y", b"")
    await until(lambda: peer.writers[0].is_closing())
    assert (await client.ask("GET", peer.url, timeout_s=5)).body == b"ok"


async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next(
    peer: Peer, client: HttpClient
) -> None:
    wrong = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
    peer.says = [OK + wrong, OK, OK]
    assert (await client.ask("GET", peer.url, timeout_s=5)).status == 200
    assert (await client.ask("GET", peer.url, timeout_s=5)).status == 200
    peer.writers[-1].write(wrong)
    await until(lambda: peer.writers[-1].is_closing())
    assert (await client.ask("GET", peer.url, timeout_s=5)).status == 200


async def test_time_ends_for_a_server_that_says_nothing(peer: Peer, client: HttpClient) -> None:
    peer.says = [...]
    with pytest.raises(TimeoutError):
        await client.ask("GET", peer.url, timeout_s=0.05)
    await until(lambda: peer.writers[0].is_closing())


async def test_who_waits_hears_of_the_clients_end(peer: Peer, client: HttpClient) -> None:
    peer.says = [...]
    waiting = asyncio.create_task(client.ask("GET", peer.url, timeout_s=5))
    await until(lambda: bool(peer.heads))
    await client.close()
    with pytest.raises(ConnectionError):
        await waiting


async def test_nobody_there_is_an_error(client: HttpClient) -> None:
    with pytest.raises(OSError):
        await client.ask("GET", "http://127.0.0.1:1/", timeout_s=5)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("nonsense", {}),
        ("http://", {}),
        ("http://[bad/", {}),
        ("http://127.0.0.1:x/", {}),
        ("ftp://127.0.0.1/", {}),
        ("http+tcp://127.0.0.1/", {}),
        ("http://127.0.0.1/a b", {}),
        ("http://127.0.0.1/\u00e9", {}),
        ("http://127.0.0.1/", {"Authorization": "token a\r\nX: y"}),
    ],
)
async def test_what_cannot_be_asked_is_refused(
    client: HttpClient, url: str, headers: dict[str, str]
) -> None:
    with pytest.raises(ValueError):
        await client.ask("GET", url, headers=headers, timeout_s=5)


async def test_a_unix_socket_is_asked_like_any_other(tmp_path: Path, client: HttpClient) -> None:
    peer = Peer()
    server = await asyncio.start_unix_server(peer.serve, str(tmp_path / "socket"))
    escaped = str(tmp_path / "socket").replace("/", "%2F")
    answer = await client.ask("GET", f"http+unix://{escaped}/api", timeout_s=5)
    server.close()
    assert answer.body == b"ok"
    assert peer.heads == [b"GET /api HTTP/1.1\r\nHost: localhost\r\n\r\n"]


async def test_over_tls_only_who_is_trusted_is_asked(tmp_path: Path) -> None:
    certificates = make_certificates(str(tmp_path))
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(certificates.hub.certfile, certificates.hub.keyfile)
    server = await asyncio.start_server(Peer().serve, "127.0.0.1", 0, ssl=serving)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    trusting = ssl.create_default_context(cafile=certificates.bundles[HUB])
    assert (await HttpClient(trusting, keep=False).ask("GET", url, timeout_s=5)).body == b"ok"
    with pytest.raises(OSError, match="certificate"):
        await HttpClient(keep=False).ask("GET", url, timeout_s=5)
    server.close()
