"""One visitor's way from the form to a running JupyterLab, told step by step.

A launch goes on whether or not its page is open, and remembers what happened, so a page
that is loaded again, or whose connection broke, sees all of it.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from typing import Literal
from urllib.parse import urlencode

from launcher.builds import BuildFailed, Environment, build
from launcher.settings import VISITOR
from perijove.wire.client import HubClient, HubError, NotFound, TooMany
from perijove.wire.requests import ServerRequest

log = logging.getLogger("uvicorn.error")

Phase = Literal["building", "starting", "ready", "failed"]
KEPT = 200
"""Launches that are remembered; those that ended longest ago are forgotten first."""


@dataclass(frozen=True)
class Event:
    """Something that happened. ``progress``: per cent of the whole way."""

    phase: Phase
    message: str
    progress: int
    url: str = ""


@dataclass(eq=False)
class Launch:
    """A launch. Its ``id`` cannot be guessed: who knows it may enter the server."""

    environment: Environment
    id: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    user: str = field(default_factory=lambda: VISITOR + secrets.token_hex(8))
    events: list[Event] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    @property
    def last(self) -> Event:
        """How it stands."""
        return self.events[-1]

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.last.phase in ("ready", "failed")

    def tell(self, phase: Phase, message: str, progress: int, url: str = "") -> None:
        """Add an event and wake everybody who follows."""
        self.events.append(Event(phase, message, progress, url))
        self.changed.set()
        self.changed = asyncio.Event()

    async def follow(self, position: int) -> AsyncIterator[tuple[int, dict[str, object]]]:
        """Events from this position on, with theirs, until the last."""
        while True:
            changed = self.changed
            while position < len(self.events):
                yield position, asdict(self.events[position])
                position += 1
            if self.over:
                return
            await changed.wait()


class Launches:
    """All launches of this process."""

    def __init__(self, hub: HubClient) -> None:
        self._hub = hub
        self._known: dict[str, Launch] = {}

    def find(self, launch_id: str) -> Launch | None:
        """The launch of this id."""
        return self._known.get(launch_id)

    def begin(self, environment: Environment) -> Launch:
        """A new launch, on its way."""
        launch = Launch(environment)
        launch.tell("building", f"{environment.title} was chosen", 0)
        self._known[launch.id] = launch
        for old in [known for known in self._known.values() if known.over][:-KEPT]:
            del self._known[old.id]
        launch.task = asyncio.create_task(self._run(launch))
        return launch

    async def _run(self, launch: Launch) -> None:
        try:
            image = await build(launch.environment, lambda line: launch.tell("building", line, 20))
            await self._start(launch, image)
            return
        except BuildFailed:
            problem = "The environment could not be built"
        except TooMany:
            problem = "All places are taken just now. Please try again in a few minutes"
        except HubError as error:
            log.error("launch of %s: %s", launch.user, error)
            problem = "The server could not be started. Please try again"
        except Exception:
            log.exception("launch of %s", launch.user)
            problem = "Something went wrong here. Please try again later"
        launch.tell("failed", problem, launch.last.progress)
        await self._give_up(launch.user)

    async def _start(self, launch: Launch, image: str) -> None:
        """A temporary user, and a server that trusts the token that only its page learns."""
        token = secrets.token_urlsafe(24)
        launch.tell("starting", "Asking the hub for a server", 40)
        await self._hub.create_user(launch.user, exist_ok=True)
        options = {"image": image, "token": token}
        await self._hub.start_server(launch.user, "", ServerRequest(user_options=options), wait_s=0)
        async for event in self._hub.follow_start(launch.user):
            if event.failed:
                launch.tell("failed", "JupyterLab did not start. Please try again", 60)
                await self._give_up(launch.user)
            elif event.ready:
                page = f"{event.url}{launch.environment.open}?{urlencode({'token': token})}"
                launch.tell("ready", "JupyterLab is ready", 100, page)
            else:
                launch.tell("starting", event.message or "", 40 + (event.progress or 0) // 2)

    async def _give_up(self, user: str) -> None:
        try:
            await self._hub.delete_user(user, wait_s=0)
        except NotFound:
            pass
        except HubError as error:
            log.error("%s stays until it is culled: %s", user, error)
