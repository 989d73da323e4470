"""Whether a started server answers HTTP yet."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from perijove.domain.errors import StartFailed
from perijove.kit.aio import backoff_delays

log = logging.getLogger("perijove.probe")

POLL_EVERY_S = 1.0
"""How often the plug-in is asked, while the server does not answer, whether it still lives."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server's ``/api`` said; ``version`` is its hub interface version, if any."""

    status: int
    version: str


class Prober:
    """Asks servers for a sign of life. Any status below 500 is one."""

    def __init__(self, ssl_context: ssl.SSLContext | None = None) -> None:
        self._ssl_context = ssl_context
        self._session: aiohttp.ClientSession | None = None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, force_close=True)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session

    async def ask(self, url: str, timeout_s: float) -> Answer | None:
        """One GET; None when nobody answers or the server is not ready (5xx)."""
        try:
            async with self._client().get(
                url,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                ssl=self._ssl_context or True,
            ) as response:
                if response.status >= 500:
                    return None
                return Answer(response.status, response.headers.get("X-JupyterHub-Version", ""))
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None

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
        for delay_s in backoff_delays():
            answer = await self.ask(url, max(0.1, end - loop.time()))
            if answer is not None:
                return answer
            if loop.time() >= end:
                break
            if loop.time() >= next_poll:
                await self._check_alive(poll)
                next_poll = loop.time() + POLL_EVERY_S
            await asyncio.sleep(min(delay_s, max(0.0, end - loop.time())))
        raise StartFailed(
            f"The server did not answer at {url} within {timeout_s:g} seconds",
            reason="timeout",
            option="c.Spawner.http_timeout",
        )

    @staticmethod
    async def _check_alive(poll: Callable[[], Awaitable[int | None]]) -> None:
        status = await poll()
        if status is not None:
            raise StartFailed(
                f"The server ended before it answered (exit status {status})", reason="exited"
            )

    async def close(self) -> None:
        """Close the HTTP client."""
        if self._session is not None:
            await self._session.close()
            self._session = None
