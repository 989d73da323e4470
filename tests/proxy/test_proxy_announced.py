"""PROXY headers in front of a connection: read from trusted addresses, refused from others."""

import asyncio
import socket
import struct
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proxy_kit import Client, Rig, ScriptedServer, get, running_proxy
from proxy_tls import Authority

from perijove.proxy.announced import SIGNATURE, BadHeader, read_block, read_line
from perijove.proxy.forwarded import Networks
from perijove.proxy.options import Address
from perijove.proxy.rewrite import Rules


def block(command: int, family: int, rest: bytes) -> bytes:
    """A header of version 2."""
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack(">H", len(rest)) + rest


V4 = socket.inet_aton("8.8.8.8") + socket.inet_aton("1.1.1.1") + b"\0\1\0\2"
V6 = socket.inet_pton(socket.AF_INET6, "2001:4860::8") + bytes(16) + b"\0\1\0\2"
GOOD = {
    "line": (b"PROXY TCP4 8.8.8.8 1.1.1.1 1000 80\r\n", b"8.8.8.8"),
    "line of IPv6": (b"PROXY TCP6 2001:4860:0::8 ::1 1000 80\r\n", b"2001:4860::8"),
    "unknown": (b"PROXY UNKNOWN any thing\r\n", b"127.0.0.1"),
    "block": (block(1, 0x11, V4), b"8.8.8.8"),
    "block of IPv6": (block(1, 0x21, V6), b"2001:4860::8"),
    "extensions": (block(1, 0x11, V4 + b"\x04\0\x01x"), b"8.8.8.8"),
    "the balancer itself": (block(0, 0, b""), b"127.0.0.1"),
    "unix": (block(1, 0x31, bytes(216)), b"127.0.0.1"),
}
BAD = {
    "no header": get(b"/t/echo"),
    "no address": b"PROXY TCP4 8.8.8.8\r\n",
    "wrong family": b"PROXY TCP4 ::1 ::1 1 2\r\n",
    "wrong port": b"PROXY TCP4 8.8.8.8 1.1.1.1 1 99999\r\n",
    "name": b"PROXY TCP4 evil.test 1.1.1.1 1 2\r\n",
    "two blanks": b"PROXY  TCP4 8.8.8.8 1.1.1.1 1 2\r\n",
    "no end": b"PROXY TCP4 " + b"8" * 200,
    "other version": SIGNATURE + b"\x31\x11\0\x0c" + V4,
    "unknown command": block(7, 0x11, V4),
    "too short": block(1, 0x11, b"abc"),
    "too long": SIGNATURE + b"\x21\x11\xff\xff",
    "other signature": SIGNATURE[:8] + b"QUAT" + b"\x21\x11\0\x0c" + V4,
}


def announcing(trusted: str = "127.0.0.1") -> dict[str, object]:
    """Options of a proxy that reads headers of these addresses and believes no others."""
    return {"proxy_protocol": Networks(trusted), "rules": Rules(trusted=Networks("none"))}


async def told(rig: Rig, first: bytes) -> bytes | None:
    """Who the server was told the client is."""
    client = await rig.connect()
    await client.send(first)
    assert (await client.ask(get(b"/t/echo"))).status == 200
    return rig.server.seen[-1].field(b"x-forwarded-for")


@pytest.mark.parametrize("name", GOOD)
async def test_the_address_in_a_header_counts(server: ScriptedServer, name: str) -> None:
    header, address = GOOD[name]
    async with running_proxy(server, **announcing()) as rig:
        assert await told(rig, header) == address


@pytest.mark.parametrize("name", BAD)
async def test_without_a_proper_header_the_connection_ends(
    server: ScriptedServer, name: str
) -> None:
    async with running_proxy(server, **announcing()) as rig:
        client = await rig.connect()
        await client.send(BAD[name])
        client.half_close()
        assert await client.ended() in (b"", b"<reset>")
    assert not server.seen


async def test_a_header_may_come_in_pieces_with_the_request_behind_it(
    server: ScriptedServer,
) -> None:
    async with running_proxy(server, **announcing()) as rig:
        for header, address in GOOD.values():
            client = await rig.connect()
            data = header + get(b"/t/echo")
            await client.send(*(data[at : at + 9] for at in range(0, len(data), 9)))
            assert (await client.answer()).status == 200
            assert server.seen[-1].field(b"x-forwarded-for") == address


async def test_from_other_addresses_a_header_is_no_request(server: ScriptedServer) -> None:
    async with running_proxy(server, **announcing("10.0.0.0/8")) as rig:
        assert await told(rig, b"") == b"127.0.0.1"
        client = await rig.connect()
        assert (await client.ask(GOOD["line"][0] + get(b"/t/echo"))).status == 400


async def test_tls_begins_behind_the_header(server: ScriptedServer, authority: Authority) -> None:
    async with running_proxy(server, tls=authority.pair, **announcing()) as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(GOOD["block"][0])
        await writer.start_tls(authority.client(), server_hostname="127.0.0.1")
        client = Client(reader, writer)
        assert (await client.ask(get(b"/t/echo"))).status == 200
        assert server.seen[-1].field(b"x-forwarded-for") == b"8.8.8.8"
        assert server.seen[-1].field(b"x-forwarded-proto") == b"https"
        client.close()


async def test_headers_are_read_on_a_unix_socket(server: ScriptedServer, tmp_path: Path) -> None:
    path = str(tmp_path / "public")
    async with running_proxy(server, public=Address(path=path), **announcing("127.0.0.1")):
        client = Client(*await asyncio.open_unix_connection(path))
        assert (await client.ask(GOOD["line"][0] + get(b"/t/echo"))).status == 200
        assert server.seen[-1].field(b"x-forwarded-for") == b"8.8.8.8"
        client.close()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (
        lambda: read_line(b"PROXY TCP4 " + data + b"\r\n"),
        lambda: read_block((SIGNATURE + data + bytes(16))[:16], data),
    ):
        try:
            address = read()
            assert address is None or ip_address(address.decode())
        except BadHeader:
            pass
