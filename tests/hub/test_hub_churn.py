"""Temporary users by the hundred: all get their server, and nothing of them stays.

``PERIJOVE_TEST_CHURN`` (``500x3``) is how many users come in each round, and how many
rounds there are. The hub's memory may not grow after the first.
"""

import asyncio
import os
import secrets
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest
from harness import HERE, ROOT_TOKEN, HubProcess, MakeHub, wait_for
from leftovers import rows

from perijove.wire.client import HubClient
from perijove.wire.requests import ServerRequest

USERS, ROUNDS = map(int, os.environ.get("PERIJOVE_TEST_CHURN", "500x3").split("x"))
AT_ONCE = 50
LIMIT_S = 180
"""For one round."""
GROWTH = 1.05
"""How much more memory the hub may have after the last round than after the first."""

pytestmark = pytest.mark.slow

SETTINGS = f"""
from jupyterhub.spawner import SimpleLocalProcessSpawner

class TemporarySpawner(SimpleLocalProcessSpawner):
    def get_env(self):
        env = super().get_env()
        env["NOTEBOOK_TOKEN"] = self.user_options["token"]
        env["IMAGE"] = self.user_options["image"]
        return env

c.JupyterHub.authenticator_class = "null"
c.JupyterHub.hub_routespec = "/hub/api/"
c.JupyterHub.spawner_class = TemporarySpawner
c.Spawner.cmd = [{sys.executable!r}, "-I", "-S", {str(HERE / "token_server.py")!r}]
c.Spawner.args = []
c.JupyterHub.concurrent_spawn_limit = 0
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 0}}
"""


async def stay(hub: HubProcess, client: HubClient, web: httpx.AsyncClient, name: str) -> None:
    """One temporary user: comes, gets a server, looks at it, goes."""
    token = secrets.token_urlsafe(16)
    await client.create_user(name)
    options = {"image": f"registry/{name}:1", "token": token}
    assert not await client.start_server(name, "", ServerRequest(user_options=options))
    if name.endswith("7"):
        # Some close the browser before their server is there.
        await client.delete_user(name, wait_s=60)
        return
    events = [event async for event in client.follow_start(name)]
    assert events[-1].ready, events
    page = f"{hub.origin}{events[-1].url}"
    refused = await web.get(page)
    arrived = await web.get(page, params={"token": token})
    assert refused.status_code == 403
    assert (arrived.status_code, arrived.text) == (200, f"{name} registry/{name}:1")
    if name.endswith("3"):
        assert await client.stop_server(name, wait_s=60)
    assert await client.delete_user(name, wait_s=60)


async def one_round(hub: HubProcess, number: int) -> None:
    """So many users, so many of them at a time."""
    gate = asyncio.Semaphore(AT_ONCE)
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with (
        HubClient(hub.origin, ROOT_TOKEN, timeout_s=LIMIT_S) as client,
        httpx.AsyncClient(trust_env=False, timeout=LIMIT_S, limits=limits) as web,
        asyncio.timeout(LIMIT_S),
        asyncio.TaskGroup() as group,
    ):

        async def guest(name: str) -> None:
            async with gate:
                await stay(hub, client, web, name)

        for position in range(USERS):
            group.create_task(guest(f"guest-{number}-{position}"))


def assert_only_these_stay(db_url: str, before: dict[str, int]) -> None:
    """Wait a little for the last rows to go."""
    try:
        wait_for("the last rows to go", lambda: rows(db_url) == before, 20)
    except AssertionError:
        now = rows(db_url)
        more = {name: now[name] - before[name] for name in now if now[name] != before[name]}
        raise AssertionError(f"rows that stayed: {more}") from None


def test_temporary_users_come_and_go_and_leave_nothing(
    make_hub: MakeHub, database_url: str
) -> None:
    hub = make_hub(SETTINGS, db_url=database_url)
    assert hub.process is not None
    process = psutil.Process(hub.process.pid)
    files = process.num_fds()
    processes = {found.pid for found in hub.processes()}
    before, routes = rows(database_url), {route.routespec for route in hub.client.routes()}
    sizes = []
    for number in range(ROUNDS):
        # In a thread of its own: browser tests of the same process leave a running loop here.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, one_round(hub, number)).result()
        assert_only_these_stay(database_url, before)
        assert {route.routespec for route in hub.client.routes()} == routes
        wait_for("servers' processes to end", lambda: not hub.server_processes(), 20)
        assert {found.pid for found in hub.processes()} == processes
        sizes.append(process.memory_info().rss)
        print(f"round {number + 1}: {sizes[-1] / 2**20:.1f} MiB, {process.num_fds()} files")
    assert sizes[-1] <= sizes[0] * GROWTH, sizes
    # Connections of the proxy and of the clients may be kept open for the next request.
    assert process.num_fds() <= files + 2 * AT_ONCE
    wrong = [line for line in hub.log.read_text().splitlines() if line.startswith(("[E", "[C"))]
    assert not wrong, wrong[:5]
