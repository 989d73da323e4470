"""The objects that plug-ins see: ``user``, ``hub``, ``server`` and what stands behind them.

Plug-ins expect live objects with attributes; the hub has frozen values. The
classes here are made from those values for as long as a plug-in holds them.
Whatever needs another room (auth state, handlers, the database) is a callable
of ``HubContext``, which the composition root fills.
"""

import json
import logging
import socket
import warnings
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from traitlets import HasTraits, Integer, Unicode, default
from traitlets.config import Config

from perijove.domain.ports import HubAddress
from perijove.domain.users import User
from perijove.kit.urls import (
    bracket_ipv6,
    escape_name,
    join,
    prefix_of,
    server_path,
    unix_socket_of,
)
from perijove.plugins.net import (
    WILDCARDS,
    accepts_connections,
    can_connect,
    connectable,
    random_port,
    wait_for_http,
    wait_for_server,
)


class PluginServer(HasTraits):
    """Where something listens: ``spawner.server``, ``hub.server``, ``user.server``.

    ``ip`` and ``port`` are the address it binds; ``connect_ip``,
    ``connect_port`` and ``connect_url`` say how others reach it, if different.
    """

    proto = Unicode("http")
    ip = Unicode("")
    port = Integer(0)
    base_url = Unicode("/")
    cookie_name = Unicode("")
    connect_ip = Unicode("")
    connect_port = Integer(0)
    connect_url = Unicode("")
    certfile = Unicode("")
    keyfile = Unicode("")
    cafile = Unicode("")
    socket_path = Unicode("")

    @default("port")
    def _pick_port(self) -> int:
        return random_port()

    @classmethod
    def from_url(cls, url: str) -> "PluginServer":
        """The server at ``url``."""
        server = cls()
        server.bind_url = url
        return server

    @property
    def bind_url(self) -> str:
        """The URL it listens at; empty host: all interfaces."""
        if self.socket_path:
            return f"{self.proto}+unix://{escape_name(self.socket_path)}{self.base_url}"
        host = "" if self.ip in {"", "*"} else bracket_ipv6(self.ip)
        return f"{self.proto}://{host}:{self.port}{self.base_url}"

    @bind_url.setter
    def bind_url(self, url: str) -> None:
        self.move_to(url)
        self.base_url = prefix_of(urlsplit(url).path)

    def move_to(self, url: str) -> None:
        """Take over all of a URL but its path."""
        parts = urlsplit(url)
        self.proto = parts.scheme.partition("+")[0] or "http"
        self.socket_path = unix_socket_of(url) or ""
        if not self.socket_path:
            self.ip = parts.hostname or ""
            self.port = parts.port or (443 if self.proto == "https" else 80)

    @property
    def host(self) -> str:
        """``scheme://host:port`` for others to connect to.

        What listens on all interfaces is known by this machine's name, as far as others go.
        """
        return self._host_by(lambda ip: socket.gethostname())

    @property
    def near_host(self) -> str:
        """The same for this machine itself: what listens on all interfaces is on the loopback."""
        return self._host_by(connectable)

    def _host_by(self, name_wildcard: Callable[[str], str]) -> str:
        if self.connect_url:
            parts = urlsplit(self.connect_url)
            return f"{parts.scheme}://{parts.netloc}"
        if self.socket_path:
            return f"{self.proto}+unix://{escape_name(self.socket_path)}"
        ip = self.connect_ip or self.ip
        ip = name_wildcard(ip) if ip in WILDCARDS else ip
        return f"{self.proto}://{bracket_ipv6(ip)}:{self.connect_port or self.port}"

    @property
    def url(self) -> str:
        """The URL to connect to, with the base URL."""
        return f"{self.host}{self.base_url}"

    def is_up(self) -> bool:
        """Whether it takes connections now. Blocks for up to a second."""
        if self.socket_path:
            raise ValueError("ask wait_up() of servers on a socket")
        return can_connect(self.connect_ip or self.ip, self.connect_port or self.port)

    async def accepts(self) -> bool:
        """Whether it takes connections now."""
        return await accepts_connections(self.near_host)

    async def wait_up(
        self, timeout: float = 10, http: bool = False, ssl_context: Any = None, extra_path: str = ""
    ) -> Any:
        """Wait (seconds) until it takes connections, or answers HTTP below 500.

        Raises TimeoutError.
        """
        if http:
            url = join(f"{self.near_host}{self.base_url}", extra_path)
            return await wait_for_http(url, timeout, ssl_context)
        return await wait_for_server(self.near_host, timeout)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url})"


