"""Where people find the hub, their servers and services.

Without subdomains everything is a path on one host. With ``subdomain_host`` each
user and each service has a host of its own below it, so that their pages are
strangers to each other in a browser.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from perijove.domain.servers import Server
from perijove.kit import urls

DomainHook = Callable[[str, str, str], str]
"""``(name, domain, kind) -> host``, with kind ``user`` or ``service``."""


@dataclass(frozen=True)
class Addresses:
    """Public paths, hosts and URLs.

    ``subdomain_host`` is ``scheme://host[:port]`` or empty; ``public_url`` the full
    public URL of the installation, or empty; ``domain_hook`` makes host names.
    """

    base_url: str
    subdomain_host: str = ""
    public_url: str = ""
    domain_hook: DomainHook | None = None

    @property
    def domain(self) -> str:
        """The host name below which users have theirs; empty without subdomains."""
        return urls.host_of(self.subdomain_host) if self.subdomain_host else ""

    def user_host(self, name: str) -> str:
        """The user's host name; empty without subdomains."""
        return self._host(name, "user")

    def service_host(self, name: str) -> str:
        """The service's host name; empty without subdomains."""
        return self._host(name, "service")

    def _host(self, name: str, kind: str) -> str:
        if not self.subdomain_host or self.domain_hook is None:
            return ""
        return _hosts(self.domain_hook, name, self.domain, kind)

    def origin_of(self, host: str) -> str:
        """``scheme://host[:port]`` of a host below ``subdomain_host``; empty for ``""``."""
        if not host:
            return ""
        parts = urlsplit(self.subdomain_host)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{host}{port}"

    @property
    def public_origin(self) -> str:
        """``scheme://host[:port]`` of the hub, when the operator has said so; else empty."""
        if self.subdomain_host:
            return self.origin_of(self.domain)
        if self.public_url:
            parts = urlsplit(self.public_url)
            return f"{parts.scheme}://{parts.netloc}"
        return ""

    def server_path(self, user: str, server: str) -> str:
        """``/user/NAME/[SERVER/]`` below the base URL."""
        return urls.server_path(self.base_url, user, server)

    def server_url(self, user: str, server: str) -> str:
        """Where people find a server: a path, or a full URL with subdomains."""
        return self.origin_of(self.user_host(user)) + self.server_path(user, server)

    def full_server_url(self, user: str, server: str) -> str | None:
        """The full URL of a server, when the hub's public address is known."""
        origin = self.origin_of(self.user_host(user)) or self.public_origin
        return origin + self.server_path(user, server) if origin else None

    def server_spec(self, server: Server) -> str:
        """The routespec of a server."""
        return self.user_host(server.user_name) + self.server_path(server.user_name, server.name)

    def service_path(self, name: str) -> str:
        """``/services/NAME/`` below the base URL."""
        return f"{self.base_url}services/{urls.escape_name(name)}/"

    def service_spec(self, name: str) -> str:
        """The routespec of a service."""
        return self.service_host(name) + self.service_path(name)


@lru_cache(maxsize=4096)
def _hosts(hook: DomainHook, name: str, domain: str, kind: str) -> str:
    return hook(name, domain, kind)
