"""Which pages of other origins may read the API's answers in a browser (Fetch standard, CORS).

Only requests with a token profit: credentials of the browser are never allowed, so a
page gains nothing from the cookies of whoever looks at it.
"""

from starlette.requests import Request
from starlette.responses import Response

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = "Authorization, Content-Type, Accept, Prefer, Last-Event-ID, If-None-Match"
ANSWER_HEADERS = "ETag, Retry-After, Preference-Applied, X-JupyterHub-Version"
PREFLIGHT_AGE_S = 600


class Cors:
    """The origins that the operator allows; none by default."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        """``origins``: ``scheme://host[:port]`` in lower case; ``*`` stands for all."""
        self._origins = frozenset(origins)
        self._all = "*" in self._origins

    @property
    def enabled(self) -> bool:
        """Whether any page of another origin is allowed."""
        return bool(self._origins)

    def _allowed(self, request: Request) -> str | None:
        origin = request.headers.get("origin")
        if origin is None or not (self._all or origin.lower() in self._origins):
            return None
        return origin

    def mark(self, request: Request, response: Response) -> None:
        """Let the page that asked read the answer, if its origin is allowed."""
        response.headers.add_vary_header("Origin")
        origin = self._allowed(request)
        if origin is not None:
            response.headers["access-control-allow-origin"] = "*" if self._all else origin
            response.headers["access-control-expose-headers"] = ANSWER_HEADERS

    def preflight(self, request: Request) -> Response:
        """The answer to OPTIONS: what an allowed page may send."""
        asked = request.headers.get("access-control-request-method")
        if asked is None or self._allowed(request) is None:
            return Response(status_code=200)
        return Response(
            status_code=204,
            headers={
                "access-control-allow-methods": METHODS,
                "access-control-allow-headers": REQUEST_HEADERS,
                "access-control-max-age": str(PREFLIGHT_AGE_S),
            },
        )
