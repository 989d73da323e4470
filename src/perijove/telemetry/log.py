"""Logging: upstream's line format, safe against what clients and secrets put into it.

Operators grep these lines, so the format is JupyterHub's. Three things are done
to every message, wherever it comes from, because one careless call is enough:
secrets that can be told by their form are blotted out, control characters are
escaped (a name with a line break must not forge a line), and the length is
bounded. Callers still must not log secrets: not every one can be recognised.
"""

import json
import logging
import os
import re
import secrets
import sys
import time
from collections.abc import Mapping
from logging.config import dictConfig
from threading import get_ident
from types import MappingProxyType
from typing import Any, NamedTuple, TextIO

from perijove.domain.settings import LogSettings
from perijove.telemetry.console import ConsoleHandler

LOG_FORMAT = (
    "%(color)s[%(levelname)1.1s %(asctime)s.%(msecs).03d %(name)s %(module)s:%(lineno)d]"
    "%(end_color)s %(message)s"
)
DATE_FORMAT = "%Y-%m-%d %H:%M:%S"

HUB_LOGGERS = ("JupyterHub", "perijove")
"""The loggers that follow ``log_level``; of all others only warnings are shown.

Plug-ins log to ``JupyterHub``, our own rooms to ``perijove.ROOM``.
"""

MAX_MESSAGE = 4_000
"""Characters of a message that are kept."""
MAX_TRACEBACK = 20_000
"""Characters of a traceback that are kept, half from each end."""
MAX_URL = 2_000
"""Characters of a URL in a request's line that are kept."""

SECRET = "[secret]"

_COLOURS = {
    logging.DEBUG: "\x1b[34m",
    logging.INFO: "\x1b[32m",
    logging.WARNING: "\x1b[33m",
    logging.ERROR: "\x1b[31m",
    logging.CRITICAL: "\x1b[35m",
}
_END_COLOUR = "\x1b[0m"

_BREAK = f"\ue000{secrets.token_hex(4)}\ue001"
"""Stands for a template's own line breaks while those of its arguments are escaped."""

_ESCAPES = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (
        *range(0x20),
        *range(0x7F, 0xA0),
        *(0x2028, 0x2029),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        *range(0xD800, 0xE000),
    )
} | {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}
"""Control characters, line separators, and marks that turn the direction of writing."""

_SECRET_KEYS = (
    *("token", "auth", "key", "code", "state", "_xsrf", "passw", "secret", "otp", "ticket", "saml"),
)
_SECRET_KEY = f"(?:{'|'.join(_SECRET_KEYS)})"
_PATTERNS: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    # A parameter of a URL, or of a URL inside another one's parameter (%3Fcode%3D...).
    (
        _SECRET_KEYS,
        re.compile(
            rf"((?:[?&#;]|%(?:25)*(?:3F|26|23))[\w.\-\[\]]*{_SECRET_KEY}[\w.\-\[\]]*"
            r"(?:=|%(?:25)*3D))[^&\s\"'<>#]+",
            re.IGNORECASE,
        ),
        rf"\1{SECRET}",
    ),
    # An option of a command: spawners give servers their tokens so.
    (
        ("--",),
        re.compile(r"(--[\w.\-]*(?:token|passw|secret)[\w.\-]*=)[^\s\"']+", re.IGNORECASE),
        rf"\1{SECRET}",
    ),
    (
        ("/api/authorizations/",),
        re.compile(r"(/api/authorizations/(?:cookie/[^/\s?]+|token)/)[^\s?]+"),
        rf"\1{SECRET}",
    ),
    # User and password in front of a host: database URLs, mostly.
    (("://",), re.compile(r"(://[^\s/:@?#]*):[^\s/@]+@"), rf"\1:{SECRET}@"),
    (
        ("token", "bearer", "basic"),
        re.compile(r"\b(token|bearer|basic)(\s+)[\w.~+/=\-]{16,}", re.IGNORECASE),
        rf"\1\2{SECRET}",
    ),
    # A cookie value signed by this hub.
    (("2|1:0|",), re.compile(r"2\|1:0\|[^\s;,\"']+"), SECRET),
)
"""What a text must hold, in any case, to be looked at; what is a secret; what takes its place."""

_BARE_HEADERS = frozenset({"x-xsrftoken", "x-csrftoken", "x-auth-token", "x-api-key"})


def scrub_text(text: str) -> str:
    """The text without the secrets that can be told by their form."""
    lowered = text.lower()
    for hints, pattern, replacement in _PATTERNS:
        for hint in hints:
            if hint in lowered:
                text = pattern.sub(replacement, text)
                break
    return text


