"""Whether a started server answers HTTP yet."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

import aiohttp

from perijove.domain.errors import StartFailed
from perijove.domain.settings import HttpClientSettings
from perijove.kit.aio import backoff_delays

log = logging.getLogger("perijove.probe")

POLL_EVERY_S = 1.0
"""How often the plug-in is asked, while the server does not answer, whether it still lives."""

FIRST_WAIT_S = 0.04
WAIT_GROWTH = 1.3
"""A first look is cheap (a connection that is refused), so there may be many."""
CONNECT_S = 0.2
"""How long a connection may take before HTTP has to tell."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server's ``/api`` said; ``version`` is its hub interface version, if any."""

    status: int
    version: str


class Prober:
    """Asks servers for a sign of life. Any status below 500 is one."""

    def __init__(
        self,
        ssl_context: ssl.SSLContext | None = None,
        http: HttpClientSettings = HttpClientSettings(),  # noqa: B008 - frozen
    ) -> None:
        self._ssl_context = ssl_context
        self._http = http
        self._session: aiohttp.ClientSession | None = None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            options = {"limit": 0, "force_close": True, **self._http.connector_options}
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(**options), **self._http.session_options
            )
        return self._session

    @staticmethod
    async def listens(url: str) -> bool:
        """Whether something takes connections there: a tenth of what asking by HTTP costs.

        True as well where this cannot be told cheaply (names, slow networks); HTTP tells then.
        """
        try:
            parts = urlsplit(url)
            address = ip_address(parts.hostname or "")
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            return True
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
                async with asyncio.timeout(CONNECT_S):
                    await asyncio.get_running_loop().sock_connect(sock, (str(address), port))
        except TimeoutError:
            return True
        except OSError:
            return False
        return True

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
        for delay_s in backoff_delays(FIRST_WAIT_S, WAIT_GROWTH):
            if await self.listens(url):
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
        if self._session is not None:
            await self._session.close()
            self._session = None
