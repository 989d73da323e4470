"""TLS towards clients, on the API and towards servers; Unix sockets; redirect and metrics."""

import asyncio
import socket
import ssl
from pathlib import Path
from urllib.parse import quote

import pytest
from proxy_kit import TOKEN, Client, Rig, ScriptedServer, get, options, post, running_proxy, until
from proxy_tls import Authority

from perijove.proxy.options import Address
from perijove.proxy.service import Proxy
from perijove.proxy.targets import parse_target
from perijove.proxy.tls import TlsFault, TlsFiles


async def test_clients_may_come_by_tls(server: ScriptedServer, authority: Authority) -> None:
    async with running_proxy(server, tls=authority.pair) as rig:
        client = await rig.connect(ssl=authority.client())
        for _ in range(3):
            assert (await client.ask(get(b"/t/echo"))).status == 200
        assert server.seen[0].field(b"x-forwarded-proto") == b"https"
        assert server.seen[0].field(b"x-forwarded-port") == b"443"
        assert len((await client.ask(get(b"/t/big"))).body) == 64 << 20
        assert (await client.ask(post(b"/t/sink", bytes(5 << 20)))).status == 200
        assert (await client.ask(get(b"/t/eof"))).body == b"until eof"


async def test_websockets_pass_through_tls(server: ScriptedServer, authority: Authority) -> None:
    async with running_proxy(server, tls=authority.pair) as rig:
        client = await rig.connect(ssl=authority.client())
        await client.send(get(b"/t/ws", b"Connection: Upgrade\r\nUpgrade: websocket\r\n"))
        assert (await client.head())[0] == 101
        message = bytes(range(256)) * 4096
        await client.send(message)
        assert await client.exactly(len(message)) == message
        assert server.seen[0].field(b"x-forwarded-proto") == b"wss"
        client.close()
        await until(lambda: server.open == 0, "connection to the server ended")


async def test_refusals_arrive_through_tls(server: ScriptedServer, authority: Authority) -> None:
    async with running_proxy(server, tls=authority.pair) as rig:
        client = await rig.connect(ssl=authority.client())
        answer = await client.ask(get(b"/t/%zz"))
        assert (answer.status, answer.field(b"connection")) == (400, b"close")
        assert await client.ended() == b""


async def test_a_plain_client_on_a_tls_port_does_no_harm(
    server: ScriptedServer, authority: Authority
) -> None:
    async with running_proxy(server, tls=authority.pair) as rig:
        plain = await rig.connect()
        await plain.send(get(b"/t/echo"))
        assert b" 200 " not in await plain.ended()
        client = await rig.connect(ssl=authority.client())
        assert (await client.ask(get(b"/t/echo"))).status == 200


async def test_old_protocol_versions_are_refused(
    server: ScriptedServer, authority: Authority
) -> None:
    context = authority.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with running_proxy(server, tls=authority.pair) as rig:
        assert (await (await rig.connect(ssl=context)).ask(get(b"/t/204"))).status == 204
    only_13 = TlsFiles(key=authority.key, cert=authority.cert, protocol="TLSv1_3_method")
    async with running_proxy(server, tls=only_13) as rig:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await rig.connect(ssl=context)


async def test_client_certificates_can_be_demanded(
    server: ScriptedServer, authority: Authority
) -> None:
    files = TlsFiles(
        key=authority.key, cert=authority.cert, ca=authority.ca,
        request_cert=True, reject_unauthorized=True,
    )  # fmt: skip
    async with running_proxy(server, api_tls=files) as rig:
        head = f"GET /api/routes HTTP/1.1\r\nHost: a\r\nAuthorization: token {TOKEN}\r\n\r\n"
        client = await rig.connect(rig.api_port, ssl=authority.client(with_cert=True))
        assert (await client.ask(head.encode())).status == 200
        without = authority.client()
        with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
            await (await rig.connect(rig.api_port, ssl=without)).ask(head.encode())


@pytest.fixture
async def tls_server(authority: Authority) -> object:
    """A server that wants a certificate of whoever asks."""
    scripted = ScriptedServer()
    await scripted.start(ssl=authority.server(ask=True))
    yield scripted
    await scripted.stop()


@pytest.mark.parametrize(
    ("trust", "certified", "insecure", "status"),
    [
        (True, True, False, 200),
        (False, True, False, 503),
        (False, True, True, 200),
        (True, False, False, 503),
    ],
)
async def test_https_targets_are_verified_and_shown_our_certificate(
    tls_server: ScriptedServer, authority: Authority,
    trust: bool, certified: bool, insecure: bool, status: int,
) -> None:  # fmt: skip
    ca = authority.ca if trust else authority.stranger_ca
    files = TlsFiles(ca=ca)
    if certified:
        files = TlsFiles(key=authority.key, cert=authority.cert, ca=ca)
    async with running_proxy(tls_server, client_tls=files, insecure=insecure) as rig:
        rig.route("/s", f"https://127.0.0.1:{tls_server.port}")
        client = await rig.connect()
        for _ in range(2):
            assert (await client.ask(get(b"/s/echo"))).status == status


