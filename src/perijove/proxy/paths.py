"""From a request path to the segments that routing compares. Pure.

The server gets the path as it was sent, and what it makes of ``%2F``, ``//``
or a backslash is its own affair. So a path is read twice: once the careful way
(split at slashes, then decode each segment) and once the careless way (decode,
take backslashes for slashes, drop empty segments). Where both readings lead to
one route there is nothing to confuse; where they differ, ``table`` refuses.
Dot segments are refused whatever they are spelt like: browsers resolve them
before sending, and only somebody who looks for a gap sends them.
"""

import re
from urllib.parse import unquote_to_bytes

from perijove.proxy.refusals import Refused

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})").search
_NOT_IN_PATHS = re.compile(rb"[#\x80-\xff]").search


SIMPLE = rb"(?:/(?![/.])[!\"$&-.0->@-\[\]-~]*+)++"
"""A pattern for paths with one reading: no escapes, ``\\``, ``#``, ``//`` or ``/.``."""


def careful(path: bytes) -> list[bytes]:
    """The segments between the slashes that were sent, each decoded once."""
    return [unquote_to_bytes(segment) for segment in path[1:].split(b"/")]


def careless(path: bytes) -> list[bytes]:
    """The segments as a server sees them that decodes first and cleans up."""
    whole = unquote_to_bytes(path).replace(b"\\", b"/")
    return [segment for segment in whole.split(b"/") if segment]


def check(path: bytes) -> None:
    """Raise Refused when the path has no certain meaning.

    That is: malformed escapes, bytes that a URL cannot hold (RFC 3986 section
    2), an encoded NUL, dot segments.
    """
    if _BAD_ESCAPE(path):
        raise Refused(400, "The path has a malformed percent escape.")
    if _NOT_IN_PATHS(path):
        raise Refused(400, "The path has characters that must be percent-encoded.")
    if b"%00" in path:
        raise Refused(400, "The path has an encoded NUL.")
    segments = careless(path)
    if b"." in segments or b".." in segments:
        raise Refused(400, "The path has dot segments.")
