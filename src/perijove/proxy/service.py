"""A proxy put together: its plane, its sites, its certificates, and what keeps the table.

There are three kinds. Usually one process does everything. With several workers
it keeps the API and leaves the public port to them (``crew``), and each worker
has the public port alone, and its table from the other process (``link``).
"""

import asyncio
import logging
import resource
from collections.abc import Sequence
from contextlib import suppress

from perijove.proxy import tls
from perijove.proxy.access import AccessLog
from perijove.proxy.certificates import Certificates
from perijove.proxy.connection import ClientConnection
from perijove.proxy.control import Control
from perijove.proxy.crew import Workers
from perijove.proxy.errors import ErrorPages
from perijove.proxy.httpd import Handler, OwnConnection, redirect_to_https
from perijove.proxy.limits import Limits
from perijove.proxy.metrics import Metrics
from perijove.proxy.options import Address, Options
from perijove.proxy.plane import Plane, Settings
from perijove.proxy.refusals import Refused
from perijove.proxy.sites import Factory, Sites
from perijove.proxy.snapshot import Kept, Snapshot
from perijove.proxy.succession import Inheritance, hand_over
from perijove.proxy.table import Table

log = logging.getLogger("perijove.proxy")


class Proxy:
    """A proxy in this process, with the API; with workers where the options want several."""

    def __init__(
        self,
        options: Options,
        limits: Limits | None = None,
        inheritance: Inheritance | None = None,
        command: Sequence[str] = (),
    ) -> None:
        """Read certificates and prepare the plane. Raises ValueError on options that cannot be.

        ``command`` starts this program with the same options: workers and successors.
        """
        self._options = options
        self._inheritance = inheritance or Inheritance()
        self._command = command
        self.plane = make_plane(options, limits or options.limits)
        self.control = Control(self.plane, options.token)
        self.certificates = (
            Certificates(options.tls, "--ssl", options.http2) if options.tls else None
        )
        self._api_certificates = (
            Certificates(options.api_tls, "--api-ssl") if options.api_tls else None
        )
        for certificates in (self.certificates, self._api_certificates):
            if certificates is not None:
                self.plane.each_second.append(certificates.watch)
        self._sites = Sites(self.plane, self._inheritance.sockets)
        self._snapshot: Snapshot | None = None
        self._workers: Workers | None = None
        self._handed_on = False
        self._fill_table()

    def _fill_table(self) -> None:
        """Routes that are known before the hub says any: inherited, kept, by default."""
        options, routes = self._options, self._inheritance.routes
        if options.snapshot is not None:
            self._snapshot = Snapshot(options.snapshot, self.plane.table)
            routes = routes or self._snapshot.read()
        for kept in routes:
            self._restore(kept)
        if options.default_target:
            data = {"target": options.default_target}
            self.control.add_route("/", options.default_target, data)
        if self._snapshot is not None:
            self._snapshot.write()
            self.control.watchers.append(self._snapshot)

    def _restore(self, kept: Kept) -> None:
        try:
            self.control.add_route(kept.key, kept.url, kept.data)
        except Refused as error:
            log.warning("Route %s is not taken over: %s", kept.key, error)
            return
        route = self.plane.table.get(kept.key)
        if route is not None:
            route.last_activity_s = kept.last_activity_s

    # -- start ----------------------------------------------------------------
    async def start(self) -> None:
        """Listen everywhere. Raises OSError, naming the address, where that is impossible."""
        options, plane = self._options, self.plane
        plane.start()
        sites = self._sites
        public = sites.open("public", options.public, copies=options.workers)
        if options.workers > 1:
            places = [public[number :: options.workers] for number in range(options.workers)]
            self._workers = Workers(plane, self._command, places)
            self.control.watchers.append(self._workers)
            await self._workers.start()
            self.control.crew = self._workers
        else:
            await serve_public(sites, plane, options, self.certificates)
        sites.open("api", options.api)
        await self._serve_api()
        if options.metrics is not None:
            from perijove.proxy.exposition import metrics_page  # heavy, and only needed here

            sites.open("metrics", options.metrics)
            await self._serve_own("metrics", metrics_page(self._metrics))
        if options.redirect_port is not None:
            sites.open("redirect", Address(options.public.ip, options.redirect_port))
            await self._serve_own("redirect", redirect_to_https(options.redirect_to))
        scheme = "https" if self.certificates is not None else "http"
        log.info("Proxying %s://%s to %s", scheme, options.public,
                 options.default_target or "(no default)")  # fmt: skip
        scheme = "https" if self._api_certificates is not None else "http"
        log.info("Proxy API at %s://%s/api/routes", scheme, options.api)
        self._inheritance.serves()

    async def _metrics(self) -> Metrics:
        if self._workers is not None:
            metrics = await self._workers.metrics()
        else:
            metrics = self.plane.metrics
            metrics.connections = len(self.plane.clients)
        metrics.routes = len(self.plane.table)
        return metrics

    async def _serve_api(self) -> None:
        await self._serve_own("api", self.control, self._api_certificates)

    async def _serve_own(
        self, site: str, handler: Handler, certificates: Certificates | None = None
    ) -> None:
        await self._sites.serve(
            site,
            lambda _: OwnConnection(self.plane, handler),
            certificates.context if certificates is not None else None,
        )

    @property
    def ports(self) -> list[int]:
        """The ports listened on, in the order public, API, metrics, redirect."""
        return self._sites.ports

    # -- while it runs ----------------------------------------------------------
    def reload(self) -> None:
        """Read all certificates anew, here and in the workers."""
        for certificates in (self.certificates, self._api_certificates):
            if certificates is not None:
                certificates.reload()
        if self._workers is not None:
            self._workers.reload()

    async def hand_over(self) -> bool:
        """Have a new process take over; True once it has, and this one has only to stop."""
        self._sites.pause("api")
        for client in [c for c in self.plane.clients if isinstance(c, OwnConnection)]:
            client.shut()
        if self._workers is not None:
            await self._workers.report()
        self._handed_on = await hand_over(self._command, self._sites.all(), self.plane.table)
        if not self._handed_on:
            await self._serve_api()
        return self._handed_on

    async def stop(self) -> None:
        """Close the listeners, let what runs finish for a moment, end the rest."""
        self._sites.close(handed_on=self._handed_on)
        limits = self.plane.limits
        if self._workers is not None:
            await self._workers.end(limits.drain_s + limits.farewell_s + 0.1)
        await self.plane.drain()
        if self._snapshot is not None:
            if not self._handed_on:
                self._snapshot.write()
            self._snapshot.close()


