"""Sends a described request until there is an answer, or no hope of one.

What may be sent again: anything that never left (no connection), anything that the
hub refused for now (429 with Retry-After), and, after a lost answer or a 502, 503
or 504, what means the same when it is said twice.
"""

import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from perijove.kit.aio import backoff_delays
from perijove.kit.clock import Clock
from perijove.wire.calls.call import REPEATABLE, Call, Listing, Operation, Reply
from perijove.wire.client_address import Address
from perijove.wire.client_errors import (
    HubError,
    HubFailed,
    NotFound,
    TimedOut,
    TooMany,
    Unreachable,
    error_of,
)
from perijove.wire.client_transport import Incoming, Interrupted, NotSent, Outgoing, Transport

PAGINATED = "application/jupyterhub-pagination+json"
STREAM_IDLE_S = 45.0
"""Hubs show every 8 seconds that a stream lives."""

_NOT_THERE = "Is it running, and is this its address?"


@dataclass(frozen=True, slots=True)
class Retries:
    """How hard to try: random waits up to ``start_s``, doubling, up to ``max_s`` seconds.

    After ``within_s`` seconds no further attempt begins; a hub that wants to be asked
    later than that is not asked again. ``Retries(attempts=1)`` tries once.
    """

    attempts: int = 5
    start_s: float = 0.2
    max_s: float = 5.0
    within_s: float = 60.0


