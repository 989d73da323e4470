"""What people see of a start: first what happened so far, then what follows.

On the replica that runs the start the events come from memory the moment they
arise. Another replica reads them from the database, woken by the bus, with a
poll behind it.
"""

import time
from collections.abc import AsyncIterator
from html import escape
from typing import Any

from perijove.domain.events import ProgressEvent, Topic
from perijove.domain.servers import Server
from perijove.kit.aio import Signal
from perijove.servers.holdings import Holding, Holdings
from perijove.store import events as event_rows
from perijove.store import servers as server_rows
from perijove.store.engine import Database
from perijove.work.bus import Bus

POLL_S = 1.0


class ProgressFeed:
    """Follows starts, wherever they run."""

    def __init__(self, database: Database, holdings: Holdings, bus: Bus) -> None:
        self._database = database
        self._holdings = holdings
        self._bus = bus

    async def follow(self, server: Server, idle_s: float) -> AsyncIterator[ProgressEvent | None]:
        """Events of the current start, the last one included.

        None comes when nothing happened for ``idle_s`` seconds, so that the
        caller can show that it lives.
        """
        seen = 0
        holding = self._holdings.get(server.id)
        if holding is not None and holding.events:
            async for event in self._from_memory(holding, idle_s):
                yield event
                if event is not None:
                    seen = event.seq
                    if event.last:
                        return
        async for event in self._from_database(server, seen, idle_s):
            yield event

    async def _from_memory(
        self, holding: Holding, idle_s: float
    ) -> AsyncIterator[ProgressEvent | None]:
        """Events while this replica runs the start; another one may go on with it."""
        position = 0
        while True:
            version = holding.signal.version
            while position < len(holding.events):
                yield holding.events[position]
                position += 1
            held = self._holdings.get(holding.server.id) is holding
            if not held or not holding.server.active:
                return
            if await holding.signal.wait(version, idle_s) == version:
                yield None

    async def _from_database(
        self, server: Server, seen: int, idle_s: float
    ) -> AsyncIterator[ProgressEvent | None]:
        signal = Signal()
        mine = str(server.id)
        unsubscribe = self._bus.subscribe(
            Topic.SERVER, lambda key: signal.set() if key == mine else None
        )
        quiet_since = time.monotonic()
        try:
            while True:
                version = signal.version
                events, row = await self._database.read(
                    lambda c, seen=seen: (  # type: ignore[misc]
                        event_rows.after(c, server.id, seen),
                        server_rows.get(c, server.id),
                    )
                )
                if row is not None and row.active and row.started != server.started:
                    return  # that is the next start, whose events count from 1 again
                for event in events:
                    yield event
                    seen, quiet_since = event.seq, time.monotonic()
                    if event.last:
                        return
                if row is None or not row.active:
                    return
                await signal.wait(version, min(POLL_S, idle_s))
                if time.monotonic() - quiet_since >= idle_s:
                    quiet_since = time.monotonic()
                    yield None
        finally:
            unsubscribe()


def ready_event(url: str) -> dict[str, Any]:
    """The last event of a start that succeeded."""
    shown = escape(url)
    return {
        "progress": 100,
        "ready": True,
        "message": f"Server ready at {url}",
        "html_message": f'Server ready at <a href="{shown}">{shown}</a>',
        "url": url,
    }


def failed_event(message: str, html_message: str = "") -> dict[str, Any]:
    """The last event of a start that failed."""
    event = {"progress": 100, "failed": True, "message": f"Spawn failed: {message}"}
    if html_message:
        event["html_message"] = f"Spawn failed: {html_message}"
    return event
