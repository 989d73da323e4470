"""WebSockets of people who signed out or lost access."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

pytest.importorskip("tornado")

from perijove.hubauth.client import HubUnreachable
from perijove.hubauth.identity import UserModel
from perijove.hubauth.sockets import CLOSE_CODE, OpenSockets


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

    async def identify(self, token: str, session_id: str, max_age_s: float) -> UserModel | None:
        self.asked += 1
        if self.down:
            raise HubUnreachable("down")
        return self.models.get(token)

    def may_stay(self, socket: Any, model: UserModel) -> bool:
        return model["name"] in self.allowed


def make() -> tuple[OpenSockets, Hub]:
    hub = Hub()
    sockets = OpenSockets(hub.identify)
    sockets.every_s = 3600.0  # looked at by the tests
    return sockets, hub


def add(sockets: OpenSockets, hub: Hub, token: str) -> Any:
    socket: Any = Socket()
    sockets.add(socket, token, "session", hub.may_stay)
    return socket


@pytest.fixture(autouse=True)
async def no_watch_is_left() -> AsyncIterator[None]:
    """Watches of a test end with it."""
    yield
    for task in asyncio.all_tasks():
        if task.get_name() == "hubauth:check-sockets":
            task.cancel()


async def test_sockets_of_a_dead_token_are_closed_with_a_reason_and_others_live() -> None:
    sockets, hub = make()
    alice, bob = add(sockets, hub, "a"), add(sockets, hub, "b")
    assert await sockets.check() == 0
    del hub.models["a"]
    assert await sockets.check() == 1
    assert alice.closed_with[0] == CLOSE_CODE
    assert "signed out" in alice.closed_with[1]
    assert bob.closed_with is None


async def test_who_lost_access_loses_the_socket() -> None:
    sockets, hub = make()
    bob = add(sockets, hub, "b")
    hub.allowed.remove("bob")
    assert await sockets.check() == 1
    assert bob.closed_with


async def test_one_visitor_with_many_sockets_is_one_question() -> None:
    sockets, hub = make()
    keep = [add(sockets, hub, "a") for _ in range(20)]
    await sockets.check()
    assert hub.asked == 1
    assert len(sockets) == len(keep)


async def test_a_hub_that_is_down_closes_nothing() -> None:
    sockets, hub = make()
    alice = add(sockets, hub, "a")
    hub.down = True
    assert await sockets.check() == 0
    assert alice.closed_with is None


async def test_handlers_that_are_gone_are_not_kept() -> None:
    sockets, hub = make()
    socket = add(sockets, hub, "a")
    socket.close(1000, "bye")
    await sockets.check()
    assert len(sockets) == 0
    add(sockets, hub, "b")
    assert len(sockets) == 0


async def test_a_rule_that_fails_lets_nobody_stay_and_hinders_no_other() -> None:
    sockets, hub = make()
    alice, bob = add(sockets, hub, "a"), add(sockets, hub, "b")

    def broken(socket: Any, model: UserModel) -> bool:
        raise RuntimeError("a mistake")

    sockets.add(alice, "a", "session", broken)
    assert await sockets.check() == 1
    assert alice.closed_with
    assert bob.closed_with is None


async def test_sockets_are_watched_while_there_are_any() -> None:
    sockets, hub = make()
    sockets.every_s = 0.01
    for _ in range(2):
        alice = add(sockets, hub, "a")
        hub.models.pop("a", None)
        async with asyncio.timeout(10):
            while alice.closed_with is None:
                await asyncio.sleep(0.01)
        hub.models["a"] = {"name": "alice"}
    bob = add(sockets, hub, "b")
    await sockets.stop()
    assert bob.closed_with is None
