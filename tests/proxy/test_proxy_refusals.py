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
    "the same length twice": (
        b"POST /t/echo HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        400,
    ),
    "a list of lengths": (get(b"/t/echo", b"Content-Length: 5, 5\r\n") + b"hello", 400),
    "a signed length": (get(b"/t/echo", b"Content-Length: +5\r\n") + b"hello", 400),
    "a negative length": (get(b"/t/echo", b"Content-Length: -5\r\n"), 400),
    "a length in hexadecimal": (get(b"/t/echo", b"Content-Length: 0x5\r\n") + b"hello", 400),
    "tab before colon": (get(b"/t/echo", b"Content-Length\t: 5\r\n") + b"hello", 400),
    "coding identity": (get(b"/t/echo", b"Transfer-Encoding: identity\r\n"), 501),
    "coding with a vertical tab": (get(b"/t/echo", b"Transfer-Encoding: \x0bchunked\r\n"), 400),
    "chunked twice": (get(b"/t/echo", b"Transfer-Encoding: chunked\r\n" * 2), 400),
    "another expectation": (get(b"/t/echo", b"Expect: 200-ok\r\n"), 417),
    "another host in the target": (b"GET http://other/t/echo HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "another scheme": (b"GET ftp://x.test/t/echo HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "authority as target": (b"GET x.test:80 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "many fields": (get(b"/t/echo", b"A: b\r\n" * 250), 431),
    "a long target": (get(b"/t/" + b"x" * 40_000), 414),
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
    "one dot": (get(b"/t/./echo"), 400),
    "encoded dots": (get(b"/t/%2e%2E/hub"), 400),
    "half encoded dots": (get(b"/t/.%2e/hub"), 400),
    "dots behind a backslash": (get(b"/t/x\\..\\..\\hub"), 400),
    "dots behind an encoded slash": (get(b"/t/x%2f..%2f..%2fhub"), 400),
    "two slashes in front": (get(b"//user/ada/x"), 400),
    "two slashes within": (get(b"/user//ada/x"), 400),
    "a backslash": (get(b"/user\\ada/x"), 400),
    "an encoded backslash": (get(b"/user%5cada/x"), 400),
    "an encoded NUL": (get(b"/t/%00"), 400),
    "bytes beyond ASCII": (get(b"/t/\xc3\xbc"), 400),
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
