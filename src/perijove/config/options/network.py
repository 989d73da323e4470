"""Public and private addresses."""

import os
from typing import Any
from urllib.parse import urlsplit

from traitlets import (
    Bunch,
    HasTraits,
    Integer,
    List,
    TraitError,
    Unicode,
    Union,
    default,
    observe,
    validate,
)

from perijove.config.addresses import (
    MAX_PORT,
    Address,
    hub_prefix_of,
    parse_address,
    with_scheme,
)
from perijove.config.subdomains import HOOKS
from perijove.kit.urls import prefix_of
from perijove.plugins.traits import Callable, URLPrefix

_PARTS = ("ip", "port", "base_url")


class NetworkOptions(HasTraits):
    """Where the proxy and the hub listen, and how they are reached.

    ``bind_url`` says in one option what ``ip``, ``port`` and ``base_url`` say in
    three. Whatever is given, all four agree in the end where that is possible:
    parts that are given win over the same part of a given ``bind_url``.
    """

    log: Any
    config: Any

    bind_url = Unicode(
        "http://:8000",
        help="""The public URL where the proxy listens: scheme, address, port and path prefix.

        An empty address means all interfaces. `http+unix://%2Fpath%2Fto%2Fsocket`
        listens on a Unix socket. The scheme becomes `https` when `ssl_cert` is set,
        and `http` otherwise.
        """,
    ).tag(config=True)

    ip = Unicode(
        "",
        help="""The address where the proxy listens; empty for all interfaces.

        Part of `bind_url`; set one or the other.
        """,
    ).tag(config=True)

    port = Integer(
        8000,
        help="""The port where the proxy listens.

        Part of `bind_url`; set one or the other.
        """,
    ).tag(config=True)

    base_url = URLPrefix(
        "/",
        help="""The path under which everything is served, for a hub that shares a host.

        Slashes at the beginning and the end are added. By default it is the path of
        `bind_url`; set one or the other.
        """,
    ).tag(config=True)

    public_url = Unicode(
        "",
        help="""The whole URL at which people reach the installation, `base_url` included.

        Set it when something in front of the proxy (a load balancer that ends TLS,
        say) makes it differ from `bind_url`. Links, redirects and the `Secure` mark of
        cookies follow it, instead of being guessed from each request. A missing
        scheme is taken to be `https`. With `subdomain_host` it defaults to that.
        """,
    ).tag(config=True)

    subdomain_host = Unicode(
        "",
        help="""Give each user and each service a host of its own below this one.

        `scheme://host[:port]`; a missing scheme is taken to be `https`. Keeps people's
        pages apart in the browser, and needs a wildcard DNS entry and certificate.
        """,
    ).tag(config=True)

    subdomain_hook = Union(
        [Callable(), Unicode()],
        default_value="idna",
        help="""How names become host names when `subdomain_host` is set.

        `"idna"` gives valid host names that cannot collide; `"legacy"` is the way of
        hubs before version 5; a callable `hook(name, domain, kind)`, with `kind` being
        `"user"` or `"service"`, returns the host.
        """,
    ).tag(config=True)

    hub_ip = Unicode(
        "127.0.0.1",
        help="""The address where the hub itself listens.

        Must be reachable from the proxy and from people's servers; when those run on
        other machines, set it to `""` (all interfaces) or an address of this machine.
        Not used when `hub_bind_url` is set.
        """,
    ).tag(config=True)

    hub_port = Integer(
        8081,
        help="""The port where the hub itself listens. Not used when `hub_bind_url` is set.""",
    ).tag(config=True)

    hub_bind_url = Unicode(
        "",
        help="""The URL where the hub itself listens, instead of `hub_ip` and `hub_port`.

        Its path is not used. `http+unix://%2Fpath%2Fto%2Fsocket` listens on a Unix
        socket; others then need `hub_connect_url` to reach the hub, unless they may use
        the socket too.
        """,
    ).tag(config=True)

    hub_connect_ip = Unicode(
        "",
        help="""The host name or address by which proxy, servers and services reach the hub.

        Needed when they see the hub under another address than the one where it listens,
        as is usual with containers. By default the listening address, or this machine's
        name when the hub listens on all interfaces.
        """,
    ).tag(config=True)

    hub_connect_url = Unicode(
        "",
        help="""The whole URL by which proxy, servers and services reach the hub.

        Wins over `hub_connect_ip`. Its path is not used.
        """,
    ).tag(config=True)

    hub_routespec = Unicode(
        help="""The proxy's route that leads to the hub.

        By default `base_url`, or `/` with subdomains, so that requests which belong to
        nobody come to the hub. `/hub/` leads the pages and the REST API there and nothing
        else. `/hub/api/` leads the REST API there alone: the hub then has no pages, and
        what answers `/` is a route of `c.Proxy.extra_routes`. A `base_url` goes in front,
        as in `/base/hub/api/`.
        """,
    ).tag(config=True)

    hub_socket_mode = Integer(
        0o600,
        help="""The file mode of the hub's Unix socket, when `hub_bind_url` names one.""",
    ).tag(config=True)

    trusted_downstream_ips = List(
        Unicode(),
        help="""Addresses of proxies in front, which are left out when the address of a client
        is read from `X-Forwarded-For`.
        """,
    ).tag(config=True)

    forwarded_host_header = Unicode(
        "",
        help="""Accepted, and not used: requests from other sites are told by the browser's
        `Sec-Fetch` headers and by `public_url`.
        """,
    ).tag(config=True)

    ssl_key = Unicode(
        "",
        help="""The file with the private key for HTTPS on the public side. Needs `ssl_cert`.""",
    ).tag(config=True)

    ssl_cert = Unicode(
        "",
        help="""The file with the certificate for HTTPS on the public side. Needs `ssl_key`.""",
    ).tag(config=True)

    hub_prefix = URLPrefix("/hub/", help="The hub's own path; follows `base_url`.")
    domain = Unicode("", help="The host of `subdomain_host` or `public_url`.")

    @validate("bind_url", "hub_bind_url", "hub_connect_url")
    def _check_url(self, proposal: Bunch) -> str:
        url = str(proposal.value)
        if url or proposal.trait.name == "bind_url":
            try:
                parse_address(url)
            except ValueError as error:
                raise TraitError(f"c.JupyterHub.{proposal.trait.name}: {error}") from None
        return url

    @validate("port", "hub_port")
    def _check_port(self, proposal: Bunch) -> int:
        port = int(proposal.value)
        if not 0 < port <= MAX_PORT:
            raise TraitError(
                f"c.JupyterHub.{proposal.trait.name}: a port is 1 to {MAX_PORT}, and not {port}"
            )
        return port

    @validate("public_url", "subdomain_host")
    def _check_public(self, proposal: Bunch) -> str:
        name, url = proposal.trait.name, str(proposal.value).strip()
        if not url:
            return ""
        if "://" not in url:
            url = with_scheme(url)
            self.log.warning("c.JupyterHub.%s has no scheme; using %s", name, url)
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise TraitError(
                f"c.JupyterHub.{name}: {url!r} is not a URL such as https://hub.example"
            )
        if name == "subdomain_host":
            return f"{parts.scheme}://{parts.netloc}"
        return f"{parts.scheme}://{parts.netloc}{prefix_of(parts.path)}"

    @validate("hub_routespec")
    def _route_has_slashes(self, proposal: Bunch) -> str:
        route = str(proposal.value).strip()
        # With subdomains a route may begin with a host.
        return prefix_of(route) if route.startswith("/") else f"{route.rstrip('/')}/"

    @validate("subdomain_hook")
    def _check_hook(self, proposal: Bunch) -> Any:
        if isinstance(proposal.value, str) and proposal.value not in HOOKS:
            known = " or ".join(repr(name) for name in HOOKS)
            raise TraitError(
                f"c.JupyterHub.subdomain_hook is {known} or a callable, not {proposal.value!r}"
            )
        return proposal.value

    @default("public_url")
    def _public_url_of_subdomains(self) -> str:
        host = str(self.subdomain_host)
        return f"{host}{self.base_url}" if host else ""

    @default("hub_routespec")
    def _route_of_hub(self) -> str:
        return "/" if self.subdomain_host else str(self.base_url)

    @default("hub_prefix")
    def _default_hub_prefix(self) -> str:
        return hub_prefix_of(str(self.base_url))

    @default("domain")
    def _default_domain(self) -> str:
        return urlsplit(str(self.subdomain_host or self.public_url)).hostname or ""

    @default("subdomain_hook")
    def _default_hook(self) -> str:
        return "idna"

    @observe("bind_url", *_PARTS, "ssl_cert")
    def _settle_bind_url(self, change: Bunch) -> None:
        """Make ``bind_url`` and its parts agree; see the docstring of the class."""
        given = self.__dict__.setdefault("_given_parts", {})
        if self.__dict__.get("_settling"):
            return
        given[change.name] = change.new
        both = "bind_url" in given and any(part in given for part in _PARTS)
        if both and not self.__dict__.get("_warned_of_both"):
            self.__dict__["_warned_of_both"] = True
            self.log.warning(
                "c.JupyterHub.bind_url is set and so are parts of it (ip, port or base_url); "
                "the parts win. Set one or the other."
            )
        address = self._settled_address(given)
        self.__dict__["_settling"] = True
        try:
            if address.url != self.bind_url and (
                any(part in given for part in _PARTS)
                or urlsplit(str(self.bind_url)).scheme.partition("+")[0] != address.scheme
            ):
                self.bind_url = address.url
            self.base_url = prefix_of(address.path)
        finally:
            self.__dict__["_settling"] = False

    def _settled_address(self, given: dict[str, Any]) -> Address:
        base = parse_address(str(given.get("bind_url", "http://:8000")))
        path = str(given["base_url"]) if "base_url" in given else base.path
        on_host = "ip" in given or "port" in given
        return Address(
            scheme="https" if self.ssl_cert else "http",
            host=str(given.get("ip", base.host)),
            port=int(given.get("port", base.port or 8000)),
            socket="" if on_host else base.socket,
            path=prefix_of(path) if on_host or "base_url" in given else base.path,
        )

    @observe("base_url")
    def _follow_base_url(self, change: Bunch) -> None:
        self.hub_prefix = hub_prefix_of(str(change.new))


def machine_name() -> str:
    """The name under which other machines are most likely to know this one."""
    return os.uname().nodename
