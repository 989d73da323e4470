"""What request and response heads mean, and which are refused. No sockets."""

import pytest

from perijove.proxy.head import IDEMPOTENT, Request, read_request
from perijove.proxy.refusals import BadUpstream, Refused
from perijove.proxy.response import Response, read_response


def request(*fields: bytes, line: bytes = b"GET /a?b=1 HTTP/1.1", host: bool = True) -> bytes:
    """A request head."""
    lines = [line, *([b"Host: x"] if host else []), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def read(*fields: bytes, line: bytes = b"GET /a?b=1 HTTP/1.1", host: bool = True) -> Request:
    """The request that a complete head describes."""
    found = read_request(request(*fields, line=line, host=host))
    assert found is not None
    return found


def respond(*fields: bytes, line: bytes = b"HTTP/1.1 200 OK") -> Response:
    """The response that a complete head describes."""
    found = read_response(b"\r\n".join([line, *fields]) + b"\r\n\r\n")
    assert found is not None
    return found


def test_a_plain_request_may_go_out_as_it_came() -> None:
    found = read(b"Accept: */*", b"Connection: keep-alive", b"Cookie: a=b")
    assert found.as_is
    assert found.fields.keep
    assert (found.method, found.target, found.path) == (b"GET", b"/a?b=1", b"/a")
    assert found.end == len(request(b"Accept: */*", b"Connection: keep-alive", b"Cookie: a=b"))


@pytest.mark.parametrize(
    "field",
    [
        b"Connection: close, x-secret",
        b"Connection: keep-alive, x-secret",
        b"Keep-Alive: 5",
        b"TE: trailers",
        b"Trailer: X",
        b"Upgrade: websocket",
        b"Proxy-Authorization: x",
        b"Proxy: http://evil",
        b"X-Forwarded-For: 1.2.3.4",
        b"HTTP2-Settings: x",
    ],
)
def test_fields_for_one_hop_have_the_head_rebuilt(field: bytes) -> None:
    assert not read(field).as_is


def test_a_plain_close_needs_no_rebuilding_and_is_told() -> None:
    found = read(b"Connection: close")
    assert found.as_is
    assert found.fields.closes
    assert not read(b"Connection: keep-alive").fields.closes


def test_the_connection_is_kept_as_the_version_says() -> None:
    assert read().fields.keep
    assert not read(b"Connection: close").fields.keep
    assert not read(b"Connection: close", b"Connection: keep-alive").fields.keep
    assert not read(line=b"GET / HTTP/1.0").fields.keep
    assert read(b"Connection: keep-alive", line=b"GET / HTTP/1.0").fields.keep


def test_bodies_are_announced_by_length_or_coding() -> None:
    assert read(b"Content-Length: 12").fields.length == 12
    assert read(b"Transfer-Encoding: Chunked").fields.chunked
    assert not read().fields.has_body
    assert not read(b"Content-Length: 0").fields.has_body


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([b"Content-Length: 5", b"Transfer-Encoding: chunked"], 400),
        ([b"Content-Length: 5", b"Content-Length: 5"], 400),
        ([b"Content-Length: 5", b"Content-Length: 6"], 400),
        ([b"Content-Length: 5, 5"], 400),
        ([b"Content-Length: +5"], 400),
        ([b"Content-Length: -5"], 400),
        ([b"Content-Length: 0x5"], 400),
        ([b"Content-Length: 5_0"], 400),
        ([b"Content-Length:"], 400),
        ([b"Content-Length: " + b"9" * 19], 400),
        ([b"Content-Length : 5"], 400),
        ([b"Transfer-Encoding: xchunked"], 501),
        ([b"Transfer-Encoding: gzip, chunked"], 501),
        ([b"Transfer-Encoding: identity"], 501),
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"], 400),
        ([b"Transfer-Encoding : chunked"], 400),
        ([b"Transfer-Encoding:\x0bchunked"], 400),
        ([b"A: b", b" folded"], 400),
        ([b"A: b\rc"], 400),
        ([b"A: b\x00"], 400),
        ([b"A: b\x7f"], 400),
        ([b"A b"], 400),
        ([b": b"], 400),
        ([b"A(b): c"], 400),
        ([b"Host: x"], 400),
        ([b"Expect: something"], 417),
        ([b"A: b"] * 250, 431),
        ([b"A: " + b"x" * 70_000], 431),
    ],
)
def test_ambiguous_or_oversized_heads_are_refused(fields: list[bytes], status: int) -> None:
    with pytest.raises(Refused) as refused:
        read(*fields)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /a HTTP/2.0", 505),
        (b"GET /a HTTP/1.2", 505),
        (b"GET /a HTTP/3", 505),
        (b"GET /a HTTP/1.1 ", 400),
        (b"GET  /a HTTP/1.1", 400),
        (b"GET /a b HTTP/1.1", 400),
        (b"GET\t/a HTTP/1.1", 400),
        (b"GET /a", 400),
        (b" GET /a HTTP/1.1", 400),
        (b"G@T /a HTTP/1.1", 400),
        (b"GET /a\x00 HTTP/1.1", 400),
        (b"GET /a http/1.1", 400),
        (b"GET * HTTP/1.1", 400),
        (b"GET a HTTP/1.1", 400),
        (b"CONNECT x:443 HTTP/1.1", 400),
        (b"GET ftp://x/a HTTP/1.1", 400),
        (b"GET http://other/a HTTP/1.1", 400),
        (b"GET http://x@other/a HTTP/1.1", 400),
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1", 414),
    ],
)
def test_lines_that_are_no_request_are_refused(line: bytes, status: int) -> None:
    with pytest.raises(Refused) as refused:
        read(line=line)
    assert refused.value.status == status


