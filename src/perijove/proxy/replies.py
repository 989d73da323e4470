"""Answers of the proxy's own, as bytes. Pure."""

from html import escape

from perijove.proxy.refusals import REASONS

_SENTENCES = {
    400: "The request could not be understood.",
    403: "This needs a permission that the request does not carry.",
    404: "Nothing is served at this address.",
    500: "Something went wrong on the way to the server.",
    503: "The server behind this address does not answer. It may be starting or have stopped.",
}

KEPT_APART = (
    ("Content-Security-Policy", "frame-ancestors 'none'"),
    ("Cross-Origin-Opener-Policy", "noopener-allow-popups"),
)
"""For every answer of our own: it has the address of a server's page or the hub's.

A neighbour's page that gets hold of it, in a frame or a window, can read the
cookies that scripts of that address may read.
"""

SAFE_FIELDS = (
    ("X-Content-Type-Options", "nosniff"),
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    ),
    ("Cross-Origin-Opener-Policy", "noopener-allow-popups"),
    ("Cache-Control", "no-store"),
)
"""For pages that we make ourselves."""


def reply(
    status: int,
    body: bytes = b"",
    content_type: str = "",
    *,
    fields: tuple[tuple[str, str], ...] = (),
    keep: bool = True,
    head_only: bool = False,
) -> bytes:
    """A whole response; with ``head_only`` (HEAD) its body is described but not sent."""
    lines = [f"HTTP/1.1 {status} {reason_of(status)}"]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    lines += [f"{name}: {value}" for name, value in fields]
    if status != 204:
        lines.append(f"Content-Length: {len(body)}")
    lines.append("Connection: keep-alive" if keep else "Connection: close")
    head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
    return head if head_only or status == 204 else head + body


def reason_of(status: int) -> str:
    """The reason phrase of a status."""
    return REASONS.get(status) or {
        100: "Continue", 200: "OK", 201: "Created", 204: "No Content", 301: "Moved Permanently",
    }.get(status, "")  # fmt: skip


def page(status: int) -> bytes:
    """The built-in error page: shown when nothing better can be had."""
    title = escape(f"{status} {reason_of(status)}")
    sentence = escape(_SENTENCES.get(status, "The request could not be answered."))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>"
        "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:16vh auto;padding:0 1rem}"
        "h1{font-size:1.5rem}@media(prefers-color-scheme:dark){body{background:#16181d;color:#e8e8ea}}"
        f"</style></head><body><main><h1>{title}</h1><p>{sentence}</p>"
        "<p>Try again in a moment, or go back to the page that brought you here.</p>"
        "</main></body></html>\n"
    ).encode()
