"""What a server below a prefix says in the name of the whole origin. Pure.

Some fields of a response are taken by browsers, or by a web server in front of
us, for all that is served under the host and not for one answer. Where routes
share a host, a server speaks for its own prefix alone: such fields are dropped,
and the scope of its service workers is narrowed to the prefix. A service worker
with a wider one would answer for its neighbours' pages and for the hub's.

A script's own directory is the scope that it may have without asking (Service
Workers, section "Update", step "max scope"). For the bare prefix, without its
trailing slash, that is the directory which the neighbours share, so there the
scope is stated on every answer.
"""

import re

SCOPE = b"service-worker-allowed"
ORIGIN_WIDE = frozenset((
    b"alt-svc", b"clear-site-data", b"nel", b"report-to", b"strict-transport-security",
    b"x-accel-redirect",
))  # fmt: skip
"""RFC 7838, Clear Site Data, Network Error Logging, Reporting (its first version), RFC 6797.

The last one has an nginx in front of us answer with another address.
"""

_PLAIN_PATH = re.compile(rb"[A-Za-z0-9_.~!$&'()*+,;=:@%/-]+").fullmatch


def own_prefix(path: bytes, segments: int) -> bytes:
    """The first ``segments`` segments of a request's path, as it spells them, and a slash.

    Empty when there are none: the server has the host to itself.
    """
    if not segments:
        return b""
    end = 0
    for _ in range(segments):
        end = path.find(b"/", end + 1)
        if end < 0:
            return path + b"/"
    return path[: end + 1]


def is_bare(path: bytes, segments: int) -> bool:
    """Whether a path that leads to a route of so many segments ends with them."""
    return path.count(b"/") == segments


def narrowed(scope: bytes, prefix: bytes) -> bytes:
    """The scope of service workers if it is certain to lie below ``prefix``, else the prefix."""
    certain = scope.startswith(prefix) and _PLAIN_PATH(scope) is not None
    if certain and b"/." not in scope and b"%2e" not in scope.lower():
        return scope
    return prefix
