"""The heads that go out: what is dropped, added and changed on the way. Pure.

Most requests need only the ``X-Forwarded`` block behind their own bytes, which is
put there once for all that have the same fields; most responses need nothing at
all. Everything else is rebuilt line by line: fields that
concern one hop only are dropped (RFC 9110 section 7.6.1), those that the
operator asked for are added.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from perijove.proxy import boundary
from perijove.proxy.forwarded import CLAIMS, NAMES, Forwarding, Networks, is_pretence
from perijove.proxy.head import Fields, Request
from perijove.proxy.response import Response
from perijove.proxy.table import Route
from perijove.proxy.targets import Target

_HOP_BY_HOP = frozenset((
    b"connection", b"keep-alive", b"te", b"trailer", b"upgrade", b"http2-settings", b"expect",
))  # fmt: skip
_RESPONSE_HOP_BY_HOP = frozenset((b"connection", b"keep-alive", b"upgrade"))
_NEVER_BY_NAME = CLAIMS | frozenset((
    b"host", b"content-length", b"transfer-encoding", b"cookie", b"authorization", b"set-cookie",
))  # fmt: skip
"""Fields that a ``Connection`` field cannot have dropped, whatever it names."""

_LENGTHS = frozenset((b"content-length", b"transfer-encoding"))

_CONNECTION_FIELD = re.compile(rb"\n[Cc][Oo][Nn][Nn][Ee][Cc][Tt][Ii][Oo][Nn]:[^\r]*\r")

_REDIRECTS = frozenset((201, 301, 302, 307, 308))


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator wants changed; the command line's options of the same names."""

    x_forward: bool = True
    prepend_path: bool = True
    include_prefix: bool = True
    change_origin: bool = False
    auto_rewrite: bool = False
    protocol_rewrite: str = ""
    custom_headers: tuple[tuple[bytes, bytes], ...] = ()
    by_host: bool = False
    trusted: Networks = field(default_factory=Networks)
    """Whose forwarding fields are believed."""

    keeps_request: bool = field(init=False)
    """Whether a request to a target without base path may go out as it came."""
    keeps_location: bool = field(init=False)
    """Whether redirects pass unchanged."""

    def __post_init__(self) -> None:
        # worked out once: they are asked for with every request
        keeps = self.include_prefix and not self.change_origin and not self.custom_headers
        object.__setattr__(self, "keeps_request", keeps)
        object.__setattr__(self, "keeps_location", not (self.auto_rewrite or self.protocol_rewrite))


def kept_fields(fields: Fields, forwarding: Forwarding, rules: Rules) -> bytes | None:
    """What goes out behind the request line (without the version's last digit).

    None where every such head has to be made anew.
    """
    if not (fields.as_is and rules.keeps_request):
        return None
    block = _CONNECTION_FIELD.sub(b"", fields.block) if fields.closes else fields.block
    if not rules.x_forward:
        return block
    return b"%s%s\r\n" % (block[:-2], forwarding.block(fields.host))


def request_head(
    head: bytes, request: Request, route: Route, forwarding: Forwarding, rules: Rules,
    kept: bytes | None,
) -> bytes:  # fmt: skip
    """The request head for the route's server; ``kept`` are its ``kept_fields``."""
    if kept is not None and request.as_is and not route.target.base:
        return head[: request.fields_at] + kept
    return _made_anew(head, request, route, forwarding, rules)


def _made_anew(
    head: bytes, request: Request, route: Route, forwarding: Forwarding, rules: Rules
) -> bytes:
    base = route.target.base if rules.prepend_path else b""
    fields, target = request.fields, request.target
    if not rules.include_prefix:
        target = _without_prefix(target, route.depth)
    lines, given, names = _kept_fields(head, rules, forwarding.believed)
    first = b"%s %s%s HTTP/1.1\r\n" % (request.method, base, target)
    if b"host" not in names:
        authority = fields.host
        if authority is None or rules.change_origin:
            authority = route.target.authority
        lines.insert(0, b"Host: %s\r\n" % authority)
    if request.method in (b"DELETE", b"OPTIONS") and not names & _LENGTHS:
        lines.append(b"Content-Length: 0\r\n")
    if fields.http11 and fields.has_body and b"expect" in given:
        lines.append(b"Expect: 100-continue\r\n")
    if fields.upgrade:
        lines.append(b"Connection: Upgrade\r\nUpgrade: %s\r\n" % fields.upgrade)
    if rules.x_forward:
        lines += forwarding.lines(fields, given)
    lines += [b"%s: %s\r\n" % pair for pair in rules.custom_headers]
    return b"%s%s\r\n" % (first, b"".join(lines))


