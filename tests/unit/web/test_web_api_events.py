"""The stream of all servers as the API sends it: scopes, resumption, revocation."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from web_house import ROOT, WebHouse

from perijove.domain.errors import Conflict
from perijove.domain.users import User


@dataclass
class Listener:
    """One client of the stream: an ASGI request that stays open."""

    house: WebHouse
    token: str
    cursor: str = ""
    status: int = 0
    received: list[dict[str, Any]] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        """Be a client until the stream ends or the task is cancelled."""
        headers = [(b"host", b"hub.test"), (b"authorization", f"token {self.token}".encode())]
        headers += [(b"last-event-id", self.cursor.encode())] if self.cursor else []
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/hub/api/events",
            "raw_path": b"/hub/api/events",
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("hub.test", 80),
        }
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
            elif message.get("body"):
                self._take(message["body"].decode())

        await self.house.built.application(scope, receive, send)
        self.ended.set()

    def _take(self, text: str) -> None:
        for block in text.split("\n\n"):
            lines = dict(line.partition(": ")[::2] for line in block.splitlines() if line)
            if "id" in lines:
                self.cursors.append(lines["id"])
            if "data" in lines:
                self.received.append({"event": lines.get("event"), **json.loads(lines["data"])})
        self.news.set()

    async def until(self, count: int) -> list[dict[str, Any]]:
        """The events, once there are ``count`` of them."""
        async with asyncio.timeout(10):
            while len(self.received) < count:
                self.news.clear()
                await self.news.wait()
        return self.received


@pytest.fixture
async def listen(house: WebHouse) -> AsyncIterator[Any]:
    """``listen(token, cursor)``: a client that follows in the background."""
    tasks = []

    def begin(token: str, cursor: str = "") -> Listener:
        listener = Listener(house, token, cursor)
        tasks.append(asyncio.create_task(listener.listen()))
        return listener

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await house.rooms.feed.close()


async def make_server(house: WebHouse, user: User, name: str) -> None:
    await house.rooms.commands.create(user, name, display_name=None, options=None)


@pytest.fixture
async def house(tmp_path: Any) -> AsyncIterator[WebHouse]:
    made = await WebHouse.open(tmp_path, "c.JupyterHub.allow_named_servers = True\n")
    yield made
    await made.close()


async def test_all_is_told_to_who_may_see_all_and_little_to_others(
    house: WebHouse, listen: Any
) -> None:
    ada, bob = await house.add_user("ada"), await house.add_user("bob")
    own = (await house.as_user("ada")).headers["authorization"].removeprefix("token ")
    everything, hers = listen(ROOT), listen(own)
    assert (await everything.until(1))[0] == {"event": "snapshot", "servers": []}
    await hers.until(1)
    await make_server(house, bob, "his")
    await make_server(house, ada, "hers")
    all_seen = await everything.until(3)
    assert [(e["event"], e["user"], e["name"]) for e in all_seen[1:]] == [
        ("server", "bob", "his"),
        ("server", "ada", "hers"),
    ]
    assert all_seen[1]["server"]["full_name"] == "bob/his"
    assert "state" in all_seen[1]["server"]
    seen = await hers.until(2)
    assert [e["user"] for e in seen[1:]] == ["ada"]
    assert "state" not in seen[1]["server"]


async def test_the_last_event_id_says_where_to_go_on(house: WebHouse, listen: Any) -> None:
    ada = await house.add_user("ada")
    first = listen(ROOT)
    await first.until(1)
    await make_server(house, ada, "one")
    await first.until(2)
    await make_server(house, ada, "two")
    await first.until(3)
    again = listen(ROOT, first.cursors[1])
    assert [(e["event"], e.get("name")) for e in await again.until(1)] == [("server", "two")]
    lost = listen(ROOT, "unknown-7")
    assert (await lost.until(1))[0]["event"] == "snapshot"


async def test_a_removed_server_is_told(house: WebHouse, listen: Any) -> None:
    ada = await house.add_user("ada")
    await make_server(house, ada, "one")
    stream = listen(ROOT)
    await stream.until(1)
    assert (await house.root.delete("/users/ada")).status_code == 204
    events = await stream.until(3)  # the default server goes as well
    gone = [(e["event"], e["user"], e["name"], e["server"]) for e in events[1:]]
    assert ("removed", "ada", "one", None) in gone


async def test_the_stream_ends_with_the_token(
    house: WebHouse, listen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perijove.web.api.events.KEEPALIVE_S", 0.05)
    ada = await house.add_user("ada")
    token = (await house.as_user("ada")).headers["authorization"].removeprefix("token ")
    stream = listen(token)
    await stream.until(1)
    (detail,) = (await house.root.get("/users/ada/tokens")).json()["api_tokens"]
    await house.root.delete(f"/users/ada/tokens/{detail['id']}")
    await make_server(house, ada, "later")
    await asyncio.wait_for(stream.ended.wait(), 10)
    assert len(stream.received) == 1


async def test_without_the_scope_there_is_no_stream(house: WebHouse) -> None:
    await house.add_user("ada")
    blind = await house.as_user("ada", ["read:users:name!user"])
    answer = await blind.get("/events")
    assert answer.status_code == 403
    assert "read:servers" in answer.json()["message"]


async def test_asking_for_the_head_of_the_stream_ends_at_once(house: WebHouse) -> None:
    async with asyncio.timeout(10):
        answer = await house.root.head("/events")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_making_a_server_twice_tells_once(house: WebHouse, listen: Any) -> None:
    ada = await house.add_user("ada")
    stream = listen(ROOT)
    await stream.until(1)
    await make_server(house, ada, "one")
    with pytest.raises(Conflict):
        await make_server(house, ada, "one")
    await make_server(house, ada, "two")
    assert [e["name"] for e in (await stream.until(3))[1:]] == ["one", "two"]
