"""Error pages: from the hub, from a directory, or our own."""

import asyncio
from pathlib import Path

import pytest
from proxy_kit import Rig, ScriptedServer, closed_port, get, running_proxy, until

from perijove.proxy.errors import ErrorPages
from perijove.proxy.targets import parse_target


class Hub:
    """A server of error pages."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.port = 0
        self.delay = asyncio.Event()
        self.delay.set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Hub":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.split(b" ")[1])
        await self.delay.wait()
        writer.write(self.answer)
        await writer.drain()
        writer.close()

    @property
    def url(self) -> str:
        """The error target."""
        return f"http://127.0.0.1:{self.port}/hub/error"


PAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=x\r\nX-Private: 1\r\nSet-Cookie: a=b\r\n"
    b"Content-Security-Policy: frame-ancestors 'none'\r\nContent-Length: 9\r\n\r\nfrom hub!"
)


async def test_pages_come_from_the_error_target(server: ScriptedServer) -> None:
    async with (
        Hub(PAGE) as hub,
        running_proxy(server, error_target=parse_target(hub.url)) as rig,
    ):
        for path, code in ((b"/down/a%20b?c=d&e", 503), (b"/none", 404)):
            answer = await rig.ask(get(path))
            assert (answer.status, answer.body) == (code, b"from hub!")
            assert answer.field(b"content-type") == b"text/html; charset=x"
            assert answer.field(b"content-security-policy") == b"frame-ancestors 'none'"
            assert answer.field(b"x-private") is None
            assert answer.field(b"set-cookie") is None
        assert hub.asked == [
            b"/hub/error/503?url=%2Fdown%2Fa%2520b%3Fc%3Dd%26e",
            b"/hub/error/404?url=%2Fnone",
        ]


async def test_the_connection_goes_on_after_a_fetched_page(server: ScriptedServer) -> None:
    async with (
        Hub(PAGE) as hub,
        running_proxy(server, error_target=parse_target(hub.url)) as rig,
    ):
        client = await rig.connect()
        await client.send(get(b"/down/x") + get(b"/t/204") + get(b"/none", method=b"HEAD"))
        assert (await client.answer()).body == b"from hub!"
        assert (await client.answer()).status == 204
        assert (await client.answer(b"HEAD")).field(b"content-length") == b"9"


async def test_a_page_is_asked_for_once_while_it_is_fresh(server: ScriptedServer) -> None:
    async with (
        Hub(PAGE) as hub,
        running_proxy(server, error_target=parse_target(hub.url)) as rig,
    ):
        hub.delay.clear()
        asks = [asyncio.create_task(rig.ask(get(b"/down/x"))) for _ in range(20)]
        await until(lambda: bool(hub.asked), "the hub was asked")
        hub.delay.set()
        assert {answer.body for answer in await asyncio.gather(*asks)} == {b"from hub!"}
        await rig.ask(get(b"/down/x"))
        assert len(hub.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 Oh\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 1\r\n\r\nx",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + bytes(300_000),
        b"",
    ],
)
async def test_a_hub_that_fails_is_replaced_by_our_own_page(
    server: ScriptedServer, answer: bytes
) -> None:
    async with (
        Hub(answer) as hub,
        running_proxy(server, error_target=parse_target(hub.url)) as rig,
    ):
        got = await rig.ask(get(b"/down/x"))
        assert got.status == 503
        assert b"<h1>503 Service Unavailable</h1>" in got.body
        await rig.ask(get(b"/down/y"))
        assert len(hub.asked) == 1  # it is left alone for a moment


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npage\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\npage",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Down\r\nContent-Length: 4\r\n\r\npage",
    ],
)
async def test_pages_may_come_in_any_framing(server: ScriptedServer, answer: bytes) -> None:
    async with (
        Hub(answer) as hub,
        running_proxy(server, error_target=parse_target(hub.url)) as rig,
    ):
        assert (await rig.ask(get(b"/down/x"))).body == b"page"


async def test_a_hub_that_is_down_is_replaced_by_our_own_page(server: ScriptedServer) -> None:
    target = parse_target(f"http://127.0.0.1:{closed_port()}/hub/error")
    async with running_proxy(server, error_target=target) as rig:
        assert b"<h1>404 Not Found</h1>" in (await rig.ask(get(b"/none"))).body


async def test_a_client_that_leaves_meanwhile_does_no_harm(server: ScriptedServer) -> None:
    async with (
        Hub(PAGE) as hub,
        running_proxy(server, error_target=parse_target(hub.url)) as rig,
    ):
        hub.delay.clear()
        client = await rig.connect()
        await client.send(get(b"/down/x"))
        await until(lambda: bool(hub.asked), "the hub was asked")
        client.reset()
        hub.delay.set()
        assert (await rig.ask(get(b"/down/x"))).body == b"from hub!"


async def test_pages_come_from_a_directory(server: ScriptedServer, tmp_path: Path) -> None:
    (tmp_path / "404.html").write_text("not here")
    (tmp_path / "error.html").write_text("some error")
    async with running_proxy(server, error_path=tmp_path) as rig:
        assert (await rig.ask(get(b"/none"))).body == b"not here"
        assert (await rig.ask(get(b"/down/x"))).body == b"some error"


async def test_a_directory_without_pages_falls_back(server: ScriptedServer, tmp_path: Path) -> None:
    async with running_proxy(server, error_path=tmp_path) as rig:
        assert b"<h1>404" in (await rig.ask(get(b"/none"))).body


async def test_our_own_page_repeats_nothing_of_the_request(rig: Rig) -> None:
    answer = await rig.ask(get(b"/<script>alert(1)</script>?x=<img>"))
    assert answer.status == 404
    assert b"script" not in answer.body
    assert answer.field(b"x-content-type-options") == b"nosniff"
    assert b"default-src 'none'" in (answer.field(b"content-security-policy") or b"")


async def test_kept_pages_are_bounded(server: ScriptedServer) -> None:
    async with Hub(PAGE) as hub:
        pages = ErrorPages(parse_target(hub.url))
        for n in range(100):
            await pages.get(404, f"/{n}")
        assert len(pages._kept) <= 64
        assert len(hub.asked) == 100


async def test_kept_pages_grow_old() -> None:
    async with Hub(PAGE) as hub:
        now = 0.0
        pages = ErrorPages(parse_target(hub.url), now=lambda: now)
        assert pages.ready(404, "/") is None
        await pages.get(404, "/")
        assert pages.ready(404, "/") is not None
        now = 6.0
        assert pages.ready(404, "/") is None
