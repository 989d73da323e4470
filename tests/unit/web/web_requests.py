"""Requests for tests of the web room, made without a server."""

from starlette.requests import Request


def make_request(
    method: str = "GET",
    path: str = "/hub/home",
    *,
    headers: dict[str, str] | list[tuple[str, str]] | None = None,
    client: str = "203.0.113.9",
    scheme: str = "http",
) -> Request:
    """A request with these headers and no body."""
    pairs = headers.items() if isinstance(headers, dict) else headers or []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "scheme": scheme,
        "server": ("hub.test", 80),
        "client": (client, 40000),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
    }
    return Request(scope)
