"""The hub's log on stderr, written in batches while the event loop is busy.

A hub that answers thousands of requests a second would spend a tenth of its time
on writing one line at a time. Lines logged in the event loop therefore wait for
up to ``BATCH_S`` and go out together, in order. Warnings, and whatever other
threads log, go out at once and take along what waits; so does the end of the
process.
"""

import asyncio
import contextlib
import logging
import os
from threading import get_ident
from typing import TextIO

BATCH_S = 0.02
MAX_LINES = 500


class ConsoleHandler(logging.StreamHandler[TextIO]):
    """Writes to a stream like its parent, with fewer calls of the operating system."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        # A child must not say again what its parent is about to say.
        os.register_at_fork(after_in_child=self._forget)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, now or in a moment."""
        try:
            self._waiting.append(self.format(record))
            if record.levelno >= logging.WARNING or len(self._waiting) > MAX_LINES:
                self.flush()
            elif not self._is_scheduled():
                self._schedule()
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)

    def _is_scheduled(self) -> bool:
        """Whether the line that has just been added goes out with earlier ones.

        Cheaper than to ask which loop runs here, which is a call of the operating system.
        """
        loop = self._loop if len(self._waiting) > 1 and get_ident() == self._thread else None
        return loop is not None and loop.is_running()

    def _schedule(self) -> None:
        """Have what waits written soon, or now if no loop runs in this thread."""
        loop = _running_loop()
        if loop is None:
            self.flush()
        elif len(self._waiting) == 1 or loop is not self._loop:
            self._loop, self._thread = loop, get_ident()
            loop.call_later(BATCH_S, self._flush_late)

    def flush(self) -> None:
        """Write what waits."""
        assert self.lock is not None
        with self.lock:
            if self._waiting:
                lines, self._waiting = self._waiting, []
                self.stream.write(self.terminator.join(lines) + self.terminator)
            super().flush()

    def _flush_late(self) -> None:
        # Nobody is left who could be told that the log cannot be written.
        with contextlib.suppress(OSError, ValueError):
            self.flush()

    def _forget(self) -> None:
        self._waiting = []


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