class PluginHub(PluginServer):
    """The hub as plug-ins see it: ``spawner.hub``, ``handler.hub``, ``proxy.hub``."""

    public_host = Unicode("")
    public_url = Unicode("")
    routespec = Unicode("")

    _api_url = Unicode("")

    @classmethod
    def from_address(cls, address: HubAddress, routespec: str = "") -> "PluginHub":
        """The hub that servers reach at ``address.url``."""
        hub = cls()
        hub.bind_url = address.bind_url or address.url
        hub.base_url = prefix_of(address.hub_prefix)
        hub._reach_at(address.url)
        hub.public_host = address.public_host
        hub.public_url = address.public_hub_url
        hub.routespec = routespec or address.base_url
        hub.cookie_name = "jupyterhub-hub-login"
        if address.api_url.rstrip("/") != hub.api_url:
            hub.api_url = address.api_url
        return hub

    def _reach_at(self, url: str) -> None:
        """Others connect to ``url``: by its parts, if they say all; plug-ins may set one later."""
        parts = urlsplit(url)
        if parts.scheme == self.proto and parts.hostname and parts.port:
            self.connect_ip, self.connect_port = parts.hostname, parts.port
        else:
            self.connect_url = f"{parts.scheme}://{parts.netloc}{self.base_url}"

    @property
    def server(self) -> "PluginHub":
        """The hub itself: older plug-ins ask ``hub.server``."""
        return self

    @property
    def api_url(self) -> str:
        """The URL of the REST API, without a final slash."""
        return self._api_url or join(self.url, "api")

    @api_url.setter
    def api_url(self, url: str) -> None:
        self._api_url = url.rstrip("/")


class DeferredSession:
    """The hub's database session, opened when a plug-in first asks something of it.

    Most plug-ins never do, or only commit what they wrote to their ``server``,
    which the hub notices by itself.
    """

    def __init__(self, opener: Callable[[], Any] | None = None) -> None:
        """``opener`` makes the session; without one, using it is a RuntimeError."""
        self._opener = opener
        self._session: Any = None

    def commit(self) -> None:
        """Commit, if anything was begun."""
        if self._session is not None:
            self._session.commit()

    def rollback(self) -> None:
        """Roll back, if anything was begun."""
        if self._session is not None:
            self._session.rollback()

    @property
    def dirty(self) -> Any:
        """Objects that were changed and not yet sent to the database."""
        return self._session.dirty if self._session is not None else ()

    def settle(self) -> None:
        """Let the hub see what a plug-in has sent to the database."""
        if self._session is not None:
            self._session.settle()

    def another(self) -> Any:
        """A session of the caller's own, who closes it."""
        if self._opener is None:
            raise RuntimeError("there is no database here")
        return self._opener()

    def close(self) -> None:
        """Close the session, if it was opened."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _opened(self) -> Any:
        if self._session is None:
            self._session = self.another()
        return self._session

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._opened(), name)

    def __contains__(self, item: object) -> bool:
        return item in self._opened()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._opened())


@dataclass(frozen=True, slots=True)
class PluginGroup:
    """A group of a user."""

    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)


class PluginUser:
    """A person as plug-ins see them: ``spawner.user``, ``handler.current_user``.

    One object per person and process while anything holds it; ``update``
    keeps it true.
    """

    def __init__(self, user: User, groups: Sequence[str], context: "HubContext") -> None:
        self._context = context
        self.spawners: dict[str, Any] = {}
        self.settings = context.settings
        self.escaped_name = ""
        self.update(user, groups)

    def update(self, user: User, groups: Sequence[str] | None = None) -> None:
        """Take over newer facts; ``groups`` None leaves the groups as they are."""
        self.record = user
        self.id = user.id
        self.name = user.name
        self.admin = user.admin
        self.created = user.created
        self.last_activity = user.last_activity
        self.cookie_id = user.cookie_id
        self.user_info = user.user_info
        self.escaped_name = escape_name(user.name)
        base = self._context.address.base_url
        self.base_url = server_path(base, user.name, "")
        self.prefix = self.base_url
        self.host = self._context.user_host(user.name)
        self.domain = urlsplit(self.host).hostname or ""
        self.url = self.host + self.base_url
        self.proxy_spec = self.domain + self.base_url
        if groups is not None:
            self.groups = [PluginGroup(name) for name in groups]

    @property
    def orm_user(self) -> "PluginUser":
        """The user itself: the attributes that plug-ins read of the stored one."""
        return self

    @property
    def json_escaped_name(self) -> str:
        """The name as it stands inside a JSON string."""
        return json.dumps(self.name)[1:-1]

    @property
    def spawner(self) -> Any:
        """The spawner of the default server, if it is alive in this process."""
        return self.spawners.get("")

    @property
    def server(self) -> PluginServer | None:
        """Where the default server listens, if it is alive in this process."""
        spawner = self.spawner
        return spawner.server if spawner is not None else None

    @property
    def running(self) -> bool:
        """Whether the default server is ready."""
        spawner = self.spawner
        return spawner is not None and bool(spawner.ready)

    @property
    def active(self) -> bool:
        """Whether any server is running, starting or stopping."""
        return any(spawner.active for spawner in self.spawners.values())

    def all_spawners(self, include_default: bool = True) -> Iterator[Any]:
        """The spawners alive in this process, the default one first."""
        for name in sorted(self.spawners):
            if name or include_default:
                yield self.spawners[name]

    def server_url(self, server_name: str = "") -> str:
        """The URL of one of the user's servers."""
        return join(self.url, escape_name(server_name), "/") if server_name else self.url

    def public_url(self, server_name: str = "") -> str:
        """The whole URL of a server as people write it; empty where the operator has not said."""
        origin = self.host or self._context.address.public_url
        if not origin:
            return ""
        parts = urlsplit(origin)
        path = server_path(self._context.address.base_url, self.name, server_name)
        return f"{parts.scheme}://{parts.netloc}{path}"

    def progress_url(self, server_name: str = "") -> str:
        """The URL of the progress events of a start."""
        prefix = join(self._context.address.hub_prefix, "api/users", self.escaped_name)
        if server_name:
            return join(prefix, "servers", escape_name(server_name), "progress")
        return join(prefix, "server/progress")

    async def get_auth_state(self) -> dict[str, Any] | None:
        """The decrypted auth_state, or None."""
        return await self._context.get_auth_state(self.id)

    async def save_auth_state(self, auth_state: dict[str, Any] | None) -> None:
        """Store another auth_state, encrypted."""
        await self._context.save_auth_state(self.id, auth_state)

    def __repr__(self) -> str:
        return f"<User {self.name}>"


