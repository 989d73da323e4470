"""What can go wrong, and whose fault it is.

    PerijoveError
    ├── CallerError            the request cannot be granted as it stands
    │   ├── InvalidInput         malformed or impossible
    │   │   └── TooLarge           more bytes than the hub takes
    │   ├── NotAuthenticated     no valid credentials
    │   ├── Forbidden            not allowed
    │   ├── NotFound             missing, or not visible to the caller
    │   ├── MethodNotAllowed     the thing exists, the verb does not fit
    │   ├── Conflict             the state of the thing forbids it now
    │   └── TooMany              a limit is reached; come back later
    ├── PluginError            a plug-in failed, or refused with a reason
    │   └── Refusal              a deliberate answer with a status of its own
    ├── StartFailed            a server did not come up
    ├── LeaseLost              another replica owns the work now: stop acting
    ├── StoreUnavailable       the database cannot be reached
    ├── SchemaMismatch         the database has another schema than this version
    └── ConfigError            the operator's configuration cannot be used

A class carries the sentence and the data. ``web.problems`` alone turns them
into status codes and JSON; ``cli`` alone turns them into exit codes.
"""

from collections.abc import Mapping


class PerijoveError(Exception):
    """Parent of every error that the hub raises on purpose."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class CallerError(PerijoveError):
    """The request cannot be granted as it stands."""


class InvalidInput(CallerError):
    """Malformed or impossible input; the message says what would be right."""


class TooLarge(InvalidInput):
    """The request has a longer body than the hub takes."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The request is larger than {limit_bytes} bytes")


class NotAuthenticated(CallerError):
    """No valid credentials came with the request."""

    def __init__(self, message: str = "Missing or invalid credentials.") -> None:
        super().__init__(message)


class Forbidden(CallerError):
    """The caller is known, and may not do this."""


class NotFound(CallerError):
    """The thing is missing, or the caller may not know of it."""

    def __init__(self, message: str = "Not Found") -> None:
        super().__init__(message)


class MethodNotAllowed(CallerError):
    """The thing exists, but this verb does not fit it; ``allowed`` do."""

    def __init__(self, message: str, allowed: tuple[str, ...] = ("GET", "HEAD")) -> None:
        super().__init__(message)
        self.allowed = allowed


class Conflict(CallerError):
    """The state of the thing forbids this now."""


class TooMany(CallerError):
    """A limit is reached; ``retry_after_s`` says when to come back (seconds)."""

    def __init__(self, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PluginError(PerijoveError):
    """A plug-in raised something unexpected.

    ``plugin`` is its class name, ``call`` what it was asked to do. ``shown``
    and ``shown_html`` are what the plug-in wants people to read, if anything.
    """

    def __init__(
        self, plugin: str, call: str, detail: str, shown: str = "", shown_html: str = ""
    ) -> None:
        super().__init__(f"{plugin}.{call} failed: {detail}")
        self.plugin = plugin
        self.call = call
        self.detail = detail
        self.shown = shown
        self.shown_html = shown_html


class Refusal(PluginError):
    """A plug-in's deliberate answer: a status, a message, a reason.

    Made from ``SpawnException``, from tornado's ``HTTPError``, and from any
    exception with ``jupyterhub_message``. No traceback is logged for it.
    """

    def __init__(
        self,
        plugin: str,
        call: str,
        detail: str,
        status: int,
        shown: str = "",
        shown_html: str = "",
        reason: str = "error",
        headers: Mapping[str, str] | None = None,
        log_message: str = "",
    ) -> None:
        super().__init__(plugin, call, detail, shown or detail, shown_html)
        self.status = status
        self.reason = reason
        self.headers = dict(headers or {})
        self.log_message = log_message


class StartFailed(PerijoveError):
    """A server did not come up.

    ``reason`` is a short label (``timeout``, ``exited``, ``error``, or the
    plug-in's own), ``status`` what a caller who waits is answered, and
    ``option`` the configuration option that would change the behaviour.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        status: int = 500,
        shown_html: str = "",
        option: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
        self.shown_html = shown_html
        self.option = option
        self.headers = dict(headers or {})


class LeaseLost(PerijoveError):
    """Another replica owns this work now; the old owner must stop acting at once."""


class StoreUnavailable(PerijoveError):
    """The database cannot be reached."""


class SchemaMismatch(PerijoveError):
    """The database has another schema than this version needs."""


class ConfigError(PerijoveError):
    """The configuration cannot be used; the message is one plain sentence."""
