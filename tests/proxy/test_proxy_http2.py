"""HTTP/2 towards clients: each stream keeps the rules of a connection of its own."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import pytest
from proxy_kit import LIMIT_S, Rig, ScriptedServer, get, running_proxy, until
from proxy_tls import Authority

from perijove.proxy.streams import BadStream, request_head

GET = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"x.test")]
POST = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"x.test")]


@dataclass
class Got:
    """What came on a stream."""

    heads: list[dict[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> bytes:
        """The final status."""
        return self.heads[-1][b":status"]


class Browser:
    """A client of HTTP/2."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=False))
        self.got: dict[int, Got] = {}
        self.gone: int | None = None
        self.acknowledges = True
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(1 << 20)
        self.flush()
        self.reading = asyncio.create_task(self._read())

    def flush(self) -> None:
        """Send what is to be sent."""
        self.writer.write(self.h2.data_to_send())

    async def _read(self) -> None:
        while data := await self.reader.read(65536):
            for event in self.h2.receive_data(data):
                self._take(event)
            self.flush()
        self.gone = -1 if self.gone is None else self.gone

    def _take(self, event: Any) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self.gone = int(event.error_code or 0)
            return
        got = self.got.setdefault(getattr(event, "stream_id", 0) or 0, Got())
        if isinstance(event, h2.events.ResponseReceived | h2.events.InformationalResponseReceived):
            got.heads.append(dict(event.headers))
        elif isinstance(event, h2.events.DataReceived):
            got.body += event.data
            if self.acknowledges:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            got.ended = True
        elif isinstance(event, h2.events.StreamReset):
            got.reset = int(event.error_code)

    def start(self, fields: list[tuple[bytes, bytes]], *, ended: bool = True) -> int:
        """Open a stream; its number."""
        number = self.h2.get_next_available_stream_id()
        self.got[number] = Got()
        self.h2.send_headers(number, fields, end_stream=ended)
        self.flush()
        return number

    async def answer(self, number: int) -> Got:
        """What has come on a stream when it is over."""
        got = self.got[number]
        await until(lambda: got.ended or got.reset is not None, f"stream {number} ends")
        return got

    async def ask(self, path: bytes, *extra: tuple[bytes, bytes]) -> Got:
        """A GET."""
        return await self.answer(self.start([*GET, (b":path", path), *extra]))


async def browse(rig: Rig, authority: Authority) -> Browser:
    """A connection that has chosen HTTP/2."""
    context = authority.client()
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = await rig.connect(ssl=context, server_hostname="127.0.0.1")
    tls: ssl.SSLObject = client.writer.get_extra_info("ssl_object")
    assert tls.selected_alpn_protocol() == "h2"
    return Browser(client.reader, client.writer)


@pytest.fixture
async def rig(server: ScriptedServer, authority: Authority) -> AsyncIterator[Rig]:
    """A proxy that offers HTTP/2."""
    async with running_proxy(server, tls=authority.pair, http2=True) as rig:
        yield rig


