"""HTTP through the proxy, on real sockets: framing, reuse, streaming, ends."""

import asyncio
import contextlib
import hashlib
import os

import pytest
from proxy_kit import HOST, Rig, ScriptedServer, get, post, post_chunked, running_proxy, until

from perijove.proxy.limits import Limits


async def test_a_request_arrives_with_forwarded_fields(rig: Rig) -> None:
    answer = await rig.ask(get(b"/t/echo?a=1"))
    assert answer.status == 200
    seen = rig.server.seen[0]
    assert seen.line == b"GET /t/echo?a=1 HTTP/1.1"
    assert seen.field(b"x-forwarded-for") == b"127.0.0.1"
    assert seen.field(b"x-forwarded-proto") == b"http"
    assert seen.field(b"x-forwarded-port") == b"80"
    assert seen.field(b"x-forwarded-host") == b"x.test"
    assert seen.field(b"host") == b"x.test"


async def test_pipelined_requests_are_answered_in_order(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(b"".join(get(b"/t/echo?n=%d" % n) for n in range(20)))
    for n in range(20):
        assert b"n=%d " % n in (await client.answer()).body


async def test_pipelined_local_answers_do_not_pile_up_on_the_stack(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(get(b"/_chp_healthz") * 1500 + get(b"/t/echo"))
    for _ in range(1500):
        assert (await client.answer()).body == b'{"status":"OK"}'
    assert (await client.answer()).status == 200


async def test_a_head_may_come_byte_by_byte(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(*[bytes([byte]) for byte in get(b"/t/echo")])
    assert (await client.answer()).status == 200


async def test_an_empty_line_before_a_request_is_skipped(rig: Rig) -> None:
    client = await rig.connect()
    assert (await client.ask(b"\r\n" + get(b"/t/echo"))).status == 200
    assert (await client.ask(b"\r\n" + get(b"/t/echo"))).status == 200


async def test_a_body_with_length_is_followed_by_the_next_request(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(post(b"/t/echo", b"hello") + get(b"/t/204"))
    assert (await client.answer()).body.endswith(b"hello")
    assert (await client.answer()).status == 204


async def test_a_chunked_body_passes_unchanged_in_any_pieces(rig: Rig) -> None:
    client = await rig.connect()
    raw = post_chunked(b"/t/echo", b"hello", b"w" * 20)
    await client.send(*[raw[at : at + 3] for at in range(0, len(raw), 3)])
    assert (await client.answer()).body.endswith(
        b"5\r\nhello\r\n14\r\n" + b"w" * 20 + b"\r\n0\r\n\r\n"
    )
    assert (await client.ask(get(b"/t/204"))).status == 204


async def test_a_chunked_answer_keeps_chunks_and_trailers_and_the_connection(rig: Rig) -> None:
    client = await rig.connect()
    for _ in range(2):
        answer = await client.ask(get(b"/t/chunked"))
        assert answer.body == b"hello world"
        assert b"Trailer-A: b" in answer.raw_body
    assert rig.server.connections == 1


async def test_http10_clients_get_the_payload_without_chunks(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(get(b"/t/chunked", version=b"1.0"))
    whole = await client.ended()
    assert whole.endswith(b"\r\n\r\nhello world")
    assert b"chunked" not in whole


async def test_http10_clients_are_told_of_no_chunks_even_for_head(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(get(b"/t/no_chunks", version=b"1.0", method=b"HEAD"))
    whole = await client.ended()
    assert whole.startswith(b"HTTP/1.1 200")
    assert b"chunked" not in whole


async def test_http10_clients_may_ask_to_keep_the_connection(rig: Rig) -> None:
    client = await rig.connect()
    for _ in range(2):
        answer = await client.ask(get(b"/t/http10", b"Connection: keep-alive\r\n", version=b"1.0"))
        assert answer.body == b"abc"
        assert answer.field(b"connection") == b"keep-alive"
    await client.send(get(b"/t/http10", version=b"1.0"))
    assert (await client.ended()).endswith(b"abc")


async def test_http10_requests_without_host_are_forwarded_with_one(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(b"GET /t/echo HTTP/1.0\r\n\r\n")
    assert b" 200 " in await client.ended()
    assert rig.server.seen[0].field(b"host") == f"127.0.0.1:{rig.server.port}".encode()
    assert rig.server.seen[0].line.endswith(b"HTTP/1.1")


async def test_an_answer_until_eof_ends_the_connection(rig: Rig) -> None:
    client = await rig.connect()
    answer = await client.ask(get(b"/t/eof"))
    assert answer.body == b"until eof"
    assert answer.field(b"connection") == b"close"


@pytest.mark.parametrize("word", [b"close", b"http10"])
async def test_a_server_that_closes_need_not_close_the_client(rig: Rig, word: bytes) -> None:
    client = await rig.connect()
    for _ in range(2):
        answer = await client.ask(get(b"/t/" + word))
        assert answer.body == b"abc"
        assert answer.field(b"connection") != b"close"
    assert rig.server.connections == 2


async def test_answers_without_body_leave_the_connection_in_step(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(
        get(b"/t/204") + get(b"/t/304") + get(b"/t/echo", method=b"HEAD") + get(b"/t/echo")
    )
    assert (await client.answer()).status == 204
    assert (await client.answer()).field(b"content-length") == b"77"
    assert (await client.answer(b"HEAD")).field(b"content-length") == b"5000"
    assert (await client.answer()).body.startswith(b"GET /t/echo")


async def test_interim_answers_are_relayed(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(get(b"/t/early_hints"))
    hints = await client.answer(interim=True)
    assert hints.status == 103
    assert hints.field(b"link") == b"</a.css>"
    assert (await client.answer()).body == b"done"


async def test_interim_answers_never_reach_http10_clients(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(get(b"/t/early_hints", version=b"1.0"))
    assert (await client.ended()).startswith(b"HTTP/1.1 200")


async def test_a_client_that_waits_for_100_gets_it_from_the_server(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(
        b"POST /t/sink HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    )
    assert (await client.answer(interim=True)).status == 100
    await client.send(b"abc")
    assert (await client.answer()).body == hashlib.sha256(b"abc").hexdigest().encode()


@pytest.mark.parametrize("word", [b"cut", b"cut_chunks"])
async def test_a_response_that_breaks_off_ends_the_connection(rig: Rig, word: bytes) -> None:
    client = await rig.connect()
    await client.send(get(b"/t/" + word))
    whole = await client.ended()
    assert b"only this" in whole or whole in (b"", b"<reset>")
    assert b"503" not in whole


@pytest.mark.parametrize(
    "word", ["drop", "both", "two_lengths", "odd_coding", "odd_chunk", "garbage", "unasked"]
)
async def test_a_response_that_cannot_be_trusted_is_503(rig: Rig, word: str) -> None:
    client = await rig.connect()
    answer = await client.ask(get(f"/t/{word}".encode()))
    assert answer.status == 503
    assert b"EVIL" not in answer.body
    assert (await client.ask(get(b"/t/204"))).status == 204


async def test_a_server_that_is_down_is_503(rig: Rig) -> None:
    answer = await rig.ask(get(b"/down/x"))
    assert answer.status == 503
    assert answer.field(b"content-type") == b"text/html; charset=utf-8"


async def test_a_request_without_route_is_404_and_the_connection_goes_on(rig: Rig) -> None:
    client = await rig.connect()
    for _ in range(2):
        assert (await client.ask(get(b"/nowhere"))).status == 404
    assert (await client.ask(get(b"/t/204"))).status == 204


async def test_error_pages_have_no_body_for_head(rig: Rig) -> None:
    client = await rig.connect()
    for path in (b"/nowhere", b"/down/x"):
        answer = await client.ask(get(path, method=b"HEAD"), b"HEAD")
        assert int(answer.field(b"content-length") or 0) > 100
    assert (await client.ask(get(b"/t/204"))).status == 204


async def test_bytes_after_a_response_reach_nobody(rig: Rig) -> None:
    client = await rig.connect()
    assert (await client.ask(get(b"/t/extra"))).body == b"ok"
    assert (await client.ask(get(b"/t/204"))).status == 204
    assert rig.server.connections == 2


async def test_bytes_on_an_idle_connection_drop_it(rig: Rig) -> None:
    client = await rig.connect()
    assert (await client.ask(get(b"/t/late_extra"))).body == b"ok"
    rig.server.gate.set()
    await until(lambda: rig.server.open == 0, "the connection to the server dropped")
    assert (await client.ask(get(b"/t/204"))).status == 204
    assert rig.server.connections == 2


async def test_malformed_chunks_from_a_server_end_the_connection(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(get(b"/t/bad_chunks"))
    assert (await client.head())[0] == 200
    rig.server.gate.set()
    assert b"hello" not in await client.ended()


async def test_a_stale_connection_is_replaced_for_requests_that_may_be_repeated(rig: Rig) -> None:
    client = await rig.connect()
    for _ in range(3):
        assert (await client.ask(get(b"/t/once"))).body == b"once"
    assert rig.server.connections == 3


async def test_a_post_on_a_stale_connection_is_not_sent_twice(rig: Rig) -> None:
    client = await rig.connect()
    assert (await client.ask(get(b"/t/once"))).body == b"once"
    assert (await client.ask(post(b"/t/echo", b""))).status == 503
    assert rig.server.connections == 1


async def test_a_request_is_not_repeated_over_a_connection_that_was_new(rig: Rig) -> None:
    assert (await rig.ask(get(b"/t/drop"))).status == 503
    assert rig.server.connections == 1


async def test_connections_to_the_server_are_reused(rig: Rig) -> None:
    for _ in range(5):
        assert (await rig.ask(get(b"/t/echo"))).status == 200
    assert rig.server.connections == 1


async def test_unused_connections_to_the_server_are_closed(server: ScriptedServer) -> None:
    async with running_proxy(server, Limits(sweep_s=0.02, pool_idle_s=0.1)) as rig:
        assert (await rig.ask(get(b"/t/echo"))).status == 200
        await until(lambda: server.open == 0, "idle connection closed")
        assert (await rig.ask(get(b"/t/echo"))).status == 200


async def test_removing_a_route_closes_its_idle_connections(rig: Rig) -> None:
    assert (await rig.ask(get(b"/t/echo"))).status == 200
    assert (await rig.api("DELETE", "/api/routes/t")).status == 204
    await until(lambda: rig.server.open == 0, "idle connection closed")


async def test_a_half_closed_client_is_still_answered(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(get(b"/t/gated?1") + get(b"/t/echo"))
    client.half_close()
    await until(lambda: len(rig.server.seen) == 1, "the first request arrived")
    rig.server.gate.set()
    assert (await client.answer()).body == b"gated"
    assert (await client.answer()).status == 200
    assert await client.ended() == b""


async def test_a_client_that_vanished_frees_the_server_even_before_an_answer(
    server: ScriptedServer,
) -> None:
    async with running_proxy(server) as rig:
        client = await rig.connect()
        await client.send(get(b"/t/gated"))
        await until(lambda: len(server.seen) == 1, "request arrived")
        client.close()
        await until(lambda: server.open == 0, "connection to the server ended")
        await until(lambda: not rig.proxy.plane.clients, "connection of the client ended")


async def test_a_request_cut_off_within_its_body_ends_with_the_client(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(b"POST /t/sink HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\nhalf")
    await until(lambda: rig.server.received == 4, "body arrived")
    client.half_close()
    await until(lambda: rig.server.open == 0, "connection to the server ended")
    assert await client.ended() in (b"", b"<reset>")


async def test_connection_fields_are_for_one_hop_only(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(
        get(
            b"/t/echo",
            b"Connection: close, X-Secret, Host, Cookie\r\nX-Secret: 1\r\n"
            b"Keep-Alive: 5\r\nTE: trailers\r\n"
            b"Proxy-Authorization: Basic eA==\r\nProxy: http://evil\r\nCookie: a=1\r\n"
            b"X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: outer\r\n",
        )
    )
    answer = await client.answer()
    for gone in (b"secret", b"keep-alive", b"te:", b"proxy", b"connection"):
        assert gone not in answer.body.lower()
    seen = rig.server.seen[0]
    assert seen.field(b"cookie") == b"a=1"
    assert seen.field(b"x-forwarded-for") == b"9.9.9.9,127.0.0.1"
    assert seen.field(b"x-forwarded-proto") == b"https,http"
    assert seen.field(b"x-forwarded-host") == b"outer"
    assert answer.field(b"connection") == b"close"
    assert await client.ended() == b""


async def test_fields_that_a_server_names_for_its_hop_are_dropped(rig: Rig) -> None:
    answer = await rig.ask(get(b"/t/named"))
    assert answer.status == 200
    for gone in (b"x-private", b"keep-alive"):
        assert answer.field(gone) is None


async def test_an_early_answer_is_delivered_while_the_upload_runs(rig: Rig) -> None:
    client = await rig.connect()
    size = 50 << 20
    await client.send(b"POST /t/early HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % size)

    async def upload() -> None:
        try:
            for _ in range(size >> 16):
                client.writer.write(bytes(1 << 16))
                await client.writer.drain()
        except ConnectionError:
            pass

    sending = asyncio.create_task(upload())
    answer = await client.answer()
    assert answer.status == 413
    assert answer.body == b"too much" * 1000
    assert answer.field(b"connection") == b"close"
    sending.cancel()


async def test_an_upload_for_a_dead_server_gets_its_503(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(
        b"POST /down/x HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000\r\n\r\n" + bytes(200_000)
    )
    answer = await client.answer()
    assert answer.status == 503
    assert answer.field(b"connection") == b"close"


@pytest.mark.parametrize("size", [0, 1, 65536, 20 << 20])
async def test_uploads_arrive_whole(rig: Rig, size: int) -> None:
    body = os.urandom(size)
    answer = await rig.ask(post(b"/t/sink", body))
    assert answer.body == hashlib.sha256(body).hexdigest().encode()


async def test_downloads_arrive_whole(rig: Rig) -> None:
    answer = await rig.ask(get(b"/t/big"))
    assert len(answer.body) == 64 << 20


async def test_a_client_that_does_not_read_stops_the_server(rig: Rig) -> None:
    client = await rig.connect(limit=1024)
    await client.send(get(b"/t/big"))
    await client.head()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    before = -1
    while before != rig.server.received:  # until nothing more leaves the server
        before = rig.server.received
        await asyncio.sleep(0.2)
    assert rig.server.received < 40 << 20
    assert sum(c.transport.get_write_buffer_size() for c in rig.proxy.plane.clients) < 2 << 20  # type: ignore[attr-defined]
    client.writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert len(await client.exactly(64 << 20)) == 64 << 20


async def test_a_client_that_reads_no_answers_is_not_read_from(rig: Rig) -> None:
    client = await rig.connect(limit=1024)
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    request = get(b"/nowhere/" + b"x" * 8000)
    sent = 0
    while not client.writer.transport.get_write_buffer_size() > 1 << 20:
        assert sent < 400_000  # answers of some 800 MB if all were made
        client.writer.write(request * 20)
        sent += 20
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(client.writer.drain(), 0.2)
    (connection,) = [c for c in rig.proxy.plane.clients if hasattr(c, "http11")]
    assert connection.transport.get_write_buffer_size() < 2 << 20  # type: ignore[attr-defined]
    client.writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert (await client.answer()).status == 404


async def test_a_stream_is_not_held_back(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(get(b"/t/stream"))
    assert (await client.head())[0] == 200
    async with asyncio.timeout(5):
        assert await client.exactly(50) == b"5\r\nevent\r\n" * 5


async def test_aborted_requests_leave_nothing_behind(rig: Rig) -> None:
    assert (await rig.ask(get(b"/t/echo"))).status == 200
    for _ in range(10):
        clients = [await rig.connect() for _ in range(30)]
        for client in clients:
            await client.send(get(b"/t/stream"))
        for client in clients:
            await client.head()
            client.reset()
    await until(lambda: not rig.proxy.plane.clients, "all clients gone")
    await until(lambda: rig.server.open <= 1, "all connections to the server gone")
    assert (await rig.ask(get(b"/t/echo"))).status == 200
    assert len(rig.proxy.plane.tasks) == 0


async def test_activity_counts_bodies_and_good_answers_only(rig: Rig) -> None:
    route = rig.proxy.plane.table.get("/t")
    assert route is not None
    for request, counts in (
        (get(b"/t/echo"), True),
        (get(b"/t/204"), True),
        (get(b"/t/304"), False),
        (get(b"/t/500"), False),
        (get(b"/t/drop"), False),
        (post(b"/t/500", b"body"), True),
    ):
        route.last_activity_s = 1.0
        await rig.ask(request)
        assert (route.last_activity_s > 1.0) is counts, request


async def test_a_server_that_resets_harms_only_its_own_answers(rig: Rig) -> None:
    clients = [await rig.connect() for _ in range(100)]
    for client in clients:
        await client.send(get(b"/t/reset"))
    for client in clients:
        assert b"half" in await client.ended()
    await until(lambda: not rig.proxy.plane.clients, "all clients gone")
    assert (await rig.ask(get(b"/t/echo"))).status == 200
