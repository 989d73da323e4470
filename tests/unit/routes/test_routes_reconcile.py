"""The wanted table, and a proxy's table made equal to it."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perijove.domain.errors import PluginError
from perijove.domain.routes import Route
from perijove.domain.servers import Server, State, Wish
from perijove.domain.users import Service
from perijove.routes.addresses import Addresses
from perijove.routes.desired import Desired, FixedRoutes, desired_routes, origin_of
from perijove.routes.publish import ServerRoutes
from perijove.routes.reconcile import Reconciler

ADDRESSES = Addresses("/")
FIXED = FixedRoutes("/", "http://127.0.0.1:8081", {"/docs": "http://127.0.0.1:9/"})
READY = Server(1, 1, "ada", "", None, Wish.UP, State.READY, 1, url="http://127.0.0.1:5")
SPEC = "/user/ada/"


class TableProxy:
    """A proxy that is a dictionary, and that fails for some routespecs."""

    class_name = "TableProxy"

    def __init__(self, table: dict[str, Route] | None = None) -> None:
        self.table = table or {}
        self.calls: list[str] = []
        self.failing: set[str] = set()
        self.before_answer: Callable[[], None] = lambda: None

    async def routes(self) -> dict[str, Route]:
        table = dict(self.table)
        await asyncio.sleep(0)
        self.before_answer()
        return table

    async def add_route(self, route: Route) -> None:
        await self._do("add", route.routespec)
        self.table[route.routespec] = route

    async def delete_route(self, routespec: str) -> None:
        await self._do("delete", routespec)
        self.table.pop(routespec, None)

    async def _do(self, verb: str, spec: str) -> None:
        self.calls.append(f"{verb} {spec}")
        await asyncio.sleep(0)
        if spec in self.failing:
            raise PluginError(self.class_name, verb, f"no {spec}")


def reconciler(
    proxy: TableProxy, *servers: Server, services: list[Service] | None = None
) -> Reconciler:
    async def desired() -> Desired:
        return desired_routes(ADDRESSES, FIXED, servers, services or [])

    return Reconciler(proxy, desired)  # type: ignore[arg-type]


def route(spec: str, target: str = "http://127.0.0.1:7") -> Route:
    return Route(spec, target)


@pytest.mark.parametrize("state", State)
def test_only_ready_servers_are_wanted_and_moving_ones_keep_what_they_have(state: State) -> None:
    found = desired_routes(ADDRESSES, FIXED, [replace(READY, state=state)], [])
    assert (SPEC in found.routes) == (state is State.READY)
    assert (SPEC in found.untouched) == (state not in (State.READY, State.STOPPED))


def test_a_server_that_is_being_checked_keeps_what_it_has() -> None:
    found = desired_routes(ADDRESSES, FIXED, [replace(READY, checking=True)], [])
    assert SPEC in found.untouched
    assert SPEC not in found.routes


def test_the_table_holds_hub_operator_servers_and_services() -> None:
    services = [Service(1, "stats", url="http://127.0.0.1:6/sub/"), Service(2, "cull")]
    found = desired_routes(ADDRESSES, FIXED, [READY], services)
    assert {spec: r.target for spec, r in found.routes.items()} == {
        "/": "http://127.0.0.1:8081",
        "/docs/": "http://127.0.0.1:9/",
        SPEC: "http://127.0.0.1:5",
        "/services/stats/": "http://127.0.0.1:6",
    }
    assert found.routes["/"].data == {"hub": True}
    assert found.routes[SPEC].data == {"user": "ada", "server_name": ""}
    assert found.routes["/services/stats/"].data == {"service": "stats"}


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://h:1/a/b", "http://h:1"),
        ("https://[::1]:2", "https://[::1]:2"),
        ("http://h", "http://h"),
    ],
)
def test_a_target_is_a_url_without_its_path(url: str, origin: str) -> None:
    assert origin_of(url) == origin


async def test_missing_wrong_and_stale_routes_are_mended() -> None:
    proxy = TableProxy({SPEC: route(SPEC), "/user/gone/": route("/user/gone/")})
    before = dict(proxy.table)
    assert await reconciler(proxy, READY).check() == before
    assert sorted(proxy.calls) == ["add /", "add /docs/", f"add {SPEC}", "delete /user/gone/"]
    assert proxy.table[SPEC].target == READY.url
    proxy.calls.clear()
    await reconciler(proxy, READY).check()
    assert proxy.calls == []


@pytest.mark.parametrize(
    ("before", "after"), [(State.READY, State.STOPPING), (State.READY, None), (None, State.READY)]
)
async def test_what_moves_while_it_is_mended_is_looked_at_again(
    before: State | None, after: State | None
) -> None:
    """The server's own change of the table came before the mend, and was lost."""
    looks = iter([before, after])
    proxy = TableProxy({SPEC: route(SPEC, READY.url)} if before is None else {})

    async def desired() -> Desired:
        state = next(looks, after)
        servers = [replace(READY, state=state)] if state is not None else []
        return desired_routes(ADDRESSES, FIXED, servers, [])

    await Reconciler(proxy, desired).check()  # type: ignore[arg-type]
    assert (SPEC in proxy.table) is (after is State.READY)