def make_plane(options: Options, limits: Limits) -> Plane:
    """The plane that options describe. Raises OSError or ValueError where that is impossible."""
    server_tls = tls.client_context(options.client_tls, options.insecure)
    plane = Plane(
        Settings(
            options.rules,
            limits,
            options.keep_alive_s,
            options.timeout_s,
            options.proxy_timeout_s,
        ),
        Table(options.rules.by_host),
        metrics=Metrics(timed=options.metrics is not None),
        pages=ErrorPages(options.error_target, options.error_path, server_tls),
        server_tls=server_tls,
        access=AccessLog(options.access_log) if options.access_log else None,
        max_connections=limits.connections or allow_files(),
    )
    if plane.access is not None:
        plane.each_second.append(plane.access.flush)
    return plane


async def serve_public(
    sites: Sites, plane: Plane, options: Options, certificates: Certificates | None
) -> None:
    """Accept people's connections on the sockets of the public site."""
    secure = certificates is not None

    def http1(ip: bytes | None) -> asyncio.Protocol:
        return ClientConnection(plane, secure, ip)

    factory: Factory = http1
    if options.http2:
        factory = _negotiating(plane, http1)
    context = certificates.context if certificates is not None else None
    await sites.serve("public", factory, context, options.proxy_protocol)


def _negotiating(plane: Plane, http1: Factory) -> Factory:
    """Connections of HTTP/2 for clients that choose it. Raises ValueError without h2."""
    try:
        from perijove.proxy.http2 import Http2Connection, Negotiated  # an extra brings h2
    except ImportError as error:
        raise ValueError(f"--http2 needs the package h2: pip install h2 ({error})") from None
    return lambda ip: Negotiated(lambda: Http2Connection(plane, ip), lambda: http1(ip))


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
