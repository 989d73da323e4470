"""The routes in a file, so that a proxy that starts without a hub still routes.

The file is a journal: a JSON line for each change, appended when it happens and
read from the top at the start. When it has grown to several times the table it
is written anew, beside the old one, and put in its place in one step. A line
that was cut off by a crash is left out; the hub corrects what is out of date.
Targets and data of routes may be confidential, so only the owner reads it.
"""

import json
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from perijove.proxy.table import Route, Table

log = logging.getLogger("perijove.proxy")

_SPARE_LINES = 1000


class Kept(NamedTuple):
    """A route of the file: key, target's URL, data, and Unix time of its last activity."""

    key: str
    url: str
    data: dict[str, Any]
    last_activity_s: float


class Snapshot:
    """Keeps a table's routes in a file."""

    def __init__(self, path: Path, table: Table) -> None:
        self._path = path
        self._table = table
        self._lines = 0
        self._file = -1

    def read(self) -> list[Kept]:
        """The routes in the file; none if there is no file."""
        found: dict[str, Kept] = {}
        try:
            text = self._path.read_text("utf-8", "replace")
        except FileNotFoundError:
            return []
        except OSError as error:
            log.error("Routes in %s cannot be read: %s", self._path, error.strerror)
            return []
        bad = 0
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                if "url" in entry:
                    kept = Kept(
                        str(entry["key"]), str(entry["url"]), dict(entry["data"]),
                        float(entry["last_activity"]),
                    )  # fmt: skip
                    found[kept.key] = kept
                else:
                    found.pop(str(entry["key"]), None)
            except (ValueError, TypeError, KeyError):
                bad += 1
        if bad:
            log.warning("%s: %d lines are no routes and were left out", self._path, bad)
        return list(found.values())

    def add(self, route: Route) -> None:
        """A route was added or replaced."""
        self._append(_line(route))

    def remove(self, key: str) -> None:
        """A route was removed."""
        self._append(json.dumps({"key": key}) + "\n")

    def _append(self, line: str) -> None:
        self._lines += 1
        if self._file < 0 or self._lines > 4 * len(self._table) + _SPARE_LINES:
            self.write()
            return
        try:
            os.write(self._file, line.encode())
        except OSError as error:
            log.error("Routes cannot be kept in %s: %s", self._path, error.strerror)

    def write(self) -> None:
        """Write the file anew. An error is logged: routing goes on without the file."""
        beside = self._path.with_name(self._path.name + ".new")
        try:
            file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(os.dup(file), "w", encoding="utf-8") as out:
                out.writelines(_line(route) for route in self._table)
            os.replace(beside, self._path)
        except OSError as error:
            log.error("Routes cannot be kept in %s: %s", self._path, error.strerror)
            return
        self.close()
        os.lseek(file, 0, os.SEEK_END)
        self._file = file
        self._lines = len(self._table)

    def close(self) -> None:
        """Close the file as it is."""
        if self._file >= 0:
            with suppress(OSError):
                os.close(self._file)
            self._file = -1


def _line(route: Route) -> str:
    entry = {
        "key": route.key, "url": route.target.url, "data": route.data,
        "last_activity": round(route.last_activity_s, 3),
    }  # fmt: skip
    return json.dumps(entry) + "\n"
