"""The process: reads the command line, obeys signals, and ends in order.

``perijove proxy`` runs ``main``. SIGTERM and SIGINT end it with status 2, as
configurable-http-proxy does, after what runs had a moment to finish; a second
signal ends it at once. SIGHUP has the certificates read anew, SIGUSR2 has a new
process take over (``succession``), after which this one ends with status 0. It
does not watch the hub: when the hub dies, it goes on routing.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from perijove.proxy.arguments import LEVELS
from perijove.proxy.certificates import Certificates
from perijove.proxy.control import Control
from perijove.proxy.crew import WORKER_VARIABLE, files_of_worker, worker_command
from perijove.proxy.link import Line, Worker
from perijove.proxy.options import Options, read_options
from perijove.proxy.service import Proxy, make_plane, serve_public
from perijove.proxy.sites import Sites
from perijove.proxy.succession import take

new_event_loop: Callable[[], asyncio.AbstractEventLoop]
try:
    from uvloop import new_event_loop
except ImportError:  # no wheel for this platform: slower, not different
    from asyncio import new_event_loop

log = logging.getLogger("perijove.proxy")

ENDED_BY_SIGNAL = 2


class _LogFormat(logging.Formatter):
    """``TIMESTAMP [ConfigProxy] LEVEL: MESSAGE``."""

    default_msec_format = "%s.%03d"
    _names = {"WARNING": "warn"}

    def format(self, record: logging.LogRecord) -> str:
        record.levelname = self._names.get(record.levelname, record.levelname.lower())
        return super().format(record)


def start_logging(level: str) -> None:
    """Log to the standard output, which the hub passes on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        _LogFormat("%(asctime)s [ConfigProxy] %(levelname)s: %(message)s", "%H:%M:%S")
    )
    logging.basicConfig(level=LEVELS[level], handlers=[handler])
    logging.getLogger("asyncio").setLevel(max(LEVELS[level], logging.ERROR))
    logging.raiseExceptions = False  # the reader of our output may be gone


async def _run(options: Options, argv: list[str]) -> int:
    proxy = Proxy(options, inheritance=take(), command=worker_command(argv))
    signals = _Signals()
    try:
        await proxy.start()
        _write_pid(options.pid_file)
        _settle_down()
        while (number := await signals.next()) not in (signal.SIGTERM, signal.SIGINT):
            if number == signal.SIGHUP:
                proxy.reload()
            elif number == signal.SIGUSR2 and await proxy.hand_over():
                log.warning("A new process has taken over")
                return 0
        log.warning("Ended by a signal")
        return ENDED_BY_SIGNAL
    finally:
        await proxy.stop()
        _remove_pid(options.pid_file)


async def _run_worker(options: Options, files: str) -> int:
    """Serve the public port for the process that has started this one, until it says so."""
    link, sockets = files_of_worker(files)
    plane = make_plane(options, options.limits)
    certificates = Certificates(options.tls, "--ssl", options.http2) if options.tls else None
    if certificates is not None:
        plane.each_second.append(certificates.watch)
    sites = Sites(plane, {})
    sites.adopt("public", sockets)

    async def serve() -> None:
        await serve_public(sites, plane, options, certificates)
        _settle_down()

    plane.start()
    signals = _Signals()
    worker = Worker(await Line.on(link), plane, Control(plane))
    reload = certificates.reload if certificates is not None else lambda: None
    obeying = asyncio.ensure_future(worker.obey(serve, reload))
    signalled = asyncio.ensure_future(signals.end())
    await asyncio.wait({obeying, signalled}, return_when=asyncio.FIRST_COMPLETED)
    obeying.cancel()
    signalled.cancel()
    sites.close(handed_on=True)
    await plane.drain()
    return ENDED_BY_SIGNAL


class _Signals:
    """Signals one after the other; the second that ends the process does so at once."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[signal.Signals] = asyncio.Queue()
        self._ending = False
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
            loop.add_signal_handler(number, self._came, number)

    def _came(self, number: signal.Signals) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            if self._ending:
                os._exit(ENDED_BY_SIGNAL)
            self._ending = True
        self._queue.put_nowait(number)

    async def next(self) -> signal.Signals:
        """The next signal."""
        return await self._queue.get()

    async def end(self) -> None:
        """Return when the process is told to end."""
        while await self.next() not in (signal.SIGTERM, signal.SIGINT):
            pass


def _settle_down() -> None:
    gc.collect()
    gc.freeze()  # what exists now lives as long as the process


def _write_pid(name: str) -> None:
    if name:
        Path(name).write_text(str(os.getpid()), "ascii")


def _remove_pid(name: str) -> None:
    """Remove the file, unless a successor has written its own number there."""
    if name:
        with suppress(OSError):
            if Path(name).read_text("ascii") == str(os.getpid()):
                os.unlink(name)


def main(argv: list[str] | None = None) -> int:
    """Run the proxy until a signal; returns the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    options = read_options(argv)
    start_logging(options.log_level)
    files = os.environ.pop(WORKER_VARIABLE, "")
    if not options.token and not files:
        log.warning("CONFIGPROXY_AUTH_TOKEN is not set: anybody can change routes through the API")
    if options.allow_rc4 and not files:
        log.warning("--ssl-allow-rc4: RC4 is broken and no longer exists in OpenSSL")
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(_run_worker(options, files) if files else _run(options, argv))
    except (OSError, ValueError) as error:
        log.error("%s", error.strerror if isinstance(error, OSError) else error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
