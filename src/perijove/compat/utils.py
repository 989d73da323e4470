"""The helpers that plug-ins import as ``jupyterhub.utils``.

Names, arguments and results are the interface; what they do is done by our own
``kit`` and ``plugins.net``.
"""

import ast
import asyncio
import concurrent.futures
import hashlib
import hmac
import inspect
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from urllib.parse import quote

from tornado.httputil import HTTPServerRequest
from tornado.web import HTTPError

from perijove.kit import clock, ids, urls
from perijove.kit.aio import maybe_await
from perijove.plugins import net
from perijove.plugins.net import make_ssl_context

AnyTimeoutError = (TimeoutError, asyncio.TimeoutError, concurrent.futures.TimeoutError)
"""Every timeout that an ``except`` may want to catch."""

__all__ = [
    "AnyTimeoutError",
    "admin_only",
    "authenticated_403",
    "can_connect",
    "compare_token",
    "exponential_backoff",
    "get_browser_protocol",
    "hash_token",
    "isoformat",
    "iterate_until",
    "make_ssl_context",
    "maybe_future",
    "new_token",
    "quote_for_traitlets",
    "random_port",
    "token_authenticated",
    "url_escape_path",
    "url_path_join",
    "utcnow",
    "wait_for_http_server",
    "wait_for_server",
]


# -- names and times ----------------------------------------------------------------
def url_path_join(*pieces: str) -> str:
    """Pieces of a URL joined by single slashes; a first and a last slash are kept."""
    return urls.join(*pieces)


def url_escape_path(path: str, safe: str = urls.NAME_SAFE) -> str:
    """A path percent-encoded, all but letters, digits and ``safe``."""
    return quote(path, safe=safe)


def new_token(*args: Any, **kwargs: Any) -> str:
    """32 random hexadecimal digits."""
    return ids.new_token()


def isoformat(dt: datetime | None) -> str | None:
    """A time as the API writes it; one without offset is taken as UTC. None stays None."""
    if dt is None:
        return None
    return clock.isoformat(dt.replace(tzinfo=UTC) if dt.tzinfo is None else dt)


def utcnow(*, with_tz: bool = True) -> datetime:
    """The time now in UTC, aware unless ``with_tz`` is off."""
    now = datetime.now(UTC)
    return now if with_tz else now.replace(tzinfo=None)


def hash_token(
    token: str, salt: int | bytes | str = 8, rounds: int = 16384, algorithm: str = "sha512"
) -> str:
    """A salted hash ``ALGORITHM:ROUNDS:SALT:DIGEST``; ``salt`` is one, or its length in bytes."""
    if isinstance(salt, int):
        text = secrets.token_hex(salt)
    else:
        text = salt.decode("ascii") if isinstance(salt, bytes) else salt
    digest = hashlib.new(algorithm, text.encode("ascii"))
    for _ in range(rounds):
        digest.update(token.encode("utf-8", "surrogatepass"))
    return f"{algorithm}:{rounds}:{text}:{digest.hexdigest()}"


def compare_token(compare: str, token: str) -> bool:
    """Whether ``token`` has the salted hash ``compare``."""
    algorithm, rounds, salt, _ = compare.split(":")
    return hmac.compare_digest(compare, hash_token(token, salt, int(rounds), algorithm))


