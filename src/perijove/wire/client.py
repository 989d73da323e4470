"""The typed client of a hub's REST API, in two faces.

    async with HubClient.from_environment() as hub:
        async for user in hub.users(state="active"):
            print(user.name)

    with SyncHubClient("https://hub.example.org", token) as hub:
        hub.create_user("ada")

Both have the methods of ``calls``, one for each operation of the API. Arguments and
answers are models of ``models``. Whatever goes wrong is a HubError, see
``client_errors``.
"""

import asyncio
import os
import random
import ssl
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator, Mapping
from typing import Any, Self, TypedDict, TypeVar, Unpack

from perijove.kit.clock import Clock, RealClock
from perijove.wire.calls.call import (
    Awaiting,
    Blocking,
    Call,
    Following,
    Listing,
    Operation,
)
from perijove.wire.calls.groups import GroupCalls
from perijove.wire.calls.hub import HubCalls, ProxyCalls
from perijove.wire.calls.servers import ServerCalls
from perijove.wire.calls.services import ServiceCalls
from perijove.wire.calls.shares import CodeCalls, GivenCalls, ReceivedCalls
from perijove.wire.calls.tokens import TokenCalls
from perijove.wire.calls.users import UserCalls
from perijove.wire.client_address import parse_hub_url, read_environment
from perijove.wire.client_errors import (
    BadAddress,
    BadAnswer,
    Conflict,
    Forbidden,
    HubError,
    HubFailed,
    Invalid,
    NotAuthenticated,
    NotFound,
    TimedOut,
    TooMany,
    Unreachable,
)
from perijove.wire.client_sending import Attempts, Retries, Sender
from perijove.wire.client_sse import read_events
from perijove.wire.client_transport import HttpTransport, Transport

__all__ = [
    "BadAddress",
    "BadAnswer",
    "Conflict",
    "Forbidden",
    "HubClient",
    "HubError",
    "HubFailed",
    "Invalid",
    "NotAuthenticated",
    "NotFound",
    "Retries",
    "SyncHubClient",
    "TimedOut",
    "TooMany",
    "Unreachable",
]

T = TypeVar("T")

TIMEOUT_S = 60.0
"""For one attempt. A hub waits up to 10 seconds for a server before it answers."""


class Operations(
    UserCalls,
    GroupCalls,
    TokenCalls,
    ServerCalls,
    ServiceCalls,
    GivenCalls,
    ReceivedCalls,
    CodeCalls,
    ProxyCalls,
    HubCalls,
):
    """All operations of the API."""


class Options(TypedDict, total=False):
    """What both faces take besides URL and token. The last three are for tests.

    ``proxy``: the URL of an HTTP proxy on the way. ``timeout_s``: for one attempt.
    """

    ssl_context: ssl.SSLContext | None
    proxy: str | None
    timeout_s: float
    retries: Retries
    transport: Transport
    clock: Clock
    chance: random.Random