def scrub_url(url: str) -> str:
    """A URL fit for a log line: no secrets, no control characters, bounded length."""
    return _bounded(escape_controls(scrub_text(url)), MAX_URL)


def scrub_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Request headers fit for a log line.

    Of ``Authorization`` the scheme is kept, of cookies the names; everything
    else goes through ``scrub_text``.
    """
    return {name: _scrub_header(name.lower(), value) for name, value in headers.items()}


def _scrub_header(name: str, value: str) -> str:
    if name.endswith("authorization"):
        scheme, _, rest = value.strip().partition(" ")
        return f"{scheme} {SECRET}" if rest else SECRET
    if name in {"cookie", "set-cookie"}:
        names = [part.partition("=")[0].strip() for part in value.split(";")]
        return "; ".join(f"{cookie}={SECRET}" for cookie in names if cookie)
    if name in _BARE_HEADERS:
        return SECRET
    return _bounded(scrub_text(value), MAX_URL)


def escape_controls(text: str) -> str:
    """The text with control characters, line breaks included, as escape sequences."""
    return text if text.isascii() and text.isprintable() else text.translate(_ESCAPES)


def _bounded(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[:limit]}... ({len(text) - limit} more characters)"


class LogFormatter(logging.Formatter):
    """Formats a record as one line, with continuation lines indented.

    A message keeps the line breaks of its template; those that come with its
    arguments are escaped. ``%(color)s`` and ``%(end_color)s`` are empty unless
    ``colour`` is set.
    """

    def __init__(
        self, format: str = LOG_FORMAT, date_format: str = DATE_FORMAT, *, colour: bool = False
    ) -> None:
        super().__init__(format or LOG_FORMAT, date_format or DATE_FORMAT)
        self._colour = colour
        self._second: tuple[int, str] = (-1, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """The time to the second, worked out once for all lines of that second."""
        second = int(record.created)
        known = self._second
        if known[0] != second:
            known = self._second = (second, super().formatTime(record, datefmt))
        return known[1]

    def format(self, record: logging.LogRecord) -> str:
        """The line or lines for this record."""
        record.message = _message_of(record)
        record.asctime = self.formatTime(record, self.datefmt)
        colour = _COLOURS.get(record.levelno, "") if self._colour else ""
        record.__dict__.update(color=colour, end_color=_END_COLOUR if colour else "")
        lines = [self.formatMessage(record)]
        if record.exc_info:
            lines.append(_indented(self.formatException(record.exc_info)))
        if record.stack_info:
            lines.append(_indented(self.formatStack(record.stack_info)))
        return "\n".join(lines)


_FIT = "is_fit"
"""The attribute of records whose message needs no more care."""


def _message_of(record: logging.LogRecord) -> str:
    if _FIT in record.__dict__:
        return str(record.msg)
    text = str(record.msg)
    if record.args:
        text = text.replace("\n", _BREAK) % record.args
    text = _bounded(escape_controls(scrub_text(text)), MAX_MESSAGE)
    return text.replace(_BREAK, "\n    ")


def _indented(text: str) -> str:
    text = scrub_text(text)
    if len(text) > MAX_TRACEBACK:
        half = MAX_TRACEBACK // 2
        left_out = len(text) - 2 * half
        text = f"{text[:half]}\n... ({left_out} characters left out)\n{text[-half:]}"
    return "\n".join(f"    {escape_controls(line)}" for line in text.split("\n"))


def set_up_logging(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Send the hub's log to stderr (or ``stream``) and to the operator's handlers.

    May be called again, with other settings: what an earlier call installed is
    replaced. Raises OSError when the extra file cannot be opened.
    """
    stream = stream or sys.stderr
    colour = stream.isatty() and not os.environ.get("NO_COLOR")
    console = ConsoleHandler(stream)
    console.setFormatter(LogFormatter(settings.format, settings.date_format, colour=colour))
    extra = list(settings.handlers)
    if settings.file:
        extra.append(logging.FileHandler(settings.file, encoding="utf-8", errors="replace"))
    plain = LogFormatter(settings.format, settings.date_format)
    for handler in extra:
        if handler.formatter is None or isinstance(handler.formatter, LogFormatter):
            handler.setFormatter(plain)
    _remove_installed(keep=settings.handlers)
    if settings.overrides:
        dictConfig(_with_overrides(settings))
    else:
        _install(logging.getLogger(), console)
        for name in HUB_LOGGERS:
            logging.getLogger(name).setLevel(settings.level)
            logging.getLogger(name).propagate = True
    for name in HUB_LOGGERS:
        for handler in extra:
            _install(logging.getLogger(name), handler)


