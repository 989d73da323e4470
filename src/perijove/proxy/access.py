"""The access log: a JSON line for each answer on the public port.

Query strings are left out, since tokens travel in them. Lines are collected and
written once a second, and the file is opened anew when it was moved away.
"""

import json
import logging
import os
import sys
from typing import NamedTuple, TextIO

from perijove.proxy.activity import iso_time

log = logging.getLogger("perijove.proxy")

_KEPT_LINES = 10_000
"""Lines waiting to be written; what comes on top of them in one second is dropped."""


class Entry(NamedTuple):
    """An answer: when (Unix time), to whom, for what, and what it was; seconds and bytes."""

    time_s: float
    client: bytes
    method: bytes
    host: bytes | None
    path: bytes
    status: int
    size: int
    took_s: float
    route: str | None

    def line(self) -> str:
        """The entry as JSON."""
        return json.dumps({
            "time": iso_time(self.time_s),
            "client": self.client.decode("latin-1"),
            "method": self.method.decode("latin-1"),
            "host": None if self.host is None else self.host.decode("latin-1"),
            "path": self.path.decode("latin-1"),
            "status": self.status,
            "bytes": self.size,
            "ms": round(self.took_s * 1000, 1),
            "route": self.route,
        })  # fmt: skip


class AccessLog:
    """Collects entries for one file, or for the standard output when it is named ``-``."""

    def __init__(self, name: str) -> None:
        """Raises OSError when the file cannot be written."""
        self._name = name
        self._entries: list[Entry] = []
        self._dropped = 0
        self._file = self._open()

    def _open(self) -> TextIO:
        if self._name == "-":
            return sys.stdout
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            return open(os.open(self._name, flags, 0o640), "a", encoding="utf-8")
        except OSError as error:
            raise OSError(error.errno, f"cannot write {self._name}: {error.strerror}") from None

    def add(self, entry: Entry) -> None:
        """Keep an entry until the next ``flush``."""
        if len(self._entries) < _KEPT_LINES:
            self._entries.append(entry)
        else:
            self._dropped += 1

    def flush(self, _now: float = 0.0) -> None:
        """Write what was collected. A full disk loses lines, and is told in the log."""
        entries, self._entries = self._entries, []
        dropped, self._dropped = self._dropped, 0
        try:
            if entries:
                self._file.write("".join(f"{entry.line()}\n" for entry in entries))
                self._file.flush()
            if self._name != "-" and not self._is_in_place():
                self._file.close()
                self._file = self._open()
        except (OSError, ValueError) as error:
            log.error("Access log %s: %s", self._name, error)
        if dropped:
            log.warning("Access log: %d lines dropped in one second", dropped)

    def _is_in_place(self) -> bool:
        try:
            there = os.stat(self._name)
        except FileNotFoundError:
            return False
        mine = os.fstat(self._file.fileno())
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    def close(self) -> None:
        """Write the rest."""
        self.flush()
        if self._name != "-":
            self._file.close()
