"""How much a stranger may take: sizes, counts and times, in one place."""

from dataclasses import dataclass

MAX_HEAD_BYTES = 64 * 1024
"""A request or response head, start line included."""

MAX_TARGET_BYTES = 32 * 1024
"""A request target."""

MAX_HEADERS = 200
"""Header fields in one head."""

MAX_CHUNK_LINE_BYTES = 4096
"""A chunk-size line with its extensions, or one trailer line."""

MAX_TRAILER_BYTES = 16 * 1024
"""All trailer lines of one message."""

MAX_INTERIM = 64
"""Interim (1xx) responses in one piece of data."""

MAX_CONTROL_BODY_BYTES = 1024 * 1024
"""The body of a request to the REST API."""

MAX_ERROR_PAGE_BYTES = 256 * 1024
"""An error page taken from the error target, its header included."""

WRITE_BUFFER_BYTES = 256 * 1024
"""High-water mark: above it the other side is not read from."""

PIPELINE_BYTES = 64 * 1024
"""Bytes kept of requests sent before the answer to an earlier one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds and counts, which tests make small."""

    head_s: float = 60.0
    """For a whole request head, from the connection's or the head's first byte on."""
    body_idle_s: float = 300.0
    """Without a byte of a request body that was announced."""
    stall_s: float = 900.0
    """Without a byte of a request body that the server does not take either."""
    linger_s: float = 5.0
    """For reading on after a final answer, so that a reset does not overtake it."""
    half_open_s: float = 60.0
    """For an exchange whose client said that it sends no more and gets nothing."""
    connect_s: float = 10.0
    """For opening a connection to a server, TLS included."""
    handshake_s: float = 20.0
    """For a client's TLS handshake."""
    pool_idle_s: float = 30.0
    """Before an unused connection to a server is closed."""
    pool_size: int = 64
    """Unused connections kept to one target."""
    sweep_s: float = 1.0
    """Between looks at the deadlines."""
    drain_s: float = 0.5
    """For running exchanges when the proxy is told to end (the hub kills after one second)."""
    farewell_s: float = 0.2
    """For websockets after that, between their close frame and the end."""
    connections: int | None = None
    """Client connections at once; None: half of the files that the process may open."""
    connections_per_address: int = 0
    """Client connections of one address; 0: any number."""
    body_bytes: int = 0
    """The body of a request; 0: any."""
