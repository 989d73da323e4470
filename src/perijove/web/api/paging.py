"""Pages of lists: which part was asked for, and how it is answered."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from perijove.domain.errors import InvalidInput
from perijove.web.api.operations import Parameter
from perijove.web.call import Call

PAGINATED = "application/jupyterhub-pagination+json"
MAX_OFFSET = 2**63 - 1
_INTEGER = re.compile(r"-?[0-9]+\Z")

PARAMETERS = (
    Parameter(
        "offset",
        "integer",
        "how many entries to skip",
        least=-MAX_OFFSET,
        most=MAX_OFFSET,
    ),
    Parameter(
        "limit",
        "integer",
        "how many entries to return at most; the hub has a limit of its own",
    ),
)


@dataclass(frozen=True, slots=True)
class Page:
    """The part of a list that a request asks for."""

    offset: int
    limit: int
    wrapped: bool

    def answer(self, call: Call, items: Any, total: int) -> Any:
        """The items, bare or with their place in the list."""
        if not self.wrapped:
            return items
        end = self.offset + self.limit
        following = None
        if end < total:
            following = {
                "offset": end,
                "limit": self.limit,
                "url": self._url(call, end),
            }
        place = {"offset": self.offset, "limit": self.limit, "total": total, "next": following}
        return {"items": items, "_pagination": place}

    def _url(self, call: Call, offset: int) -> str:
        query = {name: values[-1] for name, values in call.query.items()}
        query.update(offset=str(offset), limit=str(self.limit))
        encoded = urlencode(query, errors="surrogateescape")
        return f"{call.rooms.public_url(call.request)}{call.raw_path}?{encoded}"


def page_of(call: Call, *, always: bool = False) -> Page:
    """The page that the request asks for. Raises InvalidInput.

    ``always``: lists that are wrapped whatever the client accepts.
    """
    limits = call.rooms.settings.limits
    accepted = call.request.headers.get("accept", "").split(",")
    asked = any(part.strip() == PAGINATED for part in accepted)
    default = limits.api_page_default_limit if asked else limits.api_page_max_limit
    offset = abs(number(call, "offset", 0))
    limit = abs(number(call, "limit", default))
    if offset > MAX_OFFSET:
        raise InvalidInput(f"offset must be below {MAX_OFFSET}")
    return Page(offset, min(max(limit, 1), limits.api_page_max_limit), asked or always)


def number(call: Call, name: str, default: int) -> int:
    """An integer argument of the query. Raises InvalidInput."""
    text = call.argument(name)
    if text is None:
        return default
    if not _INTEGER.match(text):
        raise InvalidInput(f"Invalid argument type, offset and limit must be integers: {name}")
    return int(text) if len(text) < 40 else MAX_OFFSET + 1


def flag(call: Call, name: str) -> bool:
    """Whether a switch is on: present, and not ``0`` or ``false``."""
    text = call.argument(name)
    return text is not None and text.lower() not in ("0", "false")
