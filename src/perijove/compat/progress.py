"""The events of a start as a tornado handler, for plug-ins that inherit and extend it."""

import asyncio
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

    def initialize(self, **kwargs: Any) -> None:
        """Remember when the answer ends."""
        super().initialize(**kwargs)
        self._finish_future = asyncio.get_running_loop().create_future()

    def on_finish(self) -> None:
        """The answer has ended."""
        if not self._finish_future.done():
            self._finish_future.set_result(None)

    def get_content_type(self) -> str:
        """The type of a stream of events."""
        return "text/event-stream"

    async def send_event(self, event: dict[str, Any]) -> None:
        """Send one event. Ends the answer when the client has left."""
        await self._send(f"data: {json.dumps(event)}\n\n")

    async def keepalive(self) -> None:
        """Until the answer ends, send at times what means nothing: proxies on the way give up else.

        For subclasses, which run it beside what they send.
        """
        while not self._finish_future.done():
            try:
                await self._send("\n\n")
            except (Finish, RuntimeError):
                return
            await asyncio.wait([self._finish_future], timeout=self.keepalive_interval)

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
                    await self._send("\n\n")
                else:
                    await self.send_event(event.data)
