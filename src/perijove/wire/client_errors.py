"""What the client raises, in sentences fit for people.

    HubError                 anything that went wrong between us and a hub
    ├── BadAddress             the hub's URL, the token or a name cannot be used
    ├── Unreachable            no answer came
    │   └── TimedOut             none within the time limit
    ├── BadAnswer              an answer came, but not one of this API
    ├── Invalid                400, 405: the request is malformed or impossible now
    ├── Forbidden              403: not allowed; ``needs`` are the scopes, any of which would do
    │   └── NotAuthenticated     the token is missing, wrong, or has ended
    ├── NotFound               404: missing, or not visible to this token
    ├── Conflict               409: the state of things forbids it
    ├── TooMany                429: a limit is reached; ``retry_after_s`` if the hub said when
    └── HubFailed              500 and above: the hub, a plug-in or the proxy before it failed

Each has ``message`` (what happened), ``status`` (None without an answer),
``operation`` (``METHOD /path``) and ``advice`` (what to do about it).
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_MESSAGE = 500
"""How much of a hub's message is kept, in characters."""

_NEEDS = re.compile(r"requires any of \[([^\]]*)\]")
_BAD_TOKEN = "Missing or invalid credentials"


class HubError(Exception):
    """Something that a hub would not or could not do."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        operation: str = "",
        advice: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.operation = operation
        self.advice = advice

    def __str__(self) -> str:
        """What happened, to which request, and what to do, on one line."""
        where = f"{self.status} to {self.operation}" if self.status else self.operation
        said = self.message.rstrip(".")
        said = f"{said} ({where})" if where else said
        return f"{said}. {self.advice}" if self.advice else f"{said}."


class BadAddress(HubError):
    """The hub's URL, the token or a name cannot be used; nothing was sent."""


class Unreachable(HubError):
    """No answer came: the hub is down, restarting, or elsewhere."""


class TimedOut(Unreachable):
    """No answer came within the time limit."""


class BadAnswer(HubError):
    """An answer came, but not one of this API."""


class Invalid(HubError):
    """The request is malformed, or impossible as things are."""


class Forbidden(HubError):
    """The token may not do this. ``needs``: scopes, any of which would do, if the hub said so."""

    needs: tuple[str, ...] = ()


class NotAuthenticated(Forbidden):
    """The hub does not know the token."""


class NotFound(HubError):
    """What was asked for does not exist, or this token may not know of it."""


class Conflict(HubError):
    """The state of things forbids it."""


class TooMany(HubError):
    """A limit is reached. ``retry_after_s``: seconds, if the hub said when to try again."""

    retry_after_s: float | None = None


class HubFailed(HubError):
    """The hub, a plug-in of it, or the proxy before it failed."""

    retry_after_s: float | None = None


_CLASSES: dict[int, type[HubError]] = {
    400: Invalid,
    401: NotAuthenticated,
    403: Forbidden,
    404: NotFound,
    405: Invalid,
    409: Conflict,
    413: Invalid,
    429: TooMany,
}

_ADVICE: dict[type[HubError], str] = {
    NotAuthenticated: "The token is missing, wrong, expired or revoked; make a new one.",
    Forbidden: "Use a token that may do this.",
    NotFound: "It does not exist, or this token may not see it.",
    TooMany: "Try again later.",
    HubFailed: "The hub's log says more.",
}

_AT_THE_PROXY = "The hub may be restarting; try again in a moment."


def error_of(
    status: int, headers: Mapping[str, str], body: bytes, operation: str, now: datetime
) -> HubError:
    """The error that an answer of 300 or above stands for. Header names are lower-case."""
    if status < 400:
        return _redirected(status, headers.get("location", ""), operation)
    message = _message_in(body)
    kind = _CLASSES.get(status, HubFailed if status >= 500 else Invalid)
    # Whose token it is may everybody ask who has one, so a refusal means that it is none.
    if status == 403 and (message.startswith(_BAD_TOKEN) or operation == "GET /user"):
        kind = NotAuthenticated
    advice = _ADVICE.get(kind, "")
    if kind is HubFailed and status in (502, 503, 504):
        advice = _AT_THE_PROXY
    error = kind(message or f"Status {status}", status=status, operation=operation, advice=advice)
    if isinstance(error, Forbidden) and (found := _NEEDS.search(message)):
        error.needs = tuple(scope.strip() for scope in found[1].split(",") if scope.strip())
        error.advice = f"The token lacks the scope {' or '.join(error.needs)}."
    if isinstance(error, (TooMany, HubFailed)):
        error.retry_after_s = seconds_in(headers.get("retry-after", ""), now)
    if isinstance(error, TooMany) and error.retry_after_s is not None:
        error.advice = f"Try again in {error.retry_after_s:.0f} seconds."
    return error


def _redirected(status: int, location: str, operation: str) -> HubError:
    # Following it would show the token to whoever sits at the other end.
    return BadAnswer(
        f"The hub sends us on to {location or 'another place'}",
        status=status,
        operation=operation,
        advice="Use the address that it names, if you trust it.",
    )


def _message_in(body: bytes) -> str:
    """The hub's own words: of the API's errors, or of OAuth's (RFC 6749, section 5.2)."""
    try:
        model = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(model, dict):
        return ""
    for key in ("message", "error_description", "error"):
        if isinstance(model.get(key), str) and model[key].strip():
            return " ".join(str(model[key]).split())[:MAX_MESSAGE]
    return ""


def seconds_in(retry_after: str, now: datetime) -> float | None:
    """Seconds from a Retry-After header (RFC 9110, section 10.2.3); None if it has none."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
