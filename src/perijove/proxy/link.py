"""The line between the process that has the API and one of its workers.

A socket pair carries JSON, one message a line. Downwards: ``add`` and ``remove``
of routes, ``report``, ``reload``, ``end``; upwards: ``ready``, ``done`` (the
number of the last message that was obeyed) and the report with what the worker
alone can know, which is when routes were in use and what it has counted.
"""

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from perijove.proxy.control import Control
from perijove.proxy.plane import Plane

log = logging.getLogger("perijove.proxy")

Message = dict[str, Any]

_MOST_BYTES = 1 << 24
"""Of one message: a route's data, or a report about 100,000 routes."""


class Line:
    """One end. Messages are written at once and read one by one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def on(cls, raw: socket.socket) -> "Line":
        """The end that a socket is."""
        return cls(*await asyncio.open_unix_connection(sock=raw, limit=_MOST_BYTES))

    def send(self, message: Message) -> None:
        """Send a message; nothing happens when the other side is gone."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def receive(self) -> Message | None:
        """The next message, or None when the other side is gone."""
        with suppress(OSError, ValueError, asyncio.IncompleteReadError):
            message: Message = json.loads(await self._reader.readuntil(b"\n"))
            return message
        return None

    def close(self) -> None:
        """End it."""
        self._writer.close()


class Worker:
    """A worker's end: obeys messages and reports."""

    def __init__(self, line: Line, plane: Plane, control: Control) -> None:
        self._line = line
        self._plane = plane
        self._control = control
        self._reported: dict[str, float] = {}

    async def obey(
        self, ready: Callable[[], Awaitable[None]], reload: Callable[[], object]
    ) -> None:
        """Follow the other side until it says ``end`` or is gone.

        ``ready`` is awaited once the whole table has arrived.
        """
        while (message := await self._line.receive()) is not None:
            verb = message["do"]
            if verb == "end":
                break
            if verb == "add":
                self._control.add_route(message["key"], message["url"], message["data"])
            elif verb == "remove":
                self._control.remove_route(message["key"])
            elif verb == "serve":
                await ready()
                self._line.send({"is": "ready"})
            elif verb == "reload":
                reload()
            elif verb == "report":
                self._line.send({"is": "report", **self._report()})
            self._line.send({"is": "done", "number": message["number"]})

    def _report(self) -> Message:
        changed = {}
        before, self._reported = self._reported, {}
        for route in self._plane.table:
            self._reported[route.key] = route.last_activity_s
            if before.get(route.key) != route.last_activity_s:
                changed[route.key] = route.last_activity_s
        self._plane.metrics.connections = len(self._plane.clients)
        return {"activity": changed, "metrics": self._plane.metrics.counted()}
