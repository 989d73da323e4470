"""Server-sent events, out of the bytes of a stream.

The format is that of the HTML standard, section 9.2.6; ``data`` and ``id`` matter here.
"""

import codecs
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from perijove.wire.client_errors import BadAnswer

MAX_EVENT = 2**20
"""The longest event that is waited for, in characters."""

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``data`` is None where only the place to go on from moved; ``id`` may be empty."""

    id: str
    data: str | None


async def read_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """Each complete event. Raises BadAnswer for one without an end."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    rest = cursor = ""
    data: list[str] = []
    async for chunk in chunks:
        rest += decoder.decode(chunk)
        # A carriage return at the end may be the first half of a line end.
        held = "\r" if rest.endswith("\r") else ""
        *lines, rest = _LINE_END.split(rest.removesuffix(held))
        rest += held
        for line in lines:
            if line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
            elif line.startswith("id:"):
                cursor = line[3:].removeprefix(" ")
            elif not line and (data or cursor):
                yield Event(cursor, "\n".join(data) if data else None)
                cursor, data = "", []
        if len(rest) + sum(map(len, data)) > MAX_EVENT:
            raise BadAnswer("An event of the hub's stream has no end")
