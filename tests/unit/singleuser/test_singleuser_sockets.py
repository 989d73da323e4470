"""WebSockets of people who signed out."""

from typing import Any

import pytest

pytest.importorskip("tornado")

from perijove.hubauth.client import HubUnreachable
from perijove.hubauth.identity import UserModel
from perijove.singleuser.sockets import CLOSE_CODE, OpenSockets


class Socket:
    """As much of a handler as is looked at."""

    def __init__(self) -> None:
        self.close_code: int | None = None
        self.ws_connection: object | None = object()
        self.closed_with: tuple[int, str] | None = None

    def close(self, code: int, reason: str) -> None:
        self.closed_with = (code, reason)
        self.close_code = code


class Hub:
    """Knows some tokens, or is down."""

    def __init__(self) -> None:
        self.models: dict[str, UserModel] = {"a": {"name": "alice"}, "b": {"name": "bob"}}
        self.allowed = {"alice", "bob"}
        self.down = False
        self.asked = 0

    async def identify(self, token: str, session_id: str) -> UserModel | None:
        self.asked += 1
        if self.down:
            raise HubUnreachable("down")
        return self.models.get(token)

    def may_enter(self, model: UserModel) -> bool:
        return model["name"] in self.allowed


def make() -> tuple[OpenSockets, Hub]:
    hub = Hub()
    return OpenSockets(hub.identify, hub.may_enter), hub


def add(sockets: OpenSockets, token: str) -> Any:
    socket: Any = Socket()
    sockets.add(socket, token, "session")
    return socket


async def test_sockets_of_a_dead_token_are_closed_with_a_reason_and_others_live() -> None:
    sockets, hub = make()
    alice, bob = add(sockets, "a"), add(sockets, "b")
    assert await sockets.check() == 0
    del hub.models["a"]
    assert await sockets.check() == 1
    assert alice.closed_with[0] == CLOSE_CODE
    assert "signed out" in alice.closed_with[1]
    assert bob.closed_with is None


async def test_who_lost_access_loses_the_socket() -> None:
    sockets, hub = make()
    bob = add(sockets, "b")
    hub.allowed.remove("bob")
    assert await sockets.check() == 1
    assert bob.closed_with


async def test_one_visitor_with_many_sockets_is_one_question() -> None:
    sockets, hub = make()
    keep = [add(sockets, "a") for _ in range(20)]
    await sockets.check()
    assert hub.asked == 1
    assert len(sockets) == len(keep)


async def test_a_hub_that_is_down_closes_nothing() -> None:
    sockets, hub = make()
    alice = add(sockets, "a")
    hub.down = True
    assert await sockets.check() == 0
    assert alice.closed_with is None


async def test_handlers_that_are_gone_are_not_kept() -> None:
    sockets, _ = make()
    socket = add(sockets, "a")
    socket.close(1000, "bye")
    await sockets.check()
    assert len(sockets) == 0
    add(sockets, "b")
    assert len(sockets) == 0
