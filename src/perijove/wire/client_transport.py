"""Sends one request and receives its answer, with aiohttp.

``Transport`` is what the client needs; tests put one in place that never touches
the network.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp
from yarl import URL

from perijove._version import __version__
from perijove.wire.client_address import Address

CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request. ``limit_s``: seconds for all of it, None for a stream without an end.

    ``idle_s``: seconds without a byte after which the other side counts as gone.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    limit_s: float | None
    idle_s: float | None = None


class Incoming(Protocol):
    """An answer whose body is still to be read. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]

    async def read(self) -> bytes:
        """The whole body."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body, piece by piece, as it arrives."""
        ...


class NotSent(Exception):
    """The request never left: nothing happened at the hub.

    ``final``: another attempt would end the same way.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class Interrupted(Exception):
    """The connection broke after the request was sent: it may have been carried out."""


class Transport(Protocol):
    """Sends requests."""

    def open(self, request: Outgoing) -> AbstractAsyncContextManager[Incoming]:
        """Send, and receive the head of the answer.

        Raises NotSent, Interrupted, or TimeoutError after ``limit_s`` seconds;
        reading the body may raise the latter two.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class _Received:
    """An answer of aiohttp as ``Incoming``."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = {
            name.lower(): value for name, value in response.headers.items()
        }

    async def read(self) -> bytes:
        return await self._response.read()

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.content.iter_any():
            yield chunk


class HttpTransport:
    """aiohttp, with connections that are kept for the next request.

    ``proxy`` is the URL of an HTTP proxy on the way; variables of the environment are
    not looked at, since inside a deployment the hub is an inner address.
    """

    def __init__(
        self, address: Address, ssl_context: ssl.SSLContext | None, proxy: str | None
    ) -> None:
        self._address = address
        self._ssl: ssl.SSLContext | bool = True if ssl_context is None else ssl_context
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            socket = self._address.socket
            connector: aiohttp.BaseConnector = (
                aiohttp.TCPConnector(ssl=self._ssl)
                if socket is None
                else aiohttp.UnixConnector(socket)
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                # The hub's cookies would take part in deciding who we are.
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"perijove-client/{__version__}"},
            )
        return self._session

    @asynccontextmanager
    async def open(self, request: Outgoing) -> AsyncIterator[Incoming]:
        """Send, and receive the head of the answer. Redirects are not followed."""
        limits = aiohttp.ClientTimeout(
            total=request.limit_s, sock_connect=CONNECT_TIMEOUT_S, sock_read=request.idle_s
        )
        try:
            async with self._opened().request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=request.body,
                timeout=limits,
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                yield _Received(response)
        except aiohttp.ClientConnectorCertificateError as error:
            raise NotSent(
                f"its certificate is not trusted ({error.certificate_error})", final=True
            ) from error
        except aiohttp.ClientConnectorError as error:
            raise NotSent(_reason(error.os_error)) from error
        except aiohttp.ConnectionTimeoutError as error:
            raise NotSent(f"no connection within {CONNECT_TIMEOUT_S:g} seconds") from error
        except aiohttp.ServerTimeoutError as error:
            if request.limit_s is None:
                raise Interrupted("nothing came any more") from error
            raise
        except aiohttp.InvalidURL as error:
            raise NotSent(f"{error} is no URL", final=True) from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError) as error:
            if isinstance(error, asyncio.TimeoutError):
                raise
            raise Interrupted("the connection broke before the answer was complete") from error
        except aiohttp.ClientError as error:
            raise NotSent(str(error) or type(error).__name__, final=True) from error

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _reason(error: OSError) -> str:
    """``Connection refused`` and the like; aiohttp's own texts repeat the address."""
    text = error.strerror or str(error) or type(error).__name__
    if "Connect call failed" in text or "Multiple exceptions" in text:
        return "connection refused"
    return text[:1].lower() + text[1:]
