"""The ASGI middleware by itself: WebSockets, open streams, bodies, what it does not touch."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hubauth_faces import BASE, SCOPE, gate_for

from perijove.hubauth.asgi import VISITOR, HubAuthMiddleware, SignedOut
from perijove.hubauth.client import HubReply, HubRequest, HubUnreachable
from perijove.hubauth.gate import HubGate
from perijove.hubauth.link import HubLink
from perijove.kit.crypto import sign_value

KNOWN = {"name": "bob", "scopes": [SCOPE]}
Messages = list[dict[str, Any]]


class Hub:
    """Says who holds which token; can be down."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, Any]] = {"good": KNOWN}
        self.down = False

    def fetch(self, request: HubRequest) -> HubReply:
        if self.down:
            raise HubUnreachable("down")
        model = self.models.get(request.headers["Authorization"].removeprefix("token "))
        return HubReply(200 if model else 403, {}, json.dumps(model or {}).encode())


class Peer:
    """The server's side of one connection."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: Messages = []

    async def send(self, message: Any) -> None:
        self.sent.append(dict(message))


def scope_of(kind: str, headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    pairs = [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]
    return {"type": kind, "path": BASE, "query_string": b"", "headers": pairs, **more}


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Accepts a WebSocket and says who is there, then echoes until the end."""
    await receive()
    user = scope[VISITOR].user
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": user["name"]})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def ticker(scope: Any, receive: Any, send: Any) -> None:
    """A stream without an end."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": b".", "more_body": True})
        await asyncio.sleep(0.01)


def guard(
    app: Callable[..., Awaitable[None]],
    hub: Hub,
    gate: HubGate | None = None,
    max_age_s: float = 60,
) -> HubAuthMiddleware:
    gate = gate or gate_for(1)
    link = HubLink(gate.settings, max_age_s, fetch=hub.fetch)
    return HubAuthMiddleware(app, gate, link=link)


def login_cookie(gate: HubGate, token: str = "good") -> str:
    return f"service-svc={sign_value(gate.cookie_secret, 'service-svc', token.encode())}"


async def open_socket(app: HubAuthMiddleware, scope: dict[str, Any]) -> tuple[Peer, Any]:
    peer = Peer()
    task = asyncio.ensure_future(app(scope, peer.incoming.get, peer.send))
    await peer.incoming.put({"type": "websocket.connect"})
    async with asyncio.timeout(5):
        while len(peer.sent) < 2 and not task.done():
            await asyncio.sleep(0.005)
    return peer, task


async def test_a_websocket_with_a_token_is_let_in_and_carries_messages() -> None:
    head = {"Authorization": "token good"}
    peer, task = await open_socket(guard(echo, Hub()), scope_of("websocket", head))
    await peer.incoming.put({"type": "websocket.receive", "text": "hi"})
    await peer.incoming.put({"type": "websocket.disconnect"})
    await asyncio.wait_for(task, 5)
    assert [message.get("text") for message in peer.sent[1:]] == ["bob", "hi"]


@pytest.mark.parametrize(
    ("origin", "allowed", "let_in"),
    [
        ("http://hub.example", True, True),
        (None, True, True),
        ("http://evil.example", True, False),
        ("http://hub.example.evil.example", True, False),
        ("null", True, False),
        ("http://hub.example", False, False),
    ],
)
async def test_a_websocket_with_the_cookie_must_come_from_this_host(
    origin: str | None, allowed: bool, let_in: bool
) -> None:
    gate = gate_for(1, allow_websocket_cookie_auth=allowed)
    head = {"Host": "hub.example", "Cookie": login_cookie(gate)}
    if origin is not None:
        head["Origin"] = origin
    peer, task = await open_socket(guard(echo, Hub(), gate), scope_of("websocket", head))
    await peer.incoming.put({"type": "websocket.disconnect"})
    await asyncio.wait_for(task, 5)
    kinds = [message["type"] for message in peer.sent]
    assert kinds[0] == ("websocket.accept" if let_in else "websocket.close")


async def test_a_strangers_websocket_never_reaches_the_application() -> None:
    async def never(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("reached")

    peer, task = await open_socket(guard(never, Hub()), scope_of("websocket"))
    await task
    assert [message["type"] for message in peer.sent] == ["websocket.close"]


async def test_an_open_websocket_ends_when_its_token_is_revoked() -> None:
    hub = Hub()
    head = {"Authorization": "token good"}
    peer, task = await open_socket(guard(echo, hub, max_age_s=0.1), scope_of("websocket", head))
    hub.models.clear()
    await asyncio.wait_for(task, 5)
    assert peer.sent[-1] == {"type": "websocket.close", "code": 1008}


async def test_an_open_websocket_survives_while_the_hub_is_down() -> None:
    hub = Hub()
    head = {"Authorization": "token good"}
    peer, task = await open_socket(guard(echo, hub, max_age_s=0.02), scope_of("websocket", head))
    hub.down = True
    for text in ("a", "b", "c"):
        await asyncio.sleep(0.05)
        await peer.incoming.put({"type": "websocket.receive", "text": text})
    await peer.incoming.put({"type": "websocket.disconnect"})
    await asyncio.wait_for(task, 5)
    assert [message.get("text") for message in peer.sent[-3:]] == ["a", "b", "c"]


async def test_an_open_stream_ends_when_its_visitor_loses_access() -> None:
    hub = Hub()
    peer = Peer()
    scope = scope_of("http", {"Authorization": "token good"}, method="GET")
    app = guard(ticker, hub, max_age_s=0.1)
    task = asyncio.ensure_future(app(scope, peer.incoming.get, peer.send))
    async with asyncio.timeout(5):
        while len(peer.sent) < 3:
            await asyncio.sleep(0.005)
        hub.models["good"] = {"name": "bob", "scopes": []}
        with pytest.raises(SignedOut):
            await task


async def test_lifespan_messages_pass_untouched() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await guard(app, Hub())({"type": "lifespan"}, Peer().incoming.get, Peer().send)
    assert seen == ["lifespan"]


async def test_a_body_that_was_looked_at_arrives_whole_and_in_order() -> None:
    got: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            got.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    gate, peer = gate_for(1), Peer()
    guarded = guard(app, Hub(), gate)
    page = scope_of("http", {"Cookie": login_cookie(gate)}, method="GET")

    async def first_page(scope: Any, receive: Any, send: Any) -> None:
        got.append(scope[VISITOR].xsrf_token.encode())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    await guard(first_page, Hub(), gate)(page, peer.incoming.get, peer.send)
    token = got.pop().decode()
    form = "application/x-www-form-urlencoded"
    cookies = f"{login_cookie(gate)}; _xsrf={token}"
    post = scope_of("http", {"Cookie": cookies, "Content-Type": form}, method="POST")
    chunks = [b"a=1&_x", f"srf={token}".encode(), b"&b=2"]
    for index, chunk in enumerate(chunks):
        more = index < len(chunks) - 1
        await peer.incoming.put({"type": "http.request", "body": chunk, "more_body": more})
    await guarded(post, peer.incoming.get, peer.send)
    assert got == chunks
    assert peer.sent[-2]["status"] == 200
