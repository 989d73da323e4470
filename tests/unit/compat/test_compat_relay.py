"""A server's request reaches the replica that holds the server."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tornado.web import Application, RequestHandler

from perijove.compat import relay as relay_module
from perijove.compat.bridge import TornadoGuest
from perijove.compat.relay import MOST_BYTES, Relay, RelayedGuest
from perijove.domain.events import Message
from perijove.kit.crypto import hash_token
from perijove.store import schema
from perijove.store.engine import Database
from perijove.store.tables import oauth_clients, servers, tokens, users
from perijove.work.bus import Bus

SECRET = "token-of-a-server"


class Wire:
    """What connects the buses of two replicas. ``cut``: messages get lost."""

    def __init__(self) -> None:
        self.ends: list[Bus] = []
        self.cut = False
        self.longest = 0

    def carry(self, message: Message) -> None:
        self.longest = max(self.longest, len(message.key))
        if not self.cut:
            for end in self.ends:
                asyncio.get_running_loop().call_soon(end.deliver, message)


class WiredBus(Bus):
    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire
        wire.ends.append(self)

    def publish(self, message: Message) -> None:
        self._wire.carry(message)


class Note(RequestHandler):
    """Says which replica answered what."""

    def initialize(self, replica: str) -> None:
        self.replica = replica

    def post(self) -> None:
        if self.get_argument("break", None):
            self.write("x" * (MOST_BYTES + 1))
            return
        self.set_status(201)
        self.set_header("X-Replica", self.replica)
        body = self.request.body
        self.write({"length": len(body), "end": body[-3:].decode(), "uri": self.request.uri})


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[tuple[Wire, list[RelayedGuest]]]:
    database = Database(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    schema.require_schema(database)

    def rows(connection: Any) -> None:
        now = datetime.now(UTC)
        connection.execute(users.insert().values(id=1, name="ada", cookie_id="c" * 32, created=now))
        connection.execute(oauth_clients.insert().values(id=1, identifier="jupyterhub"))
        connection.execute(
            tokens.insert().values(
                id=5,
                hashed=hash_token(SECRET),
                user_id=1,
                client_id="jupyterhub",
                scopes=[],
                created=now,
            )
        )
        connection.execute(
            servers.insert().values(
                id=7, user_id=1, name="", state="starting", token_id=5, lease_owner="two"
            )
        )

    database.write_now(rows)
    wire, guests, relays = Wire(), [], []
    for replica in ("one", "two"):
        relays.append(Relay(WiredBus(wire), replica, database))
        application = Application([(r"/hub/api/note", Note, {"replica": replica})])
        guests.append(RelayedGuest(TornadoGuest(application, [r"/hub/api/note"]), relays[-1]))
    yield wire, guests
    for relay in relays:
        await relay.close()
    database.close()


async def ask(
    guest: RelayedGuest, body: bytes = b"end", token: str = SECRET, query: str = ""
) -> tuple[int, dict[str, str], bytes]:
    sent: list[dict[str, Any]] = []
    messages = [{"type": "http.request", "body": body}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/hub/api/note",
        "raw_path": b"/hub/api/note",
        "query_string": query.encode(),
        "headers": [(b"host", b"hub"), (b"authorization", f"token {token}".encode())],
        "client": ("10.0.0.9", 1),
        "scheme": "http",
        "http_version": "1.1",
    }
    async with asyncio.timeout(10):
        await guest(scope, receive, send)
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:])


async def test_the_replica_that_holds_the_server_answers(
    house: tuple[Wire, list[RelayedGuest]],
) -> None:
    wire, (one, two) = house
    body = b"b" * 50_000 + b"end"
    status, headers, answer = await ask(one, body, query="a=%2F")
    assert (status, headers["x-replica"]) == (201, "two")
    assert json.loads(answer) == {"length": 50_003, "end": "end", "uri": "/hub/api/note?a=%2F"}
    assert wire.longest < 7800, "a notice of PostgreSQL holds less than 8000 bytes"
    wire.cut = True
    status, headers, _ = await ask(two)
    assert (status, headers["x-replica"]) == (201, "two"), "the holder asks nobody"


async def test_other_callers_are_answered_where_they_ask(
    house: tuple[Wire, list[RelayedGuest]],
) -> None:
    wire, (one, _) = house
    wire.cut = True
    assert (await ask(one, token="of somebody else"))[1]["x-replica"] == "one"


async def test_silence_and_excess_are_errors(
    house: tuple[Wire, list[RelayedGuest]], monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, (one, _) = house
    assert (await ask(one, b"x" * (MOST_BYTES + 1)))[0] == 413
    assert (await ask(one, query="break=1"))[0] == 500
    monkeypatch.setattr(relay_module, "ANSWER_S", 0.05)
    wire.cut = True
    status, headers, _ = await ask(one)
    assert (status, headers["retry-after"]) == (503, "5")