class HubClient(Awaiting, Operations):
    """A hub, for programs with an event loop. Belongs to the loop in which it is first used.

    ``url`` is that of the API, of the hub, or of a page of it. Raises BadAddress for a URL
    or token that cannot be used.
    """

    def __init__(self, url: str, token: str | None = None, **options: Unpack[Options]) -> None:
        address = parse_hub_url(url)
        if token is not None and (not token.isascii() or not token.isprintable() or " " in token):
            raise BadAddress("The token has characters that no token has")
        self._clock = options.get("clock") or RealClock()
        self._chance = options.get("chance") or random.Random()
        self._retries = options.get("retries") or Retries()
        self._sender = Sender(
            address,
            token,
            options.get("transport")
            or HttpTransport(address, options.get("ssl_context"), options.get("proxy")),
            retries=self._retries,
            timeout_s=options.get("timeout_s", TIMEOUT_S),
            clock=self._clock,
            chance=self._chance,
        )

    @classmethod
    def from_environment(
        cls, env: Mapping[str, str] | None = None, **options: Unpack[Options]
    ) -> Self:
        """The hub that started this server or service, or one on this machine.

        Reads JUPYTERHUB_API_URL, JUPYTERHUB_API_TOKEN and JUPYTERHUB_SSL_*;
        ``options`` are those of the constructor.
        """
        found = read_environment(os.environ if env is None else env)
        options.setdefault("ssl_context", found.ssl_context)
        return cls(found.url, found.token, **options)

    @property
    def url(self) -> str:
        """The URL of the API."""
        return self._sender.address.url

    async def close(self) -> None:
        """Close the connections."""
        await self._sender.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ask(self, to: Operation, call: Call[T]) -> T:
        return call.read(await self._sender.answer(to, call))

    async def _walk(self, to: Operation, listing: Listing[T]) -> AsyncIterator[T]:
        offset: int | None = 0
        while offset is not None:
            page = listing.read(await self._sender.page(to, listing, offset))
            for item in page.items:
                yield item
            if page.next_offset is not None and page.next_offset <= offset:
                raise BadAnswer(f"A list that should go on at {page.next_offset} goes round")
            offset = page.next_offset

    async def _follow(self, to: Operation, following: Following[T]) -> AsyncIterator[T]:
        """Events; a stream that breaks is opened again, and what was seen is left out."""
        path, cursor = to.path(following.names), ""
        attempts = Attempts(self._retries, self._clock, self._chance)
        seen: list[str] = []
        while True:
            try:
                async with self._sender.stream(path, cursor) as chunks:
                    async for raw in read_events(chunks):
                        cursor = raw.id or cursor
                        if raw.data is None or raw.data in seen:
                            continue
                        if not raw.id:
                            seen.append(raw.data)  # such a stream begins anew
                        attempts = Attempts(self._retries, self._clock, self._chance)
                        event = following.read(raw.data)
                        yield event
                        if following.is_last(event):
                            return
                return
            except HubError as error:
                delay_s = attempts.wait_after(error, repeatable=True)
                if delay_s is None:
                    raise
            await self._clock.sleep(delay_s)


class SyncHubClient(Blocking, Operations):
    """A hub, for programs without an event loop. Takes the arguments of ``HubClient``.

    May be used by several threads, and inside a running event loop, which it blocks.
    """

    def __init__(self, url: str, token: str | None = None, **options: Unpack[Options]) -> None:
        self._serve(HubClient(url, token, **options))

    def _serve(self, hub: HubClient) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @classmethod
    def from_environment(
        cls, env: Mapping[str, str] | None = None, **options: Unpack[Options]
    ) -> Self:
        """See ``HubClient.from_environment``."""
        made = cls.__new__(cls)
        made._serve(HubClient.from_environment(env, **options))
        return made

    @property
    def url(self) -> str:
        """The URL of the API."""
        return self._hub.url

    def close(self) -> None:
        """Close the connections and end the thread."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(self._hub.close(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_run_and_close, args=(self._loop,), name="perijove-client", daemon=True
                )
                self._thread.start()
            return self._loop

    def _run(self, coro: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(coro, self._running_loop())
        try:
            return future.result()
        except BaseException:
            future.cancel()  # an interrupt of ours must not leave the request running
            raise

    def _ask(self, to: Operation, call: Call[T]) -> T:
        return self._run(self._hub._ask(to, call))

    def _walk(self, to: Operation, listing: Listing[T]) -> Iterator[T]:
        return self._each(self._hub._walk(to, listing))

    def _follow(self, to: Operation, following: Following[T]) -> Iterator[T]:
        return self._each(self._hub._follow(to, following))

    def _each(self, items: AsyncIterator[T]) -> Iterator[T]:
        async def following() -> tuple[T] | None:
            async for item in items:
                return (item,)
            return None

        try:
            while (found := self._run(following())) is not None:
                yield found[0]
        finally:
            # Not waited for: the collector may be doing this, in the loop's own thread.
            if (loop := self._loop) is not None:
                asyncio.run_coroutine_threadsafe(_end(items), loop)


async def _end(items: AsyncIterator[object]) -> None:
    if isinstance(items, AsyncGenerator):
        await items.aclose()


def _run_and_close(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
