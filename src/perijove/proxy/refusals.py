"""The two ways in which a message can be wrong: the client's, or the server's."""

REASONS = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}
"""Reason phrases of the statuses that the proxy itself gives."""


class Refused(Exception):
    """The client's message cannot be passed on; the connection ends after the answer.

    ``status`` is the answer's status, ``reason`` one sentence for its body.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class BadUpstream(Exception):
    """The server's message is not HTTP as we can safely pass it on."""
