"""The hub's own port: uvicorn inside our event loop, on a socket that we bound.

Binding ourselves gives a plain sentence when the address is taken, and lets the
hub listen on a UNIX socket with the operator's file mode.
"""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Iterator
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from perijove.domain.errors import ConfigError
from perijove.domain.settings import NetworkSettings
from perijove.kit.tls import HUB, Certificates

BACKLOG = 4096
LEAVE_S = 1
"""Seconds that open answers (event streams) have to end when the hub stops."""


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the hub decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _tls_options(certificates: Certificates) -> dict[str, Any]:
    """Callers must show a certificate of one of the installation's authorities."""
    return {
        "ssl_keyfile": certificates.hub.keyfile,
        "ssl_certfile": certificates.hub.certfile,
        "ssl_ca_certs": certificates.bundles[HUB],
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
    }


class GatheringTransport:
    """A transport that sends the head of an answer together with its body.

    uvicorn writes the two one after the other, and each write is a call of the operating
    system that wakes the client. A head waits for what comes in the same turn of the loop,
    so the head of a stream is not held back.
    """

    __slots__ = ("_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, in a moment if this is a head."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data))
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def close(self) -> None:
        """Close when all is written."""
        self._flush()
        self._transport.close()


class _Protocol(HttpToolsProtocol):
    """uvicorn's, with fewer writes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", GatheringTransport(transport, self.loop)))


class Listener:
    """Serves the application at the hub's private address."""

    def __init__(
        self,
        application: Any,
        network: NetworkSettings,
        certificates: Certificates | None = None,
    ) -> None:
        self._network = network
        self._server = _Server(
            uvicorn.Config(
                application,
                loop="none",
                http=_Protocol,
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                log_level="warning",
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=LEAVE_S,
                timeout_keep_alive=75,
                **(_tls_options(certificates) if certificates is not None else {}),
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen; returns when requests are answered. Raises ConfigError."""
        sock = self._bind()
        self._task = asyncio.get_running_loop().create_task(
            self._server.serve(sockets=[sock]), name="listener"
        )
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise ConfigError("The hub's web server ended at once")
            await asyncio.sleep(0.005)

    def _bind(self) -> socket.socket:
        network = self._network
        try:
            if network.hub_socket:
                return self._bind_unix(network.hub_socket)
            host = network.hub_host
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            if not host and socket.has_dualstack_ipv6():
                return socket.create_server(
                    ("", network.hub_port),
                    family=socket.AF_INET6,
                    backlog=BACKLOG,
                    dualstack_ipv6=True,
                )
            return socket.create_server(
                (host, network.hub_port), family=family, backlog=BACKLOG, reuse_port=False
            )
        except OSError as error:
            raise ConfigError(
                f"The hub cannot listen at {network.hub_bind_url}: {error.strerror or error}"
            ) from error

    def _bind_unix(self, path: str) -> socket.socket:
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(path)
        os.chmod(path, self._network.hub_socket_mode)
        sock.listen(BACKLOG)
        return sock

    async def close(self) -> None:
        """Stop listening, if it began; open answers get a moment to end."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
            self._task = None
        if self._network.hub_socket:
            with contextlib.suppress(FileNotFoundError):
                os.remove(self._network.hub_socket)
