"""A server's request to a plug-in's handler is answered where the server's start runs.

Handlers such as batchspawner's write into the live spawner object of the server that
calls, so with several replicas the request must reach the one that holds the server.
It is found by the server's token, and the request travels as messages of the bus:
replicas need no address of one another. A message that is lost ends in 503.
"""

import asyncio
import base64
import json
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from perijove.compat.bridge import TornadoGuest
from perijove.domain.events import Message, Topic
from perijove.kit.aio import Tasks
from perijove.kit.crypto import hash_token
from perijove.store import servers as server_store
from perijove.store import tokens as token_store
from perijove.store.engine import Database
from perijove.web.caller import token_of
from perijove.work.bus import Bus

log = logging.getLogger("perijove.compat")

ANSWER_S = 20.0
"""How long the other replica may take."""
CHUNK_BYTES = 5000
"""A notice of PostgreSQL holds less than 8000 bytes, and base64 adds a third."""
MOST_BYTES = 512 * 1024
RELAYED = "perijove.relayed"
"""Marks a request that was handed over, so that it is not handed over again."""

Scope = Any
Guest = Callable[[Scope, Any, Any], Awaitable[None]]


@dataclass(slots=True)
class _Arriving:
    """The parts of one text that have come so far."""

    parts: dict[int, str] = field(default_factory=dict)

    def add(self, number: int, count: int, part: str) -> bytes | None:
        """The whole text, once all parts are there."""
        self.parts[number] = part
        if len(self.parts) < count:
            return None
        return base64.b64decode("".join(self.parts[n] for n in range(count)))


class Relay:
    """Hands requests over to other replicas, and answers those that they hand over."""

    def __init__(self, bus: Bus, replica: str, database: Database) -> None:
        """``replica`` is this one's id."""
        self._bus = bus
        self._replica = replica
        self._database = database
        self._arriving: dict[tuple[str, str], _Arriving] = {}
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._tasks = Tasks("relay")
        self._guest: Guest | None = None
        bus.subscribe(Topic.RELAY, self._hear)

    def answer_with(self, guest: Guest) -> None:
        """What answers the requests of others."""
        self._guest = guest

    async def close(self) -> None:
        """Stop answering."""
        await self._tasks.close()

    # -- handing over ------------------------------------------------------------------
    async def holder_of(self, scope: Scope) -> str | None:
        """The other replica that holds the server whose token the request carries."""
        token = None if RELAYED in scope else token_of(Request(scope))
        if not token:
            return None

        def read(connection: Any) -> str | None:
            bearer = token_store.find(connection, hash_token(token))
            if bearer is None:
                return None
            user_id = bearer.token.user_id
            servers = server_store.of_user(connection, user_id) if user_id is not None else []
            owners = [s.lease_owner for s in servers if s.active and s.token_id == bearer.token.id]
            return owners[0] if owners else None

        owner = await self._database.read(read)
        return owner if owner and owner != self._replica else None

    async def hand_over(self, replica: str, scope: Scope, receive: Any) -> Response:
        """What the other replica answers; 413 for a body that is too big, 503 for silence."""
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            return Response(status_code=400)
        if len(body) > MOST_BYTES:
            return Response("413 Content Too Large\n", 413, media_type="text/plain")
        request, identifier = _packed_request(scope, body), uuid.uuid4().hex
        future = self._waiting[identifier] = asyncio.get_running_loop().create_future()
        try:
            self._send(replica, "request", identifier, request)
            answer = await asyncio.wait_for(future, ANSWER_S)
        except TimeoutError:
            log.warning("Replica %s did not answer a request that is for it", replica)
            return Response(
                "503 The replica that starts this server does not answer\n",
                503,
                {"retry-after": "5"},
                media_type="text/plain",
            )
        finally:
            del self._waiting[identifier]
        response = Response(base64.b64decode(answer["body"]), answer["status"])
        response.raw_headers = _raw(answer["headers"])
        return response

    # -- messages ----------------------------------------------------------------------
    def _send(self, to: str, kind: str, identifier: str, content: dict[str, Any]) -> None:
        text = base64.b64encode(json.dumps(content).encode()).decode()
        size = CHUNK_BYTES // 3 * 4
        parts = [text[start : start + size] for start in range(0, len(text), size)]
        for number, part in enumerate(parts):
            key = json.dumps([to, self._replica, kind, identifier, number, len(parts), part])
            self._bus.publish(Message(Topic.RELAY, key))

    def _hear(self, key: str) -> None:
        to, sender, kind, identifier, number, count, part = json.loads(key)
        if to != self._replica:
            return
        place = (sender, identifier)
        text = self._arriving.setdefault(place, _Arriving()).add(number, count, part)
        if text is None:
            asyncio.get_running_loop().call_later(ANSWER_S, self._arriving.pop, place, None)
            return
        self._arriving.pop(place, None)
        content = json.loads(text)
        if kind == "request":
            self._tasks.spawn(self._answer(sender, identifier, content), "relayed request")
            return
        future = self._waiting.get(identifier)
        if future is not None and not future.done():
            future.set_result(content)

    async def _answer(self, replica: str, identifier: str, request: dict[str, Any]) -> None:
        assert self._guest is not None
        collected = _Collected()
        scope = {**request["scope"], "type": "http", RELAYED: True}
        scope["raw_path"] = scope["raw_path"].encode("latin-1")
        scope["query_string"] = scope["query_string"].encode("latin-1")
        scope["headers"] = _raw(scope["headers"])
        scope["client"] = tuple(scope["client"])
        body, asked = base64.b64decode(request["body"]), False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if asked:
                await collected.done.wait()
                return {"type": "http.disconnect"}
            asked = True
            return {"type": "http.request", "body": body, "more_body": False}

        try:
            await self._guest(scope, receive, collected.take)
        finally:
            self._send(replica, "answer", identifier, collected.packed())


