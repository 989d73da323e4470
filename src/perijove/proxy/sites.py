"""The proxy's listening sockets: opened or inherited, served, and handed on.

A site is one of ``public``, ``api``, ``metrics`` and ``redirect``. Its sockets
are kept beside the servers that accept from copies of them, so that a site can
be closed for a moment, or handed to the process that takes over, without one
connection being refused meanwhile.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from perijove.proxy import listen
from perijove.proxy.announced import Door
from perijove.proxy.forward import keep_watch
from perijove.proxy.forwarded import Networks
from perijove.proxy.options import Address
from perijove.proxy.plane import Plane

Factory = Callable[[bytes | None], asyncio.Protocol]
"""Makes the protocol of a connection, whose client's address is given if it was announced."""


class _Closable(Protocol):
    def close(self) -> None:
        """Accept no more."""


class Sites:
    """All listening sockets of a process."""

    def __init__(self, plane: Plane, inherited: Mapping[str, list[socket.socket]]) -> None:
        self._plane = plane
        self._inherited = dict(inherited)
        self._sockets: dict[str, list[socket.socket]] = {}
        self._servers: dict[str, list[_Closable]] = {}
        self._paths: list[str] = []

    def open(self, site: str, address: Address, copies: int = 1) -> list[socket.socket]:
        """The site's sockets: those inherited, or new ones; ``copies`` share one port.

        Raises OSError, naming the address.
        """
        found = self._inherited.pop(site, [])
        if address.path:
            found = found or [listen.on_path(address.path)]
            self._paths.append(address.path)
        elif not found:
            found = listen.on_port(address.ip, address.port, share=site == "public")
        if not address.path:
            for raw in list(found)[: len(found) if len(found) < copies else 0]:
                found += [listen.beside(raw) for _ in range(copies - 1)]
            for raw in found:
                keep_watch(raw)  # accepted sockets inherit it
        self._sockets[site] = found
        return found

    async def serve(
        self,
        site: str,
        factory: Factory,
        context: ssl.SSLContext | None = None,
        announced: Networks | None = None,
    ) -> None:
        """Accept connections on a site that is open."""
        loop = asyncio.get_running_loop()
        handshake_s = self._plane.limits.handshake_s if context else None
        servers = self._servers.setdefault(site, [])
        for raw in self._sockets[site]:
            copy = raw.dup()
            copy.setblocking(False)
            options: dict[str, Any] = {"ssl": context, "ssl_handshake_timeout": handshake_s}
            if announced is not None:
                servers.append(self._door(copy, factory, announced, options))
            elif raw.family == socket.AF_UNIX:
                servers.append(
                    await loop.create_unix_server(lambda: factory(None), sock=copy, **options)
                )
            else:
                servers.append(
                    await loop.create_server(lambda: factory(None), sock=copy, **options)
                )

    def _door(
        self, raw: socket.socket, factory: Factory, announced: Networks, options: dict[str, Any]
    ) -> Door:
        loop, tasks = asyncio.get_running_loop(), self._plane.tasks

        def entered(connection: socket.socket, ip: bytes | None) -> None:
            tasks.spawn(enter(connection, ip), "enter")

        async def enter(connection: socket.socket, ip: bytes | None) -> None:
            try:
                await loop.connect_accepted_socket(lambda: factory(ip), connection, **options)
            except OSError:  # a handshake that failed
                connection.close()

        return Door(raw, announced, tasks, self._plane.limits.handshake_s, entered)

    def adopt(self, site: str, sockets: list[socket.socket]) -> None:
        """Take sockets that another process has opened."""
        self._sockets[site] = sockets

    def pause(self, site: str) -> None:
        """Accept no more on a site; connections wait until somebody serves it again."""
        for server in self._servers.pop(site, []):
            server.close()

    def all(self) -> dict[str, list[socket.socket]]:
        """The sockets of every site."""
        return dict(self._sockets)

    @property
    def ports(self) -> list[int]:
        """The ports listened on, in the order of opening."""
        return [
            raw.getsockname()[1]
            for sockets in self._sockets.values()
            for raw in sockets
            if raw.family != socket.AF_UNIX
        ]

    def close(self, *, handed_on: bool = False) -> None:
        """Accept no more anywhere. Unix sockets stay in place if they were handed on."""
        for site in list(self._servers):
            self.pause(site)
        for sockets in self._sockets.values():
            for raw in sockets:
                raw.close()
        if not handed_on:
            for path in self._paths:
                with suppress(OSError):
                    os.unlink(path)
