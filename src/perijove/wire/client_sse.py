"""Server-sent events, out of the bytes of a stream.

The format is that of the HTML standard, section 9.2.6; only ``data`` matters here.
"""

import codecs
import re
from collections.abc import AsyncIterator

from perijove.wire.client_errors import BadAnswer

MAX_EVENT = 2**20
"""The longest event that is waited for, in characters."""

_LINE_END = re.compile(r"\r\n|\r|\n")


async def payloads(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The data of each complete event. Raises BadAnswer for one without an end."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    rest = ""
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
            elif not line and data:
                yield "\n".join(data)
                data = []
        if len(rest) + sum(map(len, data)) > MAX_EVENT:
            raise BadAnswer("An event of the hub's stream has no end")