@dataclass(slots=True)
class _Collected:
    """An answer as it comes out of an ASGI application."""

    status: int = 500
    headers: list[list[str]] = field(default_factory=list)
    body: bytes = b""
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, message: Any) -> None:
        """``send`` of the application."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = _readable(message["headers"])
            return
        self.body += message.get("body", b"")
        if len(self.body) > MOST_BYTES:
            raise RuntimeError("the answer is too long to be relayed")
        if not message.get("more_body", False):
            self.done.set()

    def packed(self) -> dict[str, Any]:
        """For the journey; what broke off becomes 500."""
        whole = self.done.is_set()
        return {
            "status": self.status if whole else 500,
            "headers": self.headers if whole else [],
            "body": base64.b64encode(self.body if whole else b"").decode(),
        }


def _readable(headers: Any) -> list[list[str]]:
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]


def _raw(headers: Any) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _packed_request(scope: Scope, body: bytes) -> dict[str, Any]:
    kept = {name: scope[name] for name in ("method", "path", "scheme", "http_version")}
    raw_path = scope.get("raw_path") or scope["path"].encode()
    return {
        "scope": {
            **kept,
            "raw_path": raw_path.decode("latin-1"),
            "query_string": scope["query_string"].decode("latin-1"),
            "headers": _readable(scope["headers"]),
            "client": list(scope.get("client") or ("127.0.0.1", 0)),
        },
        "body": base64.b64encode(body).decode(),
    }


class RelayedGuest:
    """An ASGI application whose requests may be for another replica."""

    def __init__(self, guest: TornadoGuest, relay: Relay) -> None:
        self._guest = guest
        self._relay = relay
        relay.answer_with(guest)

    def owns(self, raw_path: str) -> bool:
        """Whether one of the handlers answers this path."""
        return self._guest.owns(raw_path)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer one request, here or elsewhere."""
        replica = await self._relay.holder_of(scope)
        if replica is None:
            await self._guest(scope, receive, send)
            return
        response = await self._relay.hand_over(replica, scope, receive)
        await response(scope, receive, send)
