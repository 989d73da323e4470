"""Libraries that people use, through the proxy, to a stand-in for a single-user server."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from proxy_kit import ScriptedServer, closed_port, running_proxy, until
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

SERVER = Path(__file__).parents[1] / "conformance" / "mock_singleuser.py"
MEG = 1 << 20


class Stand:
    """The proxy's address and the server's process."""

    def __init__(self, port: int, process: "subprocess.Popen[bytes]") -> None:
        self.port = port
        self.process = process
        self.http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}/user/ravi/", trust_env=False, timeout=20
        )

    def ws(self, path: str) -> str:
        """The address of a websocket."""
        return f"ws://127.0.0.1:{self.port}/user/ravi/{path}"


@pytest.fixture
def mock_server() -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """The mock server's port and process."""
    port = closed_port()
    process = subprocess.Popen(
        [sys.executable, str(SERVER)],
        env={
            **os.environ,
            "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}/user/ravi/",
            "JUPYTERHUB_SERVICE_PREFIX": "/user/ravi/",
        },
    )
    yield port, process
    process.kill()
    process.wait()


@pytest.fixture
async def stand(
    server: ScriptedServer, mock_server: tuple[int, "subprocess.Popen[bytes]"]
) -> AsyncIterator[Stand]:
    """A proxy with the mock server at ``/user/ravi``."""
    port, process = mock_server
    async with running_proxy(server) as rig:
        rig.route("/user/ravi", f"http://127.0.0.1:{port}")
        found = Stand(rig.port, process)
        async with found.http:
            end = time.monotonic() + 20
            while (await found.http.get("api")).status_code != 200:
                assert time.monotonic() < end, "the mock server does not answer"
            yield found


@pytest.mark.parametrize(
    "tail",
    [
        "a%2Fb%20c",
        "x?q=1%2B2&q=3&empty=&flag",
        "files/%C3%9Cbung.ipynb",
        "a//b",
        "trailing/",
        "semi;params=1",
        "tilde~and(par)",
        "api/contents/dir%23one%3Ftwo",
    ],
)
async def test_path_and_query_arrive_as_sent(stand: Stand, tail: str) -> None:
    assert (await stand.http.get(tail)).json()["target"] == "/user/ravi/" + tail


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_methods_and_bodies_arrive(stand: Stand, method: str) -> None:
    content = None if method == "GET" else b"body"
    seen = (await stand.http.request(method, "echo", content=content)).json()
    assert seen["method"] == method
    assert seen["body"] == ("" if method == "GET" else "body")


async def test_head_is_answered_without_body(stand: Stand) -> None:
    reply = await stand.http.head("echo")
    assert (reply.status_code, reply.content, reply.headers["x-mock"]) == (200, b"", "yes")


@pytest.mark.parametrize("status", [201, 204, 304, 400, 401, 403, 404, 418, 429, 500, 502, 503])
async def test_the_servers_status_passes(stand: Stand, status: int) -> None:
    reply = await stand.http.get(f"status/{status}")
    assert (reply.status_code, reply.headers["x-mock"]) == (status, "yes")


async def test_cookies_and_redirects_pass(stand: Stand) -> None:
    reply = await stand.http.get("cookies")
    assert reply.headers.get_list("set-cookie") == ["one=1; Path=/", "two=2; Path=/"]
    reply = await stand.http.get("redirect?to=/user/ravi/lab%3Fx=1")
    assert (reply.status_code, reply.headers["location"]) == (302, "/user/ravi/lab?x=1")


@pytest.mark.parametrize("size", [0, 1, 65_536, 8 * MEG])
async def test_uploads_arrive(stand: Stand, size: int) -> None:
    body = os.urandom(size)
    seen = (await stand.http.post("up", content=body)).json()
    assert seen["body_sha256"] == hashlib.sha256(body).hexdigest()


async def test_chunked_uploads_arrive(stand: Stand) -> None:
    parts = [os.urandom(100_000) for _ in range(50)]

    async def flowing() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    seen = (await stand.http.post("up", content=flowing())).json()
    assert seen["body_sha256"] == hashlib.sha256(b"".join(parts)).hexdigest()


@pytest.mark.parametrize("kind", ["stream", "sse"])
async def test_streams_are_not_held_back(stand: Stand, kind: str) -> None:
    times, text = [], ""
    async with stand.http.stream("GET", f"{kind}?n=4&gap=0.2") as reply:
        async for block in reply.aiter_text():
            times.append(time.monotonic())
            text += block
    assert all(f"chunk-{n}" in text for n in range(4))
    assert times[-1] - times[0] > 0.4


@pytest.mark.parametrize(
    "message",
    ["hello", "ünï 日本", "", "x" * 200_000, b"\x00\xff" * 10, b"z" * (3 * MEG)],
    ids=["text", "unicode", "empty", "long", "binary", "3MiB"],
)
async def test_websocket_messages_come_back(stand: Stand, message: str | bytes) -> None:
    async with connect(stand.ws("ws?session_id=1"), max_size=None) as socket:
        await socket.send(message)
        assert await socket.recv() == message


async def test_websocket_options_pass(stand: Stand) -> None:
    protocol = "v1.kernel.websocket.jupyter.org"
    async with connect(stand.ws("ws"), subprotocols=[protocol]) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == protocol
        await (await socket.ping())
        for n in range(200):
            await socket.send(str(n))
        assert [await socket.recv() for _ in range(200)] == [str(n) for n in range(200)]


async def test_many_websockets_are_told_apart(stand: Stand) -> None:
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(connect(stand.ws("ws"))) for _ in range(20)]
        for n, socket in enumerate(sockets):
            await socket.send(str(n))
        assert [await socket.recv() for socket in sockets] == [str(n) for n in range(20)]


async def test_a_websocket_ends_with_its_server_and_then_is_refused(stand: Stand) -> None:
    async with connect(stand.ws("ws")) as socket:
        await socket.send("a")
        assert await socket.recv() == "a"
        stand.process.kill()
        await until(lambda: stand.process.poll() is not None, "server ended")
        with pytest.raises(WebSocketException):
            await socket.recv()
    with pytest.raises(InvalidStatus) as refused:
        await connect(stand.ws("ws"))
    assert refused.value.response.status_code == 503
    reply = await stand.http.get("x")
    assert (reply.status_code, reply.headers["content-type"]) == (503, "text/html; charset=utf-8")
