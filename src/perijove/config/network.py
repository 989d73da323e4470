"""Who listens where: from the hub's options to ``NetworkSettings``."""

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


def build_network(hub: JupyterHub, remarks: list[str]) -> NetworkSettings:
    """Where everything listens. Remarks for the operator are added to ``remarks``."""
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
    _remark_on_route(hub, remarks)
    return NetworkSettings(
        bind_url=hub.bind_url,
        bind_host=public.host,
        bind_port=public.port,
        bind_socket=public.socket,
        base_url=hub.base_url,
        hub_prefix=hub.hub_prefix,
        hub_bind_url=private.url,
        hub_host=private.host,
        hub_port=private.port,
        hub_socket=private.socket,
        hub_socket_mode=hub.hub_socket_mode,
        hub_connect_url=_connect_url(hub, private),
        hub_routespec=hub.hub_routespec,
        public_url=hub.public_url,
        subdomain_host=hub.subdomain_host,
        domain=urlsplit(hub.subdomain_host or hub.public_url).hostname or "",
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
    if hub.hub_bind_url:
        address = _address(with_prefix(hub.hub_bind_url, hub.hub_prefix), "hub_bind_url")
        if address.scheme != "http":
            raise ConfigError(
                f"c.JupyterHub.hub_bind_url {hub.hub_bind_url!r}: the hub itself speaks HTTP; for "
                "HTTPS on the public side set ssl_key and ssl_cert"
            )
        return address
    host = hub.hub_ip.strip("[]")
    address = Address("http", "" if host == "*" else host, hub.hub_port, "", hub.hub_prefix)
    return _address(address.url, "hub_port")


def _connect_url(hub: JupyterHub, private: Address) -> str:
    if hub.hub_connect_url:
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


def _remark_on_route(hub: JupyterHub, remarks: list[str]) -> None:
    usual = "/" if hub.subdomain_host else hub.base_url
    if hub.hub_routespec != usual:
        remarks.append(
            f"The hub has the route {hub.hub_routespec}: requests to servers that do not run may "
            "not reach it"
        )
    if not hub.hub_prefix.startswith(hub.hub_routespec):
        remarks.append(
            f"The hub's own path {hub.hub_prefix} is not below its route {hub.hub_routespec}: "
            "requests from outside may not reach it"
        )


def _subdomain_hook(hub: JupyterHub) -> SubdomainHook:
    hook = hub.subdomain_hook
    return HOOKS[hook] if isinstance(hook, str) else hook