def test_bare_line_feeds_are_refused_at_once() -> None:
    with pytest.raises(Refused):
        read_request(b"GET / HTTP/1.1\nHost: x\n\n")


def test_a_host_is_needed_and_must_be_one() -> None:
    with pytest.raises(Refused):
        read(host=False)
    assert read(line=b"GET / HTTP/1.0", host=False).fields.host is None
    for bad in (b"a/b", b"a b", b"a,b", b"a@b", b"a\\b", b"a:port", b"[::1", b"a?b", b"a#b"):
        with pytest.raises(Refused):
            read(b"Host: " + bad, host=False)
    for good in (
        b"x.test",
        b"X.test:8000",
        b"[::1]:8000",
        b"127.0.0.1",
        b"xn--bcher-kva.test",
        b"",
    ):
        assert read(b"Host: " + good, host=False).fields.host == good.lower()


def test_absolute_targets_become_paths() -> None:
    found = read(line=b"GET http://X/p/q?r=1 HTTP/1.1")
    assert found.target == b"/p/q?r=1"
    assert not found.as_is
    assert read(line=b"GET http://x?r=1 HTTP/1.1").target == b"/?r=1"
    assert read(line=b"GET http://x HTTP/1.1").target == b"/"


@pytest.mark.parametrize(
    ("fields", "protocol"),
    [
        ([b"Connection: Upgrade", b"Upgrade: websocket"], b"websocket"),
        ([b"Connection: keep-alive, upgrade", b"Upgrade: WebSocket"], b"websocket"),
        ([b"Connection: Upgrade", b"Upgrade: irc/1"], b"irc/1"),
        ([b"Upgrade: websocket"], None),
        ([b"Connection: Upgrade"], None),
        ([b"Connection: Upgrade", b"Upgrade: h2c"], None),
        ([b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: x"], None),
        ([b"Connection: Upgrade", b"Upgrade: h2c, websocket"], None),
        ([b"Connection: Upgrade", b"Upgrade: TLS/1.0"], None),
        ([b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: h2c"], None),
        ([b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 3"], None),
    ],
)
def test_only_clear_wishes_for_an_upgrade_are_passed_on(
    fields: list[bytes], protocol: bytes | None
) -> None:
    assert read(*fields).fields.upgrade == protocol


def test_methods_that_may_be_repeated_are_known() -> None:
    assert read().method in IDEMPOTENT
    assert read(line=b"POST / HTTP/1.1").method not in IDEMPOTENT


@pytest.mark.parametrize("cut", range(1, len(request(b"A: b"))))
def test_an_incomplete_head_is_waited_for(cut: int) -> None:
    assert read_request(request(b"A: b")[:cut]) is None


def test_bytes_after_the_head_are_not_looked_at() -> None:
    data = request() + b"\x00\n bad: x\r\n\r\n"
    found = read_request(data)
    assert found is not None
    assert found.end == len(request())


def test_a_plain_response_may_go_out_as_it_came() -> None:
    found = respond(b"Content-Length: 5", b"Connection: keep-alive")
    assert found.as_is
    assert (found.status, found.length, found.keep) == (200, 5, True)
    assert respond().length == -1
    assert not respond(b"Connection: close").keep
    assert not respond(line=b"HTTP/1.0 200 OK").keep
    assert respond(b"Connection: keep-alive", line=b"HTTP/1.0 200 OK").keep
    assert respond(line=b"HTTP/1.1 204").status == 204


@pytest.mark.parametrize(
    "fields",
    [
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Content-Length: 5", b"Content-Length: 5"],
        [b"Content-Length: x"],
        [b"Transfer-Encoding: gzip, chunked"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"A: b", b" folded"],
        [b"A : b"],
        [b"A: " + b"x" * 70_000],
    ],
)
def test_responses_that_two_could_read_differently_are_not_passed_on(fields: list[bytes]) -> None:
    with pytest.raises(BadUpstream):
        respond(*fields)


def test_http10_responses_have_no_chunks() -> None:
    with pytest.raises(BadUpstream):
        respond(b"Transfer-Encoding: chunked", line=b"HTTP/1.0 200 OK")


def test_an_endless_response_head_is_given_up() -> None:
    with pytest.raises(BadUpstream):
        read_response(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000)