def quote_for_traitlets(text: str) -> str:
    """Text as a command-line value that traitlets reads as text, not as a number or list."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return text if isinstance(value, str) else repr(text)


# -- waiting ------------------------------------------------------------------------
def maybe_future(obj: Any) -> "asyncio.Future[Any]":
    """A future of what ``obj`` is, or resolves to."""
    if inspect.isawaitable(obj) and asyncio.isfuture(obj):
        return obj
    return asyncio.ensure_future(maybe_await(obj))


async def exponential_backoff(
    pass_func: Callable[..., Any],
    fail_message: str,
    start_wait: float = 0.2,
    scale_factor: float = 2,
    max_wait: float = 5,
    timeout: float = 10,
    timeout_tolerance: float = 0.1,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """The first true result of ``pass_func``, asked again and again with growing pauses.

    Times are seconds; pauses are random in (0, bound], the bound grows from
    ``start_wait`` by ``scale_factor`` to ``max_wait``. The time limit varies by
    ``timeout_tolerance``, so that many who wait do not give up together. Raises
    TimeoutError with ``fail_message``.
    """
    limit = timeout
    if timeout_tolerance:
        spread = timeout_tolerance * timeout
        limit = random.uniform(timeout - spread, timeout + spread)
    end = time.monotonic() + limit
    bound = min(start_wait, max_wait)
    while True:
        result = await maybe_await(pass_func(*args, **kwargs))
        if result:
            return result
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError(fail_message)
        await asyncio.sleep(min(random.uniform(0, bound), left))
        bound = min(max_wait, bound * scale_factor)


async def iterate_until(
    deadline_future: "asyncio.Future[Any]", generator: AsyncIterator[Any]
) -> AsyncIterator[Any]:
    """The items of ``generator``, until the future is done; what is ready then still comes."""
    following = generator.__aiter__()
    try:
        while True:
            item = asyncio.ensure_future(_next(following))
            await asyncio.wait(
                {item, asyncio.ensure_future(asyncio.shield(deadline_future))},
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not item.done():
                await asyncio.sleep(0)  # a ready item comes before the deadline
            if not item.done():
                item.cancel()
                await asyncio.wait({item})
                return
            try:
                yield item.result()
            except StopAsyncIteration:
                return
    finally:
        close = getattr(following, "aclose", None)
        if close is not None:
            await close()


async def _next(iterator: AsyncIterator[Any]) -> Any:
    return await iterator.__anext__()


# -- network ------------------------------------------------------------------------
def random_port() -> int:
    """A free TCP port, not handed out twice within a minute."""
    return net.random_port()


def can_connect(ip: str, port: int) -> bool:
    """Whether something accepts connections there. Blocks for up to a second."""
    return net.can_connect(ip, port)


async def wait_for_server(ip: str, port: int, timeout: float = 10) -> None:
    """Wait (seconds) until something accepts connections there. Raises TimeoutError."""
    host = urls.bracket_ipv6(net.connectable(ip))
    await net.wait_for_server(f"http://{host}:{port}", timeout)


async def wait_for_http_server(url: str, timeout: float = 10, ssl_context: Any = None) -> Any:
    """Wait (seconds) until ``url`` answers below 500; the answer. Raises TimeoutError."""
    return await net.wait_for_http(url, timeout, ssl_context)


def get_browser_protocol(request: HTTPServerRequest) -> str:
    """``http`` or ``https`` as the browser used it, which proxies in between may have changed."""
    headers = request.headers
    forwarded = headers.get("Forwarded", "").split(",")[0]
    for field in forwarded.split(";"):
        name, _, value = field.strip().partition("=")
        if name.lower() == "proto" and value:
            return value.strip('"').lower()
    for name in ("X-Scheme", "X-Forwarded-Proto"):
        value = headers.get(name, "").split(",")[0].strip()
        if value:
            return value.lower()
    return request.protocol


# -- decorators of handlers' methods -----------------------------------------------------
def _guard(check: Callable[[Any], Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
            check(self)
            return method(self, *args, **kwargs)

        return guarded

    return decorate


@_guard
def admin_only(self: Any) -> None:
    """Only administrators may call the decorated method (403 for others)."""
    user = self.current_user
    if user is None or not user.admin:
        raise HTTPError(403)


@_guard
def authenticated_403(self: Any) -> None:
    """Strangers who call the decorated method get 403, not a redirect to the login page."""
    if self.current_user is None:
        raise HTTPError(403)


@_guard
def token_authenticated(self: Any) -> None:
    """The decorated method needs a token in the Authorization header (403 without)."""
    if self.current_user is None or self._hub_call.caller.token is None:
        raise HTTPError(403)
