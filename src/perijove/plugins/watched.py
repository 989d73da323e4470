"""What the hub says of a server to its spawner, and how it watches it.

Plug-ins read ``pending``, ``ready`` and ``active``; some also set the private
flags behind them, whose names are part of the interface.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perijove.kit.aio import backoff_delays, maybe_await


class Watched:
    """The part of ``Spawner`` that is about being watched."""

    _spawn_pending = False
    _stop_pending = False
    _check_pending = False
    _proxy_pending = False
    _rename_pending = False
    _start_pending = False
    _is_ready = False
    _polling = True
    _spawn_future: asyncio.Future[None] | None = None
    _stop_future: asyncio.Future[None] | None = None
    _poll_callback: Any = None
    _tell_death: Callable[[], None] | None = None
    _poll_callbacks: list[Callable[[], Any]]

    if TYPE_CHECKING:  # what Spawner adds
        log: Any
        _log_name: Any
        death_interval: Any

        async def poll(self) -> int | None: ...

    @property
    def pending(self) -> str | None:
        """What goes on: ``spawn``, ``stop``, ``check``, ``rename`` or None."""
        if self._spawn_pending or self._proxy_pending:
            return "spawn"
        if self._stop_pending:
            return "stop"
        if self._check_pending:
            return "check"
        return "rename" if self._rename_pending else None

    @property
    def ready(self) -> bool:
        """Whether people can use it."""
        return self._is_ready and self.pending is None

    @property
    def active(self) -> bool:
        """Whether it runs or something goes on with it."""
        return self.pending is not None or self.ready

    async def wait_for_death(self, timeout: float = 10) -> bool:
        """Wait (seconds) until the server is gone; False if it still runs then."""
        end = time.monotonic() + timeout
        for delay in backoff_delays(start_s=0.01, max_s=self.death_interval):
            if await maybe_await(self.poll()) is not None:
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            await asyncio.sleep(min(delay, left))
        return False

    def start_polling(self) -> None:
        """The server came up: from now on the hub looks whether it lives."""
        self._polling = True

    def stop_polling(self) -> None:
        """The hub no longer looks whether the server lives."""
        self._polling = False

    def add_poll_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call ``callback`` when the server is found dead."""
        self._poll_callbacks.append(lambda: callback(*args, **kwargs))

    async def poll_and_notify(self) -> int | None:
        """Look now whether the server lives; if it does not, tell those who wait for that."""
        status: int | None = await maybe_await(self.poll())
        if status is not None:
            self.stop_polling()
            await self._run_poll_callbacks()
            if self._tell_death is not None:
                self._tell_death()
        return status

    async def _run_poll_callbacks(self) -> None:
        callbacks, self._poll_callbacks = self._poll_callbacks, []
        for callback in callbacks:
            try:
                await maybe_await(callback())
            except Exception:
                self.log.exception("a poll callback failed for %s", self._log_name)
