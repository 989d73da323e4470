"""Who listens where: from the hub's options to ``NetworkSettings``."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from perijove.config.addresses import (
    MAX_PORT,
    WILDCARDS,
    Address,
    parse_address,
    with_prefix,
)
from perijove.config.hub import JupyterHub
from perijove.config.options.network import machine_name
from perijove.config.subdomains import HOOKS, SubdomainHook
from perijove.domain.errors import ConfigError
from perijove.domain.settings import NetworkSettings
from perijove.kit.urls import bracket_ipv6


def build_network(hub: JupyterHub) -> NetworkSettings:
    """Where everything listens. Raises ConfigError."""
    public = _address(hub.bind_url, "bind_url")
    private = _private_address(hub)
    if bool(hub.ssl_key) != bool(hub.ssl_cert):
        missing = "ssl_cert" if hub.ssl_key else "ssl_key"
        raise ConfigError(f"HTTPS needs both ssl_key and ssl_cert: c.JupyterHub.{missing} is empty")
    same = public.port == private.port and not public.socket and not private.socket
    if same and (public.host == private.host or {public.host, private.host} & WILDCARDS):
        raise ConfigError(
            f"The proxy (c.JupyterHub.bind_url) and the hub (c.JupyterHub.hub_port) cannot both "
            f"listen on port {public.port}"
        )
    _check_public_url(hub)
    domain = urlsplit(hub.subdomain_host or hub.public_url).hostname or ""
    route = _route_of_hub(hub, domain)
    return NetworkSettings(
        bind_url=hub.bind_url,
        base_url=hub.base_url,
        hub_prefix=hub.hub_prefix,
        hub_bind_url=private.url,
        hub_host=private.host,
        hub_port=private.port,
        hub_socket=private.socket,
        hub_socket_mode=hub.hub_socket_mode,
        hub_connect_url=_connect_url(hub, private),
        hub_routespec=route,
        public_url=hub.public_url,
        subdomain_host=hub.subdomain_host,
        domain=domain,
        subdomain_hook=_subdomain_hook(hub),
        trusted_downstream_ips=tuple(hub.trusted_downstream_ips),
        ssl_key=hub.ssl_key,
        ssl_cert=hub.ssl_cert,
    )


def _address(url: str, option: str) -> Address:
    try:
        address = parse_address(url)
    except ValueError as error:
        raise ConfigError(f"c.JupyterHub.{option}: {error}") from None
    if not address.socket and not 0 < address.port <= MAX_PORT:
        raise ConfigError(
            f"c.JupyterHub.{option}: a port is 1 to {MAX_PORT}, and not {address.port}"
        )
    return address


def _private_address(hub: JupyterHub) -> Address:
    scheme = "https" if hub.internal_ssl else "http"
    if hub.hub_bind_url:
        address = _address(with_prefix(hub.hub_bind_url, hub.hub_prefix), "hub_bind_url")
        if address.scheme == "https" != scheme:
            raise ConfigError(
                f"c.JupyterHub.hub_bind_url {hub.hub_bind_url!r}: the hub itself speaks HTTP, and "
                "HTTPS only with internal_ssl; for HTTPS on the public side set ssl_key and "
                "ssl_cert"
            )
        if address.socket and hub.internal_ssl:
            raise ConfigError(
                "c.JupyterHub.internal_ssl needs a hub at an address and a port: its certificate "
                f"cannot name the socket of hub_bind_url {hub.hub_bind_url!r}"
            )
        return replace(address, scheme=scheme)
    host = hub.hub_ip.strip("[]")
    address = Address(scheme, "" if host == "*" else host, hub.hub_port, "", hub.hub_prefix)
    return _address(address.url, "hub_port")


def _connect_url(hub: JupyterHub, private: Address) -> str:
    if hub.hub_connect_url:
        if hub.internal_ssl and not hub.hub_connect_url.startswith("https://"):
            raise ConfigError(
                f"c.JupyterHub.hub_connect_url {hub.hub_connect_url!r} must begin with https:// "
                "when internal_ssl is on"
            )
        return with_prefix(hub.hub_connect_url, hub.hub_prefix)
    if private.socket:
        return private.url
    host = hub.hub_connect_ip or private.host
    if host in WILDCARDS:
        host = machine_name()
    port = hub.hub_connect_port or private.port
    return f"{private.scheme}://{bracket_ipv6(host)}:{port}{hub.hub_prefix}"


def _check_public_url(hub: JupyterHub) -> None:
    path = urlsplit(hub.public_url).path
    if hub.public_url and not path.startswith(hub.base_url):
        raise ConfigError(
            f"c.JupyterHub.public_url {hub.public_url!r} must contain base_url {hub.base_url!r}"
        )


def _route_of_hub(hub: JupyterHub, domain: str) -> str:
    """The hub's route, with a host where the proxy routes by hosts. Raises ConfigError."""
    host, slash, path = hub.hub_routespec.partition("/")
    path = slash + path
    if host and not hub.subdomain_host:
        raise ConfigError(
            f"c.JupyterHub.hub_routespec {hub.hub_routespec!r} must begin with a slash; a route "
            "begins with a host only with c.JupyterHub.subdomain_host"
        )
    if not (hub.hub_prefix.startswith(path) or path == f"{hub.hub_prefix}api/"):
        raise ConfigError(
            f"c.JupyterHub.hub_routespec {hub.hub_routespec!r} does not lead to the hub. It is "
            f"{hub.base_url!r} (all that belongs to nobody), {hub.hub_prefix!r} (pages and REST "
            f"API) or '{hub.hub_prefix}api/' (REST API alone)"
        )
    if hub.subdomain_host and not host and path != "/":
        return domain + path
    return hub.hub_routespec


def check_extra_routes(network: NetworkSettings, extra_routes: Iterable[str]) -> None:
    """Raises ConfigError for a route that would take the hub's own."""
    if network.hub_routespec in extra_routes:
        raise ConfigError(
            f"c.Proxy.extra_routes: {network.hub_routespec!r} is the route of the hub itself. For "
            f"the hub to answer less, set c.JupyterHub.hub_routespec to {network.hub_prefix!r} or "
            f"'{network.hub_prefix}api/'"
        )


def proxy_options(network: NetworkSettings) -> dict[str, Any]:
    """What a proxy class is told of the network when it is made."""
    return {
        "public_url": network.bind_url,
        "host_routing": bool(network.subdomain_host),
        "_hub_has_pages": not network.api_only,
        "ssl_key": network.ssl_key,
        "ssl_cert": network.ssl_cert,
    }


def remarks_on_route(network: NetworkSettings, extra_routes: Iterable[str]) -> list[str]:
    """What an operator should know of a hub that does not answer everything."""
    if network.hub_answers_all:
        return []
    base = network.base_url
    roots = [route for route in extra_routes if route in ("/", base, network.domain + base)]
    who = (
        f"c.Proxy.extra_routes answers {base}"
        if roots
        else f"nothing answers {base} (see c.Proxy.extra_routes)"
    )
    if network.api_only:
        prefix = network.hub_prefix
        return [
            f"API only: the hub answers {network.hub_routespec} and has no pages: {prefix}login, "
            f"{prefix}home, {prefix}spawn, {prefix}token, {prefix}admin and the rest are off; {who}"
        ]
    return [
        f"The hub answers {network.hub_routespec} alone: requests to servers that do not run do "
        f"not reach it; {who}"
    ]


def _subdomain_hook(hub: JupyterHub) -> SubdomainHook:
    hook = hub.subdomain_hook
    return HOOKS[hook] if isinstance(hook, str) else hook
