"""Websockets end with the proxy: a close frame between two frames, and time to answer it."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proxy_kit import (
    HOST,
    QUICK,
    Client,
    Reader,
    ScriptedServer,
    Seen,
    Writer,
    running_proxy,
    until,
)

from perijove.proxy.frames import GOING_AWAY, SERVER_ENDED, Frames

HANDSHAKE = (
    b"GET /t/%s HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SIZES = [0, 1, 125, 126, 700, 66_000]


def frame(payload: bytes, masked: bool = False) -> bytes:
    """A frame of text."""
    size = len(payload)
    mask = 0x80 if masked else 0
    if size < 126:
        head = bytes([0x81, mask | size])
    elif size < 65536:
        head = bytes([0x81, mask | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x81, mask | 127]) + size.to_bytes(8, "big")
    return head + (b"\0\0\0\0" if masked else b"") + payload


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.sampled_from(SIZES), st.booleans()), max_size=6),
    st.sampled_from([1, 2, 3, 7, 127, 128, 5000, 70_000]),
)
def test_frames_end_at_the_same_bytes_in_any_pieces(
    frames: list[tuple[int, bool]], step: int
) -> None:
    ends, data = set(), b""
    for size, masked in frames:
        data += frame(bytes(size if step > 100 else min(size, 700)), masked)
        ends.add(len(data))
    follow = Frames()
    for at in range(0, len(data), step):
        piece = data[at : at + step]
        first = min((end for end in ends if at < end <= at + len(piece)), default=None)
        assert follow.feed(piece) == (-1 if first is None else first - at)
        assert (follow.left == 0) is (at + len(piece) in ends)


def test_very_many_frames_at_once_are_not_followed() -> None:
    frames = Frames()
    frames.feed(frame(b"x") * 500)
    assert not frames.lost
    frames.feed(bytes(60_000))
    assert frames.lost
    assert frames.feed(frame(b"x")) == -1


async def test_a_websocket_that_is_not_followed_is_just_closed(server: ScriptedServer) -> None:
    async with running_proxy(server) as rig:
        client = await rig.connect()
        await handshake(client, b"ws")
        await client.send(bytes(60_000))
        assert await client.exactly(60_000) == bytes(60_000)
        await rig.proxy.stop()
        assert await client.ended() in (b"", b"<reset>", b"<end>")


async def handshake(client: Client, word: bytes) -> None:
    await client.send(HANDSHAKE % word)
    status, _ = await client.head()
    assert status == 101


async def test_a_websocket_is_told_that_the_proxy_goes_away(server: ScriptedServer) -> None:
    async with running_proxy(server) as rig:
        client = await rig.connect()
        await handshake(client, b"ws")
        await client.send(frame(b"hi"))
        assert await client.exactly(4) == frame(b"hi")
        ending = asyncio.create_task(rig.proxy.stop())
        await client.send(frame(b"still"))
        assert await client.exactly(7) == frame(b"still")  # until the time of grace is over
        assert await client.exactly(4) == GOING_AWAY
        sent = server.received
        await client.send(b"\x88\x82\0\0\0\0\x03\xe9")
        await until(lambda: server.received == sent + 8, "the client's close frame arrives")
        await ending
        assert await client.ended() in (b"", b"<reset>")


async def test_the_goodbye_waits_for_the_end_of_a_frame(server: ScriptedServer) -> None:
    whole = frame(b"x" * 300)
    async with running_proxy(server) as rig:
        client = await rig.connect()
        await handshake(client, b"ws")
        await client.send(whole[:100])
        assert await client.exactly(100) == whole[:100]
        ending = asyncio.create_task(rig.proxy.stop())
        await asyncio.sleep(QUICK.drain_s + 0.05)
        await client.send(whole[100:] + frame(b"too late"))
        assert await client.ended() in (
            whole[100:] + GOING_AWAY,
            whole[100:] + GOING_AWAY + b"<reset>",
        )
        await ending


SAID = b"\x88\x05\x03\xf0bye"
"""A server's own close frame, code 1008."""

ENDINGS = {
    "abort": (b"", SERVER_ENDED),
    "close": (b"", SERVER_ENDED),
    "said": (SAID, SAID),
    "said late": (frame(b"x" * 200) + SAID, frame(b"x" * 200) + SAID),
    "within a frame": (frame(b"x" * 200)[:100], frame(b"x" * 200)[:100]),
}
"""What a server still sends before it ends, and what its client gets to see."""


@pytest.mark.parametrize("how", ENDINGS)
async def test_a_server_that_ends_without_a_word_is_spoken_for(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    last, seen_last = ENDINGS[how]

    async def end(server: ScriptedServer, seen: Seen, reader: Reader, writer: Writer) -> bool:
        writer.write(b"HTTP/1.1 101 Ok\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        writer.write(frame(b"hi"))
        await server.gate.wait()
        writer.write(last)
        await writer.drain()
        if how == "abort":
            writer.transport.abort()
        return False

    monkeypatch.setattr(ScriptedServer, "_do_ends", end, raising=False)
    async with running_proxy(server) as rig:
        client = await rig.connect()
        await handshake(client, b"ends")
        assert await client.exactly(4) == frame(b"hi")
        server.gate.set()
        assert await client.ended() in (seen_last, seen_last + b"<reset>")
        await until(lambda: not rig.proxy.plane.clients, "the tunnel has ended")


async def test_other_protocols_are_just_closed(server: ScriptedServer) -> None:
    async with running_proxy(server) as rig:
        client = await rig.connect()
        await client.send(HANDSHAKE.replace(b"websocket", b"irc/1") % b"irc")
        assert (await client.head())[0] == 101
        await client.send(b"hello")
        assert await client.exactly(5) == b"hello"
        await rig.proxy.stop()
        assert await client.ended() in (b"", b"<reset>", b"<end>")


@pytest.fixture(autouse=True)
def irc(server: ScriptedServer) -> Iterator[None]:
    """An echo of another protocol than websockets."""

    async def switch(seen, reader, writer) -> bool:  # type: ignore[no-untyped-def]
        writer.write(b"HTTP/1.1 101 Ok\r\nUpgrade: irc/1\r\nConnection: Upgrade\r\n\r\n")
        while data := await reader.read(100):
            writer.write(data)
        return False

    server._do_irc = switch  # type: ignore[attr-defined]
    return
