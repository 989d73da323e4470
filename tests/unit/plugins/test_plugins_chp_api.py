"""The client of the proxy's API, and the one with the operator's options."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from perijove.domain.settings import HttpClientSettings
from perijove.kit.http import HttpClient
from perijove.plugins import chp_api
from perijove.plugins.chp_api import ProxyRefused, RouteApi
from perijove.plugins.http import make_http_client
from perijove.plugins.http_options import OptionedClient

OPTIONS = HttpClientSettings(
    {"limit": 3, "use_dns_cache": False},
    {"timeout": aiohttp.ClientTimeout(total=0.2), "headers": {"X-By": "hub"}},
)


class Peer:
    """A proxy's API that gives these answers, the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str]] = [(200, "{}")]
        self.asked: list[tuple[str, str, str]] = []
        self.headers: Any = {}
        self.gate: asyncio.Event | None = None
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.raw_path, await request.text()))
        self.headers = request.headers
        if self.gate is not None:
            await self.gate.wait()
        status, text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, text=text, headers={"X-Seen": "yes"})


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    made = Peer()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = "http://{}:{}".format(*runner.addresses[0][:2])
    yield made
    if made.gate is not None:
        made.gate.set()
    await runner.cleanup()


@pytest.fixture
async def api(peer: Peer) -> AsyncIterator[RouteApi]:
    made = RouteApi()
    made.configure(f"{peer.url}/below/", "secret", asyncio.BoundedSemaphore(2))
    yield made
    await made.close()


async def test_a_route_is_added_with_the_secret_and_its_path_as_written(
    peer: Peer, api: RouteApi
) -> None:
    peer.answers = [(201, "")]
    assert await api.request("POST", "/user/%40a%2Fb", {"target": "http://h"}) == {}
    path = "/below/api/routes/user/%40a%2Fb"
    assert peer.asked == [("POST", path, '{"target": "http://h"}')]
    assert peer.headers["Authorization"] == "token secret"
    assert peer.headers["Content-Type"] == "application/json"


async def test_only_a_route_to_be_deleted_may_be_missing(peer: Peer, api: RouteApi) -> None:
    peer.answers = [(404, "nothing there")]
    assert await api.request("DELETE", "/user/a") is None
    with pytest.raises(ProxyRefused, match="404 nothing there"):
        await api.request("GET", "")
    assert len(peer.asked) == 2


async def test_a_proxy_in_trouble_is_asked_again(peer: Peer, api: RouteApi) -> None:
    peer.answers = [(503, "wait"), (200, '{"/": {"target": "x"}}')]
    assert await api.request("GET", "") == {"/": {"target": "x"}}
    assert len(peer.asked) == 2


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:1"])
async def test_the_last_trouble_is_told_when_time_is_up(
    peer: Peer, api: RouteApi, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chp_api, "RETRY_FOR_S", 0.2)
    peer.answers = [(500, "broken")]
    if url:
        api.configure(url, "secret", asyncio.BoundedSemaphore(2))
    with pytest.raises(RuntimeError, match=r"does not answer GET /x: .*(broken|failed)"):
        await api.request("GET", "/x")


async def test_without_options_the_small_client_asks() -> None:
    assert isinstance(make_http_client(HttpClientSettings(), None, keep=True), HttpClient)


@pytest.mark.parametrize("socket", [None, "/srv/proxy.sock"])
@pytest.mark.parametrize("keep", [True, False])
async def test_the_operators_options_count_where_they_apply(
    socket: str | None, *, keep: bool
) -> None:
    client = make_http_client(OPTIONS, None, keep=keep)
    assert isinstance(client, OptionedClient)
    connector = client.session(socket).connector
    assert connector is not None
    assert (connector.limit, connector.force_close) == (3, not keep)
    assert isinstance(connector, aiohttp.UnixConnector) is (socket is not None)
    await client.close()


async def test_the_operators_client_gives_the_same_answers(peer: Peer) -> None:
    peer.answers = [(302, "moved")]
    client = make_http_client(OPTIONS, None, keep=True)
    answer = await client.ask("POST", f"{peer.url}/%40a", body=b"b", timeout_s=5)
    assert (answer.status, answer.body, answer.headers["x-seen"]) == (302, b"moved", "yes")
    assert peer.asked == [("POST", "/%40a", "b")]
    assert peer.headers["X-By"] == "hub"
    await client.close()


@pytest.mark.parametrize("timeout_s", [0.05, 60])
async def test_of_the_operators_time_and_ours_the_shorter_counts(
    peer: Peer, timeout_s: float
) -> None:
    peer.gate = asyncio.Event()
    client = make_http_client(OPTIONS, None, keep=True)
    async with asyncio.timeout(5):
        with pytest.raises(TimeoutError):
            await client.ask("GET", peer.url, timeout_s=timeout_s)
    await client.close()


async def test_a_route_may_take_as_long_as_the_operator_says(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chp_api, "REQUEST_TIMEOUT_S", 0.01)
    patient = HttpClientSettings({}, {"timeout": aiohttp.ClientTimeout(total=60)})
    api = RouteApi(http=patient)
    api.configure(peer.url, "secret", asyncio.BoundedSemaphore(1))
    peer.gate = asyncio.Event()
    asking = asyncio.create_task(api.request("GET", "", retry=False))
    await asyncio.wait([asking], timeout=0.2)
    assert not asking.done()
    peer.gate.set()
    assert await asking == {}
    await api.close()


async def test_no_connection_is_the_same_error_for_both_clients() -> None:
    for settings in (HttpClientSettings(), OPTIONS):
        client = make_http_client(settings, None, keep=True)
        with pytest.raises(OSError):
            await client.ask("GET", "http://127.0.0.1:1/", timeout_s=5)
        await client.close()
