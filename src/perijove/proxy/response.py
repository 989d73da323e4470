"""Response heads: strict reading, in the grammar of ``head``. Pure: bytes in, values out.

A server is not trusted more than a client: what two readers could understand
differently is not passed on. Most responses have no field that concerns a proxy
but the one that says how long their body is; one pattern checks and reads such a
head at once. All others are checked, and then their special fields are picked
out. RFC 9112 sections 4 and 6.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from perijove.proxy.head import FIELDS, TOKEN, is_plain_length, list_of
from perijove.proxy.limits import MAX_HEAD_BYTES
from perijove.proxy.refusals import BadUpstream

_SPECIAL = (
    rb"(?:c(?:on(?:nection|tent-length)|lear-site-data)|transfer-encoding|upgrade|keep-alive"
    rb"|proxy-[a-z0-9-]*|s(?:ervice-worker-allowed|trict-transport-security)|alt-svc|nel|report-to"
    rb"|x-accel-redirect)"
)
"""Names in lower case: what concerns one hop, and what speaks for the origin (``boundary``)."""
_REASON = rb"(?: [\t -~\x80-\xff]*+)?\r\n"
_OTHERS = rb"(?:(?!(?i:" + _SPECIAL + rb"):)[" + TOKEN + rb"]++:[\t -~\x80-\xff]*+\r\n)*+"
_PLAIN = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9][0-9])" + _REASON + _OTHERS
    + rb"(?:(?i:content-length): ?(0|[1-9][0-9]{0,17})\r\n|((?i:transfer-encoding)): ?chunked\r\n)"
    + _OTHERS + rb"\r\n"
).match  # fmt: skip
_RESPONSE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])" + _REASON + FIELDS).match
_SPECIAL_FIELDS = re.compile(rb"\n(" + _SPECIAL + rb"):([^\r]*)").findall


class Response(NamedTuple):
    """What a response head says to a proxy; ``length`` is -1 where none is given.

    ``as_is`` tells that the head holds nothing that concerns only this hop but
    perhaps ``Connection: keep-alive``, in which case it ``names`` it, and nothing
    that browsers would take for the whole origin (``boundary``); ``end`` is the
    head's length in bytes.
    """

    status: int
    http11: bool
    keep: bool
    length: int
    chunked: bool
    upgrade: bytes | None
    as_is: bool
    names: bool
    end: int


# A NamedTuple's own constructor costs three times as much.
_new_response: Callable[[Any, tuple[Any, ...]], Response] = cast(Any, tuple.__new__)


def read_response(data: bytes) -> Response | None:
    """The response whose head starts ``data``, or None while it is incomplete.

    Raises BadUpstream when it cannot be passed on safely.
    """
    match = _PLAIN(data)
    if match is None:
        return _read_any(data)
    status, length, chunked = match.groups()
    end = match.end()
    if end > MAX_HEAD_BYTES:
        raise BadUpstream("the response's header is too large")
    if chunked:
        about = (int(status), True, True, -1, True, None, True, False, end)
    else:
        about = (int(status), True, True, int(length), False, None, True, False, end)
    return _new_response(Response, about)


def _read_any(data: bytes) -> Response | None:
    """A response with any fields."""
    match = _RESPONSE(data)
    if match is None:
        first_line = data.find(b"\n")
        bare = first_line >= 0 and data[first_line - 1 : first_line] != b"\r"
        if bare or b"\r\n\r\n" in data or len(data) > MAX_HEAD_BYTES:
            raise BadUpstream("the response's header is not valid")
        return None
    end = match.end()
    if end > MAX_HEAD_BYTES:
        raise BadUpstream("the response's header is too large")
    http11 = match[1] == b"1"
    keep = as_is = http11
    length, chunked, upgrade = -1, False, None
    options: list[bytes] = []
    for name, given in _SPECIAL_FIELDS(data[:end].lower()):
        value = given.strip(b" \t")
        if name == b"content-length":
            if length >= 0 or not value.isdigit() or len(value) > 18:
                raise BadUpstream("the response's Content-Length is not one number")
            length = int(value)
            as_is = as_is and is_plain_length(given, length)
        elif name == b"connection":
            if value == b"keep-alive":
                options.append(value)
            else:
                as_is = False
                options += list_of(value)
        elif name == b"transfer-encoding":
            if value != b"chunked" or chunked or not http11:
                raise BadUpstream("the response's Transfer-Encoding is not valid")
            chunked, as_is = True, False
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
        Response,
        (int(match[2]), http11, keep, length, chunked, upgrade, as_is, bool(options), end),
    )