def _with_overrides(settings: LogSettings) -> dict[str, Any]:
    """A ``dictConfig`` dictionary: what is usual, with the operator's changes in it.

    The names ``console`` (handler, formatter) and ``JupyterHub`` (logger) are those
    that operators know from traitlets. A logger that they give handlers does not
    send its records to the usual one as well.
    """
    usual: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "console": {
                "()": LogFormatter,
                "format": settings.format,
                "date_format": settings.date_format,
            }
        },
        "handlers": {
            "console": {
                "class": "perijove.telemetry.console.ConsoleHandler",
                "formatter": "console",
                "stream": "ext://sys.stderr",
            }
        },
        "loggers": {name: {"level": settings.level} for name in HUB_LOGGERS},
        "root": {"handlers": ["console"]},
    }
    merged = _merged(usual, settings.overrides)
    for logger in merged["loggers"].values():
        if logger.get("handlers"):
            logger.setdefault("propagate", False)
    return merged


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return result


_installed: list[tuple[logging.Logger, logging.Handler]] = []


def _install(logger: logging.Logger, handler: logging.Handler) -> None:
    logger.addHandler(handler)
    _installed.append((logger, handler))


def _remove_installed(keep: tuple[logging.Handler, ...]) -> None:
    """Take back what was installed; the operator's handlers stay open for use again."""
    for logger, handler in _installed:
        logger.removeHandler(handler)
        if isinstance(handler, logging.FileHandler) and handler not in keep:
            handler.close()
    _installed.clear()


class RequestLine(NamedTuple):
    """One answered request. ``quiet``: static files and health checks.

    ``location`` is where it was redirected to; ``headers`` are those of a request that
    failed.
    """

    method: str
    uri: str
    status: int
    duration_s: float
    user: str = ""
    ip: str = ""
    location: str = ""
    quiet: bool = False
    headers: Mapping[str, str] = MappingProxyType({})


SLOW_S = 1.0
"""From this many seconds on, a quiet request is logged like any other."""


def log_request(logger: logging.Logger, line: RequestLine) -> None:
    """Log an answered request: ``STATUS METHOD URI[ -> LOCATION] (USER@IP) 1.23ms``."""
    level = _request_level(line)
    if not logger.isEnabledFor(level):
        return
    target = f" -> {scrub_url(line.location)}" if line.location else ""
    who = escape_controls(f"{line.user}@{line.ip}")
    text = (
        f"{line.status} {line.method} {scrub_url(line.uri)}{target} ({who})"
        f" {line.duration_s * 1000:.2f}ms"
    )
    logger.handle(_request_record(logger, level, text))
    if line.status >= 500 and line.status not in {502, 503}:
        logger.log(level, "%s", json.dumps(scrub_headers(line.headers), indent=None))


_HERE = (__file__, log_request.__code__.co_firstlineno)
"""Said from here each time: to walk the stack for the caller's name costs as much as the line."""

_templates: dict[tuple[str, int, int], dict[str, Any]] = {}


def _request_record(logger: logging.Logger, level: int, text: str) -> logging.LogRecord:
    """The record of a request's line, whose ``text`` is fit for the log as it is.

    Most of a record is the same for all lines of one logger, level and thread; to work it
    out anew for each cost a tenth of a small answer. An operator's own kind of record is
    made the usual way.
    """

    def make() -> logging.LogRecord:
        extra = {_FIT: True}
        return logger.makeRecord(
            logger.name, level, *_HERE, text, (), None, "log_request", extra=extra
        )

    if logging.getLogRecordFactory() is not logging.LogRecord:
        return make()
    key = (logger.name, level, get_ident())
    template = _templates.get(key)
    if template is None:
        record = make()
        _templates[key] = record.__dict__.copy()
        return record
    record = logging.LogRecord.__new__(logging.LogRecord)
    fields = record.__dict__
    fields.update(template)
    now = time.time()
    fields["created"] = now
    fields["msecs"] = float(int((now - int(now)) * 1000))
    fields["relativeCreated"] += (now - template["created"]) * 1000
    fields["msg"] = text
    return record


def _request_level(line: RequestLine) -> int:
    if line.status >= 500:
        return logging.ERROR
    if line.status >= 400:
        return logging.WARNING
    if line.status == 304 or (line.quiet and line.status < 300):
        return logging.INFO if line.duration_s >= SLOW_S else logging.DEBUG
    return logging.INFO


def shown_name(name: Any, limit: int = 32) -> str:
    """A name that a client claims, shortened, for lines about failed sign-ins."""
    text = str(name)
    return text if len(text) <= limit else f"{text[:16]}..."
