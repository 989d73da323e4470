"""Several hubs on one database: who acts, who waits, who takes over."""

import asyncio

import pytest
from servers_fakes import Plan
from servers_house import House, until

from perijove.domain.errors import InvalidInput, LeaseLost
from perijove.domain.servers import State, Wish
from perijove.servers import lifecycle
from perijove.servers.lifecycle import Move
from perijove.store import leases
from perijove.store import servers as server_rows


async def test_a_living_replica_keeps_its_servers(any_house: House) -> None:
    first, second = await any_house.replica(), await any_house.replica()
    server = await first.up("ada")
    assert await second.sweep.adopt() == 0
    assert (await second.row(server)).lease_owner == first.lease.id


async def test_expired_lease_is_taken_over_and_old_holder_cannot_write(any_house: House) -> None:
    first, second = await any_house.replica(), await any_house.replica()
    server = await first.up("ada")
    await first.expire_lease()
    assert await second.sweep.adopt() == 1
    row = await second.row(server)
    assert (row.lease_owner, row.ready) == (second.lease.id, True)
    with pytest.raises(LeaseLost):
        await first.database.write(
            lambda c: server_rows.move(
                c,
                server.id,
                server.epoch,
                lifecycle.sources(Move.TAKE_DOWN),
                lifecycle.target(Move.TAKE_DOWN),
            )
        )
    await first.commands.request_stop(server)
    await until("its end", lambda: first.holdings.get(server.id) is None)
    assert (await second.row(server)).state is State.READY
    assert len(any_house.world.pids("ada/")) == 1
    assert "stop" not in any_house.world.called("ada/")


async def test_a_start_on_one_replica_is_waited_for_on_another(any_house: House) -> None:
    first, second = await any_house.replica(), await any_house.replica()
    server = await first.request("ada")
    ready = await second.commands.wait_started(await second.row(server), 5)
    assert ready.ready


async def test_a_start_asked_for_on_two_replicas_happens_once(any_house: House) -> None:
    first, second = await any_house.replica(), await any_house.replica()
    await first.user("ada")
    gate = asyncio.Event()
    any_house.world.plans["ada/"] = Plan(start_gate=gate)
    ours, theirs = await asyncio.gather(first.request("ada"), second.request("ada"))
    assert ours.epoch == theirs.epoch
    gate.set()
    await first.commands.wait_started(ours, 5)
    await second.commands.wait_started(theirs, 5)
    assert len(any_house.world.launches) == 1
    assert len(any_house.world.pids("ada/")) == 1


async def test_a_stop_asked_for_on_another_replica_reaches_the_holder(any_house: House) -> None:
    first, second = await any_house.replica(watch=True), await any_house.replica()
    server = await first.up("ada")
    await second.commands.request_stop(server)
    assert await second.commands.wait_stopped(server, 5)
    assert any_house.world.processes == {}
    assert first.audit.records[-1] == ("stop", "ada", "")


async def test_a_stop_of_a_start_asked_for_on_another_replica_cancels_it(any_house: House) -> None:
    first, second = await any_house.replica(watch=True), await any_house.replica()
    any_house.world.plans["ada/"] = Plan(start_gate=asyncio.Event(), launch_before_gate=True)
    server = await first.request("ada")
    await first.until_called("ada/", "start")
    await second.commands.request_stop(server)
    assert (await second.row(server)).pending == "stop"
    assert await second.commands.wait_stopped(server, 5)
    assert any_house.world.processes == {}
    row = await second.row(server)
    assert row.failure is not None
    assert row.failure.reason == "cancelled"


async def test_a_server_that_is_to_stop_elsewhere_cannot_be_started(any_house: House) -> None:
    first, second = await any_house.replica(), await any_house.replica()
    server = await first.up("ada")
    await second.commands.request_stop(server)
    with pytest.raises(InvalidInput, match="pending stop"):
        await second.request("ada")


async def test_a_wish_outlives_the_holder(any_house: House) -> None:
    first, second = await any_house.replica(), await any_house.replica()
    server = await first.up("ada")
    await second.commands.request_stop(server)
    await first.kill()
    await second.sweep.adopt()
    row = await second.until_state(server, State.STOPPED)
    assert row.wanted is Wish.DOWN
    assert any_house.world.processes == {}


async def test_a_replica_that_leaves_in_good_order_is_followed_at_once(any_house: House) -> None:
    first, second = await any_house.replica(), await any_house.replica()
    server = await first.up("ada")
    await first.close()
    assert await second.sweep.adopt() == 1
    assert (await second.row(server)).ready
    assert len(any_house.world.pids("ada/")) == 1


async def test_a_process_of_another_machine_is_left_to_that_machine(any_house: House) -> None:
    first = await any_house.replica(host="m1")
    second = await any_house.replica(host="m2")
    any_house.world.plans["ada/"] = Plan(local_host="m1")
    server = await first.up("ada")
    await first.kill()
    assert await second.sweep.adopt() == 0
    third = await any_house.replica(host="m1")
    assert await third.sweep.adopt() == 1
    assert (await third.row(server)).ready


async def test_a_start_that_was_cut_off_on_another_machine_is_left_to_it(any_house: House) -> None:
    first = await any_house.replica(host="m1")
    second = await any_house.replica(host="m2")
    any_house.world.plans["ada/"] = Plan(local_host="m1", start_gate=asyncio.Event())
    await first.request("ada")
    await first.until_called("ada/", "start")
    await first.kill()
    assert await second.sweep.adopt() == 0


async def test_two_rivals_share_the_orphans_without_overlap(any_house: House) -> None:
    first = await any_house.replica()
    servers = [await first.up(f"user{n}") for n in range(12)]
    second, third = await any_house.replica(), await any_house.replica()
    await first.kill()
    taken = await asyncio.gather(second.sweep.adopt(), third.sweep.adopt())
    assert sum(taken) == len(servers)
    for server in servers:
        row = await second.row(server)
        assert row.ready
        assert row.epoch == server.epoch + 1
        holders = [r for r in (second, third) if r.holdings.get(server.id) is not None]
        assert [r.lease.id for r in holders] == [row.lease_owner]


async def test_a_replica_whose_lease_lapsed_unseen_may_go_on_if_there_is_no_rival(
    any_house: House,
) -> None:
    only = await any_house.replica()
    await only.expire_lease()
    assert await only.database.write(lambda c: leases.renew(c, only.lease.id, 15))


async def test_a_replica_whose_lease_lapsed_is_dead_if_there_is_a_rival(any_house: House) -> None:
    first, _ = await any_house.replica(), await any_house.replica()
    await first.expire_lease()
    assert not await first.database.write(lambda c: leases.renew(c, first.lease.id, 15))
