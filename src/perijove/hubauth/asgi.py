"""The ASGI face: a middleware that lets only visitors in whom the hub knows and admits.

Works with any ASGI application and imports no framework::

    app = HubAuthMiddleware(app)

What it learnt about a visitor is in ``scope["perijove.visitor"]`` (a
``Visitor``); ``perijove.hubauth.starlette`` reads it for Starlette and FastAPI.
A stream or WebSocket that stays open is looked at again from time to time and
ends when its visitor has signed out or lost access.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from perijove.hubauth import forms
from perijove.hubauth.client import HubError
from perijove.hubauth.gate import HubGate
from perijove.hubauth.headers import Headers
from perijove.hubauth.link import CACHE_MAX_AGE_S, HubLink
from perijove.hubauth.visits import Answer, NotAllowed, SignInNeeded, Visitor
from perijove.hubauth.web_request import WebRequest

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

VISITOR = "perijove.visitor"
"""The key of the visitor in the scope."""

POLICY_VIOLATION = 1008
"""RFC 6455 section 7.4.1."""


class SignedOut(OSError):
    """The visitor of an open stream may no longer read it (ASGI: as a lost connection)."""


class HubAuthMiddleware:
    """Identifies visitors by the hub; serves sign-in and sign-out below the prefix.

    ``allow_anonymous``: strangers reach the application too, without a user,
    and pages decide. ``cache_max_age_s``: for so many seconds an answer of the
    hub counts, and a revoked token may still be taken. Raises BadEnvironment
    when the hub's variables are missing.
    """

    def __init__(
        self,
        app: Application,
        gate: HubGate | None = None,
        *,
        allow_anonymous: bool = False,
        cache_max_age_s: float = CACHE_MAX_AGE_S,
        link: HubLink | None = None,
    ) -> None:
        self.app = app
        self.gate = gate or HubGate()
        self.link = link or HubLink(self.gate.settings, cache_max_age_s)
        self.allow_anonymous = allow_anonymous

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        body = BodyAhead(receive)
        request = await self._with_form_proof(request_of(scope), body)
        try:
            visitor = await self._own_pages(request) or await self._admit(request)
        except HubError as error:
            await _reply(Answer(error.visitor_status, str(error)), scope, send)
            return
        if isinstance(visitor, Answer):
            await _reply(visitor, scope, send)
            return
        await self._serve(scope, body.receive, send, request, visitor)

    async def _with_form_proof(self, request: WebRequest, body: "BodyAhead") -> WebRequest:
        kind = request.headers.get("Content-Type", "")
        if not (self.gate.may_prove_in_body(request) and forms.is_form(kind)):
            return request
        return request.with_form_proof(forms.find_proof(kind, await body.look()))

    async def _own_pages(self, request: WebRequest) -> Answer | None:
        if request.websocket:
            return None
        if request.path == self.gate.callback_path:
            return await self.link.drive(self.gate.finish(request))
        if request.path == self.gate.sign_out_path:
            return self.gate.sign_out(request)
        return None

    async def _admit(self, request: WebRequest) -> Visitor | Answer:
        visitor = await self.link.drive(self.gate.admit(request))
        open_to_all = self.allow_anonymous or self.gate.is_public(request)
        if visitor.user is None and not open_to_all:
            return self.gate.refuse(request, visitor)
        return visitor

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, request: WebRequest, visitor: Visitor
    ) -> None:
        watch = Watch(self, visitor, receive, send)
        try:
            await self.app({**scope, VISITOR: visitor}, watch.receive, watch.send)
        except (SignInNeeded, NotAllowed) as refusal:
            if watch.started:
                raise
            known = visitor.user is not None
            if isinstance(refusal, NotAllowed) or known:
                answer = Answer(403, str(refusal) or "You are not allowed here.")
            else:
                answer = self.gate.refuse(request, visitor)
            await _reply(answer, scope, send)
        finally:
            await watch.close()

    async def still_welcome(self, visitor: Visitor, max_age_s: float) -> bool:
        """Whether somebody who was let in may stay; yes while the hub gives no answer."""
        try:
            model = await self.link.identify(visitor.token, visitor.session_id, max_age_s)
        except HubError:
            return True
        return model is not None and self.gate.may_enter(model)


class Watch:
    """One connection that was let in: adds cookies, and ends it when its visitor has to go."""

    def __init__(
        self, middleware: HubAuthMiddleware, visitor: Visitor, receive: Receive, send: Send
    ) -> None:
        self._middleware = middleware
        self._visitor = visitor
        self._receive = receive
        self._send = send
        # Half of it between looks, at answers no older than half: together what is promised.
        self._every_s = middleware.link.identities.max_age_s / 2
        self._checked_at = time.monotonic()
        self._pending: asyncio.Task[Message] | None = None
        self._socket_open = False
        self.started = False

    async def receive(self) -> Message:
        """The next message, or the end when the visitor has to go meanwhile."""
        if self._visitor.user is None or not self._socket_open:
            return await self._receive()
        while True:
            if self._pending is None:
                self._pending = asyncio.ensure_future(self._receive())
            done, _ = await asyncio.wait({self._pending}, timeout=max(self._due_in_s(), 0.01))
            if not await self._may_stay():
                with suppress(OSError, RuntimeError):
                    await self._send({"type": "websocket.close", "code": POLICY_VIOLATION})
                return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}
            if done:
                message, self._pending = self._pending.result(), None
                return message

    async def send(self, message: Message) -> None:
        """Pass a message on. Raises SignedOut when the visitor has to go."""
        if message["type"] in {"http.response.start", "websocket.accept"}:
            self.started = True
            self._socket_open = message["type"] == "websocket.accept"
            given = list(message.get("headers", []))
            message = {**message, "headers": [*given, *self._headers(given)]}
        elif self._visitor.user is not None and not await self._may_stay():
            raise SignedOut("the visitor has signed out or lost access")
        await self._send(message)

    def _headers(self, given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        decoded = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in given)
        return _encoded(self._visitor.header_pairs(decoded))

    def _due_in_s(self) -> float:
        return self._checked_at + self._every_s - time.monotonic()

    async def _may_stay(self) -> bool:
        if self._due_in_s() > 0:
            return True
        self._checked_at = time.monotonic()
        return await self._middleware.still_welcome(self._visitor, self._every_s)

    async def close(self) -> None:
        """Let go of a message that nobody waits for any more."""
        if self._pending is not None:
            self._pending.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._pending


class BodyAhead:
    """Reads the beginning of a body early; the application receives it as if nobody had."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read: list[Message] = []

    async def look(self) -> bytes:
        """The body, or its first part when it is long."""
        parts: list[bytes] = []
        size = 0
        while size < forms.MAX_LOOK_BYTES:
            message = await self._receive()
            self._read.append(message)
            if message["type"] != "http.request":
                break
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if not message.get("more_body", False):
                break
        return b"".join(parts)

    async def receive(self) -> Message:
        """The messages in their order."""
        return self._read.pop(0) if self._read else await self._receive()


def request_of(scope: Scope) -> WebRequest:
    """The framework-free view of a connection."""
    pairs = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope.get("headers", ())]
    client = scope.get("client") or ("", 0)
    return WebRequest(
        method=scope.get("method", "GET"),
        path=scope["path"],
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=Headers(pairs),
        scheme=scope.get("scheme", "http"),
        remote_ip=str(client[0]),
        websocket=scope["type"] == "websocket",
        raw_path=(scope.get("raw_path") or b"").decode("latin-1"),
    )


async def _reply(answer: Answer, scope: Scope, send: Send) -> None:
    """Send an answer of the gate; a WebSocket is refused with 403 by the server."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": answer.message})
        return
    pairs = _encoded(answer.header_pairs())
    await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
    body = b"" if scope.get("method") == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})


def _encoded(pairs: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in pairs]
