"""Whatever people, processes and crashes do, in any order, servers end somewhere.

Sequences of requests, stops, deaths, failures and crashes of the hub are made up
by hypothesis and played on real rooms with a real database.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers_fakes import Plan
from servers_house import House, Replica, until

from perijove.domain.errors import CallerError, PluginError
from perijove.domain.servers import Server, State, Wish
from perijove.store import servers as server_rows

NAMES = ("ada", "bob")
STEPS = ("start", "stop", "die", "pass", "long pass", "crash", "adopt", "fail next", "work next")

steps = st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(NAMES)), max_size=25)


async def play(house: House, moves: Sequence[tuple[str, str]]) -> Replica:
    """Do all that; the replica that lives at the end."""
    hub = await house.replica(watch=True)
    for name in NAMES:
        await hub.user(name)
        house.world.plans[f"{name}/"] = Plan(
            events=[{"progress": 50, "message": "half"}], lost=True
        )
    for step, name in moves:
        plan = house.world.plans[f"{name}/"]
        if step == "start":
            try:
                await hub.request(name)
            except CallerError:
                pass  # it runs, or is on its way somewhere
        elif step == "stop":
            server = await hub.commands.find(name, "")
            assert server is not None
            await hub.commands.request_stop(server)
        elif step == "die":
            house.world.kill(f"{name}/")
        elif step == "pass":
            await asyncio.sleep(0)
        elif step == "long pass":
            await asyncio.sleep(0.01)
        elif step == "adopt":
            await hub.sweep.adopt()
        elif step == "crash":
            await hub.kill()
            hub = await house.replica(watch=True)
        elif step == "fail next":
            plan.start_error = PluginError("FakeSpawner", "start", "no")
        else:
            plan.start_error = None
    return hub


def ended(server: Server) -> bool:
    """Whether nothing is on its way with a server."""
    return server.state in (State.STOPPED, State.READY) and server.pending is None


async def settle(hub: Replica) -> list[Server]:
    """The servers once all have ended somewhere."""
    for _ in range(3):
        await hub.sweep.adopt()

    async def rows() -> list[Server] | None:
        found = [await hub.commands.find(name, "") for name in NAMES]
        known = [server for server in found if server is not None]
        return known if all(ended(server) for server in known) else None

    servers: list[Server] = await until("an end of all servers", rows)
    await until("the end of all tasks", lambda: len(hub.runner._tasks) == 0)
    return servers


async def check(hub: Replica, servers: list[Server]) -> None:
    for server in servers:
        ready = server.state is State.READY
        assert (server.lease_owner == hub.lease.id) == ready
        assert (hub.holdings.get(server.id) is not None) == ready
        assert (server.wanted is Wish.UP) == ready
        assert (server.token_id is not None) == ready
        assert (server.url is not None) == ready
        assert (f"/user/{server.user_name}/" in hub.proxy.table) == ready
        assert len(hub.world.pids(server.full_name)) <= ready
        events = await hub.events(server)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert all(not event.last for event in events[:-1])
        assert not ready or events[-1].data.get("ready")
    count = sum(server.state is State.READY for server in servers)
    assert await hub.server_tokens() == count
    assert await hub.server_clients() == count
    assert await hub.database.read(lambda c: len(server_rows.active(c))) == count


async def whole(moves: Sequence[tuple[str, str]], folder: str) -> None:
    house = House(f"sqlite:///{Path(folder, 'hub.sqlite')}")
    try:
        hub = await play(house, moves)
        for name in NAMES:
            if not hub.world.pids(f"{name}/"):
                # A server that died unseen is found by a poll.
                server = await hub.commands.find(name, "")
                holding = hub.holdings.get(server.id) if server is not None else None
                if holding is not None:
                    await hub.runner.poll(holding)
        await check(hub, await settle(hub))
    finally:
        await house.close()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(moves=steps)
def test_any_sequence_leaves_every_server_ready_or_stopped_with_nothing_left_over(
    moves: Sequence[tuple[str, str]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(whole(moves, folder))
