"""What a caller would like of an answer: the ``Prefer`` header (RFC 7240).

Two preferences are known here. ``wait=N``: wait up to N seconds for what was asked
for, in place of the hub's own ``slow_spawn_timeout`` and ``slow_stop_timeout``.
``handling=lenient``: that something exists already is no error, so that a creation
can be repeated. A preference that is not understood is ignored, as the RFC demands
(section 2).
"""

import re

from starlette.requests import Request
from starlette.responses import Response

MAX_WAIT_S = 600
"""The longest wait that is granted, in seconds."""

_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?=$|[,;])", re.IGNORECASE)
_HANDLING = re.compile(
    r"(?:^|[,;])\s*handling\s*=\s*\"?(strict|lenient)\"?\s*(?=$|[,;])", re.IGNORECASE
)


def preferred_wait_s(request: Request) -> int | None:
    """How many seconds the caller would wait; None without such a preference."""
    found = _first(_WAIT, request)
    return min(int(found), MAX_WAIT_S) if found else None


def prefers_lenient(request: Request) -> bool:
    """Whether what exists already shall be answered like what was made."""
    return _first(_HANDLING, request).lower() == "lenient"


def _first(preference: re.Pattern[str], request: Request) -> str:
    """The value of the first preference of this name (section 2 of the RFC), or nothing."""
    for value in request.headers.getlist("prefer"):
        found = preference.search(value)
        if found:
            return found[1]
    return ""


def applied(response: Response, wait_s: int | None = None, *, lenient: bool = False) -> Response:
    """The answer, saying which preferences it took account of (RFC 7240 section 3)."""
    names = [f"wait={wait_s}"] if wait_s is not None else []
    if lenient:
        names.append("handling=lenient")
    if names:
        response.headers["Preference-Applied"] = ", ".join(names)
    return response
