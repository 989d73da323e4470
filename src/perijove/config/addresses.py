"""Addresses as configuration gives them: URLs, hosts, ports, Unix sockets. Pure."""

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from perijove.kit.urls import bracket_ipv6, join

WILDCARDS = frozenset({"", "*", "0.0.0.0", "::"})
"""Hosts that mean "all interfaces"."""

MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens: host and port, or a Unix socket, and a path prefix."""

    scheme: str
    host: str
    port: int
    socket: str
    path: str

    @property
    def url(self) -> str:
        """The address as a URL."""
        if self.socket:
            return f"{self.scheme}+unix://{quote(self.socket, safe='')}{self.path}"
        return f"{self.scheme}://{bracket_ipv6(self.host)}:{self.port}{self.path}"


def parse_address(url: str) -> Address:
    """The parts of ``http[s]://[HOST]:PORT/PATH`` or ``http+unix://%2FPATH%2FTO%2FSOCKET``.

    A missing port is that of the scheme; ``*`` is an empty host. Raises
    ValueError, saying what is wrong with the URL.
    """
    parts = urlsplit(url)
    scheme = parts.scheme
    if scheme in {"unix+http", "http+unix", "https+unix"}:
        socket = unquote(parts.netloc)
        if not socket:
            raise ValueError(f"{url!r} names no socket; write http+unix://%2Fpath%2Fto%2Fsocket")
        return Address(scheme.replace("+unix", "").replace("unix+", ""), "", 0, socket, parts.path)
    if scheme not in {"http", "https"} or not url.startswith(f"{scheme}://"):
        raise ValueError(f"{url!r} is not a URL such as http://127.0.0.1:8000/")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"{url!r} has more than scheme, host, port and path")
    try:
        port = parts.port
    except ValueError:
        raise ValueError(f"{url!r} has no valid port (0 to {MAX_PORT})") from None
    if port is None:
        port = 443 if scheme == "https" else 80
    host = parts.hostname or ""
    return Address(scheme, "" if host == "*" else host, port, "", parts.path)


def with_prefix(url: str, prefix: str) -> str:
    """The URL with its path replaced by ``prefix``."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{prefix}"


def with_scheme(url: str, scheme: str = "https") -> str:
    """The URL, with ``scheme`` in front if it has none."""
    return url if "://" in url else f"{scheme}://{url}"


def hub_prefix_of(base_url: str) -> str:
    """The hub's own prefix below the base URL."""
    return join(base_url, "hub/")
