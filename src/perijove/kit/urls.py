"""URL paths: joining, escaping and comparing them the way the protocols do."""

from urllib.parse import quote, unquote, urlsplit

NAME_SAFE = "@~"
"""Characters besides letters, digits and ``_.-`` that stay bare in a name's path segment."""


def join(*parts: str) -> str:
    """Parts joined with single slashes; a leading or trailing slash is kept."""
    pieces = [part for part in parts if part]
    if not pieces:
        return ""
    start = "/" if pieces[0].startswith("/") else ""
    end = "/" if pieces[-1].endswith("/") else ""
    middle = "/".join(stripped for part in pieces if (stripped := part.strip("/")))
    return f"{start}{middle}{end}" if middle else (start or end)


def escape_name(name: str) -> str:
    """A user, server or service name as one path segment."""
    return name if name.isascii() and name.isalnum() else quote(name, safe=NAME_SAFE)


def with_slash(path: str) -> str:
    """The path with one trailing slash."""
    return path if path.endswith("/") else path + "/"


def prefix_of(path: str) -> str:
    """A base URL normalised to one leading and one trailing slash."""
    stripped = path.strip("/")
    return f"/{stripped}/" if stripped else "/"


def host_of(url: str) -> str:
    """The lower-cased host of a URL, without port; empty when there is none."""
    return (urlsplit(url).hostname or "").lower()


def unix_socket_of(url: str) -> str | None:
    """The socket's path of an ``http+unix://%2Fpath`` URL, or None for other URLs."""
    parts = urlsplit(url)
    return unquote(parts.netloc) if parts.scheme.endswith("+unix") else None


def bracket_ipv6(host: str) -> str:
    """The host as it stands in a URL: IPv6 addresses get brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def server_path(base_url: str, user: str, server: str) -> str:
    """``{base_url}user/NAME/`` or ``{base_url}user/NAME/SERVER/``, escaped."""
    path = f"{base_url}user/{escape_name(user)}/"
    return f"{path}{escape_name(server)}/" if server else path
