"""Client of the proxy's REST API: a few requests at a time, patient with a restarting proxy."""

import asyncio
import json
import ssl
import time
from inspect import signature
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from perijove.domain.settings import HttpClientSettings
from perijove.kit.aio import backoff_delays
from perijove.kit.urls import unix_socket_of

RETRY_FOR_S = 30.0
REQUEST_TIMEOUT_S = 20.0


class ProxyRefused(RuntimeError):
    """The proxy's API answered with an error that trying again will not change."""


class RouteApi:
    """The routes of one proxy. ``configure`` may be called again at any time."""

    def __init__(
        self,
        ssl_context: ssl.SSLContext | None = None,
        http: HttpClientSettings = HttpClientSettings(),  # noqa: B008 - frozen
    ) -> None:
        self._ssl = ssl_context
        self._http = http
        self._session: aiohttp.ClientSession | None = None
        self._socket: str | None = None
        self._url = ""
        self._token = ""
        self._semaphore: Any = None

    def configure(self, url: str, token: str, semaphore: Any) -> None:
        """Where the API is, its secret, and what bounds the requests at one time."""
        self._url, self._token, self._semaphore = url, token, semaphore

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _client(self) -> aiohttp.ClientSession:
        path = unix_socket_of(self._url)
        if self._session is not None and path != self._socket:
            await self.close()
        if self._session is None:
            self._socket = path
            timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
            options = {"timeout": timeout, **self._http.session_options}
            self._session = aiohttp.ClientSession(connector=self._connector(path), **options)
        return self._session

    def _connector(self, path: str | None) -> aiohttp.BaseConnector:
        options = self._http.connector_options
        if not path:
            return aiohttp.TCPConnector(**options)
        # A socket has no host to look up: what is about that does not apply.
        known = signature(aiohttp.UnixConnector).parameters
        return aiohttp.UnixConnector(path, **{k: v for k, v in options.items() if k in known})

    def _address(self, path: str) -> URL:
        # Paths are percent-encoded already and must arrive as they are.
        parts = urlsplit(self._url)
        scheme = parts.scheme.partition("+")[0]
        host = "localhost" if "+unix" in parts.scheme else parts.netloc
        prefix = "" if "+unix" in parts.scheme else parts.path.rstrip("/")
        return URL(f"{scheme}://{host}{prefix}/api/routes{path}", encoded=True)

    async def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, retry: bool = True
    ) -> Any:
        """The answer's JSON, ``{}`` when it is empty; None for a route that is not there.

        Connection errors and answers of 500 and above are tried again for half
        a minute. Raises ProxyRefused, or the last error.
        """
        end = time.monotonic() + (RETRY_FOR_S if retry else 0)
        for delay in backoff_delays(start_s=0.1, max_s=5.0):
            try:
                async with self._semaphore:
                    return await self._once(method, path, body)
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError) as e:
                error: Exception = e
            except aiohttp.ClientResponseError as e:
                if e.status < 500:
                    raise ProxyRefused(f"{method} {path}: {e.status} {e.message}") from e
                error = e
            if time.monotonic() + delay > end:
                raise RuntimeError(
                    f"the proxy's API at {self._url} does not answer {method} {path}: "
                    f"{error or type(error).__name__}"
                ) from error
            await asyncio.sleep(delay)
        raise AssertionError("unreachable")

    async def _once(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        client = await self._client()
        async with client.request(
            method,
            self._address(path),
            headers={"Authorization": f"token {self._token}"},
            json=body,
            ssl=self._ssl if self._ssl is not None else True,
            allow_redirects=False,
        ) as response:
            text = await response.text()
            if response.status == 404 and method == "DELETE":
                return None
            if response.status >= 400:
                raise aiohttp.ClientResponseError(
                    response.request_info,
                    response.history,
                    status=response.status,
                    message=text.strip()[:200] or response.reason or "",
                )
            return json.loads(text) if text.strip() else {}
