"""Time-outs and caps: nobody can hold what others need."""

import asyncio
from dataclasses import replace

import pytest
from proxy_kit import (
    HOST,
    QUICK,
    Rig,
    ScriptedServer,
    get,
    options,
    post,
    post_chunked,
    running_proxy,
    until,
)

from perijove.proxy.limits import Limits


def quick(**limits: float) -> Limits:
    """Limits with a fast sweep."""
    return Limits(sweep_s=0.02, **limits)  # type: ignore[arg-type]


async def test_a_slow_head_is_ended_with_408(server: ScriptedServer) -> None:
    async with running_proxy(server, quick(head_s=0.2, linger_s=0.1)) as rig:
        client = await rig.connect()
        await client.send(b"GET /t/echo HTTP/1.1\r\n")
        dripping = asyncio.create_task(drip(client))
        assert (await client.answer()).status == 408
        assert await client.ended() in (b"", b"<reset>")
        dripping.cancel()


async def drip(client: object) -> None:
    """Send a header byte by byte for ever."""
    while True:
        await client.send(b"x")  # type: ignore[attr-defined]
        await asyncio.sleep(0.02)


async def test_a_connection_that_says_nothing_is_closed(server: ScriptedServer) -> None:
    async with running_proxy(server, quick(head_s=0.1)) as rig:
        client = await rig.connect()
        assert await client.ended() == b""


async def test_an_idle_connection_is_closed_after_the_keep_alive_time(
    server: ScriptedServer,
) -> None:
    async with running_proxy(server, quick(), keep_alive_s=0.1) as rig:
        client = await rig.connect()
        assert (await client.ask(get(b"/t/echo"))).status == 200
        assert await client.ended() == b""


async def test_a_body_that_stops_is_ended(server: ScriptedServer) -> None:
    async with running_proxy(server, quick(body_idle_s=0.2)) as rig:
        client = await rig.connect()
        await client.send(b"POST /t/sink HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\nhalf")
        assert await client.ended() in (b"", b"<reset>")
        await until(lambda: server.open == 0, "connection to the server ended")


async def test_a_slow_answer_is_waited_for(server: ScriptedServer) -> None:
    limits = quick(head_s=0.1, body_idle_s=0.1, half_open_s=0.1, linger_s=0.1)
    async with running_proxy(server, limits, keep_alive_s=0.1) as rig:
        client = await rig.connect()
        await client.send(get(b"/t/gated"))
        await asyncio.sleep(0.5)
        server.gate.set()
        assert (await client.answer()).body == b"gated"


async def test_with_timeout_a_silent_exchange_is_dropped(server: ScriptedServer) -> None:
    async with running_proxy(server, quick(), timeout_s=0.2) as rig:
        client = await rig.connect()
        await client.send(get(b"/t/gated"))
        assert await client.ended() in (b"", b"<reset>")
        client = await rig.connect()
        await client.send(get(b"/t/stream"))
        await client.head()
        async with asyncio.timeout(10):
            await client.exactly(10 * 60)  # some 0.6 s of events


async def test_with_proxy_timeout_a_silent_server_is_503(server: ScriptedServer) -> None:
    async with running_proxy(server, quick(), proxy_timeout_s=0.2) as rig:
        client = await rig.connect()
        assert (await client.ask(get(b"/t/gated"))).status == 503
        assert (await client.ask(get(b"/t/204"))).status == 204
        await client.send(get(b"/t/bad_chunks"))
        assert (await client.head())[0] == 200
        assert await client.ended() in (b"", b"<reset>")


async def test_a_server_that_does_not_accept_is_503(server: ScriptedServer) -> None:
    async with running_proxy(server, quick(connect_s=0.2)) as rig:
        rig.route("/far", "http://192.0.2.1:81")  # reserved for documentation: nobody answers
        assert (await rig.ask(get(b"/far/x"))).status == 503


async def test_connections_beyond_the_cap_are_turned_away(server: ScriptedServer) -> None:
    async with running_proxy(server, quick(connections=3)) as rig:
        clients = [await rig.connect() for _ in range(3)]
        for client in clients:
            assert (await client.ask(get(b"/t/204"))).status == 204
        late = await rig.connect()
        assert (await late.ended()).startswith(b"HTTP/1.1 503")
        clients[0].close()
        await until(lambda: len(rig.proxy.plane.clients) == 2, "one connection gone")
        assert (await rig.ask(get(b"/t/204"))).status == 204


