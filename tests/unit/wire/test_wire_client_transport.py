"""The client over real sockets: TCP, UNIX, TLS, and connections that break."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web

from free_ports import free_ports
from perijove.wire.client import HubClient, Retries, SyncHubClient, TimedOut, Unreachable

ONCE = Retries(attempts=1)


def hub_application() -> web.Application:
    """Answers like a hub, with a cookie that the client must not keep."""

    async def who_am_i(request: web.Request) -> web.Response:
        assert not request.cookies, "the client sent a cookie"
        model = {
            "kind": "user",
            "name": request.headers["Authorization"],
            "admin": False,
            "groups": [],
        }
        response = web.json_response(model | {"token_id": "a1", "session_id": None, "scopes": []})
        response.set_cookie("jupyterhub-session-id", "x")
        return response

    async def never(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        raise AssertionError("nobody waits that long")

    async def users(request: web.Request) -> web.Response:
        offset = int(request.query["offset"])
        following = {"offset": offset + 1, "limit": 1, "url": ""} if offset < 2 else None
        place = {"offset": offset, "limit": 1, "total": 3, "next": following}
        return web.json_response({"items": [{"name": f"u{offset}"}], "_pagination": place})

    application = web.Application()
    application.router.add_get("/hub/api/user", who_am_i)
    application.router.add_get("/hub/api/users", users)
    application.router.add_get("/hub/api/info", never)
    return application


@asynccontextmanager
async def serving(make_site: Any) -> AsyncIterator[None]:
    runner = web.AppRunner(hub_application(), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await make_site(runner).start()
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def hub_on_tcp(context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    (port,) = free_ports(1)
    async with serving(lambda r: web.TCPSite(r, "127.0.0.1", port, ssl_context=context)):
        yield f"{'https' if context else 'http'}://127.0.0.1:{port}"


async def test_no_cookie_of_the_hub_is_kept() -> None:
    async with hub_on_tcp() as url, HubClient(url, "t") as hub:
        for _ in range(2):
            assert (await hub.who_am_i()).name == "token t"


async def test_a_hub_on_a_socket_is_reached(tmp_path: Path) -> None:
    socket = str(tmp_path / "hub.sock")
    async with (
        serving(lambda runner: web.UnixSite(runner, socket)),
        HubClient(f"http+unix://{quote(socket, safe='')}", "t") as hub,
    ):
        assert (await hub.who_am_i()).name == "token t"


async def test_a_socket_without_a_hub_is_no_riddle(tmp_path: Path) -> None:
    url = f"http+unix://{quote(str(tmp_path / 'no.sock'), safe='')}"
    async with HubClient(url, retries=ONCE) as hub:
        with pytest.raises(Unreachable, match="no such file"):
            await hub.version()


async def test_nobody_at_the_address_is_said_so() -> None:
    (port,) = free_ports(1)
    async with HubClient(f"http://127.0.0.1:{port}", retries=ONCE) as hub:
        with pytest.raises(Unreachable, match=f"127.0.0.1:{port}/hub/api: connection refused"):
            await hub.version()


async def test_a_hub_that_comes_up_meanwhile_is_reached() -> None:
    (port,) = free_ports(1)
    async with HubClient(
        f"http://127.0.0.1:{port}", "t", retries=Retries(attempts=100, max_s=0.2)
    ) as hub:
        asking = asyncio.create_task(hub.who_am_i())
        await asyncio.sleep(0)
        async with serving(lambda runner: web.TCPSite(runner, "127.0.0.1", port)):
            assert (await asking).name == "token t"


async def test_an_answer_that_does_not_come_ends_with_the_time_limit() -> None:
    async with hub_on_tcp() as url, HubClient(url, "t", timeout_s=0.2) as hub:
        with pytest.raises(TimedOut, match=r"0\.2 seconds"):
            await hub.info()


async def test_a_connection_that_breaks_in_the_answer_is_unreachable() -> None:
    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()

    (port,) = free_ports(1)
    async with (
        await asyncio.start_server(cut, "127.0.0.1", port),
        HubClient(f"http://127.0.0.1:{port}", retries=ONCE) as hub,
    ):
        with pytest.raises(Unreachable, match="connection broke"):
            await hub.version()


def certificate(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(key), "-out", str(cert), "-subj", "/CN=hub"),
        ],
        check=True,
        capture_output=True,
    )
    cert.write_text(cert.read_text() + key.read_text())
    return cert


async def test_a_certificate_must_be_trusted_and_the_environment_names_its_authority(
    tmp_path: Path,
) -> None:
    cert = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert)
    async with hub_on_tcp(context) as url:
        async with HubClient(url, "t") as hub:
            with pytest.raises(Unreachable, match="certificate is not trusted"):
                await hub.who_am_i()
        env = {
            "JUPYTERHUB_API_URL": url,
            "JUPYTERHUB_API_TOKEN": "t",
            "JUPYTERHUB_SSL_CLIENT_CA": str(cert),
        }
        async with HubClient.from_environment(env) as hub:
            assert (await hub.who_am_i()).name == "token t"


async def test_the_blocking_face_works_where_an_event_loop_runs_already() -> None:
    async with hub_on_tcp() as url:

        def use() -> list[str | None]:
            with SyncHubClient(url, "t") as hub:
                assert hub.who_am_i().name == "token t"
                return [user.name for user in hub.users()]

        assert await asyncio.to_thread(use) == ["u0", "u1", "u2"]


async def test_a_blocking_client_can_be_closed_in_the_middle_of_a_list_and_used_again() -> None:
    async with hub_on_tcp() as url:

        def use() -> None:
            hub = SyncHubClient(url, "t")
            users = hub.users()
            assert next(users).name == "u0"
            hub.close()
            hub.close()
            users.close()  # type: ignore[attr-defined]
            assert hub.who_am_i().name == "token t"
            hub.close()

        await asyncio.to_thread(use)
