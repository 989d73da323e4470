"""The proxy process of the hub, and any other that speaks its REST API.

The class is named after configurable-http-proxy, whose command line and REST
API both programs share; ours is the default command. The process lives in a
session of its own and outlives the hub: after a crash, or with
``cleanup_proxy`` off, the next hub finds it by its pid file and goes on with
it, so nobody at work notices.
"""

import asyncio
import contextlib
import hashlib
import hmac
import os
import secrets
import sys
from typing import Any
from urllib.parse import quote, urlsplit

from traitlets import Any as AnyTrait
from traitlets import (
    Bool,
    Bytes,
    CaselessStrEnum,
    Integer,
    List,
    TraitError,
    Unicode,
    default,
    observe,
    validate,
)

from perijove.domain.errors import ConfigError
from perijove.kit.urls import join, unix_socket_of
from perijove.plugins.chp_api import RouteApi
from perijove.plugins.chp_others import OtherProxies
from perijove.plugins.chp_process import ProxyProcess
from perijove.plugins.net import make_ssl_context
from perijove.plugins.proxy import Proxy
from perijove.plugins.traits import Command

OWN_FLAG = "jupyterhub"
"""Marks the hub's routes in the proxy's table; others are left alone."""

_TOKEN_PURPOSE = b"token of the proxy's API"


