"""The events of a start as a tornado handler, for plug-ins that inherit and extend it."""

import json
from contextlib import aclosing
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import Finish, HTTPError

from perijove.compat.api import APIHandler, needs_scope


class SpawnProgressAPIHandler(APIHandler):
    """``/hub/api/users/USER/server[s/NAME]/progress``: server-sent events."""

    keepalive_interval = 8.0
    """Seconds without an event after which the connection is kept alive."""

    def get_content_type(self) -> str:
        """The type of a stream of events."""
        return "text/event-stream"

    async def send_event(self, event: dict[str, Any]) -> None:
        """Send one event. Ends the answer when the client has left."""
        await self._send(f"data: {json.dumps(event)}\n\n")

    async def keepalive(self) -> None:
        """Send something that means nothing, so that no proxy on the way gives up."""
        await self._send("\n\n")

    async def _send(self, text: str) -> None:
        try:
            self.write(text)
            await self.flush()
        except StreamClosedError:
            raise Finish from None

    @needs_scope("read:servers")
    async def get(self, user_name: str, server_name: str = "") -> None:
        """What happened in the current start so far, then what follows."""
        rooms = self._hub_services.rooms
        server = await rooms.commands.find(user_name, server_name or "")
        if server is None:
            raise HTTPError(404)
        if not server.active and server.failure is None:
            raise HTTPError(400, f"{server.full_name} is not starting...")
        self.set_header("Cache-Control", "no-cache")
        feed = rooms.progress.follow(server, self.keepalive_interval)
        async with aclosing(feed) as events:  # type: ignore[type-var]
            async for event in events:
                if event is None:
                    await self.keepalive()
                else:
                    await self.send_event(event.data)
