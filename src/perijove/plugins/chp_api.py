"""Client of the proxy's REST API: a few requests at a time, patient with a restarting proxy."""

import asyncio
import json
import ssl
import time
from typing import Any

from perijove.domain.settings import HttpClientSettings
from perijove.kit.aio import backoff_delays
from perijove.kit.http import Http
from perijove.plugins.http import make_http_client

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
        self._client: Http = make_http_client(http, ssl_context, keep=True)
        self._timeout_s = _wanted_timeout_s(http) or REQUEST_TIMEOUT_S
        self._url = ""
        self._token = ""
        self._semaphore: Any = None

    def configure(self, url: str, token: str, semaphore: Any) -> None:
        """Where the API is, its secret, and what bounds the requests at one time."""
        self._url, self._token, self._semaphore = url.rstrip("/"), token, semaphore

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, retry: bool = True
    ) -> Any:
        """The answer's JSON, ``{}`` when it is empty; None for a route that is not there.

        Connection errors and answers of 500 and above are tried again for half
        a minute. Raises ProxyRefused, or RuntimeError when time is up.
        """
        end = time.monotonic() + (RETRY_FOR_S if retry else 0)
        for delay in backoff_delays(start_s=0.1, max_s=5.0):
            try:
                async with self._semaphore:
                    return await self._once(method, path, body)
            except OSError as error:
                if time.monotonic() + delay > end:
                    raise RuntimeError(
                        f"the proxy's API at {self._url} does not answer {method} {path}: "
                        f"{error or type(error).__name__}"
                    ) from error
            await asyncio.sleep(delay)
        raise AssertionError("unreachable")

    async def _once(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        headers = {"Authorization": f"token {self._token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer = await self._client.ask(
            method,
            f"{self._url}/api/routes{path}",
            headers=headers,
            body=None if body is None else json.dumps(body).encode(),
            timeout_s=self._timeout_s,
        )
        if answer.status == 404 and method == "DELETE":
            return None
        text = answer.body.decode(errors="replace").strip()
        if answer.status >= 500:
            raise ConnectionError(f"{answer.status} {text[:200]}")
        if answer.status >= 400:
            raise ProxyRefused(f"{method} {path}: {answer.status} {text[:200]}")
        return json.loads(text) if text else {}


def _wanted_timeout_s(http: HttpClientSettings) -> float | None:
    """How long a request may take, if the operator has said so."""
    return getattr(http.session_options.get("timeout"), "total", None)
