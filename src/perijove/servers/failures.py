"""What a failed start means: to people, in the log, and in the metrics.

``ask`` calls a plug-in so that it can fail in no other way than by an error.

A policy refusal of a plug-in is no fault: it is logged without traceback and
counted as a failure, not as an error.
"""

import asyncio
import logging
import time
from asyncio import CancelledError
from collections.abc import Awaitable
from typing import TypeVar

from perijove.domain.errors import (
    PerijoveError,
    PluginError,
    Refusal,
    StartFailed,
    StoreUnavailable,
)
from perijove.domain.ports import SpawnerPort
from perijove.domain.servers import Failure
from perijove.kit.aio import being_cancelled
from perijove.servers.holdings import Holding
from perijove.telemetry import metrics

T = TypeVar("T")

log = logging.getLogger("perijove.servers")

POLL_LIMIT_S = 60.0
"""How long one poll may take, so that a plug-in that hangs stops neither polling nor a stop."""


def failure_of(error: Exception, user: str) -> Failure:
    """What people are told of an error in a start."""
    if isinstance(error, Refusal):
        return Failure(error.shown, error.shown_html, error.reason, error.status, error.headers)
    if isinstance(error, PluginError):
        return Failure(error.shown or error.detail, error.shown_html)
    if isinstance(error, StartFailed):
        return Failure(error.message, error.shown_html, error.reason, error.status, error.headers)
    if isinstance(error, StoreUnavailable):
        return Failure("The hub's database cannot be used now", status=503)
    if isinstance(error, PerijoveError):
        return Failure(error.message)
    return Failure(f"Unhandled error starting server {user}")


def log_failure(error: Exception, failure: Failure, name: str) -> None:
    """Tell the operator why the start of the server ``name`` failed."""
    if isinstance(error, Refusal):
        log.warning("Start of %r refused: %s", name, error.log_message or failure.message)
    elif isinstance(error, StartFailed):
        hint = f" ({error.option} sets the limit)" if error.option else ""
        log.error("Start of %r failed: %s%s", name, failure.message, hint)
    else:
        log.error("Start of %r failed: %s", name, error, exc_info=error.__cause__ or error)


def observe_failure(holding: Holding, failure: Failure) -> None:
    """Measure a start that failed; time-outs and plain exceptions have no reason there."""
    status = metrics.ERROR if failure.status >= 500 else metrics.FAILURE
    if failure.reason == "timeout" or not failure.reason:
        status = metrics.FAILURE
    reason = "" if failure.reason == "timeout" else failure.reason
    took_s = time.monotonic() - holding.begun_at
    metrics.SERVER_SPAWN_DURATION.labels(status, reason).observe(took_s)


def is_policy(error: Exception) -> bool:
    """Whether the plug-in refused on purpose; that is no sign of a broken installation."""
    return isinstance(error, Refusal) and error.status < 500


async def poll(port: SpawnerPort) -> int | None:
    """Whether the plug-in's server lives (None), within ``POLL_LIMIT_S``. Raises PluginError."""
    try:
        async with asyncio.timeout(POLL_LIMIT_S):
            return await ask(port, "poll", port.poll())
    except TimeoutError:
        why = f"no answer within {POLL_LIMIT_S:g} seconds"
        raise PluginError(port.class_name, "poll", why) from None


async def ask(port: SpawnerPort, call: str, answer: Awaitable[T]) -> T:
    """A plug-in's answer; a cancellation from within it is a PluginError, not ours."""
    try:
        return await answer
    except CancelledError:
        if being_cancelled():
            raise
        raise PluginError(port.class_name, call, "it was cancelled from within") from None
