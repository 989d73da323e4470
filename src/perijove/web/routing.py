"""Which handler answers a path.

Names of users and servers are single path segments that may hold anything once
decoded, a slash included, so routes are matched on the raw path, segment by
segment, and each segment is decoded by itself. One route is one look-up per
segment, however many routes there are.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from perijove.domain.errors import InvalidInput

Endpoint = Callable[[Any], Awaitable[Any]]

MAY_BE_EMPTY = frozenset({"server", "server_name"})
"""Parameters that may be an empty segment: the default server's name."""


@dataclass(slots=True)
class _Node:
    fixed: dict[str, "_Node"] = field(default_factory=dict)
    name: str = ""
    any: "_Node | None" = None
    rest: str = ""
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    rest_endpoints: dict[str, Endpoint] = field(default_factory=dict)


class Match(NamedTuple):
    """``endpoints`` by method; ``params`` decoded."""

    endpoints: dict[str, Endpoint]
    params: dict[str, str]


def decode_segment(segment: str) -> str:
    """A percent-encoded segment as text. Raises InvalidInput when it is none."""
    if "%" not in segment and "\0" not in segment and segment.isascii():
        return segment
    for part in segment.split("%")[1:]:
        if len(part) < 2 or not all(c in "0123456789abcdefABCDEF" for c in part[:2]):
            raise InvalidInput(f"Malformed percent-encoding in {segment!r}")
    try:
        # Servers hand on the raw bytes of a path as Latin-1 text.
        text = unquote_to_bytes(segment.encode("latin-1")).decode("utf-8")
    except UnicodeError:
        raise InvalidInput(f"{segment!r} is not percent-encoded UTF-8") from None
    if "\0" in text:
        raise InvalidInput("A name cannot hold NUL")  # nor could a database be asked about it
    return text


class Routes:
    """A tree of paths. ``{name}`` takes one segment, ``{name:path}`` the rest, undecoded."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, method: str, path: str, endpoint: Endpoint) -> None:
        """Answer ``method path`` with ``endpoint``; the latest wins.

        Raises ValueError when routes disagree about the name of a segment.
        """
        node = self._root
        for segment in path.removeprefix("/").split("/"):
            if segment.startswith("{") and segment.endswith(":path}"):
                node.rest = segment[1:-6]
                node.rest_endpoints[method] = endpoint
                return
            if segment.startswith("{"):
                node = self._any_child(node, segment[1:-1])
            else:
                node = node.fixed.setdefault(segment, _Node())
        node.endpoints[method] = endpoint

    @staticmethod
    def _any_child(node: _Node, name: str) -> _Node:
        if node.any is None:
            node.name, node.any = name, _Node()
        elif node.name != name:
            raise ValueError(f"one segment cannot be both {{{node.name}}} and {{{name}}}")
        return node.any

    def match(self, raw_path: str) -> Match | None:
        """The endpoints of a raw path. Raises InvalidInput for malformed encoding."""
        return self._walk(self._root, raw_path.removeprefix("/").split("/"), {})

    def _walk(self, node: _Node, segments: list[str], params: dict[str, str]) -> Match | None:
        if not segments:
            return Match(node.endpoints, params) if node.endpoints else None
        first, rest = segments[0], segments[1:]
        child = node.fixed.get(first)
        if child is not None and (found := self._walk(child, rest, params)) is not None:
            return found
        if node.any is not None and (first or node.name in MAY_BE_EMPTY):
            inner = {**params, node.name: decode_segment(first)}
            if (found := self._walk(node.any, rest, inner)) is not None:
                return found
        if node.rest:
            return Match(node.rest_endpoints, {**params, node.rest: "/".join(segments)})
        return None
