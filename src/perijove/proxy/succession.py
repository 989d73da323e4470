"""Restart without a gap: a new process takes the ports over before the old one leaves.

On SIGUSR2 the proxy starts its own command again, which may meanwhile be a newer
version, and gives it the listening sockets and the table. The public port is
open all the time, in both for a moment. The API is not served meanwhile, so that
no change of a route is lost between the two; its connections wait. When the new
process serves, the old one finishes what runs and ends; when the new one fails,
the old one goes on as before.
"""

import asyncio
import json
import logging
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from perijove.proxy.snapshot import Kept
from perijove.proxy.table import Table

log = logging.getLogger("perijove.proxy")

SUCCESSOR_VARIABLE = "PERIJOVE_PROXY_SUCCESSOR"
"""In a successor's environment: the numbers of the files that it gets, as JSON."""

_READY_S = 30.0


@dataclass(slots=True)
class Inheritance:
    """What a process gets from the one before it; nothing at a first start."""

    sockets: dict[str, list[socket.socket]] = field(default_factory=dict)
    routes: list[Kept] = field(default_factory=list)
    _told: int = -1

    def serves(self) -> None:
        """Tell the old process that it may leave."""
        if self._told >= 0:
            with suppress(OSError):
                os.write(self._told, b"1")
            os.close(self._told)
            self._told = -1


def take(environ: dict[str, str] | os._Environ[str] = os.environ) -> Inheritance:
    """What the environment says that this process inherits; it is said once."""
    text = environ.pop(SUCCESSOR_VARIABLE, "")
    if not text:
        return Inheritance()
    files: dict[str, Any] = json.loads(text)
    with os.fdopen(files["table"], "r", encoding="utf-8") as table:
        routes = [Kept(*entry) for entry in json.load(table)]
    sockets = {
        site: [socket.socket(fileno=number) for number in numbers]
        for site, numbers in files["sockets"].items()
    }
    return Inheritance(sockets, routes, files["told"])


async def hand_over(
    command: Sequence[str], sockets: Mapping[str, Sequence[socket.socket]], table: Table
) -> bool:
    """Start the successor; True once it serves, False if it does not."""
    told, tell = os.pipe()
    os.set_blocking(told, False)
    text = _table_file(table)
    try:
        process = _start(command, text, tell, sockets)
    except OSError as error:
        log.error("No successor: %s", error)
        os.close(told)
        return False
    finally:
        os.close(text)
        os.close(tell)
    serves = await _is_told(told)
    os.close(told)
    if not serves:
        log.error("The successor does not serve; this process goes on")
        process.kill()
        process.wait()
    return serves


def _start(
    command: Sequence[str], text: int, tell: int, sockets: Mapping[str, Sequence[socket.socket]]
) -> subprocess.Popen[bytes]:
    files = {
        "table": text,
        "told": tell,
        "sockets": {site: [raw.fileno() for raw in raws] for site, raws in sockets.items()},
    }
    return subprocess.Popen(
        command,
        env={**os.environ, SUCCESSOR_VARIABLE: json.dumps(files)},
        pass_fds=[text, tell, *(raw.fileno() for raws in sockets.values() for raw in raws)],
        start_new_session=True,
    )


async def _is_told(pipe: int) -> bool:
    """Whether the successor says that it serves; it says nothing when it ends."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(pipe, readable.set)
    try:
        async with asyncio.timeout(_READY_S):
            await readable.wait()
        return os.read(pipe, 1) == b"1"
    except (TimeoutError, OSError):
        return False
    finally:
        loop.remove_reader(pipe)


def _table_file(table: Table) -> int:
    """A file without name that holds the table, at its start."""
    file = os.memfd_create("routes")
    entries = [
        Kept(route.key, route.target.url, route.data, route.last_activity_s) for route in table
    ]
    with os.fdopen(os.dup(file), "w", encoding="utf-8") as out:
        json.dump(entries, out)
    os.lseek(file, 0, os.SEEK_SET)
    return file
