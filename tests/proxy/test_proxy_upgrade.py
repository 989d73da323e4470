"""Websockets and other upgrades: the handshake, the tunnel, and its ends."""

import asyncio

import pytest
from proxy_kit import Client, Rig, ScriptedServer, get, running_proxy, until

from perijove.proxy.limits import Limits

UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


async def opened(rig: Rig, path: bytes = b"/t/ws", early: bytes = b"") -> Client:
    """A connection after its handshake."""
    client = await rig.connect()
    await client.send(get(path, UPGRADE) + early)
    status, head = await client.head()
    assert status == 101
    assert b"upgrade: websocket\r\n" in head.lower()
    assert b"connection: upgrade\r\n" in head.lower()
    return client


async def test_bytes_pass_both_ways_after_the_handshake(rig: Rig) -> None:
    client = await opened(rig)
    for message in (b"\x82\x03abc", b"\x00\x01", b"GET / HTTP/1.1\r\n\r\n"):
        await client.send(message)
        assert await client.exactly(len(message)) == message
    assert rig.server.seen[0].field(b"x-forwarded-proto") == b"ws"
    assert rig.proxy.plane.metrics.requests_ws == 1


async def test_the_handshakes_own_fields_pass(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(get(b"/t/ws", UPGRADE))
    _, head = await client.head()
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head


async def test_bytes_sent_with_the_handshake_arrive_after_it(rig: Rig) -> None:
    client = await opened(rig, early=b"early")
    assert await client.exactly(5) == b"early"


async def test_bytes_sent_with_a_refused_handshake_stay_with_the_client(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(get(b"/t/refuse", UPGRADE) + get(b"/t/echo?next"))
    assert (await client.answer()).status == 403
    assert b"next" in (await client.answer()).body


async def test_a_large_message_passes_whole(rig: Rig) -> None:
    client = await opened(rig)
    message = bytes(range(256)) * (8 << 12)
    sending = asyncio.create_task(client.send(message))
    assert await client.exactly(len(message)) == message
    await sending


async def test_a_client_that_does_not_read_stops_the_tunnel(rig: Rig) -> None:
    client = await rig.connect(limit=1024)
    await client.send(get(b"/t/ws", UPGRADE))
    await client.head()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    for _ in range(2000):
        client.writer.write(bytes(1 << 16))
    before = -1
    while before != rig.server.received:
        before = rig.server.received
        await asyncio.sleep(0.2)
    assert rig.server.received < 60 << 20
    client.writer.transport.resume_reading()  # type: ignore[attr-defined]
    await client.exactly(2000 << 16)


@pytest.mark.parametrize("path", [b"/down/ws", b"/nowhere/ws"])
async def test_a_handshake_that_leads_nowhere_fails_bare_and_at_once(rig: Rig, path: bytes) -> None:
    client = await rig.connect()
    await client.send(get(path, UPGRADE))
    whole = await client.ended()
    assert whole.startswith(b"HTTP/1.1 503" if b"down" in path else b"HTTP/1.1 404")
    assert b"Content-Length: 0\r\n" in whole
    assert whole.endswith(b"\r\n\r\n")


async def test_a_half_closed_tunnel_goes_on_in_the_other_direction(rig: Rig) -> None:
    client = await opened(rig)
    await client.send(b"last words")
    client.half_close()
    assert await client.ended() == b"last words<end>"
    await until(lambda: rig.server.open == 0, "connection to the server ended")
    assert not rig.proxy.plane.clients


async def test_a_silent_half_closed_tunnel_is_given_up(server: ScriptedServer) -> None:
    async with running_proxy(server, Limits(sweep_s=0.02, half_open_s=0.2)) as rig:
        client = await opened(rig, b"/t/ws_leaves")
        client.half_close()
        await until(lambda: not rig.proxy.plane.clients, "tunnel ended")
        server.gate.set()


async def test_clients_are_told_when_servers_go_away(rig: Rig) -> None:
    clients = [await opened(rig, b"/t/ws_leaves") for _ in range(200)]
    rig.server.gate.set()
    for client in clients:
        assert await client.ended() in (b"hi", b"hi<reset>")
    await until(lambda: not rig.proxy.plane.clients, "all tunnels ended")
    assert rig.server.open == 0


async def test_servers_are_told_when_clients_go_away(rig: Rig) -> None:
    clients = [await opened(rig) for _ in range(50)]
    for client in clients:
        client.reset()
    await until(lambda: rig.server.open == 0, "all connections to the server ended")
    assert not rig.proxy.plane.clients


async def test_only_what_clients_send_is_activity(rig: Rig) -> None:
    route = rig.proxy.plane.table.get("/t")
    assert route is not None
    client = await opened(rig, b"/t/ws_leaves")
    route.last_activity_s = 1.0
    assert await client.exactly(2) == b"hi"
    assert route.last_activity_s == 1.0
    await client.send(b"x")
    await until(lambda: route.last_activity_s > 1.0, "activity noted")
    rig.server.gate.set()


@pytest.mark.parametrize(
    "fields",
    [
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n",
        b"Upgrade: websocket\r\n",
        b"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
    ],
)
async def test_switches_that_would_hide_requests_are_not_asked_for(rig: Rig, fields: bytes) -> None:
    answer = await rig.ask(get(b"/t/echo", fields))
    assert answer.status == 200
    assert b"upgrade" not in answer.body.lower()
    assert b"http2" not in answer.body.lower()


async def test_other_protocols_are_tunnelled_too(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(get(b"/t/ws", UPGRADE.replace(b"websocket", b"WebSocket")))
    assert (await client.head())[0] == 101


async def test_a_switch_to_another_protocol_than_asked_for_is_503(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(get(b"/t/ws", b"Connection: Upgrade\r\nUpgrade: irc\r\n"))
    assert (await client.head())[0] == 503