def _kept_fields(
    head: bytes, rules: Rules, believed: bool
) -> tuple[list[bytes], dict[bytes, bytes], set[bytes]]:
    """Lines that go on, values of ``Expect`` and believed forwarding fields, the names kept."""
    fields = _split_fields(head)
    dropped = _named_by_connection(fields) | {name.lower() for name, _ in rules.custom_headers}
    if rules.change_origin:
        dropped.add(b"host")
    lines: list[bytes] = []
    given: dict[bytes, bytes] = {}
    kept: set[bytes] = set()
    for name, line in fields:
        if is_pretence(name, believed):
            continue
        if name == b"expect" or (rules.x_forward and name in CLAIMS):
            value = line[len(name) + 1 :].strip(b" \t\r\n")
            given[name] = b"%s,%s" % (given[name], value) if name in given else value
            if name == b"expect" or name in NAMES:
                continue
        if not (name in _HOP_BY_HOP or name in dropped or _is_proxy_field(name)):
            lines.append(_plain_length(name, line) if name in _LENGTHS else line)
            kept.add(name)
    return lines, given, kept


def _split_fields(head: bytes) -> list[tuple[bytes, bytes]]:
    """Lower-cased name and whole line of each field."""
    lines = head.split(b"\r\n")[1:-2]
    return [(line[: line.index(b":")].lower(), line + b"\r\n") for line in lines]


def _named_by_connection(fields: list[tuple[bytes, bytes]]) -> set[bytes]:
    named = set()
    for name, line in fields:
        if name == b"connection":
            named |= {item.strip() for item in line[len(name) + 1 :].lower().split(b",")}
    return {
        name
        for name in named
        if name not in _NEVER_BY_NAME and not name.startswith(b"x-forwarded-")
    }


def _plain_length(name: bytes, line: bytes) -> bytes:
    """How long the body is, spelt so that nobody can misread it."""
    if name == b"content-length":
        return b"Content-Length: %d\r\n" % int(line[len(name) + 1 :])
    return b"Transfer-Encoding: chunked\r\n"


def _is_proxy_field(name: bytes) -> bool:
    return name == b"proxy" or name.startswith(b"proxy-")


def _without_prefix(target: bytes, segments: int) -> bytes:
    """The target without its first path segments."""
    path, mark, query = target.partition(b"?")
    at = 0
    for _ in range(segments):
        at = path.find(b"/", at + 1)
        if at < 0:
            return b"/" + mark + query
    return path[at:] + mark + query


def response_head(
    head: bytes,
    response: Response,
    *,
    connection: bytes | None,
    dechunk: bool = False,
    drop_length: bool = False,
    location: "Location | None" = None,
    prefix: bytes = b"",
    scope: bytes = b"",
) -> bytes:
    """The response head for the client, with ``connection`` as its Connection field.

    ``prefix`` is what the server may speak for (empty: the whole origin); ``scope``
    is the scope of service workers to state where the server states none.
    """
    changed = dechunk or drop_length or scope or location is not None
    if response.as_is and connection and not changed:
        plain = head[: response.end - 2]
        if response.names:
            plain = _CONNECTION_FIELD.sub(b"", plain)
        return b"%sConnection: %s\r\n\r\n" % (plain, connection)
    fields = _split_fields(head[: response.end])
    dropped = _named_by_connection(fields)
    if dechunk:
        dropped |= {b"transfer-encoding", b"trailer"}
    if drop_length:
        dropped |= _LENGTHS
    lines = [b"HTTP/1.1" + head[8 : head.index(b"\n") + 1]]
    for name, line in fields:
        if name in _RESPONSE_HOP_BY_HOP or name in dropped or _is_proxy_field(name):
            continue
        if location is not None and name == b"location":
            line = b"Location: %s\r\n" % location.rewritten(line[9:].strip())
        elif prefix and name in boundary.ORIGIN_WIDE:
            continue
        elif prefix and name == boundary.SCOPE:
            stated = boundary.narrowed(line[len(name) + 1 :].strip(b" \t\r\n"), prefix)
            line, scope = b"Service-Worker-Allowed: %s\r\n" % stated, b""
        elif name in _LENGTHS:
            line = _plain_length(name, line)
        lines.append(line)
    if scope:
        lines.append(b"Service-Worker-Allowed: %s\r\n" % scope)
    if response.upgrade and response.status in (101, 426):
        lines.append(b"Upgrade: %s\r\n" % response.upgrade)
        connection = b"Upgrade" if response.status == 101 else b"Upgrade, %s" % (connection or b"")
    if connection:
        lines.append(b"Connection: %s\r\n" % connection)
    lines.append(b"\r\n")
    return b"".join(lines)


@dataclass(frozen=True, slots=True)
class Location:
    """How a redirect that names the server's own address is pointed at the proxy."""

    target: Target
    host: bytes | None
    rules: Rules

    def rewritten(self, value: bytes) -> bytes:
        """The new value; a redirect elsewhere, or a relative one, stays as it is."""
        try:
            parts = urlsplit(value.decode("ascii"))
        except ValueError:
            return value
        if parts.netloc.lower().encode() != self.target.authority.lower():
            return value
        if self.rules.auto_rewrite and self.host:
            parts = parts._replace(netloc=self.host.decode("latin-1"))
        if self.rules.protocol_rewrite:
            parts = parts._replace(scheme=self.rules.protocol_rewrite)
        return parts.geturl().encode("ascii")


def location_of(
    request: Request, response: Response, target: Target, rules: Rules
) -> Location | None:
    """The rewriting that this response's Location needs, where ``rules`` want any."""
    if response.status not in _REDIRECTS:
        return None
    return Location(target, request.fields.host, rules)
