"""Errors as HTTP answers: the one place that knows status codes.

The API answers JSON ``{"status": ..., "message": ...}``; pages answer HTML
through the renderer that ``pages.errors`` registers.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from perijove.access.errors import AccessError
from perijove.domain import errors
from perijove.kit import jsons

log = logging.getLogger("perijove.web")

STATUS: dict[type[Exception], int] = {
    errors.InvalidInput: 400,
    errors.TooLarge: 413,
    errors.NotAuthenticated: 403,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.Conflict: 409,
    errors.TooMany: 429,
    errors.PluginError: 500,
    errors.LeaseLost: 503,
    errors.StoreUnavailable: 503,
    errors.ConfigError: 400,
    AccessError: 400,
}

INTERNAL = "Internal Server Error"

PageRenderer = Callable[[Request, int, Exception], Awaitable[Response]]


def status_of(error: Exception) -> int:
    """The status code of an error; 500 for one that nobody expected."""
    if isinstance(error, (errors.Refusal, errors.StartFailed)):
        return error.status if 400 <= error.status < 600 else 500
    if isinstance(error, HTTPException):
        return error.status_code
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return 500


def message_of(error: Exception) -> str:
    """What the caller is told; nothing of an error that nobody expected."""
    if isinstance(error, errors.PluginError):
        return error.shown or INTERNAL
    if isinstance(error, errors.StartFailed):
        return error.message if error.status < 500 else INTERNAL
    if isinstance(error, (errors.PerijoveError, AccessError)):
        return str(error)
    if isinstance(error, HTTPException):
        return str(error.detail)
    return INTERNAL


def headers_of(error: Exception) -> dict[str, str]:
    """Headers that the error asks for."""
    if isinstance(error, errors.TooMany) and error.retry_after_s is not None:
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, errors.MethodNotAllowed):
        return {"Allow": ", ".join(error.allowed)}
    if isinstance(error, (errors.Refusal, errors.StartFailed)):
        return dict(error.headers)
    if isinstance(error, HTTPException) and error.headers:
        return dict(error.headers)
    return {}


def json_problem(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """The API's form of an error."""
    body = jsons.encoded({"status": status, "message": message})
    return Response(body, status, headers, media_type="application/json")


def note(request: Request, error: Exception, status: int) -> None:
    """Log an error with what an operator needs of it."""
    if status < 500 or isinstance(error, (errors.Refusal, errors.StartFailed, errors.TooMany)):
        return
    if isinstance(error, (errors.StoreUnavailable, errors.LeaseLost)):
        log.error("%s", error)
        return
    cause = error.__cause__ if isinstance(error, errors.PluginError) else error
    log.error("%s %s failed", request.method, request.url.path, exc_info=cause or error)


class Problems:
    """Answers errors: JSON below the API, pages elsewhere."""

    def __init__(self, api_prefix: str, page: PageRenderer, *, api_only: bool = False) -> None:
        """``api_only``: there are no pages, so every error is JSON."""
        self._api_prefix = unquote(api_prefix)  # the paths that it is compared with are decoded
        self._page = page
        self._api_only = api_only

    async def handle(self, request: Request, error: Exception) -> Response:
        """The answer for an error that a handler let through."""
        status = status_of(error)
        note(request, error, status)
        headers = headers_of(error)
        if self._api_only or self.is_api(request.scope):
            return json_problem(status, message_of(error), headers)
        response = await self._page(request, status, error)
        response.headers.update(headers)
        return response

    def is_api(self, scope: Any) -> bool:
        """Whether a request is one of the API. People look at the OAuth confirmation."""
        path: str = scope["path"]
        if path == f"{self._api_prefix}oauth2/authorize":
            return False
        return path.startswith(self._api_prefix) or path == self._api_prefix.rstrip("/")
