"""The process: reads the command line, opens the ports, and ends in order.

``perijove proxy`` runs ``main``. SIGTERM and SIGINT end it with status 2, as
configurable-http-proxy does, after what runs had a moment to finish; a second
signal ends it at once. It does not watch the hub: when the hub dies, it goes
on routing.
"""

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress

from perijove.proxy import listen, tls
from perijove.proxy.access import AccessLog
from perijove.proxy.arguments import LEVELS
from perijove.proxy.connection import ClientConnection
from perijove.proxy.control import Control
from perijove.proxy.errors import ErrorPages
from perijove.proxy.forward import keep_watch
from perijove.proxy.httpd import Handler, OwnConnection, redirect_to_https
from perijove.proxy.limits import Limits
from perijove.proxy.metrics import Metrics
from perijove.proxy.options import Address, Options, read_options
from perijove.proxy.plane import Plane, Settings
from perijove.proxy.table import Table

new_event_loop: Callable[[], asyncio.AbstractEventLoop]
try:
    from uvloop import new_event_loop
except ImportError:  # no wheel for this platform: slower, not different
    from asyncio import new_event_loop

log = logging.getLogger("perijove.proxy")

ENDED_BY_SIGNAL = 2


class Proxy:
    """A running proxy: its plane and its listeners."""

    def __init__(self, options: Options, limits: Limits | None = None) -> None:
        """Read certificates and prepare the plane. Raises ValueError on options that cannot be."""
        self._options = options
        self._limits = limits or options.limits
        self._public_tls = tls.server_context(options.tls, "--ssl") if options.tls else None
        self._api_tls = (
            tls.server_context(options.api_tls, "--api-ssl") if options.api_tls else None
        )
        server_tls = tls.client_context(options.client_tls, options.insecure)
        self.plane = Plane(
            Settings(
                options.rules,
                self._limits,
                options.keep_alive_s,
                options.timeout_s,
                options.proxy_timeout_s,
            ),
            Table(options.rules.by_host),
            metrics=Metrics(timed=options.metrics is not None),
            pages=ErrorPages(options.error_target, options.error_path, server_tls),
            server_tls=server_tls,
            access=AccessLog(options.access_log) if options.access_log else None,
            max_connections=self._limits.connections or allow_files(),
        )
        if self.plane.access is not None:
            self.plane.each_second.append(self.plane.access.flush)
        self.control = Control(self.plane, options.token)
        if options.default_target:
            data = {"target": options.default_target}
            self.control.add_route("/", options.default_target, data)
        self._servers: list[asyncio.Server] = []
        self._paths: list[str] = []

    async def start(self) -> None:
        """Listen everywhere. Raises OSError, naming the address, where that is impossible."""
        options, plane = self._options, self.plane
        plane.start()
        secure = self._public_tls is not None
        await self._listen(
            options.public, lambda: ClientConnection(plane, secure), self._public_tls
        )
        await self._serve_own(options.api, self.control, self._api_tls)
        if options.metrics is not None:
            from perijove.proxy.exposition import metrics_page  # heavy, and only needed here

            await self._serve_own(options.metrics, metrics_page(plane.metrics), None)
        if options.redirect_port is not None:
            address = Address(options.public.ip, options.redirect_port)
            await self._serve_own(address, redirect_to_https(options.redirect_to), None)
        log.info("Proxying %s://%s to %s", "https" if secure else "http", options.public,
                 options.default_target or "(no default)")  # fmt: skip
        log.info("Proxy API at http%s://%s/api/routes", "s" if self._api_tls else "", options.api)

    async def _serve_own(
        self, address: Address, handler: Handler, context: ssl.SSLContext | None
    ) -> None:
        await self._listen(address, lambda: OwnConnection(self.plane, handler), context)

    async def _listen(
        self,
        address: Address,
        protocol: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        handshake_s = self._limits.handshake_s if context else None
        for raw in self._sockets(address):
            if raw.family == socket.AF_UNIX:
                server = await loop.create_unix_server(
                    protocol, sock=raw, ssl=context, ssl_handshake_timeout=handshake_s
                )
            else:
                keep_watch(raw)  # accepted sockets inherit it
                server = await loop.create_server(
                    protocol, sock=raw, ssl=context, ssl_handshake_timeout=handshake_s
                )
            self._servers.append(server)

    def _sockets(self, address: Address) -> list[socket.socket]:
        if address.path:
            raw = listen.on_path(address.path)
            self._paths.append(address.path)
            return [raw]
        return listen.on_port(address.ip, address.port)

    @property
    def ports(self) -> list[int]:
        """The ports listened on, in the order public, API, metrics, redirect."""
        return [s.getsockname()[1] for server in self._servers for s in server.sockets]

    async def stop(self) -> None:
        """Close the listeners, let what runs finish for a moment, end the rest."""
        for server in self._servers:
            server.close()
        await self.plane.drain()
        for path in self._paths:
            with suppress(OSError):
                os.unlink(path)


def allow_files() -> int:
    """Raise the limit of open files as far as it goes; returns how many clients fit.

    Every client can need a connection to a server as well.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    if soft == resource.RLIM_INFINITY:
        soft = 65536
    return max(64, (soft - 100) // 2)


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


async def _run(options: Options) -> int:
    proxy = Proxy(options)
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _told_to_end, told)
    try:
        await proxy.start()
        gc.collect()
        gc.freeze()  # what exists now lives as long as the process
        await told.wait()
        log.warning("Ended by a signal")
        return ENDED_BY_SIGNAL
    finally:
        await proxy.stop()


def _told_to_end(told: asyncio.Event) -> None:
    if told.is_set():
        os._exit(ENDED_BY_SIGNAL)
    told.set()


def main(argv: list[str] | None = None) -> int:
    """Run the proxy until a signal; returns the exit status."""
    options = read_options(argv)
    start_logging(options.log_level)
    if not options.token:
        log.warning("CONFIGPROXY_AUTH_TOKEN is not set: anybody can change routes through the API")
    if options.allow_rc4:
        log.warning("--ssl-allow-rc4: RC4 is broken and no longer exists in OpenSSL")
    if options.pid_file:
        with open(options.pid_file, "w", encoding="ascii") as file:
            file.write(str(os.getpid()))
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(_run(options))
    except (OSError, ValueError) as error:
        log.error("%s", error.strerror if isinstance(error, OSError) else error)
        return 1
    finally:
        if options.pid_file:
            with suppress(OSError):
                os.unlink(options.pid_file)


if __name__ == "__main__":
    sys.exit(main())
