"""Random requests in random pieces: each answer belongs to its request, and nothing breaks."""

import asyncio

import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from proxy_kit import Client, ScriptedServer, get, post, post_chunked, running_proxy

from perijove.proxy.head import read_request
from perijove.proxy.refusals import BadUpstream, Refused
from perijove.proxy.response import read_response

BODIES = st.one_of(
    st.binary(max_size=30), st.sampled_from([bytes(300), bytes(5000), bytes(70_000)])
)
REQUESTS = st.lists(
    st.one_of(
        st.tuples(st.just("get"), st.just([b""])),
        st.tuples(st.just("length"), BODIES.map(lambda body: [body])),
        st.tuples(st.just("chunks"), st.lists(BODIES.filter(bool), max_size=3)),
        st.tuples(st.just("nowhere"), st.just([b""])),
    ),
    min_size=1,
    max_size=6,
)
PIECES = st.lists(st.sampled_from([1, 3, 17, 200, 9000, 66_000]), min_size=1, max_size=5)


def coded(kind: str, number: int, parts: list[bytes]) -> bytes:
    """A request of a kind."""
    path = b"/t/echo?n=%d." % number
    if kind == "length":
        return post(path, parts[0])
    if kind == "chunks":
        return post_chunked(path, *parts)
    return get(path if kind == "get" else b"/nowhere?n=%d" % number)


async def exchange(requests: list[tuple[str, list[bytes]]], pieces: list[int]) -> None:
    """Send all in pieces, and check that each answer is that of its request."""
    server = ScriptedServer()
    await server.start()
    async with running_proxy(server) as rig:
        client = await rig.connect()
        raw = b"".join(coded(kind, n, parts) for n, (kind, parts) in enumerate(requests))
        sending = asyncio.create_task(send(client, raw, pieces))
        for number, (kind, parts) in enumerate(requests):
            answer = await client.answer()
            if kind == "nowhere":
                assert answer.status == 404
                continue
            assert answer.status == 200
            head, _, body = answer.body.partition(b"\r\n\r\n")
            assert b"?n=%d. HTTP" % number in head
            if kind == "chunks":
                expected = coded(kind, number, parts).partition(b"\r\n\r\n")[2]
                assert body == expected
            else:
                assert body == b"".join(parts)
        await sending
    await server.stop()


async def send(client: Client, raw: bytes, pieces: list[int]) -> None:
    """Send in pieces of repeating sizes; the long rest at once, so that it ends."""
    at = turn = 0
    while at < len(raw):
        size = pieces[turn % len(pieces)] if turn < 300 else len(raw)
        client.writer.write(raw[at : at + size])
        await client.writer.drain()
        await asyncio.sleep(0)
        at += size
        turn += 1


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(REQUESTS, PIECES, st.booleans())
def test_pipelined_requests_in_any_pieces_get_their_own_answers(
    requests: list[tuple[str, list[bytes]]], pieces: list[int], on_uvloop: bool
) -> None:
    factory = uvloop.new_event_loop if on_uvloop else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(exchange(requests, pieces))


HEADISH = st.lists(
    st.sampled_from([
        b"GET / HTTP/1.1", b"\r\n", b"\n", b"\r", b" ", b":", b"Host: x", b"Content-Length: 3",
        b"Content-Length", b"Transfer-Encoding: chunked", b"Connection: upgrade", b"\0", b"\xff",
        b"Upgrade: websocket", b"HTTP/1.1 200 OK", b"x", b"\t", b"%2f", b"/", b"http://x",
    ]),
    max_size=14,
).map(b"".join)  # fmt: skip


@settings(max_examples=400, deadline=None, derandomize=True)
@given(HEADISH)
def test_any_bytes_are_read_or_refused_but_never_break_the_reader(data: bytes) -> None:
    try:
        request = read_request(data)
        if request is not None:
            head = data[: request.end]
            assert head.endswith(b"\r\n\r\n")
            assert head.replace(b"\r\n", b"").count(b"\n") == 0
            assert not (request.fields.chunked and request.fields.length)
            assert request.target.startswith(b"/")
    except Refused:
        pass
    try:
        response = read_response(data)
        if response is not None:
            assert not (response.chunked and response.length >= 0)
    except BadUpstream:
        pass


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.binary(min_size=1, max_size=200))
def test_garbage_from_a_client_is_refused_and_the_proxy_goes_on(data: bytes) -> None:
    async def attempt() -> None:
        server = ScriptedServer()
        await server.start()
        async with running_proxy(server) as rig:
            client = await rig.connect()
            await client.send(data)
            client.half_close()
            answer = await client.ended()
            assert not answer or b"HTTP/1.1 4" in answer or b"HTTP/1.1 5" in answer
            assert (await rig.ask(get(b"/t/204"))).status == 204
        await server.stop()

    asyncio.run(attempt())
