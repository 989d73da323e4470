"""The hub's own port: a small answer is one write, and the head of a stream comes at once."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from free_ports import free_ports
from perijove.domain.settings import NetworkSettings
from perijove.web.serving import GatheringTransport, Listener

LIMIT_S = 20
HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Transport:
    """Remembers what is written, call by call."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.calls.append(data)

    def writelines(self, parts: tuple[bytes, ...]) -> None:
        self.calls.append(b"".join(parts))

    def close(self) -> None:
        self.calls.append(b"closed")

    def get_extra_info(self, name: str) -> str:
        return name


@pytest.fixture
def below() -> Transport:
    return Transport()


async def gathering(below: Transport) -> GatheringTransport:
    return GatheringTransport(cast("asyncio.Transport", below), asyncio.get_running_loop())


async def test_head_and_body_are_one_write(below: Transport) -> None:
    transport = await gathering(below)
    for body in (b"one", b"", b"HTTP/1.1 is no head here"):
        transport.write(HEAD)
        transport.write(body)
        assert below.calls.pop() == HEAD + body
    await asyncio.sleep(0)
    assert below.calls == []
    assert transport.get_extra_info("peername") == "peername"


async def test_a_head_without_a_body_goes_out_with_the_turn_and_before_the_end(
    below: Transport,
) -> None:
    transport = await gathering(below)
    transport.write(HEAD)
    await asyncio.sleep(0)
    transport.write(b"later")
    transport.write(HEAD)
    transport.close()
    await asyncio.sleep(0)
    assert below.calls == [HEAD, b"later", HEAD, b"closed"]


async def test_a_stream_begins_with_its_head_before_there_is_anything_in_it() -> None:
    more = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/small":
            headers = [(b"content-length", b"5")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"small"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await more.wait()
        await send({"type": "http.response.body", "body": b"chunk", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    (port,) = free_ports(1)
    network = SimpleNamespace(hub_socket="", hub_host="127.0.0.1", hub_port=port, hub_bind_url="")
    listener = Listener(application, cast("NetworkSettings", network))
    await listener.start()
    async with asyncio.timeout(LIMIT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(b"GET /small HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
            assert await reader.readexactly(5) == b"small"
        writer.write(b"GET /stream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        more.set()
        assert await reader.read() == b"5\r\nchunk\r\n0\r\n\r\n"
    writer.close()
    await listener.close()