async def test_requests_arrive_as_http11_with_forwarded_fields(
    rig: Rig, authority: Authority
) -> None:
    browser = await browse(rig, authority)
    got = await browser.ask(
        b"/t/echo?a=1", (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x-a", b"b")
    )
    assert got.status == b"200"
    assert got.ended
    seen = rig.server.seen[0]
    assert seen.line == b"GET /t/echo?a=1 HTTP/1.1"
    assert seen.field(b"host") == b"x.test"
    assert seen.field(b"cookie") == b"a=1; b=2"
    assert seen.field(b"x-a") == b"b"
    assert seen.field(b"x-forwarded-for") == b"127.0.0.1"
    assert seen.field(b"x-forwarded-proto") == b"https"
    assert got.body.startswith(b"GET /t/echo")


async def test_many_streams_run_beside_each_other(rig: Rig, authority: Authority) -> None:
    browser = await browse(rig, authority)
    slow = browser.start([*GET, (b":path", b"/t/gated")])
    numbers = [browser.start([*GET, (b":path", b"/t/echo?n=%d." % n)]) for n in range(40)]
    for n, number in enumerate(numbers):
        assert b"?n=%d. HTTP" % n in (await browser.answer(number)).body
    rig.server.gate.set()
    assert (await browser.answer(slow)).body == b"gated"


@pytest.mark.parametrize("length", [True, False])
async def test_uploads_arrive_whole_however_long(
    rig: Rig, authority: Authority, length: bool
) -> None:
    browser = await browse(rig, authority)
    body = bytes(range(256)) * 4000
    extra = [(b"content-length", b"%d" % len(body))] if length else []
    number = browser.start([*POST, (b":path", b"/t/echo"), *extra], ended=False)
    async with asyncio.timeout(3 * LIMIT_S):
        while body:
            size = min(browser.h2.local_flow_control_window(number), 16_000, len(body))
            if size:
                browser.h2.send_data(number, body[:size])
                body = body[size:]
                browser.flush()
            await asyncio.sleep(0)
    browser.h2.end_stream(number)
    browser.flush()
    assert (await browser.answer(number)).status == b"200"
    sent = rig.server.seen[0]
    if length:
        assert sent.body == bytes(range(256)) * 4000
    else:
        assert sent.field(b"transfer-encoding") == b"chunked"
        assert len(sent.body) > 256 * 4000


async def test_downloads_wait_for_the_clients_window(rig: Rig, authority: Authority) -> None:
    browser = await browse(rig, authority)
    browser.acknowledges = False
    number = browser.start([*GET, (b":path", b"/t/big?12")])
    await until(lambda: len(browser.got[number].body) == 65_535, "the window is full")
    other = await browser.ask(b"/t/204")
    assert other.status == b"204"
    assert rig.server.received < 12 << 20
    browser.acknowledges = True
    browser.h2.increment_flow_control_window(12 << 20)
    browser.h2.increment_flow_control_window(12 << 20, number)
    browser.flush()
    got = await browser.answer(number)
    assert len(got.body) == 12 << 20


@pytest.mark.parametrize(
    ("word", "status", "body"),
    [
        (b"chunked", b"200", b"hello world"),
        (b"eof", b"200", b"until eof"),
        (b"204", b"204", b""),
        (b"304", b"304", b""),
        (b"500", b"500", b""),
        (b"close", b"200", b"abc"),
        (b"both", b"503", None),
        (b"drop", b"503", None),
    ],
)
async def test_answers_of_every_framing_arrive(
    rig: Rig, authority: Authority, word: bytes, status: bytes, body: bytes | None
) -> None:
    browser = await browse(rig, authority)
    for _ in range(2):
        got = await browser.ask(b"/t/" + word)
        assert got.status == status
        assert got.ended
        assert body is None or got.body == body
        assert not set(got.heads[-1]) & {b"connection", b"transfer-encoding", b"keep-alive"}


async def test_early_hints_pass(rig: Rig, authority: Authority) -> None:
    browser = await browse(rig, authority)
    got = await browser.ask(b"/t/early_hints")
    assert [head[b":status"] for head in got.heads] == [b"103", b"200"]
    assert got.body == b"done"


async def test_head_and_missing_routes_are_answered(rig: Rig, authority: Authority) -> None:
    browser = await browse(rig, authority)
    head = [(b":method", b"HEAD"), *GET[1:], (b":path", b"/t/echo")]
    got = await browser.answer(browser.start(head))
    assert (got.status, got.body, got.ended) == (b"200", b"", True)
    assert got.heads[-1][b"content-length"] == b"5000"
    assert (await browser.ask(b"/nowhere")).status == b"404"


async def test_an_answer_that_breaks_off_resets_its_stream_alone(
    rig: Rig, authority: Authority
) -> None:
    browser = await browse(rig, authority)
    got = await browser.ask(b"/t/cut")
    assert got.reset == h2.errors.ErrorCodes.INTERNAL_ERROR
    assert (await browser.ask(b"/t/204")).status == b"204"


async def test_an_early_answer_arrives_while_the_upload_runs(
    rig: Rig, authority: Authority
) -> None:
    browser = await browse(rig, authority)
    number = browser.start([*POST, (b":path", b"/t/early")], ended=False)
    got = await browser.answer(number)
    assert got.status == b"413"
    assert got.ended
    rig.server.gate.set()


async def test_a_stream_given_up_ends_its_request_at_the_server(
    rig: Rig, authority: Authority
) -> None:
    browser = await browse(rig, authority)
    number = browser.start([*GET, (b":path", b"/t/gated")])
    await until(lambda: rig.server.open == 1, "the request arrives")
    browser.h2.reset_stream(number)
    browser.flush()
    await until(lambda: rig.server.open == 0, "the server is freed")
    assert len(rig.proxy.plane.clients) == 1


async def test_what_could_smuggle_is_refused(rig: Rig, authority: Authority) -> None:
    browser = await browse(rig, authority)
    for path in (b"/t/../x", b"/t/%zz", b"/t/a\\b"):
        rig.route("/t/a")
        assert (await browser.ask(path)).status == b"400"
    assert not rig.server.seen


@pytest.mark.parametrize(
    "fields",
    [
        [*GET, (b":path", b"/a"), (b"x", b"a\r\nb: c")],
        [*GET, (b":path", b"/a"), (b"x", b"a\nb")],
        [*GET, (b":path", b"/a\r\nx")],
        [*GET, (b":path", b"/a"), (b"host", b"other")],
        [*GET[:2], (b":path", b"/a")],
        [(b":method", b"CONNECT"), (b":authority", b"x")],
        [*GET, (b":path", b"a")],
    ],
)
def test_fields_that_break_a_head_are_refused(fields: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(BadStream):
        request_head(fields, ended=True)


async def test_a_client_that_resets_without_end_is_cut_off(rig: Rig, authority: Authority) -> None:
    browser = await browse(rig, authority)
    for _ in range(400):
        if browser.gone is not None:
            break
        number = browser.start([*GET, (b":path", b"/t/gated")])
        browser.h2.reset_stream(number)
        browser.flush()
        await asyncio.sleep(0)
    await until(lambda: browser.gone is not None, "the connection is ended")
    assert browser.gone in (h2.errors.ErrorCodes.ENHANCE_YOUR_CALM, -1)
    await until(lambda: rig.server.open == 0, "the server is freed")


async def test_frames_without_sense_end_the_connection(rig: Rig, authority: Authority) -> None:
    browser = await browse(rig, authority)
    assert (await browser.ask(b"/t/204")).status == b"204"
    browser.writer.write(b"\0\0\x01\0\0\0\0\0\0x")  # DATA on stream 0
    await until(lambda: browser.gone is not None, "the connection is ended")
    assert browser.gone == h2.errors.ErrorCodes.PROTOCOL_ERROR


async def test_running_streams_may_finish_when_the_proxy_ends(
    rig: Rig, authority: Authority
) -> None:
    browser = await browse(rig, authority)
    number = browser.start([*GET, (b":path", b"/t/gated")])
    await until(lambda: rig.server.open == 1, "the request arrives")
    ending = asyncio.create_task(rig.proxy.stop())
    await until(lambda: rig.proxy.plane.ending, "the proxy ends")
    rig.server.gate.set()
    assert (await browser.answer(number)).body == b"gated"
    await until(lambda: browser.gone is not None, "the connection is ended")
    await ending


async def test_who_does_not_ask_for_it_gets_http11(rig: Rig, authority: Authority) -> None:
    client = await rig.connect(ssl=authority.client(), server_hostname="127.0.0.1")
    assert (await client.ask(get(b"/t/204"))).status == 204


async def test_an_idle_connection_is_ended(server: ScriptedServer, authority: Authority) -> None:
    async with running_proxy(server, tls=authority.pair, http2=True, keep_alive_s=0.1) as rig:
        browser = await browse(rig, authority)
        assert (await browser.ask(b"/t/204")).status == b"204"
        await until(lambda: browser.gone is not None, "the connection is ended")
        assert browser.gone == 0
