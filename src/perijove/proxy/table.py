"""Routes: the longest prefix by host and path segments. No sockets, no time.

A trie of path segments, walked with ``find`` so that a plain path costs one
dictionary look-up per segment and stops where no longer route can exist.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from perijove.proxy import paths
from perijove.proxy.refusals import Refused
from perijove.proxy.targets import Target


class Route:
    """Where requests below ``key`` go.

    ``key`` is the decoded prefix without trailing slash, ``depth`` how many of its
    segments are a path's; ``data`` is what the hub stored, handed back as it is;
    ``last_activity_s`` is a Unix time. The server may speak for the addresses that
    begin with the first ``bound`` segments (``boundary``): those of its route, but the
    hub is trusted with the whole origin, also when it has a prefix.
    """

    __slots__ = ("bound", "data", "depth", "key", "last_activity_s", "target")

    def __init__(
        self, key: str, target: Target, data: dict[str, Any], now_s: float, by_host: bool = False
    ) -> None:
        self.key = key
        self.target = target
        self.data = data
        self.last_activity_s = now_s
        segments = len(_segments(key))
        self.depth = segments - 1 if by_host and segments else segments
        self.bound = 0 if data.get("hub") is True else self.depth


class _Node:
    __slots__ = ("children", "route")

    def __init__(self) -> None:
        self.route: Route | None = None
        self.children: dict[bytes, _Node] = {}


def clean_key(path: str) -> str:
    """A decoded path in the form of keys: leading slash, no trailing or double ones."""
    return "/" + "/".join(segment for segment in path.split("/") if segment)


def _segments(key: str) -> list[bytes]:
    return [part.encode("utf-8", "surrogatepass") for part in key.split("/") if part]


class Table:
    """All routes. With ``by_host`` the first segment of every key but ``/`` is a host."""

    def __init__(self, by_host: bool = False) -> None:
        self.by_host = by_host
        self._root = _Node()
        self._routes: dict[str, Route] = {}

    def __len__(self) -> int:
        return len(self._routes)

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes.values())

    def get(self, key: str) -> Route | None:
        """The route of exactly this key."""
        return self._routes.get(key)

    def add(self, route: Route) -> Route | None:
        """Store a route; returns the one it replaces."""
        node = self._root
        for segment in self._stored(route.key):
            node = node.children.setdefault(segment, _Node())
        replaced, node.route = node.route, route
        self._routes[route.key] = route
        return replaced

    def remove(self, key: str) -> Route | None:
        """Take a route out, and the branches that only led to it."""
        route = self._routes.pop(key, None)
        if route is None:
            return None
        trail = [(self._root, b"")]
        for segment in self._stored(key):
            trail.append((trail[-1][0].children[segment], segment))
        trail[-1][0].route = None
        for (parent, _), (node, segment) in zip(trail[-2::-1], trail[:0:-1], strict=True):
            if node.route is not None or node.children:
                break
            del parent.children[segment]
        return route

    def find(self, path: bytes, host: bytes | None = None, simple: bool = False) -> Route | None:
        """The route with the longest prefix of ``path`` (raw, without query).

        ``host`` is the Host field in lower case, port included; ``simple`` tells
        that the path is (``paths.SIMPLE``). Raises Refused when it could be taken
        for one route by us and for another by a server.
        """
        node = self._root
        best = node.route
        if self.by_host:
            node = node.children.get(_host_name(host or b""), _NOWHERE)
            best = node.route or best
        if not simple:
            return self._find_odd(node, path)
        children, at = node.children, 1
        while children:
            end = path.find(b"/", at)
            found = children.get(path[at:] if end < 0 else path[at:end])
            if found is None:
                return best
            if found.route is not None:
                best = found.route
            if end < 0:
                return best
            children, at = found.children, end + 1
        return best

    def _find_odd(self, start: "_Node", path: bytes) -> Route | None:
        """The route of a path that could be read in several ways.

        A route whose own name has a backslash (``DOMAIN\\name``) is meant where it matches.
        """
        paths.check(path)
        one = _follow(start, paths.careful(path)) or self._root.route
        two = _follow(start, paths.careless(path)) or self._root.route
        if one is not two and not (one is not None and "\\" in one.key):
            raise Refused(400, "The path can be read in two ways that lead to different places.")
        return one

    def _stored(self, key: str) -> list[bytes]:
        segments = _segments(key)
        if self.by_host and segments:
            segments[0] = segments[0].lower()
        return segments


_NOWHERE = _Node()


def _follow(node: _Node, segments: Iterable[bytes]) -> Route | None:
    best = node.route
    for segment in segments:
        found = node.children.get(segment)
        if found is None:
            break
        node = found
        best = node.route or best
    return best


def _host_name(host: bytes) -> bytes:
    """The host without its port; IPv6 addresses keep their brackets."""
    if host[:1] == b"[":
        return host[: host.find(b"]") + 1]
    return host.partition(b":")[0]
