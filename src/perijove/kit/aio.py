"""Tasks that somebody watches, waits that end, and work that is done once.

An asyncio task whose exception nobody reads dies in silence, and one that
nobody refers to may be collected while it runs. ``Tasks`` keeps both from
happening. ``SingleFlight`` lets many callers share one running call.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator
from concurrent.futures import Future as ThreadFuture
from inspect import isawaitable
from typing import Any, TypeVar

T = TypeVar("T")

log = logging.getLogger("perijove.aio")

CLOSE_LIMIT_S = 10.0
"""How long ``Tasks.close`` waits for tasks that do not heed their cancellation."""


class Tasks:
    """A set of background tasks with one end.

    An exception in a task is logged with the task's name; it never ends the
    others. ``close`` cancels what still runs and waits for it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def closed(self) -> bool:
        """Whether nothing can be started any more."""
        return self._closed

    def spawn(self, coro: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run ``coro`` in the background under ``name``."""
        if self._closed:
            coro.close()
            raise RuntimeError(f"{self.name} is closed; cannot start {name}")
        task = asyncio.get_running_loop().create_task(coro, name=f"{self.name}:{name}")
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("Background task %s failed", task.get_name(), exc_info=error)

    @staticmethod
    async def finished(task: asyncio.Task[T], timeout_s: float) -> bool:
        """Whether ``task`` ends within ``timeout_s``; it goes on if not. Raises its error."""
        done, _ = await asyncio.wait([task], timeout=timeout_s)
        if done:
            task.result()
        return bool(done)

    async def close(self) -> None:
        """Cancel what runs and wait until it is gone. Safe to call twice.

        A task that ignores its cancellation is named in the log and left behind
        after ``CLOSE_LIMIT_S``.
        """
        self._closed = True
        current = asyncio.current_task()
        running = [task for task in self._tasks if task is not current]
        for task in running:
            task.cancel()
        if running:
            _, stubborn = await asyncio.wait(running, timeout=CLOSE_LIMIT_S)
            for task in stubborn:
                log.error("Task %s ignores its cancellation", task.get_name())


class SingleFlight:
    """One running call per key, shared by all who ask meanwhile."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Future[Any]] = {}

    async def run(self, key: Hashable, call: Callable[[], Awaitable[T]]) -> T:
        """The result of ``call``, or of the same key's call that runs already.

        A caller that is cancelled does not cancel the call for the others.
        """
        future = self._running.get(key)
        if future is None:
            future = asyncio.ensure_future(call())
            self._running[key] = future
            future.add_done_callback(lambda _: self._running.pop(key, None))
        result: T = await asyncio.shield(future)
        return result


def being_cancelled() -> bool:
    """Whether somebody wants the running task to end.

    Tells a cancellation from outside from a CancelledError that a plug-in let slip.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def maybe_await(value: Any) -> Any:
    """The value itself, or what it resolves to.

    Takes coroutines, asyncio and tornado futures, and futures of
    ``concurrent.futures``, since plug-in methods may return any of these.
    """
    if isinstance(value, ThreadFuture):
        return await asyncio.wrap_future(value)
    if isawaitable(value):
        return await value
    return value


def backoff_delays(
    start_s: float = 0.2,
    factor: float = 2.0,
    max_s: float = 5.0,
    chance: random.Random | None = None,
) -> Iterator[float]:
    """Endless waiting times: random in (0, start * factor^n], never above ``max_s``.

    The bound grows by multiplication up to the cap, so it cannot overflow, and
    stays random at the cap ("full jitter").
    """
    draw = chance or random
    bound = min(start_s, max_s)
    while True:
        yield draw.uniform(0, bound)
        bound = min(max_s, bound * factor)


class Signal:
    """A wake-up that many may wait for and that is never lost.

    Each wait names the last version it saw, so a ``set`` between looking and
    waiting is noticed.
    """

    def __init__(self) -> None:
        self.version = 0
        self._waiters: set[asyncio.Future[None]] = set()

    def set(self) -> None:
        """Wake all who wait."""
        self.version += 1
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, seen: int, timeout_s: float | None = None) -> int:
        """Return the version once it differs from ``seen`` or time is up."""
        if self.version == seen:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                async with asyncio.timeout(timeout_s):
                    await waiter
            except TimeoutError:
                pass
            finally:
                self._waiters.discard(waiter)
        return self.version
