"""The route of one server, added when it is ready and removed when it goes."""

import logging

from perijove.domain.errors import PluginError
from perijove.domain.ports import ProxyPort
from perijove.domain.routes import Route
from perijove.domain.servers import Server
from perijove.routes.addresses import Addresses
from perijove.telemetry import metrics

log = logging.getLogger("perijove.routes")


def route_of(addresses: Addresses, server: Server, url: str) -> Route:
    """The wanted route of a server that listens at ``url`` (scheme, host, port)."""
    data = {"user": server.user_name, "server_name": server.name}
    return Route(addresses.server_spec(server), url, data)


class ServerRoutes:
    """Adds and removes the routes of servers."""

    def __init__(self, proxy: ProxyPort, addresses: Addresses) -> None:
        self._proxy = proxy
        self.addresses = addresses

    async def add(self, server: Server, url: str) -> None:
        """Route requests to the server. Raises PluginError."""
        route = route_of(self.addresses, server, url)
        log.info("Adding user %s to proxy %s => %s", server.user_name, route.routespec, url)
        with metrics.timed(metrics.PROXY_ADD_DURATION):
            await self._proxy.add_route(route)

    async def remove(self, server: Server) -> None:
        """Route requests there no longer.

        A proxy that cannot be reached is only logged: the next comparison of
        routes removes what is left.
        """
        spec = self.addresses.server_spec(server)
        log.info("Removing user %s from proxy (%s)", server.user_name, spec)
        try:
            with metrics.timed(metrics.PROXY_DELETE_DURATION):
                await self._proxy.delete_route(spec)
        except PluginError as error:
            log.warning("The route %s stays for now: %s", spec, error)
