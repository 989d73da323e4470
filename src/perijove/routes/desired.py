"""The table that the proxy should have, worked out from the database."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from perijove.domain.routes import Route
from perijove.domain.servers import Server, State
from perijove.domain.users import Service
from perijove.kit.urls import with_slash
from perijove.routes.addresses import Addresses
from perijove.routes.publish import route_of


@dataclass(frozen=True)
class FixedRoutes:
    """Routes that do not depend on the database."""

    hub_routespec: str
    hub_target: str
    extra: Mapping[str, str] = field(default_factory=dict)

    def routes(self) -> list[Route]:
        """The hub's own route and the operator's."""
        fixed = [Route(self.hub_routespec, self.hub_target, {"hub": True})]
        fixed += [
            Route(with_slash(spec), target, {"extra": True}) for spec, target in self.extra.items()
        ]
        return fixed


@dataclass(frozen=True, slots=True)
class Desired:
    """``routes``: what must be there. ``untouched``: what may be there or not."""

    routes: dict[str, Route]
    untouched: frozenset[str]


def desired_routes(
    addresses: Addresses,
    fixed: FixedRoutes,
    servers: Iterable[Server],
    services: Iterable[Service],
) -> Desired:
    """The wanted table. Servers on their way up or down keep what they have."""
    routes = {route.routespec: route for route in fixed.routes()}
    untouched = set()
    for server in servers:
        if server.state is State.READY and server.url and not server.checking:
            route = route_of(addresses, server, server.url)
            routes[route.routespec] = route
        elif server.active:
            untouched.add(addresses.server_spec(server))
    for service in services:
        if service.url:
            spec = addresses.service_spec(service.name)
            routes[spec] = Route(spec, origin_of(service.url), {"service": service.name})
    return Desired(routes, frozenset(untouched))


def origin_of(url: str) -> str:
    """A URL without its path, as routes' targets are."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.partition('/')[0]}"
