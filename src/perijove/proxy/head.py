"""Request heads: strict reading, and the grammar of all heads. Pure: bytes in, values out.

One anchored pattern checks the request line and another the fields below it;
their possessive quantifiers (``++``, ``*+``) never backtrack, so a hostile head
costs one pass. A third pattern picks the few fields that matter to a proxy out
of the lower-cased head; its literal first byte lets the engine skip through the
rest. A client mostly sends the same fields with every request, and those that
are the same, byte for byte, as the last ones are not read again.

What two readers could understand differently is refused (request smuggling):
bare CR or LF, NUL, folded lines, blanks before the colon, repeated or signed
lengths, length together with chunking, codings other than ``chunked``, missing
or repeated Host. RFC 9112 sections 2 to 6 and 11.2; RFC 9110 section 7.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, cast

from perijove.proxy.limits import MAX_HEAD_BYTES, MAX_HEADERS, MAX_TARGET_BYTES
from perijove.proxy.paths import SIMPLE
from perijove.proxy.refusals import Refused

TOKEN = rb"!#$%&'*+\-.^_`|~0-9A-Za-z"
"""The characters of a token (RFC 9110 section 5.6.2), for use in a pattern's set."""

FIELDS = rb"(?:[" + TOKEN + rb"]++:[\t -~\x80-\xff]*+\r\n)*+\r\n"
"""Field lines and the empty line that ends a head."""

