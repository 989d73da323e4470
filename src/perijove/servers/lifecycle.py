"""The life of a server: every state, every move, in one table.

The theory. A server's row holds a wish (``wanted``) and a fact (``state``). A
replica holds an active server through its lease; only the holder moves it, and
each move is one conditional update that names the states it may start from and
the holder's epoch. A move that changes no row means the lease is gone.

Two rules for whoever edits the table: a state that is not STOPPED must have a
move that leads towards STOPPED; and what a crash would strand between two moves
must be found again from the row alone (see ``sweep``).

The documentation's diagram is drawn from ``MOVES``.
"""

from enum import StrEnum

from perijove.domain.servers import State


class Move(StrEnum):
    """What can happen to a server."""

    REQUEST = "request"
    """Somebody asks for it; the replica that took the request holds it at once."""
    LAUNCH = "launch"
    """Token and OAuth client exist; the plug-in begins."""
    RETURN = "return"
    """The plug-in gave an address."""
    ANSWER = "answer"
    """The server answers and the proxy routes to it."""
    TAKE_DOWN = "take down"
    """Somebody wants it down, the start failed, or it died."""
    END = "end"
    """The plug-in's clean-up is done."""


MOVES: dict[Move, tuple[frozenset[State], State]] = {
    Move.REQUEST: (frozenset({State.STOPPED}), State.QUEUED),
    Move.LAUNCH: (frozenset({State.QUEUED}), State.STARTING),
    Move.RETURN: (frozenset({State.STARTING}), State.PROBING),
    Move.ANSWER: (frozenset({State.PROBING}), State.READY),
    Move.TAKE_DOWN: (
        # STOPPING itself: a stop that a dead replica began is begun again.
        frozenset({State.QUEUED, State.STARTING, State.PROBING, State.READY, State.STOPPING}),
        State.STOPPING,
    ),
    Move.END: (frozenset({State.STOPPING}), State.STOPPED),
}


def sources(move: Move) -> frozenset[State]:
    """The states that a move may start from."""
    return MOVES[move][0]


def target(move: Move) -> State:
    """The state that a move leads to."""
    return MOVES[move][1]