async def test_a_thousand_idle_connections_do_not_hinder_others(rig: Rig) -> None:
    idle = [await rig.connect() for _ in range(300)]
    assert (await rig.ask(get(b"/t/204"))).status == 204
    assert len(idle) == 300


async def test_pipelined_requests_are_kept_up_to_a_bound(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(get(b"/t/gated"))
    await until(lambda: len(rig.server.seen) == 1, "first request arrived")
    for _ in range(200):
        client.writer.write(get(b"/t/204", b"A: " + b"x" * 50_000 + b"\r\n"))
    await asyncio.sleep(0.1)
    (connection,) = [c for c in rig.proxy.plane.clients if hasattr(c, "http11")]
    assert len(connection._buffer) < 1 << 20  # type: ignore[attr-defined]
    rig.server.gate.set()
    assert (await client.answer()).body == b"gated"
    for _ in range(200):
        assert (await client.answer()).status == 204


async def test_an_error_in_one_connection_leaves_the_others_alone(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = await rig.connect()
    assert (await other.ask(get(b"/t/204"))).status == 204

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr("perijove.proxy.rewrite.request_head", broken)
        for _ in range(20):
            client = await rig.connect()
            await client.send(get(b"/t/204"))
            assert await client.ended() in (b"", b"<reset>")
    assert (await other.ask(get(b"/t/204"))).status == 204
    assert 1 <= sum("a bug" in (r.exc_text or "") for r in caplog.records) <= 3


async def test_running_exchanges_may_finish_when_the_proxy_ends(server: ScriptedServer) -> None:
    async with running_proxy(server, Limits(sweep_s=0.02, drain_s=5)) as rig:
        idle, busy, port = await rig.connect(), await rig.connect(), rig.port
        assert (await idle.ask(get(b"/t/204"))).status == 204
        await busy.send(get(b"/t/gated"))
        await until(lambda: len(server.seen) == 2, "request arrived")
        ending = asyncio.create_task(rig.proxy.stop())
        assert await idle.ended() == b""
        server.gate.set()
        answer = await busy.answer()
        assert answer.body == b"gated"
        assert answer.field(b"connection") == b"close"
        await ending
        with pytest.raises(ConnectionError):
            await rig.connect(port)


async def test_what_does_not_finish_is_ended_with_the_proxy(server: ScriptedServer) -> None:
    async with running_proxy(server, Limits(sweep_s=0.02, drain_s=0.2)) as rig:
        client = await rig.connect()
        await client.send(get(b"/t/gated"))
        await until(lambda: len(server.seen) == 1, "request arrived")
        await asyncio.wait_for(rig.proxy.stop(), 5)
        assert await client.ended() in (b"", b"<reset>")


async def test_options_reach_the_plane(server: ScriptedServer) -> None:
    async with running_proxy(server, timeout_s=1.5, proxy_timeout_s=2.5, keep_alive_s=3.5) as rig:
        settings = rig.proxy.plane.settings
        assert (settings.timeout_s, settings.proxy_timeout_s) == (1.5, 2.5)
        assert settings.keep_alive_s == 3.5
    assert options().keep_alive_s == 5.0


async def test_one_address_may_have_so_many_connections(server: ScriptedServer) -> None:
    async with running_proxy(server, replace(QUICK, connections_per_address=2)) as rig:
        first, second = await rig.connect(), await rig.connect()
        for client in (first, second):
            assert (await client.ask(get(b"/t/204"))).status == 204
        third = await rig.connect()
        assert (await third.answer()).status == 503
        first.close()
        await until(lambda: len(rig.proxy.plane.clients) == 1, "the first connection ends")
        assert (await rig.ask(get(b"/t/204"))).status == 204
        await until(lambda: len(rig.proxy.plane.clients) == 1, "its place is free again")
        assert (await rig.ask(get(b"/t/204"))).status == 204


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_may_be_so_long(server: ScriptedServer, chunked: bool) -> None:
    async with running_proxy(server, replace(QUICK, body_bytes=1000)) as rig:
        good, bad = bytes(1000), bytes(1001)
        make = post_chunked if chunked else post
        assert (await rig.ask(make(b"/t/echo", good))).status == 200
        client = await rig.connect()
        assert (await client.ask(make(b"/t/echo", bad))).status == 413
        assert await client.ended() in (b"", b"<reset>")
    assert len([seen for seen in server.seen if len(seen.body) > 1100]) == 0
