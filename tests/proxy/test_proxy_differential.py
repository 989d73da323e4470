"""The fast readers against a slow, plain one, on heads and chunks that are nearly right."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plain_reader import Wrong, fields_of, lines_of, plain_chunks, plain_request, plain_response

from perijove.proxy.framing import BadChunks, Dechunker
from perijove.proxy.head import NO_FIELDS, Fields, Request, read_request
from perijove.proxy.refusals import BadUpstream, Refused
from perijove.proxy.response import read_response

CALM = settings(max_examples=400, deadline=None, derandomize=True)

NAMES = st.sampled_from(
    [
        b"Host",
        b"Content-Length",
        b"content-LENGTH",
        b"Transfer-Encoding",
        b"Connection",
        b"Accept",
        b"Expect",
        b"Content-Length ",
        b" Host",
        b"",
        b"A(b)",
        b"X\0",
        b"Content_Length",
        b"Upgrade",
    ]
)
VALUES = st.one_of(
    st.sampled_from(
        [
            b"x",
            b"x.test:80",
            b"[::1]:1",
            b"a b",
            b"a,b",
            b"5",
            b"05",
            b"+5",
            b"-5",
            b"5,5",
            b"0x5",
            b"5_0",
            b" 5 ",
            b"\t5\t",
            b"\x0b5",
            b"",
            b"chunked",
            b"Chunked",
            b"chunked,",
            b"xchunked",
            b"gzip, chunked",
            b"close",
            b"keep-alive",
            b"Keep-Alive, close",
            b"close,x",
            b"upgrade",
            b"100-continue",
            b"200-ok",
            b"9" * 18,
            b"9" * 19,
            b"\xff",
            b"a\rb",
            b"a\nb",
            b"a\0",
            b"\x7f",
        ]
    ),
    st.binary(max_size=4),
)
ENDS = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b"\r\r\n", b"\r\n ", b"\r\n\t", b""])
COLONS = st.sampled_from([b":", b": "] * 8 + [b" :", b"", b"::"])
FIELDS = st.lists(st.tuples(NAMES, COLONS, VALUES, ENDS).map(b"".join), max_size=5).map(b"".join)
FIRST = st.sampled_from(
    [b"GET /a?b HTTP/1.1\r\nHost: x\r\n"] * 6
    + [
        b"GET /a HTTP/1.1\r\n",
        b"POST / HTTP/1.0\r\n",
        b"GET /a HTTP/1.2\r\n",
        b"GET  /a HTTP/1.1\r\n",
        b"GET /a\tb HTTP/1.1\r\n",
        b" GET /a HTTP/1.1\r\n",
        b"G(T /a HTTP/1.1\r\n",
        b"GET /a HTTP/1.1\n",
        b"GET /\xff HTTP/1.1\r\n",
        b"GET /a HTTP/1.1 \r\n",
        b"GET /a\r\n",
        b"\r\nGET / HTTP/1.1\r\n",
    ]
)
STATUS = st.sampled_from(
    [b"HTTP/1.1 200 OK\r\n"] * 6
    + [
        b"HTTP/1.0 200 OK\r\n",
        b"HTTP/1.1 204\r\n",
        b"HTTP/1.1 200 \r\n",
        b"HTTP/1.1 2000\r\n",
        b"HTTP/1.1 099 x\r\n",
        b"HTTP/1.1 600 x\r\n",
        b"HTTP/1.1  200 OK\r\n",
        b"HTTP/2.0 200 OK\r\n",
        b"HTTP/1.1 200 \xff\r\n",
        b"HTTP/1.1 200 O\0K\r\n",
        b"http/1.1 200 OK\r\n",
        b"HTTP/1.1 20x\r\n",
        b"HTTP/1.1 200 OK\n",
    ]
)


@CALM
@given(FIRST, FIELDS, st.binary(max_size=5))
def test_requests_are_read_as_a_plain_reader_reads_them(
    first: bytes, fields: bytes, after: bytes
) -> None:
    data = first + fields + b"\r\n" + after
    if b"\r\n\r\n" not in data:
        return
    try:
        expected = plain_request(data)
    except Wrong:
        expected = None
    try:
        found = read_request(data)
        assert found is not None
    except Refused:
        assert expected is None
        return
    assert expected is not None
    assert (found.method, found.target) == expected.first
    fields = found.fields
    assert (fields.http11, fields.length, fields.chunked) == (
        expected.http11,
        expected.length,
        expected.chunked,
    )
    assert (fields.keep, fields.host, found.end) == (expected.keep, expected.host, expected.end)


def request_or_status(data: bytes, known: Fields) -> Request | int | None:
    """What becomes of a request's head after one with the ``known`` fields."""
    try:
        return read_request(data, known)
    except Refused as refused:
        return refused.status


