"""The tornado handler that plug-ins inherit as ``jupyterhub.apihandlers.APIHandler``."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from tornado.web import HTTPError

from perijove.access.decide import Target
from perijove.compat.base import BaseHandler, error_words
from perijove.compat.models import ModelMethods
from perijove.web.pages.errors import reason_of
from perijove.web.xsrf import needs_proof

default_handlers: list[tuple[Any, ...]] = []
"""Handlers that plug-ins add while they are imported, e.g. ``("/api/name", Handler)``."""


class APIHandler(ModelMethods, BaseHandler):
    """An endpoint of a plug-in in the REST API: tokens count, answers are JSON."""

    _accept_token_auth = True

    def get_content_type(self) -> str:
        """The type of every answer."""
        return "application/json"

    def set_default_headers(self) -> None:
        """The headers of the hub, and nothing may be loaded by an answer."""
        super().set_default_headers()
        self.set_header("Content-Type", self.get_content_type())
        policy = self._headers.get("Content-Security-Policy", "")
        self.set_header("Content-Security-Policy", f"{policy}; default-src 'none'".lstrip("; "))

    def check_xsrf_cookie(self) -> None:
        """Cookie requests prove where they come from; those with a token need not."""
        caller = self._hub_call.caller
        if caller.token is not None or self.request.method in ("HEAD", "OPTIONS"):
            return
        if not caller.known and "Origin" not in self.request.headers:
            return
        if needs_proof(self._hub_call.request):
            self._check_xsrf()

    def get_json_body(self) -> Any:
        """The body as JSON; None when there is none. Raises HTTPError 400."""
        if not self.request.body:
            return None
        try:
            return json.loads(self.request.body)
        except (ValueError, RecursionError):
            self.log.debug("Invalid JSON in the body of a request")
            raise HTTPError(400, "Invalid JSON in body of request") from None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The API's form of an error."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        for name, value in self._error_headers(error, kwargs).items():
            self.set_header(name, value)
        message = error_words(error)[0] or reason_of(status_code)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"status": status_code, "message": message}))

    def options(self, *args: Any, **kwargs: Any) -> None:
        """Nothing but the headers."""
        self.finish()


def needs_scope(*scopes: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a handler's method: the caller must hold one of these scopes.

    Where the path names a user, server, group or service (``user_name`` or
    ``name``, ``server_name``, ``group_name``, ``service_name``), the scope must
    reach that one.
    """
    if not scopes:
        raise ValueError("needs_scope() names at least one scope")

    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        async def checked(self: BaseHandler, *args: Any, **kwargs: Any) -> Any:
            if not self.current_user:
                raise HTTPError(403, "Missing or invalid credentials.")
            await self._hub_call.require(scopes, _target(kwargs))
            result = method(self, *args, **kwargs)
            return await result if hasattr(result, "__await__") else result

        return checked

    return decorate


def _target(names: dict[str, Any]) -> Target:
    user = names.get("user_name") or names.get("user") or names.get("name")
    if "server_name" in names and user:
        return Target.of_server(user, names["server_name"] or "")
    if user:
        return Target.of_user(user)
    if group := names.get("group_name"):
        return Target.of_group(group)
    if service := names.get("service_name"):
        return Target.of_service(service)
    return Target("none")
