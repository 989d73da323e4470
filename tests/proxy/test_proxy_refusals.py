"""Attacks on the public port, over real sockets: what is refused, and how it ends."""

import pytest
from proxy_kit import HOST, Rig, get, post_chunked

SMUGGLED = {
    "length and chunks": (
        b"POST /t/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"
        b"\r\n0\r\n\r\n",
        400,
    ),
    "two lengths": (
        b"POST /t/echo HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        400,
    ),
    "blank before colon": (get(b"/t/echo", b"Content-Length : 5\r\n") + b"hello", 400),
    "folded line": (get(b"/t/echo", b"A: b\r\n c\r\n"), 400),
    "bare LF": (b"GET /t/echo HTTP/1.1\nHost: x\r\n\r\n", 400),
    "bare CR": (get(b"/t/echo", b"A: b\rc\r\n"), 400),
    "NUL": (get(b"/t/echo", b"A: b\0\r\n"), 400),
    "no host": (b"GET /t/echo HTTP/1.1\r\n\r\n", 400),
    "two hosts": (get(b"/t/echo", HOST), 400),
    "coding xchunked": (get(b"/t/echo", b"Transfer-Encoding: xchunked\r\n"), 501),
    "coding list": (get(b"/t/echo", b"Transfer-Encoding: gzip, chunked\r\n"), 501),
    "chunks on 1.0": (get(b"/t/echo", b"Transfer-Encoding: chunked\r\n", version=b"1.0"), 400),
    "HTTP/2.0": (get(b"/t/echo", version=b"2.0"), 505),
    "prior knowledge of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "huge head": (get(b"/t/echo", b"A: " + b"x" * 70_000 + b"\r\n"), 431),
    "huge head without end": (b"GET /t/echo HTTP/1.1\r\nA: " + b"x" * 70_000, 431),
    "CONNECT": (b"CONNECT x.test:443 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "TLS on a plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "dots": (get(b"/t/../hub/api"), 400),
    "encoded slash": (get(b"/user%2Fada/x"), 400),
    "bad escape": (get(b"/t/%zz"), 400),
}


@pytest.mark.parametrize("name", SMUGGLED)
async def test_what_is_ambiguous_is_refused_and_the_connection_ends(rig: Rig, name: str) -> None:
    rig.route("/user/ada")
    data, status = SMUGGLED[name]
    client = await rig.connect()
    await client.send(data)
    answer = await client.answer()
    assert answer.status == status
    assert answer.field(b"connection") == b"close"
    await client.send(get(b"/t/echo"))
    assert await client.ended() in (b"", b"<reset>")
    assert not rig.server.seen


async def test_what_follows_a_refused_request_is_not_served(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(get(b"/t/echo") + get(b"/t/echo", HOST) + get(b"/t/echo?smuggled"))
    assert (await client.answer()).status == 200
    assert (await client.answer()).status == 400
    assert await client.ended() in (b"", b"<reset>")
    assert len(rig.server.seen) == 1


@pytest.mark.parametrize("bad", [b"0x5\r\nhello\r\n", b"5\nhello\r\n", b"5\r\nhelloX", b"z\r\n"])
async def test_malformed_chunks_end_the_request_at_both_sides(rig: Rig, bad: bytes) -> None:
    client = await rig.connect()
    head = b"POST /t/echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    await client.send(head + bad + b"0\r\n\r\n" + get(b"/t/echo?smuggled"))
    assert (await client.answer()).status == 400
    assert await client.ended() in (b"", b"<reset>")
    assert all(b"smuggled" not in seen.head for seen in rig.server.seen)


async def test_trailers_cannot_add_fields_that_matter(rig: Rig) -> None:
    client = await rig.connect()
    data = post_chunked(b"/t/echo", b"hello")
    await client.send(data[:-2] + b"X-Forwarded-For: 6.6.6.6\r\n\r\n")
    assert (await client.answer()).status == 400


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (b"/user/alice", "alice"),
        (b"/user/alice/", "alice"),
        (b"/user/alice?x", "alice"),
        (b"/user/alicex", "default"),
        (b"/user/ALICE", "default"),
        (b"/user/%61lice/a%2Fb", "alice"),
    ],
)
async def test_the_path_chosen_by_is_the_path_sent(rig: Rig, path: bytes, key: str) -> None:
    rig.route("/", rig.server.url + "/default")
    rig.route("/user/alice", rig.server.url + "/alice")
    assert (await rig.ask(get(path))).status == 200
    assert rig.server.seen[0].target == f"/{key}".encode() + path


async def test_the_control_api_is_not_on_the_public_port(rig: Rig) -> None:
    answer = await rig.ask(get(b"/api/routes", b"Authorization: token a-secret\r\n"))
    assert answer.status == 404
