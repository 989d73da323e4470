"""Several proxies behind one hub: the same routes in all, and activity from all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from perijove.plugins.chp import ConfigurableHTTPProxy
from perijove.proxy.options import Address, Options
from perijove.proxy.service import Proxy

TOKEN = "shared"


@asynccontextmanager
async def two_proxies() -> AsyncIterator[tuple[Proxy, Proxy, ConfigurableHTTPProxy]]:
    """Two running proxies, and the hub's side of them."""
    here = Address("127.0.0.1", 0)
    proxies = [Proxy(Options(public=here, api=here, token=TOKEN)) for _ in range(2)]
    for proxy in proxies:
        await proxy.start()
    urls = [f"http://127.0.0.1:{proxy.ports[1]}" for proxy in proxies]
    hub_side = ConfigurableHTTPProxy(
        api_url=urls[0], other_api_urls=urls[1:], auth_token=TOKEN, should_start=False
    )
    try:
        yield proxies[0], proxies[1], hub_side
    finally:
        await hub_side._let_go()
        for proxy in proxies:
            await proxy.stop()


def keys(proxy: Proxy) -> set[str]:
    """The keys of a proxy's routes."""
    return {route.key for route in proxy.plane.table}


async def test_all_proxies_get_and_lose_a_route() -> None:
    async with two_proxies() as (first, second, hub_side):
        await hub_side.add_route("/user/ada/", "http://127.0.0.1:1", {"user": "ada"})
        assert keys(first) == keys(second) == {"/user/ada"}
        await hub_side.delete_route("/user/ada/")
        assert keys(first) == keys(second) == set()


async def test_the_latest_activity_of_all_counts() -> None:
    async with two_proxies() as (first, second, hub_side):
        await hub_side.add_route("/a/", "http://127.0.0.1:1", {})
        for proxy, moment_s in ((first, 1000.0), (second, 2000.0)):
            route = proxy.plane.table.get("/a")
            assert route is not None
            route.last_activity_s = moment_s
        routes = await hub_side.get_all_routes()
        assert routes["/a/"]["data"]["last_activity"] == "1970-01-01T00:33:20.000Z"
        assert routes["/a/"]["target"] == "http://127.0.0.1:1"


async def test_a_proxy_that_differs_is_put_right_by_the_next_check() -> None:
    async with two_proxies() as (first, second, hub_side):
        wanted = {"/a/": "http://127.0.0.1:1", "/b/": "http://127.0.0.1:2"}
        hub_side.extra_routes = wanted
        await hub_side.check_routes({}, {})
        second.control.remove_route("/a")
        stale = {"target": "http://127.0.0.1:9", "jupyterhub": True}
        second.control.add_route("/b", "http://127.0.0.1:9", stale)
        second.control.add_route("/old", "http://127.0.0.1:9", stale)
        await hub_side.check_routes({}, {})
        for proxy in (first, second):
            assert {route.key + "/": route.target.url for route in proxy.plane.table} == wanted


async def test_a_proxy_that_is_down_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    async with two_proxies() as (first, second, hub_side):
        await second.stop()
        async with asyncio.timeout(10):
            await hub_side.add_route("/a/", "http://127.0.0.1:1", {})
            assert set(await hub_side.get_all_routes()) == {"/a/"}
        assert keys(first) == {"/a"}
        assert "does not answer POST /a" in caplog.text
