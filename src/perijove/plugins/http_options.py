"""Requests by aiohttp, with the operator's options (``c.JupyterHubHTTPClient``)."""

import asyncio
import ssl
from collections.abc import Mapping
from inspect import signature
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from yarl import URL

from perijove.domain.settings import HttpClientSettings
from perijove.kit.http import Answer
from perijove.kit.urls import unix_socket_of


class OptionedClient:
    """``kit.http.Http`` with options of the connector and of the session.

    Of the operator's ``timeout`` and the caller's the shorter counts.
    """

    def __init__(
        self, settings: HttpClientSettings, tls: ssl.SSLContext | None, *, keep: bool
    ) -> None:
        self._settings = settings
        self._tls: ssl.SSLContext | bool = tls if tls is not None else True
        self._connector_options = {"force_close": not keep, **settings.connector_options}
        self._sessions: dict[str | None, aiohttp.ClientSession] = {}

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        only_head: bool = False,
        timeout_s: float,
    ) -> Answer:
        """As ``Http.ask``."""
        socket = unix_socket_of(url)
        try:
            async with (
                asyncio.timeout(timeout_s),
                self.session(socket).request(
                    method,
                    URL(_beyond_socket(url) if socket else url, encoded=True),
                    headers=headers,
                    data=body,
                    ssl=self._tls,
                    allow_redirects=False,
                ) as response,
            ):
                found = {name.lower(): value for name, value in response.headers.items()}
                text = b"" if only_head else await response.read()
                return Answer(response.status, found, text)
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error

    def session(self, socket: str | None = None) -> aiohttp.ClientSession:
        """The session for TCP, or for a UNIX socket."""
        if socket not in self._sessions:
            self._sessions[socket] = aiohttp.ClientSession(
                connector=self._connector(socket), **self._settings.session_options
            )
        return self._sessions[socket]

    def _connector(self, socket: str | None) -> aiohttp.BaseConnector:
        options = self._connector_options
        if socket is None:
            return aiohttp.TCPConnector(**options)
        # A socket has no host to look up: what is about that does not apply.
        known = signature(aiohttp.UnixConnector).parameters
        return aiohttp.UnixConnector(socket, **{k: v for k, v in options.items() if k in known})

    async def close(self) -> None:
        """Close the connections."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()


def _beyond_socket(url: str) -> str:
    """The URL as it is asked on the socket that it names."""
    parts = urlsplit(url)
    scheme = parts.scheme.partition("+")[0]
    return urlunsplit((scheme, "localhost", parts.path, parts.query, ""))
