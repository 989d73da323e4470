"""What people see of a start: first what happened so far, then what follows.

On the replica that runs the start the events come from memory the moment they
arise. Another replica reads them from the database, woken by the bus, with a
poll behind it.
"""

from collections.abc import AsyncIterator
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
        async for event in self._from_database(server.id, seen, idle_s):
            yield event

    @staticmethod
    async def _from_memory(holding: Holding, idle_s: float) -> AsyncIterator[ProgressEvent | None]:
        position = 0
        while True:
            version = holding.signal.version
            while position < len(holding.events):
                yield holding.events[position]
                position += 1
            if not holding.server.active:
                return
            if await holding.signal.wait(version, idle_s) == version:
                yield None

    async def _from_database(
        self, server_id: int, seen: int, idle_s: float
    ) -> AsyncIterator[ProgressEvent | None]:
        signal = Signal()
        mine = str(server_id)
        unsubscribe = self._bus.subscribe(
            Topic.SERVER, lambda key: signal.set() if key == mine else None
        )
        quiet_s = 0.0
        try:
            while True:
                version = signal.version
                rows = await self._database.read(
                    lambda c, seen=seen: (  # type: ignore[misc]
                        event_rows.after(c, server_id, seen),
                        server_rows.get(c, server_id),
                    )
                )
                for event in rows[0]:
                    yield event
                    seen = event.seq
                    quiet_s = 0.0
                    if event.last:
                        return
                if rows[1] is None or not rows[1].active:
                    return
                await signal.wait(version, POLL_S)
                quiet_s += POLL_S
                if quiet_s >= idle_s:
                    quiet_s = 0.0
                    yield None
        finally:
            unsubscribe()


def ready_event(url: str) -> dict[str, Any]:
    """The last event of a start that succeeded."""
    return {
        "progress": 100,
        "ready": True,
        "message": f"Server ready at {url}",
        "html_message": f'Server ready at <a href="{url}">{url}</a>',
        "url": url,
    }


def failed_event(message: str, html_message: str = "") -> dict[str, Any]:
    """The last event of a start that failed."""
    event = {"progress": 100, "failed": True, "message": f"Spawn failed: {message}"}
    if html_message:
        event["html_message"] = f"Spawn failed: {html_message}"
    return event
