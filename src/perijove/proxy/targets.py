"""Where a route leads: a server's address, and the connections kept open to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from perijove.proxy.forward import Upstream

_PORTS = {"http": 80, "https": 443}
_UNIX = {"http+unix", "unix+http"}
_BASE = re.compile(r"[!-~]*").fullmatch


class Target:
    """One server address. ``base`` is put in front of every path, without trailing slash.

    ``pool`` holds idle connections, the latest used last. A target that is
    ``closed`` (none of its ``routes`` is left) takes none back.
    """

    __slots__ = (
        "authority", "base", "closed", "host", "pool", "port", "routes", "socket", "tls", "url",
    )  # fmt: skip

    def __init__(
        self, url: str, host: str, port: int, *, tls: bool, socket: str | None, base: str
    ) -> None:
        self.url = url
        self.host = host
        self.port = port
        self.tls = tls
        self.socket = socket
        self.base = base.encode("ascii")
        self.closed = False
        self.routes = 0
        self.pool: list[Upstream] = []
        bracketed = f"[{host}]" if ":" in host else host
        usual = port == (443 if tls else 80)
        self.authority = (bracketed if usual else f"{bracketed}:{port}").encode("ascii")

    def close(self) -> None:
        """Close what is idle and keep nothing from now on."""
        self.closed = True
        pool, self.pool = self.pool, []
        for upstream in pool:
            upstream.abort()


class Targets:
    """The targets of all routes; routes to one URL share its connections."""

    __slots__ = ("_by_url",)

    def __init__(self) -> None:
        self._by_url: dict[str, Target] = {}

    def __iter__(self) -> Iterator[Target]:
        return iter(self._by_url.values())

    def take(self, url: str) -> Target:
        """The target of a URL, for one route more. Raises ValueError like ``parse_target``."""
        target = self._by_url.get(url)
        if target is None:
            target = self._by_url[url] = parse_target(url)
        target.routes += 1
        return target

    def release(self, target: Target) -> None:
        """A route of the target is gone; with the last one its connections are closed."""
        target.routes -= 1
        if target.routes <= 0 and self._by_url.get(target.url) is target:
            del self._by_url[target.url]
            target.close()


def parse_target(url: str) -> Target:
    """The target that a URL names. Raises ValueError, in one sentence, when it names none.

    Schemes: ``http``, ``https``, and ``http+unix`` with the socket's path
    percent-encoded in the place of the host.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"Target is no URL: {error}") from None
    scheme = parts.scheme
    if scheme not in _PORTS and scheme not in _UNIX:
        raise ValueError("Target must be a URL with scheme http, https or http+unix")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("Target must have no query, fragment or user name")
    if not parts.netloc.isprintable() or not _BASE(parts.path) or "\\" in url:
        raise ValueError("Target has characters that must be percent-encoded")
    base = parts.path.rstrip("/")
    if scheme in _UNIX:
        socket = unquote(parts.netloc)
        if not socket.startswith("/") or "\0" in socket:
            raise ValueError("Target must name an absolute socket path, percent-encoded")
        return Target(url, "localhost", 80, tls=False, socket=socket, base=base)
    host = parts.hostname or ""
    if not host or port == 0 or " " in host:
        raise ValueError("Target must name a host and, if any, a port from 1 to 65535")
    try:
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError("Target has an invalid host name") from None
    return Target(url, host, port or _PORTS[scheme], tls=scheme == "https", socket=None, base=base)