async def test_a_final_slash_makes_no_difference_between_targets() -> None:
    proxy = TableProxy()
    await reconciler(proxy).check()
    proxy.table["/"] = route("/", "http://127.0.0.1:8081/")
    proxy.calls.clear()
    await reconciler(proxy).check()
    assert proxy.calls == []


async def test_a_route_that_is_added_while_the_proxy_answers_is_not_deleted() -> None:
    proxy = TableProxy()
    servers: list[Server] = []

    async def desired() -> Desired:
        return desired_routes(ADDRESSES, FIXED, servers, [])

    def start_ada() -> None:
        servers.append(READY)
        proxy.table[SPEC] = route(SPEC, READY.url or "")

    proxy.before_answer = start_ada
    await Reconciler(proxy, desired).check()  # type: ignore[arg-type]
    assert SPEC in proxy.table


async def test_one_route_that_fails_keeps_no_other_from_being_mended(
    caplog: pytest.LogCaptureFixture,
) -> None:
    proxy = TableProxy({"/old/": route("/old/")})
    proxy.failing = {SPEC, "/old/"}
    with pytest.raises(PluginError):
        await reconciler(proxy, READY).check()
    assert set(proxy.table) == {"/", "/docs/", "/old/"}
    assert [r for r in caplog.records if r.levelno == logging.ERROR]
    proxy.failing = set()
    await reconciler(proxy, READY).check()
    assert set(proxy.table) == {"/", "/docs/", SPEC}


async def test_an_empty_proxy_gets_its_whole_table_again() -> None:
    proxy = TableProxy()
    await reconciler(proxy, READY).restore()
    assert set(proxy.table) == {"/", "/docs/", SPEC}


async def test_checks_at_once_happen_one_after_another() -> None:
    proxy = TableProxy()
    both = reconciler(proxy, READY)
    await asyncio.gather(both.check(), both.check())
    assert sorted(proxy.calls) == ["add /", "add /docs/", f"add {SPEC}"]


SPECS = ["/", "/docs/", *(f"/user/u{n}/" for n in range(5)), "/services/s/", "/other/"]


@given(
    states=st.lists(st.sampled_from(State), min_size=5, max_size=5),
    actual=st.dictionaries(st.sampled_from(SPECS), st.sampled_from(["http://a:1", "http://b:2"])),
)
def test_any_table_becomes_the_wanted_one(states: list[State], actual: dict[str, str]) -> None:
    servers = [
        replace(READY, id=n, user_name=f"u{n}", state=state, url="http://a:1")
        for n, state in enumerate(states)
    ]
    proxy = TableProxy({spec: route(spec, target) for spec, target in actual.items()})
    wanted = desired_routes(ADDRESSES, FIXED, servers, [])
    asyncio.run(reconciler(proxy, *servers).check())
    kept = {spec: actual[spec] for spec in actual if spec in wanted.untouched}
    assert {spec: r.target for spec, r in proxy.table.items()} == {
        **{spec: r.target for spec, r in wanted.routes.items()},
        **kept,
    }


async def test_a_servers_route_is_added_and_removed() -> None:
    proxy = TableProxy()
    routes = ServerRoutes(proxy, ADDRESSES)  # type: ignore[arg-type]
    await routes.add(READY, "http://127.0.0.1:5")
    assert proxy.table[SPEC].target == "http://127.0.0.1:5"
    await routes.remove(READY)
    assert proxy.table == {}


async def test_a_route_that_cannot_be_added_is_an_error_one_that_stays_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    proxy = TableProxy()
    proxy.failing = {SPEC}
    routes = ServerRoutes(proxy, ADDRESSES)  # type: ignore[arg-type]
    with pytest.raises(PluginError):
        await routes.add(READY, "http://127.0.0.1:5")
    await routes.remove(READY)
    assert f"{SPEC} stays for now" in caplog.text