class Sender:
    """Everything between a described request and its answer."""

    def __init__(
        self,
        address: Address,
        token: str | None,
        transport: Transport,
        *,
        retries: Retries,
        timeout_s: float,
        clock: Clock,
        chance: random.Random | None = None,
    ) -> None:
        self.address = address
        self.transport = transport
        self._token = token
        self._retries = retries
        self._timeout_s = timeout_s
        self._clock = clock
        self._chance = chance or random.Random()

    # -- requests ----------------------------------------------------------

    async def answer(self, to: Operation, call: Call[Any]) -> Reply:
        """The answer to a call, of a status below 300. Raises HubError."""
        body, headers = None, self._headers("application/json")
        if call.body is not None:
            body, headers["Content-Type"] = _encoded(call)
        if preferences := _preferences(call):
            headers["Prefer"] = preferences
        limit_s = self._timeout_s + (call.wait_s or 0)
        path = to.path(call.names)
        repeatable = call.repeatable
        if repeatable is None:
            repeatable = call.lenient or to.method in REPEATABLE
        request = Outgoing(to.method, self._url(path, call.query), headers, body, limit_s)
        return await self._answered(request, path, repeatable)

    async def page(self, to: Operation, listing: Listing[Any], offset: int) -> Reply:
        """One page of a list. Raises HubError."""
        path = to.path(listing.names)
        query = {**listing.query, "offset": str(offset), "limit": str(listing.page_size)}
        headers = self._headers(PAGINATED)
        request = Outgoing("GET", self._url(path, query), headers, None, self._timeout_s)
        return await self._answered(request, path, repeatable=True)

    @asynccontextmanager
    async def stream(self, path: str, cursor: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The pieces of a stream, behind the event ``cursor`` if there is one.

        Raises HubError, and Unreachable when it breaks off.
        """
        headers = self._headers("text/event-stream")
        if cursor:
            headers["Last-Event-ID"] = cursor
        request = Outgoing("GET", self._url(path, {}), headers, None, None, STREAM_IDLE_S)
        try:
            async with self.transport.open(request) as incoming:
                if incoming.status >= 300:
                    raise await self._refusal(incoming, f"GET {path}")
                yield incoming.chunks()
        except (NotSent, Interrupted, TimeoutError) as error:
            raise self._unreachable(error, f"GET {path}") from error

    def _headers(self, accept: str) -> dict[str, str]:
        headers = {"Accept": accept}
        if self._token is not None:
            headers["Authorization"] = f"token {self._token}"
        return headers

    def _url(self, path: str, query: Mapping[str, str]) -> str:
        return f"{self.address.base}{path}" + (f"?{urlencode(query)}" if query else "")

    # -- attempts ------------------------------------------------------------

    async def _answered(self, request: Outgoing, path: str, repeatable: bool) -> Reply:
        operation = f"{request.method} {path}"
        attempts = Attempts(self._retries, self._clock, self._chance)
        carried_out = False
        while True:
            try:
                return await self._once(request, operation)
            except NotFound:
                if carried_out and request.method == "DELETE":
                    return Reply(204, {}, b"")  # an earlier attempt deleted it
                raise
            except HubError as error:
                delay_s = attempts.wait_after(error, repeatable)
                if delay_s is None:
                    raise
                carried_out = carried_out or not _surely_unheard(error)
            await self._clock.sleep(delay_s)

    async def _once(self, request: Outgoing, operation: str) -> Reply:
        try:
            async with self.transport.open(request) as incoming:
                if incoming.status >= 300:
                    raise await self._refusal(incoming, operation)
                return Reply(incoming.status, incoming.headers, await incoming.read())
        except TimeoutError as error:
            raise TimedOut(
                f"No answer from the hub at {self.address.url} within {request.limit_s:g} seconds",
                operation=operation,
                advice="It may still do what was asked; a longer timeout_s waits longer.",
            ) from error
        except (NotSent, Interrupted) as error:
            raise self._unreachable(error, operation) from error

    def _unreachable(self, error: Exception, operation: str) -> Unreachable:
        said = f"No answer from the hub at {self.address.url}: {error}"
        return Unreachable(said, operation=operation, advice=_NOT_THERE)

    async def _refusal(self, incoming: Incoming, operation: str) -> HubError:
        body = await incoming.read()
        return error_of(incoming.status, incoming.headers, body, operation, self._clock.now())


class Attempts:
    """Counts the attempts at one request and says how long to wait for the next."""

    def __init__(self, retries: Retries, clock: Clock, chance: random.Random) -> None:
        self._retries = retries
        self._clock = clock
        self._chance = chance
        self._made = 0
        self._end = clock.monotonic() + retries.within_s
        self._delays: Iterator[float] = backoff_delays(
            retries.start_s, max_s=retries.max_s, chance=chance
        )

    def wait_after(self, error: HubError, repeatable: bool) -> float | None:
        """Seconds until the next attempt; None when there should be none."""
        self._made += 1
        if self._made >= self._retries.attempts or not _worth_another(error, repeatable):
            return None
        delay_s = next(self._delays)
        if isinstance(error, (TooMany, HubFailed)) and error.retry_after_s is not None:
            # Not before the named moment, and not all clients at that very moment.
            delay_s += error.retry_after_s
        return delay_s if self._clock.monotonic() + delay_s <= self._end else None


def _surely_unheard(error: HubError) -> bool:
    return isinstance(error.__cause__, NotSent) or isinstance(error, TooMany)


def _worth_another(error: HubError, repeatable: bool) -> bool:
    cause = error.__cause__
    if isinstance(cause, NotSent):
        return not cause.final
    if isinstance(error, TooMany):
        return error.retry_after_s is not None
    if isinstance(error, TimedOut):
        return False
    if isinstance(error, HubFailed):
        return repeatable and error.status in (502, 503, 504)
    return repeatable and isinstance(error, Unreachable)


def _preferences(call: Call[Any]) -> str:
    """The ``Prefer`` header (RFC 7240); empty without a preference."""
    names = [f"wait={call.wait_s}"] if call.wait_s is not None else []
    return ", ".join([*names, "handling=lenient"] if call.lenient else names)


def _encoded(call: Call[Any]) -> tuple[bytes, str]:
    """The body and its type; what was not set is left out, since null would say something."""
    assert call.body is not None
    if call.form:
        fields = call.body.model_dump(exclude_unset=True, by_alias=True)
        return urlencode(fields).encode("ascii"), "application/x-www-form-urlencoded"
    body = call.body.model_dump_json(exclude_unset=True, by_alias=True)
    return body.encode("utf-8", "surrogatepass"), "application/json"
