"""What plug-ins raise, as errors of the hub.

    SpawnException, HTTPError,            Refusal: a status and a message, no traceback
    anything with jupyterhub_message
    any other Exception                   PluginError: class and call named, cause kept
    errors of the hub itself,             pass through
    cancellation, exits

The plug-in's own words are always kept. Web errors are told by the name of their
class, so that no web framework is needed here. A ``status_code`` alone makes none:
clients of container engines and clouds have it on the errors that they report.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from perijove.domain.errors import PerijoveError, PluginError, Refusal
from perijove.kit.aio import maybe_await
from perijove.plugins.refusal import SpawnException

log = logging.getLogger("perijove.plugins")

_WEB_ERRORS = {("tornado.web", "HTTPError"), ("starlette.exceptions", "HTTPException")}


def as_hub_error(plugin: str, call: str, error: Exception) -> PerijoveError:
    """The hub's error for what ``plugin.call`` raised."""
    if isinstance(error, PerijoveError):
        return error
    shown = legible(getattr(error, "jupyterhub_message", "") or "")
    shown_html = legible(getattr(error, "jupyterhub_html_message", "") or "")
    if answers_request(error):
        status = error.status_code  # type: ignore[attr-defined]
        message = shown or legible(_web_message(error, status))
        return Refusal(
            plugin,
            call,
            message,
            status,
            message,
            shown_html,
            reason=_reason(error),
            headers=_headers(error),
            log_message=_log_text(error),
        )
    if shown or shown_html:
        return Refusal(plugin, call, _words(error), 500, shown, shown_html, headers=_headers(error))
    return PluginError(plugin, call, _words(error))


def answers_request(error: BaseException | None) -> bool:
    """Whether the plug-in means this as the answer to whoever asked: a status and a message."""
    if isinstance(error, SpawnException):
        return True
    kinds = {(kind.__module__, kind.__qualname__) for kind in type(error).__mro__}
    return bool(kinds & _WEB_ERRORS) and isinstance(getattr(error, "status_code", None), int)


def as_option_refusal(plugin: str, call: str, error: Exception) -> PerijoveError:
    """Like ``as_hub_error``; any other exception says that the options are wrong (400)."""
    found = as_hub_error(plugin, call, error)
    if type(found) is not PluginError:
        return found
    if not isinstance(error, (ValueError, TypeError, LookupError)):
        log.error("%s.%s failed on its options", plugin, call, exc_info=error)
    return Refusal(plugin, call, _words(error), 400, legible(error) or _words(error))


def legible(value: object) -> str:
    """The text of what a plug-in says, as UTF-8 can hold it: names of files need not be UTF-8."""
    return str(value).encode("utf-8", "replace").decode()


def _words(error: Exception) -> str:
    text = legible(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _web_message(error: Exception, status: int) -> str:
    """The message of a refusal or of a web framework's error."""
    if isinstance(error, SpawnException) and error.message:
        return error.message
    if message := getattr(error, "log_message", None):
        try:
            # tornado doubles the % of a message without arguments.
            return str(message) % error.args
        except (TypeError, ValueError):
            return str(message)
    for name in ("reason", "detail"):
        if text := getattr(error, name, None):
            return str(text)
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"


def _reason(error: Exception) -> str:
    # tornado's "reason" is the phrase of the status line, SpawnException's a label.
    is_policy = hasattr(error, "message_html")
    return str(getattr(error, "reason", "") or "error") if is_policy else "error"


def _log_text(error: Exception) -> str:
    return str(getattr(error, "log_message", "") or "") if hasattr(error, "message_html") else ""


def _headers(error: Exception) -> dict[str, str]:
    headers = getattr(error, "headers", None)
    return {str(k): str(v) for k, v in headers.items()} if isinstance(headers, Mapping) else {}


@contextmanager
def blaming(
    plugin: str,
    call: str,
    convert: Callable[[str, str, Exception], PerijoveError] = as_hub_error,
) -> Iterator[None]:
    """Turn what the block raises into the hub's error for ``plugin.call``."""
    try:
        yield
    except Exception as error:
        found = convert(plugin, call, error)
        if found is error:
            raise
        raise found from error


async def ask(plugin: object, call: str, *args: Any, **kwargs: Any) -> Any:
    """The awaited result of a plug-in's method. Raises PluginError or Refusal."""
    name = type(plugin).__name__
    with blaming(name, call):
        return await maybe_await(getattr(plugin, call)(*args, **kwargs))


async def ask_or_log(plugin: object, call: str, work: Callable[[], Awaitable[Any] | Any]) -> None:
    """Do something whose failure must not stop what follows: errors are logged."""
    try:
        await maybe_await(work())
    except Exception:
        log.exception("%s.%s failed", type(plugin).__name__, call)
