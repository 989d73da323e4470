"""Closes WebSockets whose owner signed out or lost access.

A WebSocket is checked when it opens and may then live for days. Its token is
looked at again from time to time, through the same cache that other requests
use, so an idle page costs the hub one question per cache period.
"""

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

from tornado.websocket import WebSocketHandler

from perijove.hubauth.client import HubError
from perijove.hubauth.identity import UserModel

CHECK_EVERY_S = 5.0
CLOSE_CODE = 1008
"""Policy violation (RFC 6455 section 7.4.1)."""

CLOSE_REASON = "signed out or no longer allowed"

log = logging.getLogger("perijove.singleuser")


class OpenSockets:
    """The open WebSockets, each with the token and session that opened it."""

    def __init__(
        self,
        identify: Callable[[str, str], Awaitable[UserModel | None]],
        may_enter: Callable[[UserModel], bool],
    ) -> None:
        self._identify = identify
        self._may_enter = may_enter
        self._open: weakref.WeakKeyDictionary[Any, tuple[str, str]] = weakref.WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, handler: WebSocketHandler, token: str, session_id: str) -> None:
        """Watch a handshake that was let in."""
        self._open[handler] = (token, session_id)

    async def check(self) -> int:
        """Close what may no longer be open; returns how many.

        While the hub gives no answer nothing is closed.
        """
        by_visitor: dict[tuple[str, str], list[WebSocketHandler]] = {}
        for handler, visitor in list(self._open.items()):
            if handler.close_code is not None:
                del self._open[handler]
            elif handler.ws_connection is not None:
                by_visitor.setdefault(visitor, []).append(handler)
        closed = 0
        for (token, session_id), handlers in by_visitor.items():
            try:
                model = await self._identify(token, session_id)
            except HubError as error:
                log.warning("Open WebSockets were not checked: %s", error)
                return closed
            if model is not None and self._may_enter(model):
                continue
            for handler in handlers:
                self._open.pop(handler, None)
                handler.close(CLOSE_CODE, CLOSE_REASON)
                closed += 1
        return closed

    async def watch(self, every_s: float = CHECK_EVERY_S) -> None:
        """Check until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            if closed := await self.check():
                log.info("Closed %d WebSockets of visitors who are no longer signed in", closed)
