"""The error page, for people and for the proxy.

Rendered synchronously and from as little as possible, since it must come out
wherever the fault was.
"""

import logging
from http import HTTPStatus
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from perijove.domain.errors import NotFound, PluginError, StartFailed
from perijove.web.call import Call
from perijove.web.pages.environment import StaticFiles
from perijove.web.problems import message_of
from perijove.web.rooms import Rooms

log = logging.getLogger("perijove.web")

_FALLBACK = "<!doctype html><title>{status} {reason}</title><h1>{status} {reason}</h1>"


def error_context(rooms: Rooms) -> dict[str, Any]:
    """The variables of pages that are rendered without asking anybody."""
    prefix = rooms.settings.network.hub_prefix
    variables = rooms.settings.pages.template_vars
    return {
        "base_url": prefix,
        "prefix": rooms.settings.network.base_url,
        "user": None,
        "login_url": rooms.authenticator.login_url(prefix),
        "login_service": rooms.authenticator.rules.login_service,
        "logout_url": rooms.authenticator.logout_url(prefix),
        "services": [],
        "parsed_scopes": {},
        "expanded_scopes": frozenset(),
        "xsrf": "",
        "xsrf_token": "",
        "no_spawner_check": True,
        **{name: value for name, value in variables.items() if not callable(value)},
    }


def reason_of(status: int) -> str:
    """The phrase of a status code."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown HTTP Error"


class ErrorPages:
    """Renders ``CODE.html`` if there is one, else ``error.html``."""

    def __init__(
        self, templates: jinja2.Environment, static: StaticFiles, context: dict[str, Any]
    ) -> None:
        """``context``: variables that need no request (base_url, login_url ...)."""
        self._templates = templates
        self._static = static
        self._context = context

    async def page(self, request: Request, status: int, error: Exception) -> Response:
        """The page for an error that a handler let through."""
        message = message_of(error)
        if isinstance(error, StartFailed):
            message = error.message
        html = error.shown_html if isinstance(error, (PluginError, StartFailed)) else ""
        if message in (reason_of(status), "Internal Server Error"):
            message = ""
        return self.render(status, status, message, html)

    def render(
        self, code: int, status: int, message: str = "", message_html: str = "", extra: str = ""
    ) -> Response:
        """The page about ``code``, sent with ``status``."""
        values = {
            **self._context,
            "status_code": code,
            "status_message": reason_of(code),
            "message": message,
            "message_html": message_html,
            "extra_error_html": extra,
            "exception": None,
        }
        try:
            template = self._templates.select_template([f"{code}.html", "error.html"])
            html = template.render(**values)
        except Exception:
            log.exception("The error page cannot be rendered")
            html = _FALLBACK.format(status=code, reason=reason_of(code))
        return HTMLResponse(html, status)


def proxy_error_page(pages: ErrorPages, hub_prefix: str) -> Any:
    """GET /hub/error/CODE: what the proxy shows when it has no answer itself."""

    async def proxy_error(call: Call) -> Response:
        text = call.params["code"]
        if not (text.isascii() and text.isdigit()):
            raise NotFound
        code = int(text) if len(text) == 3 else 500
        extra = ""
        if code == 503:
            extra = (
                "<p>Your server appears to be down. "
                f'You can <a href="{hub_prefix}home">start it again from your home page</a>.</p>'
            )
        return pages.render(code, 200, extra=extra)

    return proxy_error
