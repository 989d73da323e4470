"""A transport that plays a script, and a clock on which waiting takes no time."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from perijove.wire.client import HubClient, Retries
from perijove.wire.client_transport import Outgoing

URL = "http://hub.test/hub/api"
TOKEN = "a-token-for-tests"


@dataclass
class Answer:
    """What the fake hub says. ``breaks``: raised after the pieces of the body."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: tuple[bytes, ...] = ()
    breaks: Exception | None = None

    async def read(self) -> bytes:
        if self.breaks is not None:
            raise self.breaks
        if self.body is None or isinstance(self.body, bytes):
            return self.body or b""
        return json.dumps(self.body).encode()

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.breaks is not None:
            raise self.breaks


class FakeTransport:
    """Gives the answers of a script, one a request; an exception in it is raised."""

    def __init__(self, *script: Answer | Exception) -> None:
        self.script = list(script)
        self.sent: list[Outgoing] = []
        self.closed = False

    @asynccontextmanager
    async def open(self, request: Outgoing) -> AsyncIterator[Answer]:
        self.sent.append(request)
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        yield step

    async def close(self) -> None:
        self.closed = True

    def bodies(self) -> list[Any]:
        """The JSON bodies that were sent."""
        return [json.loads(sent.body) for sent in self.sent if sent.body]


class SkippingClock:
    """Waiting moves it on and returns at once; ``waits`` are the seconds waited."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._began = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return sum(self.waits)

    async def sleep(self, delay_s: float) -> None:
        self.waits.append(delay_s)


def client_of(
    transport: FakeTransport, clock: SkippingClock | None = None, retries: Retries | None = None
) -> HubClient:
    """A client on the fake transport that never really waits."""
    return HubClient(
        URL,
        TOKEN,
        transport=transport,  # type: ignore[arg-type]
        clock=clock or SkippingClock(),
        retries=retries or Retries(),
    )


def problem(status: int, message: str | None = None, **headers: str) -> Answer:
    """An error of the API."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"status": status, "message": message}, named)