_VISIBLE = rb"[!-~\x80-\xff]"
_LINE = re.compile(
    rb"([" + TOKEN + rb"]++) (?:((" + SIMPLE + rb")(?:\?" + _VISIBLE + rb"*+)?)|(" + _VISIBLE
    + rb"++)) HTTP/1\.(?=[01]\r\n)"
).match  # fmt: skip
_BLOCK = re.compile(rb"([01])\r\n" + FIELDS).match
_SPECIAL_FIELDS = re.compile(
    rb"\n(con(?:nection|tent-length)|t(?:ransfer-encoding|e|railer)|upgrade|expect|host"
    rb"|x[-_](?:forwarded[-_][" + TOKEN + rb"]*|real[-_]ip|scheme)|forwarded|keep-alive"
    rb"|http2-settings|proxy(?:-[a-z0-9-]*)?):([^\r]*)"
).findall
_OTHER_VERSION = re.compile(
    rb"[" + TOKEN + rb"]++ " + _VISIBLE + rb"++ HTTP/(?!1\.[01]\r)[0-9](?:\.[0-9])?\r\n"
).match
_HOST = re.compile(rb"(?:[a-z0-9._~!$&'()*+;=%-]*|\[[0-9a-f:.]+\])(?::[0-9]{0,5})?").fullmatch
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)([^#]*)", re.IGNORECASE).fullmatch
_UPGRADE = re.compile(
    rb"(?im)^upgrade:[ \t]*([" + TOKEN + rb"/]+(?:[ \t]*,[ \t]*[" + TOKEN + rb"/]+)*)[ \t]*\r$"
)

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"))
"""Methods that may be sent again (RFC 9110 section 9.2.2)."""

_WANTS_LENGTH = frozenset((b"DELETE", b"OPTIONS"))
_NO_TUNNEL = frozenset((b"h2c", b"h2", b"tls"))
_SMALL_HEAD_BYTES = 4 * MAX_HEADERS
"""Too short for any limit: a field takes at least four bytes."""


class Fields(NamedTuple):
    """What a request's fields say to a proxy.

    ``block`` is their bytes, from the last digit of the HTTP version to the empty
    line; ``host`` is in lower case; ``length`` is 0 without a body of known length;
    ``bare`` tells that nothing is said about a body, ``has_body`` that bytes of one
    follow; ``upgrade`` names the wanted protocol; ``as_is`` tells that nothing here
    concerns only this hop but a plain ``Connection: close`` or ``keep-alive``; with
    ``closes`` it is the former, which must not go out.
    """

    block: bytes
    host: bytes | None
    http11: bool
    keep: bool
    length: int
    chunked: bool
    bare: bool
    has_body: bool
    upgrade: bytes | None
    as_is: bool
    closes: bool


class Request(NamedTuple):
    """A request head.

    ``target`` is always origin-form as it was sent, ``path`` the same without its
    query; ``simple`` tells that the path can only be read in one way (``paths``);
    ``as_is`` that the head may go on as it came; ``fields_at`` and ``end`` are
    where its fields begin and where it ends, in bytes.
    """

    method: bytes
    target: bytes
    path: bytes
    simple: bool
    fields: Fields
    as_is: bool
    fields_at: int
    end: int


NO_FIELDS = Fields(b"\0", None, True, True, 0, False, True, False, None, True, False)
"""What stands in for a request's fields where there was none; its block equals no other."""

NO_REQUEST = Request(b"", b"/", b"/", True, NO_FIELDS, True, 0, 0)
"""What stands in for a request where none could be read."""

# A NamedTuple's own constructor costs three times as much.
_new_request: Callable[[Any, tuple[Any, ...]], Request] = cast(Any, tuple.__new__)
_new_fields: Callable[[Any, tuple[Any, ...]], Fields] = cast(Any, tuple.__new__)


def read_request(data: bytes, known: Fields = NO_FIELDS) -> Request | None:
    """The request whose head starts ``data``, or None while it is incomplete.

    ``known`` are the fields of the last request on this connection. Raises Refused
    when it is no request that can be passed on safely.
    """
    line = _LINE(data)
    if line is None:
        _check_incomplete(data)
        return None
    method, target, path, odd = line.groups()
    fields_at = line.end()
    fields = known if data.startswith(known.block, fields_at) else _read_fields(data, fields_at)
    if fields is None:
        _check_incomplete(data)
        return None
    end = fields_at + len(fields.block)
    if end > _SMALL_HEAD_BYTES:
        _check_size(data, end, target or odd)
    as_is = fields.as_is
    if path is None:
        target = odd
        if target[:1] != b"/":
            target, as_is = _origin_form(target, fields.host), False
        path = target.partition(b"?")[0]
    if fields.bare and method in _WANTS_LENGTH:
        as_is = False
    return _new_request(Request, (method, target, path, odd is None, fields, as_is, fields_at, end))


def _read_fields(data: bytes, at: int) -> Fields | None:
    """The fields from ``at`` on, or None where they are incomplete or malformed.

    Raises Refused where they are well-formed and contradict each other.
    """
    match = _BLOCK(data, at)
    if match is None:
        return None
    block = data[at : match.end()]
    http11 = match[1] == b"1"
    length, chunked, host, options, upgrade, as_is = _read_special(block.lower(), http11)
    if host is not None:
        if not _is_host(host):
            raise Refused(400, "The request's Host is not valid.")
    elif http11:
        raise Refused(400, "The request has no Host.")
    bare = length < 0 and not chunked
    has_body = chunked or length > 0
    keep, closes, protocol = http11, False, None
    if options:
        closes = b"close" in options
        keep = (http11 or b"keep-alive" in options) and not closes
        if upgrade and http11 and not has_body and b"upgrade" in options:
            protocol = _wanted_protocol(block)
    if length < 0:
        length = 0
    return _new_fields(
        Fields,
        (block, host, http11, keep, length, chunked, bare, has_body, protocol, as_is, closes),
    )


@lru_cache(maxsize=1024)
def _is_host(host: bytes) -> bool:
    return _HOST(host) is not None


def _read_special(
    block: bytes, http11: bool
) -> tuple[int, bool, bytes | None, list[bytes], bool, bool]:
    """Length (-1: none), chunking, Host, Connection options, Upgrade seen, fit to go as it is.

    ``block`` is in lower case. Raises Refused.
    """
    length, chunked, host, upgrade, as_is = -1, False, None, False, http11
    options: list[bytes] = []
    for name, given in _SPECIAL_FIELDS(block):
        value = given.strip(b" \t")
        if name == b"host":
            if host is not None:
                raise Refused(400, "The request has more than one Host.")
            host = value
        elif name == b"connection":
            if value == b"keep-alive" or value == b"close":
                options.append(value)
            else:
                as_is = False
                options += list_of(value)
        elif name == b"content-length":
            if length >= 0 or not value.isdigit() or len(value) > 18:
                raise Refused(400, "The request's Content-Length is not one number.")
            length = int(value)
            as_is = as_is and is_plain_length(given, length)
        elif name == b"transfer-encoding":
            if value != b"chunked":
                raise Refused(501, "Only the transfer coding 'chunked' is understood.")
            if chunked or not http11:
                raise Refused(400, "The request's Transfer-Encoding is not valid here.")
            chunked, as_is = True, False
        elif name == b"expect":
            if value != b"100-continue":
                raise Refused(417, "Only the expectation '100-continue' is understood.")
        else:
            as_is = False
            upgrade = upgrade or name == b"upgrade"
    if chunked and length >= 0:
        raise Refused(400, "The request has both Content-Length and Transfer-Encoding.")
    return length, chunked, host, options, upgrade, as_is


def _check_size(data: bytes, end: int, target: bytes) -> None:
    """Raise Refused when a complete head is larger than we take."""
    if end > MAX_HEAD_BYTES or data.count(b"\n", 0, end) > MAX_HEADERS + 2:
        raise Refused(431, "The request's header is too large.")
    if len(target) > MAX_TARGET_BYTES:
        raise Refused(414, "The request's target is too long.")


def _check_incomplete(data: bytes) -> None:
    """Raise Refused when no more bytes could make a valid head of this."""
    head_end = data.find(b"\r\n\r\n")
    if head_end > MAX_HEAD_BYTES or (head_end < 0 and len(data) > MAX_HEAD_BYTES):
        raise Refused(431, "The request's header is too large.")
    if head_end >= 0:
        if _OTHER_VERSION(data):
            raise Refused(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here.")
        raise Refused(400, "The request's header is not valid.")
    first_line = data.find(b"\n")
    if first_line == 0 or (first_line > 0 and data[first_line - 1] != 13):
        raise Refused(400, "The request's lines must end with CR LF.")


def is_plain_length(given: bytes, length: int) -> bool:
    """Whether a Content-Length is spelt as everybody spells it.

    Tabs, trailing blanks and leading zeros are allowed, and are where readers differ.
    """
    return given == b" %d" % length or given == b"%d" % length


def list_of(value: bytes) -> list[bytes]:
    """The items of a comma-separated field value."""
    return [item.strip(b" \t") for item in value.split(b",")]


def _origin_form(target: bytes, host: bytes | None) -> bytes:
    """Path and query of an absolute-form target, whose authority must be the Host.

    RFC 9112 section 3.2.2 lets the target's authority win; two names in one
    request are refused instead, since server and proxy could choose differently.
    """
    match = _ABSOLUTE(target)
    if match is None:
        raise Refused(400, "The request's target must be a path.")
    authority, rest = match.groups()
    if host is not None and authority.lower() != host:
        raise Refused(400, "The request's target and Host name different hosts.")
    return bytes(rest) if rest[:1] == b"/" else b"/" + bytes(rest)


def _wanted_protocol(block: bytes) -> bytes | None:
    """The one protocol that Upgrade names, in lower case.

    Never HTTP/2 or TLS: behind such a switch a client could ask the server for
    anything, past the routing. A list of protocols is read as no wish at all.
    """
    found = _UPGRADE.findall(block)
    if len(found) != 1 or b"," in found[0]:
        return None
    protocol: bytes = found[0].lower()
    return None if protocol.split(b"/")[0] in _NO_TUNNEL else protocol
