"""What servers are told about the client: ``X-Forwarded-*`` and ``Forwarded`` (RFC 7239). Pure.

A client can write such fields itself, so they are believed only from those that
an operator trusts to be proxies. Of all others they are dropped, together with
their older relatives, and only what this proxy has seen itself goes on.
"""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from perijove.proxy.head import Fields

NAMES = frozenset((
    b"x-forwarded-for", b"x-forwarded-port", b"x-forwarded-proto", b"x-forwarded-host",
    b"forwarded",
))  # fmt: skip
"""Fields that we write; those of a trusted proxy are added to."""

CLAIMS = NAMES | frozenset((b"x-real-ip", b"x-scheme"))
"""Fields by which a client could pretend to be another, as could any ``X-Forwarded-`` one."""


def is_pretence(name: bytes, believed: bool) -> bool:
    """Whether a field (lower-case name) claims what its sender is not ``believed``.

    Spelt with an underscore it never is: CGI and WSGI cannot tell the two spellings
    apart, and a proxy that sets the one lets the other pass.
    """
    plain = name.replace(b"_", b"-")
    if plain in CLAIMS or plain.startswith(b"x-forwarded-"):
        return not believed or plain != name
    return False


_WORDS = {"all": ("0.0.0.0/0", "::/0"), "none": ()}
_PRIVATE = (
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
    "100.64.0.0/10", "::1/128", "fc00::/7", "fe80::/10",
)  # fmt: skip


class Networks:
    """Addresses that an option lists; ``local`` tells whether UNIX sockets count as well."""

    __slots__ = ("_networks", "local", "text")

    def __init__(self, text: str = "private") -> None:
        """Read addresses and networks, divided by commas, or ``all``, ``none``, ``private``.

        Raises ValueError on anything else.
        """
        self.text = text
        networks: list[IPv4Network | IPv6Network] = []
        for word in filter(None, (part.strip() for part in text.split(","))):
            listed = _PRIVATE if word == "private" else _WORDS.get(word, (word,))
            networks += [ip_network(item) for item in listed]
        self._networks = tuple(networks)
        self.local = any(network.is_loopback or not network.prefixlen for network in networks)

    def __contains__(self, ip: bytes) -> bool:
        try:
            address = ip_address(ip.decode("ascii"))
        except ValueError:  # a UNIX socket
            return self.local
        return any(address in network for network in self._networks)


class Forwarding:
    """The fields for one client connection."""

    __slots__ = ("_believed", "_trusted", "ip", "secure")

    def __init__(self, ip: bytes, secure: bool, trusted: Networks) -> None:
        self.ip = ip
        self.secure = secure
        self._trusted = trusted
        self._believed: bool | None = None

    @property
    def believed(self) -> bool:
        """Whether the client's own fields count."""
        if self._believed is None:
            self._believed = self.ip in self._trusted
        return self._believed

    def block(self, host: bytes | None) -> bytes:
        """The lines for a request that brings none of its own and wants no upgrade."""
        return _block(self.ip, self.secure, host)

    def lines(self, fields: Fields, given: dict[bytes, bytes]) -> list[bytes]:
        """The field lines: our values added, after a comma, to those that were ``given``."""
        return _lines(self.ip, self.secure, fields.host, fields.upgrade is not None, given)


@lru_cache(maxsize=1024)
def _block(ip: bytes, secure: bool, host: bytes | None) -> bytes:
    return b"".join(_lines(ip, secure, host, False, {}))


def _lines(
    ip: bytes, secure: bool, host: bytes | None, upgrade: bool, given: dict[bytes, bytes]
) -> list[bytes]:
    if upgrade:
        proto = b"wss" if secure else b"ws"
    else:
        proto = b"https" if secure else b"http"
    mine = [
        (b"X-Forwarded-For", ip),
        (b"X-Forwarded-Port", _port_of(host or b"", secure)),
        (b"X-Forwarded-Proto", proto),
    ]
    if b"forwarded" in given or not given.keys() & CLAIMS:
        # never beside fields of a proxy that does not write it: readers prefer this one
        mine.append((b"Forwarded", _forwarded(ip, host, secure)))
    lines = []
    for name, value in mine:
        before = given.get(name.lower())
        lines.append(b"%s: %s\r\n" % (name, b"%s,%s" % (before, value) if before else value))
    named = given.get(b"x-forwarded-host")
    if named is None and not upgrade:
        named = host
    if named:
        lines.append(b"X-Forwarded-Host: %s\r\n" % named)
    return lines


def _forwarded(ip: bytes, host: bytes | None, secure: bool) -> bytes:
    node = b'"[%s]"' % ip if b":" in ip else ip
    named = b';host="%s"' % host if host else b""
    return b"for=%s%s;proto=%s" % (node, named, b"https" if secure else b"http")


def _port_of(host: bytes, secure: bool) -> bytes:
    _, colon, port = host[host.rfind(b"]") + 1 :].rpartition(b":")
    return port if colon and port else (b"443" if secure else b"80")