class ConfigurableHTTPProxy(Proxy):
    """Runs the proxy and talks to its REST API."""

    command = Command(
        [sys.executable, "-m", "perijove", "proxy"], help="The command of the proxy."
    ).tag(config=True)
    api_url = Unicode(help="The proxy's REST API.").tag(config=True)
    other_api_urls = List(
        Unicode(),
        help="""REST APIs of further proxies that get the same routes, as behind a load balancer.

        They run apart and share `auth_token`. One that is down is brought up to date when the
        routes are checked next.
        """,
    ).tag(config=True)
    auth_token = Unicode(help="Secret for that API; CONFIGPROXY_AUTH_TOKEN says it, too.").tag(
        config=True
    )
    check_running_interval = Integer(
        5, min=1, help="Seconds between checks that the proxy's process lives."
    ).tag(config=True)
    command_umask = Integer(0o007, help="umask of the proxy's process.").tag(config=True)
    concurrency = Integer(10, min=1, help="Requests to the API at the same time.").tag(config=True)
    debug = Bool(False, help="The same as log_level = 'debug'.").tag(config=True)
    log_level = CaselessStrEnum(
        ["debug", "info", "warn", "error"], "info", help="Log level of the proxy."
    ).tag(config=True)
    error_target = Unicode(
        allow_none=True,
        help="""Where the proxy fetches the page for errors of its own: a URL to which it adds
        the status code, as in `http://127.0.0.1:9000/error/404`.

        By default the hub's error page. Without one (None, `error_path` set, or a hub without
        pages) the proxy answers with a page of its own.
        """,
    ).tag(config=True)
    error_path = Unicode(
        "",
        help="""A folder with pages for errors of the proxy: `404.html` where nothing is routed,
        `503.html` where a server is gone, `error.html` for the rest.
        """,
    ).tag(config=True)
    pid_file = Unicode("jupyterhub-proxy.pid", help="File with the proxy's process id.").tag(
        config=True
    )
    _auth_secret = Bytes(b"")
    semaphore = AnyTrait()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not self.should_start and not self._has_token():
            raise ConfigError(
                "c.ConfigurableHTTPProxy.auth_token (or CONFIGPROXY_AUTH_TOKEN) is needed when "
                "the hub does not start the proxy"
            )
        if self.error_target and self.error_path:
            raise ConfigError(
                "c.ConfigurableHTTPProxy: error_target and error_path exclude each other"
            )
        if self.should_start and self._internal_ssl and self.api_url.startswith("http://"):
            self.api_url = f"https{self.api_url.removeprefix('http')}"
        self._api: RouteApi | None = None
        self._others: OtherProxies | None = None
        self._process: ProxyProcess | None = None
        self._checking: asyncio.Task[None] | None = None

    def _has_token(self) -> bool:
        return bool(
            os.environ.get("CONFIGPROXY_AUTH_TOKEN") or self._trait_values.get("auth_token")
        )

    @default("api_url")
    def _default_api_url(self) -> str:
        scheme = "https" if self._internal_ssl else "http"
        return f"{scheme}://127.0.0.1:8001"

    @default("auth_token")
    def _default_auth_token(self) -> str:
        if token := os.environ.get("CONFIGPROXY_AUTH_TOKEN"):
            return token
        if self._auth_secret:
            return hmac.new(self._auth_secret, _TOKEN_PURPOSE, hashlib.sha256).hexdigest()
        return secrets.token_hex(32)

    @default("error_target")
    def _default_error_target(self) -> str | None:
        if self.error_path or self.hub is None or not self._hub_has_pages:
            return None
        return join(self.hub.url, "error")

    @validate("error_path")
    def _check_error_path(self, proposal: Any) -> str:
        path = str(proposal["value"])
        if path and not os.path.isdir(path):
            raise TraitError(f"error_path: there is no folder {path!r}")
        return os.path.abspath(path) if path else ""

    @default("semaphore")
    def _default_semaphore(self) -> asyncio.BoundedSemaphore:
        return asyncio.BoundedSemaphore(self.concurrency)

    @observe("concurrency")
    def _concurrency_changed(self, change: Any) -> None:
        self.semaphore = asyncio.BoundedSemaphore(change["new"])

    @observe("debug")
    def _debug_changed(self, change: Any) -> None:
        if change["new"]:
            self.log_level = "debug"

    @property
    def _internal_ssl(self) -> bool:
        return bool(getattr(self.app, "internal_ssl", False))

    # -- the process -----------------------------------------------------------------
    def _options(self) -> list[str]:
        """The options behind ``command``."""
        options: list[str] = []
        if path := unix_socket_of(self.public_url):
            options += ["--socket", path]
        else:
            public = urlsplit(self.public_url)
            # No --ip means all interfaces, of both families.
            options += ["--ip", public.hostname] if public.hostname else []
            options += ["--port", str(public.port or (443 if public.scheme == "https" else 80))]
        if path := unix_socket_of(self.api_url):
            options += ["--api-socket", path]
        else:
            api = urlsplit(self.api_url)
            options += ["--api-ip", api.hostname or "127.0.0.1", "--api-port", str(api.port or 80)]
        options += ["--error-target", self.error_target] if self.error_target else []
        options += ["--error-path", self.error_path] if self.error_path else []
        options += ["--log-level", self.log_level]
        options += ["--host-routing"] if self.host_routing else []
        options += ["--ssl-key", self.ssl_key] if self.ssl_key else []
        options += ["--ssl-cert", self.ssl_cert] if self.ssl_cert else []
        return options + (self._tls_options() if self._internal_ssl else [])

    def _tls_options(self) -> list[str]:
        app, options = self.app, []
        for side, name in (("api", "proxy-api"), ("client", "proxy-client")):
            files = app.internal_proxy_certs[name]
            options += [
                f"--{side}-ssl-key",
                files["keyfile"],
                f"--{side}-ssl-cert",
                files["certfile"],
                f"--{side}-ssl-ca",
                app.internal_trust_bundles[f"{name}-ca"],
                f"--{side}-ssl-request-cert",
                f"--{side}-ssl-reject-unauthorized",
            ]
        return options

    async def start(self) -> None:
        """Take over a proxy that runs with our options and token, or start one.

        Raises RuntimeError when it does not come up, FileNotFoundError for a
        command that is not there.
        """
        process = self._process = ProxyProcess(
            list(self.command),
            self._options(),
            token=self.auth_token,
            umask=self.command_umask,
            pid_file=self.pid_file,
            public_url=self.public_url,
            api_url=self.api_url,
        )
        if not self.ssl_key and urlsplit(self.public_url).scheme == "http":
            self.log.warning("The proxy runs without TLS. Is there a TLS endpoint before it?")
        if await process.find() and await self._is_ours():
            self.log.info("Going on with the running proxy (process %s)", process.pid)
        else:
            await process.replace()
            self.log.info("Started the proxy (process %s) at %s", process.pid, self.public_url)
        self._checking = asyncio.ensure_future(self._watch())

    async def _is_ours(self) -> bool:
        """Whether the running proxy answers to our token."""
        try:
            await self._routes_api().request("GET", "", retry=False)
        except Exception as error:
            self.log.warning("The running proxy does not answer as ours: %s", error)
            return False
        return True

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self.check_running_interval)
            try:
                await self.check_running()
            except Exception:
                self.log.exception("The proxy could not be started again; trying on")

    async def check_running(self) -> None:
        """Start the proxy again if its process is gone, and put its routes back."""
        process = self._process
        if process is None or (status := process.poll()) is None:
            return
        self.log.error("The proxy stopped with exit code %s; starting it again", status)
        await process.replace()
        await self.restore_routes()

    async def stop(self) -> None:
        """End the process."""
        await self._let_go()
        if self._process is not None:
            self.log.info("Stopping the proxy (process %s)", self._process.pid)
            await self._process.end()
            self._process = None

    async def _let_go(self) -> None:
        """Stop watching the process, which goes on, and close the connection to its API."""
        if self._checking is not None:
            self._checking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._checking
            self._checking = None
        if self._api is not None:
            await self._api.close()
            self._api = None
        if self._others is not None:
            await self._others.close()
            self._others = None

    # -- routes ------------------------------------------------------------------------
    def _routes_api(self) -> RouteApi:
        if self._api is None:
            self._api = RouteApi(self._ssl_context, self._http_settings)
        self._api.configure(self.api_url, self.auth_token, self.semaphore)
        return self._api

    def _other_proxies(self) -> OtherProxies:
        if self._others is None:
            apis = {url: RouteApi(self._ssl_context) for url in self.other_api_urls}
            for url, api in apis.items():
                api.configure(url, self.auth_token, asyncio.BoundedSemaphore(self.concurrency))
            self._others = OtherProxies(apis)
        return self._others

    @property
    def _ssl_context(self) -> Any:
        if not self._internal_ssl:
            return None
        app = self.app
        return make_ssl_context(
            app.internal_ssl_key, app.internal_ssl_cert, cafile=app.internal_ssl_ca
        )

    def _path_of(self, routespec: str) -> str:
        path = self.validate_routespec(routespec)
        path = path if path.startswith("/") else f"/{path}"
        return path.rstrip("/") or "/"

    def _spec_of(self, path: str) -> str:
        spec = quote(path, safe="@/~")
        spec = spec.lstrip("/") or "/" if self.host_routing else spec
        return spec if spec.endswith("/") else f"{spec}/"

    async def add_route(self, routespec: str, target: str, data: dict[str, Any]) -> None:
        """Add or replace a route."""
        body = {**(data or {}), "target": target, OWN_FLAG: True}
        await self._routes_api().request("POST", self._path_of(routespec), body)
        await self._other_proxies().send("POST", self._path_of(routespec), body)

    async def delete_route(self, routespec: str) -> None:
        """Remove a route; a missing one is logged."""
        found = await self._routes_api().request("DELETE", self._path_of(routespec))
        await self._other_proxies().send("DELETE", self._path_of(routespec))
        if found is None:
            self.log.warning("The route %s to be deleted was not there", routespec)

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        """The hub's routes; those that somebody else added are left out."""
        table = await self._routes_api().request("GET", "") or {}
        await self._other_proxies().agree(table)
        routes = {}
        for path, entry in table.items():
            if not entry.pop(OWN_FLAG, False):
                continue
            spec = self._spec_of(path)
            target = entry.pop("target")
            routes[spec] = {"routespec": spec, "target": target, "data": entry}
        return routes
