"""What a caller would like of an answer: the ``Prefer`` header (RFC 7240).

One preference is known here: ``wait=N``, to wait up to N seconds for what was asked
for, in place of the hub's own ``slow_spawn_timeout`` and ``slow_stop_timeout``. A
preference that is not understood is ignored, as the RFC demands (section 2).
"""

import re

from starlette.requests import Request
from starlette.responses import Response

MAX_WAIT_S = 600
"""The longest wait that is granted, in seconds."""

_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?=$|[,;])", re.IGNORECASE)


def preferred_wait_s(request: Request) -> int | None:
    """How many seconds the caller would wait; None without such a preference."""
    for value in request.headers.getlist("prefer"):
        found = _WAIT.search(value)
        if found:
            return min(int(found[1]), MAX_WAIT_S)
    return None


def applied(response: Response, wait_s: int | None) -> Response:
    """The answer, saying which preference it took account of (RFC 7240 section 3)."""
    if wait_s is not None:
        response.headers["Preference-Applied"] = f"wait={wait_s}"
    return response