@dataclass(slots=True)
class PluginSpawnerRow:
    """What plug-ins read of the stored server: ``spawner.orm_spawner``."""

    id: int
    name: str
    display_name: str | None = None
    state: dict[str, Any] = field(default_factory=dict)
    user_options: dict[str, Any] | None = None
    started: Any = None
    last_activity: Any = None
    server: PluginServer | None = None
    user: PluginUser | None = None
    oauth_client_id: str | None = None


async def _no_auth_state(user_id: int) -> dict[str, Any] | None:
    return None


async def _no_save(user_id: int, state: dict[str, Any] | None) -> None:
    raise RuntimeError("auth_state cannot be stored: encryption is not configured")


async def _no_scopes(roles: Sequence[str]) -> list[str]:
    return []


@dataclass(slots=True)
class HubContext:
    """What plug-ins may need of the rest of the hub. The composition root fills it.

    ``get_auth_state`` and ``save_auth_state`` take the user's id.
    ``handler_for`` turns an (opaque) web request into the tornado handler that
    plug-ins expect, or None. ``user_exists`` asks the database for a name.
    ``user_host`` is the ``scheme://host[:port]`` of a user's own subdomain, or
    empty. ``role_scopes`` gives the scopes of roles by name. ``server_moved``
    and ``server_ended`` hear of a server whose plug-in changed its address or
    found it dead; they take the server's id and must not block.
    ``database`` is for the hub's own handlers that plug-ins inherit and whose
    methods cannot wait. ``make_user`` makes the objects for people, where plug-ins
    expect more of them than ``PluginUser`` has.
    """

    address: HubAddress
    config: Config = field(default_factory=Config)
    app: Any = None
    log: Any = field(default_factory=lambda: logging.getLogger("JupyterHub"))
    settings: dict[str, Any] = field(default_factory=dict)
    hub: PluginHub | None = None
    get_auth_state: Callable[[int], Awaitable[dict[str, Any] | None]] = _no_auth_state
    save_auth_state: Callable[[int, dict[str, Any] | None], Awaitable[None]] = _no_save
    handler_for: Callable[[object | None], Any] = lambda request: None
    user_exists: Callable[[str], Awaitable[bool]] | None = None
    user_host: Callable[[str], str] = lambda name: ""
    role_scopes: Callable[[Sequence[str]], Awaitable[list[str]]] = _no_scopes
    server_moved: Callable[[int, str], None] = lambda server_id, url: None
    server_ended: Callable[[int], None] = lambda server_id: None
    db: DeferredSession = field(default_factory=DeferredSession)
    database: Any = None
    make_user: Callable[[User, Sequence[str] | None, "HubContext"], "PluginUser"] | None = None
    cookie_host_prefix_enabled: bool = False
    trusted_alt_names: Sequence[str] = ()
    internal_ssl: bool = False
    internal_certs_location: str = ""
    internal_trust_bundles: Mapping[str, str] = field(default_factory=dict)
    _users: "weakref.WeakValueDictionary[int, PluginUser]" = field(
        default_factory=weakref.WeakValueDictionary
    )

    def __post_init__(self) -> None:
        if self.hub is None:
            self.hub = PluginHub.from_address(self.address)

    def user(self, record: User, groups: Sequence[str] | None = None) -> PluginUser:
        """The one object for this person, brought up to date."""
        user = self._users.get(record.id)
        if user is None:
            make = self.make_user or PluginUser
            user = make(record, groups or (), self)
            self._users[record.id] = user
        else:
            user.update(record, groups)
        return user


def warn_of_db(holder: object) -> None:
    """Say that a plug-in's ``db`` attribute is old."""
    warnings.warn(
        f"{type(holder).__name__}.db is deprecated: plug-ins should keep their own data",
        DeprecationWarning,
        stacklevel=3,
    )
