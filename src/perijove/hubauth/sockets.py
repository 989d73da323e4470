"""Closes WebSockets whose visitor signed out or lost access (tornado).

A WebSocket is checked when it opens and may then live for days. Who opened it is
asked about again from time to time, through the cache that other requests use, so
an idle page costs the hub a question now and then, however many sockets it has.
"""

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tornado.websocket import WebSocketHandler

from perijove.hubauth.client import HubError
from perijove.hubauth.identity import UserModel
from perijove.kit.aio import Tasks

CLOSE_CODE = 1008
"""Policy violation (RFC 6455 section 7.4.1)."""

CLOSE_REASON = "signed out or no longer allowed"

MAX_AGE_S = 30.0
"""How old the hub's word about the visitor of an open socket may be."""

log = logging.getLogger("perijove.hubauth")


class Identify(Protocol):
    """Asks who holds a token; a cached answer may be ``max_age_s`` old. Raises HubError."""

    def __call__(
        self, token: str, session_id: str, max_age_s: float
    ) -> Awaitable[UserModel | None]: ...


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who opened a socket, and what decides whether they may stay."""

    token: str = field(repr=False)
    session_id: str = field(repr=False)
    may_stay: Callable[[Any, UserModel], bool]


class OpenSockets:
    """The open WebSockets of a process. Watches them in the background while there are any."""

    every_s = 5.0
    """Seconds between looks."""

    def __init__(self, identify: Identify) -> None:
        self._identify = identify
        self._open: weakref.WeakKeyDictionary[Any, Admitted] = weakref.WeakKeyDictionary()
        self._tasks = Tasks("hubauth")
        self._watching = False

    def __len__(self) -> int:
        return len(self._open)

    def add(
        self,
        handler: WebSocketHandler,
        token: str,
        session_id: str,
        may_stay: Callable[[Any, UserModel], bool],
    ) -> None:
        """Watch a handshake that was let in. Needs a running loop.

        ``may_stay`` is given the handler, and must not hold it: a handler that is
        gone is forgotten.
        """
        self._open[handler] = Admitted(token, session_id, may_stay)
        if not self._watching:
            self._watching = True
            self._tasks.spawn(self._watch(), "check-sockets")

    async def check(self) -> int:
        """Close what may no longer be open; returns how many.

        While the hub gives no answer nothing is closed.
        """
        by_visitor: dict[tuple[str, str], list[tuple[WebSocketHandler, Admitted]]] = {}
        for handler, admitted in list(self._open.items()):
            if handler.close_code is not None:
                del self._open[handler]
            elif handler.ws_connection is not None:
                visitor = admitted.token, admitted.session_id
                by_visitor.setdefault(visitor, []).append((handler, admitted))
        closed = 0
        for (token, session_id), handlers in by_visitor.items():
            try:
                model = await self._identify(token, session_id, MAX_AGE_S)
            except HubError as error:
                log.warning("Open WebSockets were not checked: %s", error)
                return closed
            for handler, admitted in handlers:
                if model is None or not _stays(handler, admitted, model):
                    self._open.pop(handler, None)
                    handler.close(CLOSE_CODE, CLOSE_REASON)
                    closed += 1
        return closed

    async def _watch(self) -> None:
        try:
            while self._open:
                await asyncio.sleep(self.every_s)
                if closed := await self.check():
                    log.info("Closed %d WebSockets of visitors who may no longer be here", closed)
        finally:
            self._watching = False

    async def stop(self) -> None:
        """End the watch."""
        await self._tasks.close()


def _stays(handler: WebSocketHandler, admitted: Admitted, model: UserModel) -> bool:
    try:
        return admitted.may_stay(handler, model)
    except Exception:  # a service's own rule
        log.exception("Whether %s may stay could not be decided, so the socket ends", model["name"])
        return False
