"""Whether a started server answers, asked of real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from perijove.domain.errors import PluginError, StartFailed
from perijove.kit.http import HttpClient
from perijove.routes import probe
from perijove.routes.probe import Prober


class Peer:
    """A server that answers with ``status``, and how often it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.asked = 0
        self.url = ""
        self.gate: asyncio.Event | None = None

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        headers = {"X-JupyterHub-Version": "6.1.1", "Location": "/elsewhere"}
        return web.Response(status=self.status, headers=headers)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    made = Peer()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}/api"
    yield made
    if made.gate is not None:
        made.gate.set()
    await runner.cleanup()


@pytest.fixture
async def prober(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Prober]:
    monkeypatch.setattr(probe, "POLL_EVERY_S", 0.02)
    made = Prober(HttpClient(keep=False))
    yield made
    await made.close()
    await made.close()


def answering(*answers: int | Exception | None) -> Callable[[], Awaitable[int | None]]:
    """A poll that gives these, the last one again and again."""
    left = list(answers)

    async def poll() -> int | None:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return poll


@pytest.mark.parametrize("status", [200, 204, 302, 401, 403, 404, 499])
async def test_any_status_below_500_is_a_sign_of_life(
    peer: Peer, prober: Prober, status: int
) -> None:
    peer.status = status
    answer = await prober.wait(peer.url, 5, answering(None))
    assert (answer.status, answer.version) == (status, "6.1.1")
    assert peer.asked == 1


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_in_trouble_is_asked_again(peer: Peer, prober: Prober, status: int) -> None:
    peer.status = status
    assert await prober.ask(peer.url, 5) is None
    waiting = asyncio.create_task(prober.wait(peer.url, 5, answering(None)))
    async with asyncio.timeout(5):
        while peer.asked < 3:
            await asyncio.sleep(0.01)
    peer.status = 200
    assert (await waiting).status == 200


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/api", "nonsense", "http://[bad/", "http://"])
async def test_nobody_there_is_no_answer(prober: Prober, url: str) -> None:
    assert await prober.ask(url, 1) is None


async def test_time_ends_for_a_server_that_never_answers(prober: Prober) -> None:
    with pytest.raises(StartFailed) as caught:
        await prober.wait("http://127.0.0.1:1/api", 0.1, answering(None))
    assert caught.value.reason == "timeout"
    assert "0.1 seconds" in caught.value.message
    assert caught.value.option == "c.Spawner.http_timeout"


async def test_time_ends_for_a_server_that_takes_the_connection_only(
    peer: Peer, prober: Prober
) -> None:
    peer.gate = asyncio.Event()
    with pytest.raises(StartFailed):
        await prober.wait(peer.url, 0.2, answering(None))


async def test_a_server_that_ended_is_waited_for_no_longer(prober: Prober) -> None:
    with pytest.raises(StartFailed) as caught:
        await prober.wait("http://127.0.0.1:1/api", 60, answering(None, None, 7))
    assert caught.value.reason == "exited"
    assert "exit status 7" in caught.value.message


async def test_a_poll_that_fails_ends_the_wait_with_the_plug_ins_words(prober: Prober) -> None:
    failing = answering(PluginError("Fake", "poll", "no cluster"))
    with pytest.raises(PluginError, match="no cluster"):
        await prober.wait("http://127.0.0.1:1/api", 60, failing)


async def test_a_poll_that_hangs_does_not_make_the_time_longer(prober: Prober) -> None:
    async def hangs() -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(5):
        with pytest.raises(StartFailed) as caught:
            await prober.wait("http://127.0.0.1:1/api", 0.2, hangs)
    assert caught.value.reason == "timeout"


async def test_a_server_that_begins_to_listen_is_found(peer: Peer, prober: Prober) -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
        url = f"http://127.0.0.1:{port}/api"
        waiting = asyncio.create_task(prober.wait(url, 10, answering(None)))
        await asyncio.sleep(0.05)
        assert not waiting.done()
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    assert (await waiting).status == 404
    await runner.cleanup()
