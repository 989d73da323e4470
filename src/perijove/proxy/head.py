"""Message heads: strict reading of requests and responses. Pure: bytes in, values out.

One anchored pattern checks a whole head; its possessive quantifiers (``++``,
``*+``) never backtrack, so a hostile head costs one pass. A second pattern
picks the few fields that matter to a proxy out of the lower-cased head; its
literal first byte lets the engine skip through the rest.

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
from perijove.proxy.refusals import BadUpstream, Refused

TOKEN = rb"!#$%&'*+\-.^_`|~0-9A-Za-z"
_FIELDS = rb"(?:[" + TOKEN + rb"]++:[\t -~\x80-\xff]*+\r\n)*+\r\n"
_REQUEST = re.compile(
    rb"([" + TOKEN + rb"]++) ([!-~\x80-\xff]++) HTTP/1\.([01])\r\n" + _FIELDS
).match
_RESPONSE = re.compile(
    rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t -~\x80-\xff]*+)?\r\n" + _FIELDS
).match
_REQUEST_FIELDS = re.compile(
    rb"\n(con(?:nection|tent-length)|t(?:ransfer-encoding|e|railer)|upgrade|expect|host"
    rb"|x-(?:forwarded-(?:for|proto|port|host)|real-ip|scheme)|forwarded|keep-alive"
    rb"|http2-settings|proxy(?:-[a-z0-9-]*)?):([^\r]*)"
).findall
_RESPONSE_FIELDS = re.compile(
    rb"\n(c(?:on(?:nection|tent-length)|lear-site-data)|transfer-encoding|upgrade|keep-alive"
    rb"|proxy-[a-z0-9-]*|s(?:ervice-worker-allowed|trict-transport-security)|alt-svc|nel|report-to"
    rb"|x-accel-redirect):([^\r]*)"
).findall
_OTHER_VERSION = re.compile(
    rb"[" + TOKEN + rb"]++ [!-~\x80-\xff]++ HTTP/(?!1\.[01]\r)[0-9](?:\.[0-9])?\r\n"
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


class Request(NamedTuple):
    """What a request head says to a proxy.

    ``target`` is always origin-form as it was sent, ``path`` the same without its
    query; ``end`` is the head's length in bytes; ``length`` is 0 without a body of
    known length; ``has_body`` tells whether bytes of a body follow;
    ``upgrade`` names the wanted protocol; ``as_is`` tells that the head holds
    nothing that concerns only this hop but a plain ``Connection: close`` or
    ``keep-alive``; with ``closes`` it is the former, which must not go out.
    """

    method: bytes
    target: bytes
    path: bytes
    host: bytes | None
    http11: bool
    keep: bool
    length: int
    chunked: bool
    has_body: bool
    upgrade: bytes | None
    as_is: bool
    closes: bool
    end: int


NO_REQUEST = Request(
    b"", b"/", b"/", None, True, True, 0, False, False, None, True, False, 0
)  # fmt: skip
"""What stands in for a request where none could be read."""


class Response(NamedTuple):
    """What a response head says to a proxy; ``length`` is -1 where none is given.

    ``as_is`` tells that it holds nothing that concerns only this hop, and nothing
    that browsers would take for the whole origin (``boundary``).
    """

    status: int
    http11: bool
    keep: bool
    length: int
    chunked: bool
    upgrade: bytes | None
    as_is: bool
    end: int


# A NamedTuple's own constructor costs three times as much.
_new_request: Callable[[Any, tuple[Any, ...]], Request] = cast(Any, tuple.__new__)
_new_response: Callable[[Any, tuple[Any, ...]], Response] = cast(Any, tuple.__new__)


def read_request(data: bytes) -> Request | None:
    """The request whose head starts ``data``, or None while it is incomplete.

    Raises Refused when it is no request that can be passed on safely.
    """
    match = _REQUEST(data)
    if match is None:
        _check_incomplete(data)
        return None
    method, target, minor = match.groups()
    end = match.end()
    if end > _SMALL_HEAD_BYTES:
        _check_size(data, end, target)
    http11 = minor == b"1"
    length, chunked, host, options, upgrade, as_is = _read_fields(data[:end].lower(), http11)
    if host is not None:
        if not _is_host(host):
            raise Refused(400, "The request's Host is not valid.")
    elif http11:
        raise Refused(400, "The request has no Host.")
    if target[:1] != b"/":
        target, as_is = _origin_form(target, host), False
    if length < 0:
        length = 0
        if method in _WANTS_LENGTH and not chunked:
            as_is = False
    has_body = chunked or length > 0
    keep, closes, protocol = http11, False, None
    if options:
        closes = b"close" in options
        keep = (http11 or b"keep-alive" in options) and not closes
        if upgrade and http11 and not has_body and b"upgrade" in options:
            protocol = _wanted_protocol(data[:end])
    query = target.find(b"?")
    path = target if query < 0 else target[:query]
    return _new_request(
        Request,
        (
            method, target, path, host, http11, keep, length, chunked, has_body, protocol, as_is,
            closes, end,
        ),
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _is_host(host: bytes) -> bool:
    return _HOST(host) is not None


def _read_fields(
    head: bytes, http11: bool
) -> tuple[int, bool, bytes | None, list[bytes], bool, bool]:
    """Length (-1: none), chunking, Host, Connection options, Upgrade seen, fit to go as it is.

    ``head`` is in lower case. Raises Refused.
    """
    length, chunked, host, upgrade, as_is = -1, False, None, False, http11
    options: list[bytes] = []
    for name, value in _REQUEST_FIELDS(head):
        value = value.strip(b" \t")
        if name == b"host":
            if host is not None:
                raise Refused(400, "The request has more than one Host.")
            host = value
        elif name == b"connection":
            if value == b"keep-alive" or value == b"close":
                options.append(value)
            else:
                as_is = False
                options += _list_of(value)
        elif name == b"content-length":
            if length >= 0 or not value.isdigit() or len(value) > 18:
                raise Refused(400, "The request's Content-Length is not one number.")
            length = int(value)
        elif name == b"transfer-encoding":
            if value != b"chunked":
                raise Refused(501, "Only the transfer coding 'chunked' is understood.")
            if chunked or not http11:
                raise Refused(400, "The request's Transfer-Encoding is not valid here.")
            chunked = True
        elif name == b"expect":
            if value != b"100-continue":
                raise Refused(417, "Only the expectation '100-continue' is understood.")
        else:
            as_is = False
            upgrade = upgrade or name == b"upgrade"
    if chunked and length >= 0:
        raise Refused(400, "The request has both Content-Length and Transfer-Encoding.")
    return length, chunked, host, options, upgrade, as_is


def read_response(data: bytes) -> Response | None:
    """The response whose head starts ``data``, or None while it is incomplete.

    Raises BadUpstream when it cannot be passed on safely.
    """
    match = _RESPONSE(data)
    if match is None:
        if b"\r\n\r\n" in data or len(data) > MAX_HEAD_BYTES:
            raise BadUpstream("the response's header is not valid")
        return None
    end = match.end()
    if end > MAX_HEAD_BYTES:
        raise BadUpstream("the response's header is too large")
    http11 = match[1] == b"1"
    keep = as_is = http11
    length, chunked, upgrade = -1, False, None
    options: list[bytes] = []
    for name, value in _RESPONSE_FIELDS(data[:end].lower()):
        value = value.strip(b" \t")
        if name == b"content-length":
            if length >= 0 or not value.isdigit() or len(value) > 18:
                raise BadUpstream("the response's Content-Length is not one number")
            length = int(value)
        elif name == b"connection":
            if value == b"keep-alive":
                options.append(value)
            else:
                as_is = False
                options += _list_of(value)
        elif name == b"transfer-encoding":
            if value != b"chunked" or chunked or not http11:
                raise BadUpstream("the response's Transfer-Encoding is not valid")
            chunked = True
        else:
            as_is = False
            if name == b"upgrade":
                upgrade = value
    if chunked and length >= 0:
        raise BadUpstream("the response has both Content-Length and Transfer-Encoding")
    if options:
        keep = (http11 or b"keep-alive" in options) and b"close" not in options
    if upgrade is not None and b"upgrade" not in options:
        upgrade = None
    return _new_response(
        Response, (int(match[2]), http11, keep, length, chunked, upgrade, as_is, end)
    )


def _check_size(data: bytes, end: int, target: bytes) -> None:
    """Raise Refused when a complete head is larger than we take."""
    too_many = end > 4 * MAX_HEADERS and data.count(b"\n", 0, end) > MAX_HEADERS + 2
    if end > MAX_HEAD_BYTES or too_many:
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


def _list_of(value: bytes) -> list[bytes]:
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


def _wanted_protocol(head: bytes) -> bytes | None:
    """The one protocol that Upgrade names, in lower case.

    Never HTTP/2 or TLS: behind such a switch a client could ask the server for
    anything, past the routing. A list of protocols is read as no wish at all.
    """
    found = _UPGRADE.findall(head)
    if len(found) != 1 or b"," in found[0]:
        return None
    protocol: bytes = found[0].lower()
    return None if protocol.split(b"/")[0] in _NO_TUNNEL else protocol
