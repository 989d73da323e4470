"""What the operator decided, as frozen values: one group for each room.

``config.settings`` makes them from the configuration; nothing else does. Rooms
receive the groups they need and never see a configuration object. Lengths of
time end in ``_s`` and are seconds. Secrets are kept out of ``repr``.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

InvalidNames = Literal["allow-start", "allow-delete", "autorename"]
"""What becomes of named servers whose names break the present rule."""

NamedServerLimit = int | Callable[[Any], Any]
"""A number (0: no limit), or a callable ``(handler)`` that gives one, perhaps awaitable."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Who listens where, and how the parts reach one another.

    Public side: the proxy listens at ``bind_url``. Private side: the hub listens
    at ``hub_host`` and ``hub_port``, or at ``hub_socket``; proxy, servers and
    services reach it at ``hub_connect_url``, which ends with ``hub_prefix``. An
    empty host means all interfaces.
    """

    bind_url: str
    base_url: str
    hub_prefix: str
    hub_bind_url: str
    hub_host: str
    hub_port: int
    hub_socket: str
    hub_socket_mode: int
    hub_connect_url: str
    hub_routespec: str
    public_url: str
    subdomain_host: str
    domain: str
    subdomain_hook: Callable[[str, str, str], str]
    trusted_downstream_ips: tuple[str, ...]
    ssl_key: str
    ssl_cert: str

    @property
    def api_only(self) -> bool:
        """Whether the hub's route covers its REST API and none of its pages."""
        return self._hub_route_path.startswith(f"{self.hub_prefix}api/")

    @property
    def hub_answers_all(self) -> bool:
        """Whether requests that belong to nobody come to the hub."""
        return self.base_url.startswith(self._hub_route_path)

    @property
    def _hub_route_path(self) -> str:
        """The hub's route without the host that it has with subdomains."""
        return self.hub_routespec[self.hub_routespec.find("/") :]

    @property
    def hub_api_url(self) -> str:
        """The REST API as servers and services reach it, without a trailing slash."""
        return f"{self.hub_connect_url}api"

    @property
    def hub_connect_host(self) -> str:
        """The host name or address in ``hub_connect_url``; empty for a socket."""
        return "" if self.hub_socket else urlsplit(self.hub_connect_url).hostname or ""

    @property
    def public_host(self) -> str:
        """``scheme://host[:port]`` of the hub's public side; empty when it is not known."""
        for url in (self.subdomain_host, self.public_url):
            if url:
                parts = urlsplit(url)
                return f"{parts.scheme}://{parts.netloc}"
        return ""

    def host_of_user(self, name: str) -> str:
        """``scheme://host[:port]`` of a user's own host; empty without subdomains."""
        if not self.subdomain_host:
            return ""
        parts = urlsplit(self.subdomain_host)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{self.subdomain_hook(name, self.domain, 'user')}{port}"


@dataclass(frozen=True, slots=True)
class InternalTlsSettings:
    """Certificates for TLS between hub, proxy, servers and services.

    They live in the directory ``location``. ``authorities``: name to the files of
    an authority from elsewhere. ``alt_names``: ``DNS:name`` or ``IP:address``,
    besides those of this machine.
    """

    location: str
    recreate: bool = False
    authorities: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    alt_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Which database. ``kwargs`` go to SQLAlchemy's ``create_engine``."""

    url: str = field(repr=False)
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    echo: bool = False
    reset: bool = False
    upgrade: bool = False


