"""Hostile clients and servers over real sockets: what the other side gets to see of them."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from proxy_kit import Client, Rig, ScriptedServer, get, post, running_proxy, until

from perijove.proxy.forwarded import Networks
from perijove.proxy.limits import MAX_INTERIM, PIPELINE_BYTES, WRITE_BUFFER_BYTES
from perijove.proxy.rewrite import Rules

CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MIB = 1 << 20


class RawServer(ScriptedServer):
    """Answers every request with the same bytes, in the pieces given, and perhaps ends then."""

    def __init__(self, pieces: Sequence[bytes], ends: bool = False) -> None:
        super().__init__()
        self.pieces, self.ends = pieces, ends

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await reader.readuntil(b"\r\n\r\n")
        for piece in self.pieces:
            writer.write(piece)
            await writer.drain()
            if len(self.pieces) > 1:
                await asyncio.sleep(0)
        return not self.ends


@asynccontextmanager
async def answering(*pieces: bytes, ends: bool = False) -> AsyncIterator[Client]:
    """A client of a proxy whose server answers with these bytes."""
    server = RawServer(pieces, ends)
    await server.start()
    async with running_proxy(server) as rig:
        yield await rig.connect()
    await server.stop()


def head_with(*fields: bytes, line: bytes = b"POST /t/echo HTTP/1.1") -> bytes:
    """A request head with a Host and other fields."""
    return b"\r\n".join([line, b"Host: x.test", *fields]) + b"\r\n\r\n"


# -- how long a body is: what a server could read in another way is spelt anew -----------------
@pytest.mark.parametrize(
    "field",
    [
        b"Transfer-Encoding: Chunked",
        b"transfer-encoding:chunked",
        b"TRANSFER-ENCODING: CHUNKED",
        b"Transfer-Encoding:\tchunked",
        b"Transfer-Encoding:  chunked \t",
    ],
)
async def test_a_coding_that_is_oddly_spelt_arrives_plainly_spelt(rig: Rig, field: bytes) -> None:
    answer = await rig.ask(head_with(field) + CHUNKS)
    assert answer.body.endswith(CHUNKS)
    lines = [
        line
        for line in rig.server.seen[0].head.split(b"\r\n")
        if line.lower().startswith(b"transfer-encoding")
    ]
    assert lines == [b"Transfer-Encoding: chunked"]


@pytest.mark.parametrize(
    "field",
    [
        b"Content-Length:\t5",
        b"Content-Length: 5 ",
        b"content-length:   5\t",
        b"Content-Length: 005",
        b"Content-Length: 000000000000000005",
    ],
)
async def test_a_length_that_is_oddly_spelt_arrives_plainly_spelt(rig: Rig, field: bytes) -> None:
    answer = await rig.ask(head_with(field) + b"hello")
    assert answer.body.endswith(b"hello")
    assert b"\r\nContent-Length: 5\r\n" in rig.server.seen[0].head
    assert rig.server.seen[0].head.lower().count(b"content-length") == 1


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: 002", b"ok"),
        (b"Content-Length:\t2 ", b"ok"),
        (b"Transfer-Encoding:\tChunked", b"2\r\nok\r\n0\r\n\r\n"),
        (b"transfer-encoding: CHUNKED ", b"2\r\nok\r\n0\r\n\r\n"),
    ],
)
async def test_a_client_never_gets_an_oddly_spelt_length(framing: bytes, body: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + body
    async with answering(raw) as client:
        for _ in range(2):
            answer = await client.ask(get(b"/t/x"))
            assert answer.body == b"ok"
            plain = rb"\r\n(Content-Length: 2|Transfer-Encoding: chunked)\r\n"
            assert re.search(plain, answer.head)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([b"Content-Length: 18446744073709551616"], 400),
        ([b"Content-Length: " + b"9" * 400], 400),
        ([b"Content-Length: 5", b"Content-Length:"], 400),
        ([b"Content-Length:"], 400),
        ([b"Content-Length: 5;"], 400),
        ([b"Content-Length: \xb25"], 400),
        ([b"Content-Length: 1_0"], 400),
        ([b"Transfer-Encoding:"], 501),
        ([b"Transfer-Encoding: chunked, chunked"], 501),
        ([b'Transfer-Encoding: "chunked"'], 501),
        ([b"Transfer-Encoding: chunked;q=1"], 501),
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"], 501),
        ([b"Transfer-Encoding: chunked", b"Content-Length: 0"], 400),
        ([b"Transfer_Encoding: chunked", b"Content-Length : 3"], 400),
        ([b": empty"], 400),
        ([b"A B: c"], 400),
        ([b"Host: y.test"], 400),
    ],
)
async def test_a_head_that_could_hide_a_request_ends_the_connection(
    rig: Rig, fields: list[bytes], status: int
) -> None:
    client = await rig.connect()
    await client.send(head_with(*fields) + b"0\r\n\r\n" + get(b"/t/smuggled"))
    whole = await client.ended()
    assert whole.startswith(b"HTTP/1.1 %d " % status)
    assert whole.count(b"HTTP/1.1") == 1
    assert not rig.server.seen


# -- who is asking: what a client must not say of itself ---------------------------------------
async def test_a_stranger_cannot_write_any_spelling_of_a_forwarding_field(
    server: ScriptedServer,
) -> None:
    claims = [
        b"X_Forwarded_For: 6.6.6.6", b"X-Forwarded_Host: evil", b"X-Forwarded-User: root",
        b"X-Forwarded-Prefix: /evil", b"x_real_ip: 6.6.6.6", b"X-Forwarded-Client-Cert: evil",
    ]  # fmt: skip
    async with running_proxy(server, rules=Rules(trusted=Networks("none"))) as rig:
        await rig.ask(head_with(*claims, line=b"GET /t/echo HTTP/1.1"))
    head = server.seen[0].head.lower()
    assert b"6.6.6.6" not in head
    assert b"evil" not in head
    assert b"root" not in head


async def test_a_trusted_proxys_own_fields_pass_but_not_those_it_overlooked(rig: Rig) -> None:
    fields = [b"X-Forwarded-User: ann", b"X_Forwarded_User: root"]
    await rig.ask(head_with(*fields, line=b"GET /t/echo HTTP/1.1"))
    head = rig.server.seen[0].head
    assert b"X-Forwarded-User: ann\r\n" in head
    assert b"root" not in head


async def test_a_connection_field_cannot_remove_who_is_asking(rig: Rig) -> None:
    fields = [b"X-Forwarded-User: ann", b"Connection: x-forwarded-user, te, close, keep-alive"]
    answer = await rig.ask(head_with(*fields, b"TE: trailers", line=b"GET /t/echo HTTP/1.1"))
    assert answer.field(b"connection") == b"close"
    head = rig.server.seen[0].head
    assert b"X-Forwarded-User: ann\r\n" in head
    assert b"TE:" not in head


# -- targets -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "target",
    [
        b"http://user@x.test/t/echo",
        b"http://user:secret@x.test/t/echo",
        b"http://x.test:81/t/echo",
        b"http:///t/echo",
        b"http://x.test@evil/t/echo",
        b"//x.test/t/echo\\..",
        b"*",
        b"?a",
        b"t/echo",
        b"/t/e\xc3\xa9",
        b"/t/%00",
        b"/t/%0",
        b"/t/echo#frag",
        b"/t/..;/x/%2e%2e/",
        b"/t/%5c..%5cx",
    ],
)
async def test_a_target_without_one_meaning_is_refused(rig: Rig, target: bytes) -> None:
    client = await rig.connect()
    await client.send(get(target) + get(b"/t/echo"))
    whole = await client.ended()
    assert whole.startswith(b"HTTP/1.1 400 ")
    assert whole.count(b"HTTP/1.1") == 1
    assert not rig.server.seen


@pytest.mark.parametrize("method", [b"get", b"M" * 1000, b"PROPFIND", b"!#$%&'*+-.^_`|~"])
async def test_any_method_passes_as_sent_and_is_not_repeated(rig: Rig, method: bytes) -> None:
    answer = await rig.ask(get(b"/t/echo", method=method))
    assert answer.status == 200
    assert rig.server.seen[0].line == method + b" /t/echo HTTP/1.1"


@pytest.mark.parametrize("line", [b"GET /t/echo", b"GET", b"GET /t/echo HTTP", b"/t/echo", b"\0"])
async def test_a_line_of_http09_is_refused(rig: Rig, line: bytes) -> None:
    client = await rig.connect()
    await client.send(line + b"\r\n\r\n")
    assert (await client.ended()).startswith(b"HTTP/1.1 400 ")


# -- upgrades ----------------------------------------------------------------------------------
async def test_a_wish_for_an_upgrade_with_a_body_is_not_passed_on(rig: Rig) -> None:
    wish = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    answer = await rig.ask(post(b"/t/echo", b"hello", wish))
    assert answer.body.endswith(b"hello")
    assert b"pgrade" not in rig.server.seen[0].head


async def test_a_switch_that_only_the_server_wants_reaches_nobody() -> None:
    raw = b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nevil"
    async with answering(raw) as client:
        answer = await client.ask(get(b"/t/x"))
        assert answer.status == 503
        assert b"evil" not in answer.body


# -- servers -----------------------------------------------------------------------------------
async def test_interim_answers_without_end_are_cut_off() -> None:
    flood = b"HTTP/1.1 103 Early Hints\r\n\r\n" * (2 * MAX_INTERIM)
    async with answering(flood + OK) as client:
        answer = await client.ask(get(b"/t/x"))
        assert answer.status == 503


async def test_as_many_interim_answers_as_anybody_needs_pass() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 20
    async with answering(hints + OK) as client:
        await client.send(get(b"/t/x"))
        got = [(await client.answer(interim=True)).status for _ in range(21)]
        assert got == [103] * 20 + [200]


@pytest.mark.parametrize(
    "raw",
    [
        OK,
        b"HTTP/1.1 200\r\nX: y\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nT: u\r\n\r\n",
    ],
)
async def test_an_answer_may_come_byte_by_byte(raw: bytes) -> None:
    async with answering(*[bytes([byte]) for byte in raw]) as client:
        for _ in range(2):
            answer = await client.ask(get(b"/t/x"))
            assert (answer.status, answer.body) == (200, b"ok")


@pytest.mark.parametrize("at", range(1, len(OK)))
async def test_a_server_that_ends_too_early_is_never_taken_for_one_that_answered(at: int) -> None:
    async with answering(OK[:at], ends=True) as client:
        await client.send(get(b"/t/x", method=b"POST"))
        whole = await client.ended() if at >= OK.index(b"ok") else b""
        if whole:
            assert len(whole) < len(OK) + len(b"<reset>")
        else:
            assert (await client.answer()).status == 503


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nA: b\r\n Content-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\0\r\n\r\nok",
        b"HTTP/1.1 600 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/2 200\r\nContent-Length: 2\r\n\r\nok",
        b"ICY 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nA: " + bytes(70_000),
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n",
    ],
)
async def test_an_answer_that_two_could_read_differently_is_503(raw: bytes) -> None:
    async with answering(raw) as client:
        answer = await client.ask(get(b"/t/x"))
        assert answer.status == 503
        assert b"ok" not in answer.body


# -- memory ------------------------------------------------------------------------------------
async def test_a_thousand_requests_at_once_are_answered_in_order(rig: Rig) -> None:
    client = await rig.connect()
    sending = asyncio.create_task(
        client.send(b"".join(get(b"/t/echo?n=%d" % number) for number in range(1000)))
    )
    for number in range(1000):
        assert b"?n=%d HTTP" % number in (await client.answer()).body
    await sending


async def test_a_client_that_sends_while_its_answer_waits_is_not_read_from(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(get(b"/t/gated"))
    await until(lambda: len(rig.server.seen) == 1, "the request arrived")
    client.writer.write(bytes(16 * MIB))
    transport = client.writer.transport
    sent = -1
    while sent != (sent := transport.get_write_buffer_size()):
        await asyncio.sleep(0.1)
    assert sent > 4 * MIB
    [connection] = [c for c in rig.proxy.plane.clients if hasattr(c, "_buffer")]
    assert len(connection._buffer) <= PIPELINE_BYTES + 2 * WRITE_BUFFER_BYTES
    client.reset()
