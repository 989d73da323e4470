"""The table of moves: what it promises by itself, and that the store keeps to it."""

import pytest
from servers_house import Replica

from perijove.domain.errors import LeaseLost
from perijove.domain.servers import State
from perijove.servers import lifecycle
from perijove.servers.lifecycle import MOVES, Move
from perijove.store import servers as server_rows


def reachable(start: State, without: Move | None = None) -> set[State]:
    seen = {start}
    while True:
        new = {
            target
            for move, (sources, target) in MOVES.items()
            if move is not without and sources & seen
        } - seen
        if not new:
            return seen
        seen |= new


def test_every_move_stands_in_the_table() -> None:
    assert set(MOVES) == set(Move)


@pytest.mark.parametrize("state", State)
def test_every_state_leads_to_stopped_without_a_new_request(state: State) -> None:
    assert State.STOPPED in reachable(state, without=Move.REQUEST)


def test_every_state_can_be_reached_from_stopped() -> None:
    assert reachable(State.STOPPED) == set(State)


@pytest.mark.parametrize("state", [state for state in State if state is not State.STOPPED])
def test_what_is_active_can_be_taken_down(state: State) -> None:
    assert state in lifecycle.sources(Move.TAKE_DOWN)


@pytest.mark.parametrize("move", Move)
@pytest.mark.parametrize("state", State)
async def test_the_store_makes_exactly_the_moves_of_the_table(
    hub: Replica, move: Move, state: State
) -> None:
    await hub.user("ada")
    server = await hub.commands.find("ada", "")
    assert server is not None
    await hub.set(server, state=state.value, epoch=7)

    async def make(epoch: int) -> None:
        await hub.database.write(
            lambda c: server_rows.move(
                c, server.id, epoch, lifecycle.sources(move), lifecycle.target(move)
            )
        )

    with pytest.raises(LeaseLost):
        await make(6)
    assert (await hub.row(server)).state is state
    if state in lifecycle.sources(move):
        await make(7)
        assert (await hub.row(server)).state is lifecycle.target(move)
    else:
        with pytest.raises(LeaseLost):
            await make(7)
        assert (await hub.row(server)).state is state