async def test_the_name_in_a_certificate_must_be_the_targets(
    tls_server: ScriptedServer, authority: Authority
) -> None:
    files = TlsFiles(key=authority.key, cert=authority.cert, ca=authority.ca)
    async with running_proxy(tls_server, client_tls=files) as rig:
        rig.route("/named", f"https://localhost:{tls_server.port}")
        rig.route("/other", f"https://127.0.0.2:{tls_server.port}")
        assert (await rig.ask(get(b"/named/echo"))).status == 200
        assert (await rig.ask(get(b"/other/echo"))).status == 503


async def test_error_pages_may_come_by_tls(
    tls_server: ScriptedServer, authority: Authority
) -> None:
    files = TlsFiles(key=authority.key, cert=authority.cert, ca=authority.ca)
    target = parse_target(f"https://127.0.0.1:{tls_server.port}/hub")
    async with running_proxy(tls_server, client_tls=files, error_target=target) as rig:
        answer = await rig.ask(get(b"/nowhere"))
        assert answer.status == 404
        assert answer.body.startswith(b"GET /hub/404?url=%2Fnowhere")


def test_unusable_tls_options_are_named(authority: Authority) -> None:
    for files, words in (
        (TlsFiles(key=authority.key), "--ssl-cert is missing"),
        (TlsFiles(key="/nowhere", cert=authority.cert), "--ssl-key"),
        (TlsFiles(key=authority.locked_key, cert=authority.cert), "--ssl-key"),
        (TlsFiles(key=authority.key, cert=authority.cert, protocol="SSLv3"), "--ssl-protocol"),
        (TlsFiles(key=authority.key, cert=authority.cert, ciphers="none"), "--ssl"),
        (TlsFiles(key=authority.key, cert=authority.cert, ca="/nowhere"), "--ssl"),
    ):
        with pytest.raises(TlsFault, match=words):
            Proxy(options(tls=files))
    passphrase = TlsFiles(key=authority.locked_key, cert=authority.cert, passphrase="pass phrase")
    assert Proxy(options(tls=passphrase)).plane is not None


async def test_http_can_be_redirected_to_https(
    server: ScriptedServer, authority: Authority
) -> None:
    async with running_proxy(server, tls=authority.pair, redirect_port=0, redirect_to=8443) as rig:
        port = rig.proxy.ports[2]
        for host, where in (
            (b"x.test:80", b"https://x.test:8443/a?b"),
            (b"[::1]:80", b"https://[::1]:8443/a?b"),
        ):
            client = await rig.connect(port)
            answer = await client.ask(b"GET /a?b HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
            assert (answer.status, answer.field(b"location")) == (301, where)
        client = await rig.connect(port)
        assert (await client.ask(b"GET /a HTTP/1.0\r\n\r\n")).status == 400


async def test_targets_may_be_unix_sockets(rig: Rig, tmp_path: Path) -> None:
    path = str(tmp_path / "a server.sock")
    behind = ScriptedServer()
    await behind.start(path)
    rig.route("/u", f"http+unix://{quote(path, safe='')}/base")
    for _ in range(2):
        assert (await rig.ask(get(b"/u/echo"))).status == 200
    assert behind.seen[0].target == b"/base/u/echo"
    assert behind.connections == 1
    await behind.stop()


async def test_the_proxy_may_listen_on_unix_sockets(server: ScriptedServer, tmp_path: Path) -> None:
    public, api = str(tmp_path / "public.sock"), str(tmp_path / "api.sock")
    async with running_proxy(server, public=Address(path=public), api=Address(path=api)):
        client = Client(*await asyncio.open_unix_connection(public))
        assert (await client.ask(get(b"/t/echo"))).status == 200
        assert server.seen[0].field(b"x-forwarded-for") == b"unknown"
        client.close()
        with pytest.raises(OSError, match="another process listens"):
            await Proxy(options(public=Address(path=public))).start()
    assert not (tmp_path / "public.sock").exists()


async def test_a_left_over_socket_is_replaced(server: ScriptedServer, tmp_path: Path) -> None:
    path = str(tmp_path / "public.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    async with running_proxy(server, public=Address(path=path)):
        client = Client(*await asyncio.open_unix_connection(path))
        assert (await client.ask(get(b"/t/204"))).status == 204
        client.close()


async def test_metrics_are_served_in_prometheus_format(server: ScriptedServer) -> None:
    async with running_proxy(server, metrics=Address("127.0.0.1", 0)) as rig:
        await rig.ask(get(b"/t/echo"))
        await rig.ask(get(b"/nowhere"))
        await rig.api("GET", "/api/routes")
        client = await rig.connect(rig.proxy.ports[2])
        answer = await client.ask(get(b"/metrics"))
        assert (answer.field(b"content-type") or b"").startswith(b"text/plain")
        lines = answer.body.decode().splitlines()
        assert {
            "# TYPE requests_web counter",
            "requests_web 2",
            "requests_ws 0",
            "api_route_get 1",
            "api_route_add 2",
            'requests_proxy{status="200"} 1',
            'requests_proxy{status="404"} 1',
            'requests_api{status="200"} 1',
            "find_target_for_req_count 2",
            "last_activity_updating_count 1",
        } <= set(lines)
        assert any(line.startswith("process_cpu_seconds_total ") for line in lines)
        assert (
            float(next(x for x in lines if x.startswith("find_target_for_req_sum")).split()[1]) > 0
        )
        assert (await client.ask(get(b"/other"))).status == 404
        assert (await client.ask(post(b"/metrics", b""))).status == 405
