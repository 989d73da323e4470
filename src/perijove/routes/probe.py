"""Whether a started server answers HTTP yet."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from perijove.domain.errors import StartFailed
from perijove.kit.http import Http

POLL_EVERY_S = 1.0
"""How often the plug-in is asked, while the server does not answer, whether it still lives."""

FIRST_WAIT_S = 0.035
WAIT_GROWTH = 1.15
LONGEST_WAIT_S = 1.0
"""A look is cheap (a connection that is refused), and whoever waits for a server waits for
the next look as well: so there are many, and a start gets longer by a tenth at most."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server's ``/api`` said; ``version`` is its hub interface version, if any."""

    status: int
    version: str


class Prober:
    """Asks servers for a sign of life. Any status below 500 is one."""

    def __init__(self, http: Http) -> None:
        """``http`` had better not keep connections: each server is asked once."""
        self._http = http

    async def ask(self, url: str, timeout_s: float) -> Answer | None:
        """One GET; None when nobody answers or the server is not ready (5xx)."""
        try:
            found = await self._http.ask("GET", url, only_head=True, timeout_s=timeout_s)
        except (OSError, ValueError):
            return None
        if found.status >= 500:
            return None
        return Answer(found.status, found.headers.get("x-jupyterhub-version", ""))

    async def wait(
        self, url: str, timeout_s: float, poll: Callable[[], Awaitable[int | None]]
    ) -> Answer:
        """The first answer within ``timeout_s``.

        Raises StartFailed when time is up, or as soon as ``poll`` says that the
        server is gone.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        next_poll = loop.time() + POLL_EVERY_S
        for delay_s in _waits():
            answer = await self.ask(url, max(0.1, end - loop.time()))
            if answer is not None:
                return answer
            if loop.time() >= end:
                break
            if loop.time() >= next_poll:
                await self._check_alive(poll, end)
                next_poll = loop.time() + POLL_EVERY_S
            await asyncio.sleep(min(delay_s, max(0.0, end - loop.time())))
        raise StartFailed(
            f"The server did not answer at {url} within {timeout_s:g} seconds",
            reason="timeout",
            option="c.Spawner.http_timeout",
        )

    @staticmethod
    async def _check_alive(poll: Callable[[], Awaitable[int | None]], end: float) -> None:
        try:
            async with asyncio.timeout_at(end):
                status = await poll()
        except TimeoutError:
            return  # a poll that hangs must not make the server's time longer
        if status is not None:
            raise StartFailed(
                f"The server ended before it answered (exit status {status})", reason="exited"
            )

    async def close(self) -> None:
        """Close the HTTP client."""
        await self._http.close()


def _waits() -> Iterator[float]:
    """Endless waiting times that grow; random, so that a class is not asked all at once."""
    bound = FIRST_WAIT_S
    while True:
        yield random.uniform(bound / 2, bound)
        bound = min(LONGEST_WAIT_S, bound * WAIT_GROWTH)