@dataclass(frozen=True, slots=True)
class SecuritySettings:
    """Secrets, cookies, and the lives of tokens.

    ``cookie_options`` and ``xsrf_cookie_options`` are further cookie attributes.
    Anonymous visitors are told apart by their address, or its network among
    ``xsrf_anonymous_networks``, and by ``xsrf_anonymous_headers``. A limit of 0
    seconds in ``token_max_life_s`` means no limit. ``crypt_keys`` are 32 bytes each;
    the first encrypts, all decrypt.
    """

    cookie_secret: bytes = field(repr=False)
    cookie_max_age_days: float = 14.0
    cookie_host_prefix_enabled: bool = False
    cookie_options: Mapping[str, Any] = field(default_factory=dict)
    xsrf_cookie_options: Mapping[str, Any] = field(default_factory=dict)
    xsrf_anonymous_networks: tuple[str, ...] = ()
    xsrf_anonymous_headers: tuple[str, ...] = ("User-Agent",)
    oauth_token_life_s: int = 14 * 86400
    oauth_require_pkce: bool = False
    token_max_life_s: int = 0
    crypt_keys: tuple[bytes, ...] = field(default=(), repr=False)
    authenticate_prometheus: bool = True
    admin_access: bool = False


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """How much at once, and how long a request waits. A count of 0 means no limit.

    ``slow_spawn_timeout_s`` and ``slow_stop_timeout_s`` are how long a request
    waits for a start or a stop before it answers "still going on".
    """

    active_server_limit: int = 0
    concurrent_spawn_limit: int = 100
    spawn_throttle_retry_range: tuple[float, float] = (30, 60)
    api_page_default_limit: int = 50
    api_page_max_limit: int = 200
    slow_spawn_timeout_s: float = 10.0
    slow_stop_timeout_s: float = 10.0
    user_redirect_limit: int = 4


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How people's servers behave.

    ``init_spawners_timeout_s`` is how long a starting hub waits for the check of
    servers that ran before. ``implicit_spawn_s`` of 0: the page of a stopped
    server never starts it by itself.
    """

    allow_named_servers: bool = False
    named_server_limit_per_user: NamedServerLimit = 0
    default_server_name: str = ""
    allow_existing_invalid_named_servers: InvalidNames = "allow-start"
    cleanup_servers: bool = True
    init_spawners_timeout_s: float = 10.0
    implicit_spawn_s: float = 0.0
    redirect_to_server: bool = True
    shutdown_on_logout: bool = False
    stopped_server_status: int = 424
    user_redirect_hook: Callable[..., Any] | None = None


@dataclass(frozen=True, slots=True)
class ActivitySettings:
    """How activity is noted. An interval of 0 turns the periodic update off."""

    resolution_s: float = 30.0
    update_interval_s: float = 300.0


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """A group that exists from the start. ``properties`` of None: left as they are."""

    name: str
    users: tuple[str, ...] = ()
    properties: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RoleSettings:
    """Roles, groups and scopes that the configuration brings.

    ``load_roles`` are checked definitions in the form of ``access.roles``.
    """

    load_roles: tuple[Mapping[str, Any], ...] = ()
    load_groups: tuple[GroupSpec, ...] = ()
    custom_scopes: Mapping[str, Any] = field(default_factory=dict)
    extra_user_scopes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One service as the configuration describes it.

    Without ``command`` it is external. ``oauth_redirect_uri`` is empty when it
    follows from the service's own address. ``oauth_roles`` is the old way to say
    ``oauth_client_allowed_scopes``, by roles.
    """

    name: str
    url: str = ""
    command: tuple[str, ...] = ()
    api_token: str = field(default="", repr=False)
    admin: bool = False
    display: bool = True
    info: Mapping[str, Any] = field(default_factory=dict)
    cwd: str = ""
    user: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: int = 30
    oauth_client_id: str = ""
    oauth_redirect_uri: str = ""
    oauth_no_confirm: bool = False
    oauth_client_allowed_scopes: tuple[str, ...] = ()
    oauth_roles: tuple[str, ...] = ()

    @property
    def managed(self) -> bool:
        """Whether the hub runs it."""
        return bool(self.command)

    @property
    def has_oauth(self) -> bool:
        """Whether people sign in to it through the hub."""
        return bool(
            self.url or self.oauth_client_id or self.oauth_redirect_uri or self.oauth_no_confirm
        )

    @property
    def client_id(self) -> str:
        """Its name as an OAuth client."""
        return self.oauth_client_id or f"service-{self.name}"


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Services, and tokens that the configuration gives out.

    ``service_tokens`` maps tokens to services, ``api_tokens`` tokens to users. A
    check interval of 0 turns the periodic check off.
    """

    services: tuple[ServiceSpec, ...] = ()
    service_tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    api_tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    check_interval_s: float = 60.0


@dataclass(frozen=True, slots=True)
class PageSettings:
    """How pages look, and what plug-ins' handlers are given.

    ``default_url`` is a URL, or a callable ``(handler)``; an empty answer means
    the usual target. ``headers`` are added to every page. ``tornado_settings``
    are all keys that the operator set, for plug-ins' handlers.
    """

    template_paths: tuple[str, ...] = ()
    template_vars: Mapping[str, Any] = field(default_factory=dict)
    static_path: str = ""
    logo_file: str = ""
    default_url: str | Callable[[Any], Any] = ""
    jinja_options: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cache_static: bool = True
    csp_report_uri: str = ""
    extra_handlers: tuple[tuple[Any, ...], ...] = ()
    tornado_settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """How other applications use the REST API.

    ``allowed_origins``: pages that may read answers, ``*`` for all. A token may make
    ``rate_burst`` requests at once and ``rate_limit_per_s`` in the long run (0: no limit).
    """

    allowed_origins: tuple[str, ...] = ()
    rate_limit_per_s: float = 0.0
    rate_burst: int = 100


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """The hub as a process, and the proxy's."""

    pid_file: str = ""
    cleanup_proxy: bool = True


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is logged, where and how. ``handlers`` and ``file`` come on top of stderr.

    ``overrides`` is a piece of a ``logging.config.dictConfig`` dictionary.
    """

    level: int = logging.INFO
    format: str = ""
    date_format: str = ""
    handlers: tuple[logging.Handler, ...] = ()
    file: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MetricSettings:
    """Metrics that are measured at intervals."""

    active_users: bool = True
    active_users_interval_s: float = 3600.0
    event_loop: bool = True
    event_loop_resolution_s: float = 0.05
    event_loop_log_threshold_s: float = 1.0


@dataclass(frozen=True, slots=True)
class HttpClientSettings:
    """Keyword arguments for the HTTP client's connector and session (aiohttp)."""

    connector_options: Mapping[str, Any] = field(default_factory=dict)
    session_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the operator decided. ``warnings`` are sentences for the log."""

    network: NetworkSettings
    database: DatabaseSettings
    security: SecuritySettings
    limits: LimitSettings
    servers: ServerSettings
    activity: ActivitySettings
    roles: RoleSettings
    services: ServiceSettings
    pages: PageSettings
    api: ApiSettings
    processes: ProcessSettings
    metrics: MetricSettings
    http: HttpClientSettings
    internal_tls: InternalTlsSettings | None = None
    warnings: tuple[str, ...] = ()
