"""Chunked bodies: where they end, whatever pieces they come in."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perijove.proxy.framing import BadChunks, Chunks, Dechunker

CODED = b'5\r\nhello\r\n1;name="x"\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n'


def feed_all(chunks: Chunks, pieces: list[bytes]) -> int:
    """Feed pieces; returns how many bytes belonged to the body."""
    used = 0
    for piece in pieces:
        if chunks.done:
            break
        used += chunks.feed(piece)
    return used


@given(st.lists(st.integers(0, len(CODED)), max_size=8))
def test_a_body_ends_at_the_same_byte_in_any_pieces(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(CODED)]
    pieces = [CODED[a:b] for a, b in pairwise(edges)]
    pieces[-1] += b"GET / HTTP/1.1"
    decoder = Dechunker()
    assert feed_all(decoder, pieces) == len(CODED)
    assert decoder.done
    assert decoder.take() == b"hello!"


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6), st.binary(max_size=20))
def test_what_was_coded_is_decoded(parts: list[bytes], after: bytes) -> None:
    coded = b"".join(b"%X\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    decoder = Dechunker()
    assert decoder.feed(coded + after) == len(coded)
    assert decoder.done
    assert decoder.take() == b"".join(parts)


@pytest.mark.parametrize(
    "coded",
    [
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"-1\r\n",
        b"5_0\r\n",
        b" 5\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b"\r\n",
        b";x\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhelloX\r\n",
        b"5\r\nhello\r0\r\n\r\n",
        b"5;a\rb\r\nhello\r\n",
        b"5;a\x00b\r\nhello\r\n",
        b"5" * 16 + b"\r\n",
        b"5;" + b"x" * 5000 + b"\r\n",
        b"0\r\nbad trailer\r\n\r\n",
        b"0\r\n folded: x\r\n\r\n",
        b"0\r\nName : x\r\n\r\n",
        b"0\r\nContent-Length: 5\r\n\r\n",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"0\r\nHost: evil\r\n\r\n",
        b"0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
        b"0\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
        b"0\r\n\n",
    ],
)
@pytest.mark.parametrize("step", [1, 10_000_000])
def test_malformed_chunks_are_refused(coded: bytes, step: int) -> None:
    chunks = Chunks()
    with pytest.raises(BadChunks):
        feed_all(chunks, [coded[at : at + step] for at in range(0, len(coded), step)])


def test_an_endless_size_line_is_refused_before_its_end() -> None:
    chunks = Chunks()
    pieces = [b"1;" + b"x" * 100] * 100
    with pytest.raises(BadChunks):
        feed_all(chunks, pieces)