@CALM
@given(FIRST, FIELDS, FIRST, FIELDS, st.sampled_from([b"", b"x", b"\r\n"]))
def test_what_was_asked_before_does_not_change_how_a_request_is_read(
    earlier_first: bytes, earlier: bytes, first: bytes, fields: bytes, after: bytes
) -> None:
    known = request_or_status(earlier_first + earlier + b"\r\n", NO_FIELDS)
    data = first + fields + b"\r\n" + after
    assume(isinstance(known, Request))
    assert isinstance(known, Request)
    expected = request_or_status(data, NO_FIELDS)
    assert request_or_status(data, known.fields) == expected
    if isinstance(expected, Request):
        assert request_or_status(data, expected.fields) == expected


@CALM
@given(STATUS, FIELDS, st.binary(max_size=5))
def test_responses_are_read_as_a_plain_reader_reads_them(
    first: bytes, fields: bytes, after: bytes
) -> None:
    data = first + fields + b"\r\n" + after
    if b"\r\n\r\n" not in data:
        return
    try:
        expected = plain_response(data)
    except Wrong:
        expected = None
    try:
        found = read_response(data)
        assert found is not None
    except BadUpstream:
        assert expected is None
        return
    assert expected is not None
    assert (b"%d" % found.status, found.http11) == (expected.first[0], expected.http11)
    assert (found.length, found.chunked) == (expected.length, expected.chunked)
    assert (found.keep, found.end) == (expected.keep, expected.end)
    if not expected.chunked:
        assert found.as_is == (expected.http11 and not must_change(data))


def must_change(data: bytes) -> bool:
    """Whether a head has fields that a proxy must not pass on, or a length oddly spelt."""
    for line in lines_of(data)[0][1:]:
        [(name, value)] = fields_of([line])
        if name in (b"upgrade", b"keep-alive") or name.startswith(b"proxy-"):
            return True
        if name == b"connection" and value.lower() != b"keep-alive":
            return True
        if name == b"content-length" and line.partition(b":")[2].removeprefix(b" ") != b"%d" % int(
            value
        ):
            return True
    return False


CHUNKS = st.lists(
    st.sampled_from(
        [
            b"5\r\nhello\r\n",
            b"1\r\nx\r\n",
            b"A;e=1\r\n0123456789\r\n",
            b"00005\r\nhello\r\n",
            b"0\r\n\r\n",
            b"0;x\r\n\r\n",
            b"5 ;x\r\nhello\r\n",
            b"5\nhello\r\n",
            b"5\r\nhello\n",
            b"5\r\nhell\r\n",
            b"6\r\nhello\r\n",
            b"0x1\r\nx\r\n",
            b"+1\r\nx\r\n",
            b"5 \r\nhello\r\n",
            b"1;\0\r\nx\r\n",
            b"\r\n",
            b"g\r\n",
            b"1\r\r\nx\r\n",
            b"1\r\nx",
            b"0\r\n",
            b"F" * 16 + b"\r\n",
        ]
    ),
    max_size=5,
).map(b"".join)


@CALM
@given(CHUNKS, st.sampled_from([b"", b"0\r\n\r\n"]), st.integers(1, 12))
def test_chunks_are_read_as_a_plain_reader_reads_them(coded: bytes, last: bytes, step: int) -> None:
    data = coded + last
    expected: tuple[bytes, int] | str
    try:
        expected = plain_chunks(data)
    except Wrong:
        expected = "wrong"
    except IndexError:
        expected = "incomplete"
    decoder, used = Dechunker(), 0
    try:
        for at in range(0, len(data), step):
            if decoder.done:
                break
            used += decoder.feed(data[at : at + step])
    except BadChunks:
        assert expected == "wrong"
        return
    if expected == "incomplete":
        assert not decoder.done
    else:
        assert (decoder.take(), used) == expected
