"""The base class of proxies: what keeps the public port and its routes.

Subclasses define ``add_route``, ``delete_route`` and ``get_all_routes``, and
``start`` and ``stop`` if the hub runs them. Which routes there should be, and
the comparison with those there are, is the business of the room ``routes``.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, TraitError, Unicode, validate
from traitlets.config import LoggingConfigurable

from perijove.domain.settings import HttpClientSettings
from perijove.kit.aio import maybe_await

TARGET_SCHEMES = frozenset({"http", "https", "unix", "http+unix", "unix+http"})
"""What routes may lead to."""


class Proxy(LoggingConfigurable):
    """Leads requests for the public URL to the hub, its servers and its services."""

    should_start = Bool(True, help="Whether the hub starts and stops the proxy.").tag(config=True)
    extra_routes = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="Routes of the operator's own: routespec to target URL.",
    ).tag(config=True)

    app = AnyTrait(None, allow_none=True)
    hub = AnyTrait(None, allow_none=True)
    db_factory = AnyTrait(None, allow_none=True)
    public_url = Unicode("")
    host_routing = Bool(False)
    _hub_has_pages = Bool(True)
    ssl_key = Unicode("")
    ssl_cert = Unicode("")
    _http_settings = AnyTrait(HttpClientSettings())

    _on_restart: Callable[[], Awaitable[Any]] | None = None
    """Restores all routes after the proxy came back without them. Set by the hub."""

    @property
    def db(self) -> Any:
        """The hub's database session, as older plug-ins ask for it."""
        return self.db_factory() if callable(self.db_factory) else None

    @validate("extra_routes")
    def _check_extra_routes(self, proposal: Any) -> dict[str, str]:
        routes = {}
        for spec, target in proposal["value"].items():
            try:
                repaired = self.validate_routespec(spec)
            except ValueError as error:
                raise TraitError(f"extra_routes: {error}") from None
            routes[repaired] = target
            if repaired != spec:
                self.log.warning("extra_routes: the route %r was taken as %r", spec, repaired)
            url = urlsplit(target)
            if url.scheme not in TARGET_SCHEMES or not url.netloc:
                raise TraitError(
                    f"extra_routes: the target {target!r} of {spec!r} is no URL such as "
                    "http://127.0.0.1:8888"
                )
        return routes

    def validate_routespec(self, routespec: str) -> str:
        """The routespec with its final slash. Raises ValueError when it has the wrong form.

        Without subdomains it is a path; with them it begins with a host, all
        but the root ``/``.
        """
        if routespec == "/":
            return routespec
        if self.host_routing and routespec.startswith("/"):
            raise ValueError(f"the route {routespec!r} must begin with a host: HOST/path/")
        if not self.host_routing and not routespec.startswith("/"):
            raise ValueError(f"the route {routespec!r} must begin with a slash")
        return routespec if routespec.endswith("/") else routespec + "/"

    # -- for subclasses to define --------------------------------------------------
    def start(self) -> Any:
        """Start the proxy; may be awaitable. Only called with ``should_start``."""

    def stop(self) -> Any:
        """Stop the proxy; may be awaitable. Only called with ``should_start``."""

    def _let_go(self) -> Any:
        """Let go of the proxy, which goes on if it runs; may be awaitable."""

    async def add_route(self, routespec: str, target: str, data: dict[str, Any]) -> None:
        """Add or replace a route, and return when it is in effect, or soon will be."""
        raise NotImplementedError("a proxy class defines add_route()")

    async def delete_route(self, routespec: str) -> None:
        """Remove a route; a missing one is no error."""
        raise NotImplementedError("a proxy class defines delete_route()")

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        """The hub's routes: routespec to ``{routespec, target, data}``."""
        raise NotImplementedError("a proxy class defines get_all_routes()")

    async def get_route(self, routespec: str) -> dict[str, Any] | None:
        """One route, or None."""
        routes = await maybe_await(self.get_all_routes())
        route: dict[str, Any] | None = routes.get(self.validate_routespec(routespec))
        return route

    # -- routes of people, services and the hub ---------------------------------------
    async def add_user(self, user: Any, server_name: str = "", client: Any = None) -> None:
        """Add the route of a user's running server."""
        spawner = user.spawners[server_name]
        await self.add_route(
            spawner.proxy_spec,
            spawner.server.host,
            {"user": user.name, "server_name": server_name},
        )

    async def delete_user(self, user: Any, server_name: str = "") -> None:
        """Remove the route of a user's server."""
        spawner = user.spawners.get(server_name)
        spec = spawner.proxy_spec if spawner is not None else user.proxy_spec
        await self.delete_route(spec)

    async def add_service(self, service: Any, client: Any = None) -> None:
        """Add the route of a service that has a server."""
        if not service.server:
            raise RuntimeError(f"the service {service.name} has no server to route to")
        await self.add_route(service.proxy_spec, service.server.host, {"service": service.name})

    async def delete_service(self, service: Any, client: Any = None) -> None:
        """Remove the route of a service."""
        await self.delete_route(service.proxy_spec)

    async def add_hub_route(self, hub: Any) -> None:
        """Add the route of the hub itself."""
        await self.add_route(hub.routespec, hub.host, {"hub": True})

    async def add_all_users(self, user_dict: Mapping[Any, Any]) -> None:
        """Add the routes of all ready servers."""
        for user in user_dict.values():
            for name, spawner in user.spawners.items():
                if spawner.ready:
                    await self.add_user(user, name)

    async def add_all_services(self, service_dict: Mapping[str, Any]) -> None:
        """Add the routes of all services that have a server."""
        for service in service_dict.values():
            if service.server:
                await self.add_service(service)

    async def check_routes(
        self,
        user_dict: Mapping[Any, Any],
        service_dict: Mapping[str, Any],
        routes: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        """Make the routes those of the hub, of these users' servers, and of these services.

        Servers that something goes on with are left as they are.
        """
        if routes is None:
            routes = await maybe_await(self.get_all_routes())
        wanted, untouched = self._wanted(user_dict, service_dict)
        for spec, (target, data) in wanted.items():
            route = routes.get(spec)
            if route is None or route["target"] != target:
                await self.add_route(spec, target, data)
        for spec in set(routes) - set(wanted) - untouched:
            self.log.warning("Deleting the stale route %s", spec)
            await self.delete_route(spec)

    def _wanted(
        self, user_dict: Mapping[Any, Any], service_dict: Mapping[str, Any]
    ) -> tuple[dict[str, tuple[str, dict[str, Any]]], set[str]]:
        wanted: dict[str, tuple[str, dict[str, Any]]] = {}
        untouched: set[str] = set()
        if self.hub is not None:
            wanted[self.hub.routespec] = (self.hub.host, {"hub": True})
        for user in user_dict.values():
            for name, spawner in user.spawners.items():
                if spawner.pending:
                    untouched.add(spawner.proxy_spec)
                elif spawner.ready:
                    data = {"user": user.name, "server_name": name}
                    wanted[spawner.proxy_spec] = (spawner.server.host, data)
        for service in service_dict.values():
            if service.server:
                wanted[service.proxy_spec] = (service.server.host, {"service": service.name})
        wanted |= {spec: (target, {"extra": True}) for spec, target in self.extra_routes.items()}
        return wanted, untouched

    async def restore_routes(self) -> None:
        """Put back all routes after the proxy lost them."""
        if self._on_restart is not None:
            await self._on_restart()
        elif self.hub is not None:
            await self.add_hub_route(self.hub)
