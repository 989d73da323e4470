"""Where a person goes after signing in: never outside the hub.

Browsers read URLs more generously than programs: ``\\`` counts as ``/``, tabs and
line breaks vanish, ``///host`` is a host. So a target is taken only if nothing
of the kind is in it, and what remains is reduced to a path on this host, below
the hub's base URL, in ASCII.
"""

from urllib.parse import quote, urlsplit

MAX_LENGTH = 8192
_FORBIDDEN = frozenset(map(chr, range(0x21))) | {"\x7f"}
_ASCII = "".join(map(chr, range(0x21, 0x7F)))


def checked_next(value: str | None, *, own_hosts: frozenset[str], base_url: str) -> str | None:
    """A safe path (with query and fragment), or None.

    ``own_hosts`` are ``host[:port]`` of this hub, and ``.domain`` for hosts below
    a domain; an absolute URL to one of them is reduced to its path. ``base_url``
    is the path that everything of the hub is below.
    """
    if not value or len(value) > MAX_LENGTH:
        return None
    value = value.replace("\\", "%5C")
    if any(char in _FORBIDDEN for char in value):
        return None
    if value.startswith("//"):
        value = "//" + value.lstrip("/")
    try:
        parts = urlsplit(value)
        host = parts.netloc.lower()
    except ValueError:
        return None
    if parts.scheme or host:
        if not host or not _is_own(host, own_hosts) or parts.scheme not in ("", "http", "https"):
            return None
        value = _local(parts.path, parts.query, parts.fragment)
    if not value.startswith("/") or value.startswith("//") or not _is_below(parts.path, base_url):
        return None
    return quote(value, safe=_ASCII, errors="replace")


def _is_own(host: str, own_hosts: frozenset[str]) -> bool:
    if "@" in host:
        return False
    if host in own_hosts:
        return True
    name = host.partition(":")[0]
    return any(own.startswith(".") and name.endswith(own) for own in own_hosts)


def _is_below(path: str, base_url: str) -> bool:
    """Whether the path is below the base URL after its dot segments are followed (WHATWG URL)."""
    kept: list[str] = []
    for segment in path.lstrip("/").split("/"):
        plain = segment.lower().replace("%2e", ".")
        if plain == "..":
            del kept[-1:]
        elif plain != ".":
            kept.append(segment)
    return "/".join(["", *kept, ""]).startswith(base_url)


def _local(path: str, query: str, fragment: str) -> str:
    local = "/" + path.lstrip("/")
    if query:
        local += f"?{query}"
    if fragment:
        local += f"#{fragment}"
    return local
