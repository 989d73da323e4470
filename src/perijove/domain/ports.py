"""What the hub's rooms may ask of plug-ins.

Plug-ins are traitlets objects with upstream's methods. ``plugins.adapters``
wraps each in one of these ports: results arrive awaited and checked,
exceptions arrive as ``PluginError`` or ``Refusal`` with the plug-in's name.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from perijove.domain.routes import Route
from perijove.domain.servers import Server
from perijove.domain.users import User

FormData = Mapping[str, Sequence[Any]]
"""A submitted form: ``{field: [text]}``; the files of a field stand under ``FIELD_file``
as ``{filename, body, content_type}``."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What the hub decides for one start before the plug-in acts.

    ``request`` is the web request that asked for it (opaque here), or None.
    """

    server: Server
    user: User
    groups: tuple[str, ...]
    api_token: str
    options: dict[str, Any] | None
    request: object | None = None


class SpawnerPort(Protocol):
    """One server's spawner object, alive in this process.

    Call order of a start: ``token_scopes``, ``oauth_scopes``, ``prepare``,
    ``start``, ``state``. Of a stop: ``poll``, ``stop`` (if it runs),
    ``cleanup``, ``state``.
    """

    class_name: str

    @property
    def start_timeout_s(self) -> float:
        """Seconds that ``start`` may take."""
        ...

    @property
    def http_timeout_s(self) -> float:
        """Seconds that the started server has to answer HTTP."""
        ...

    @property
    def poll_interval_s(self) -> float:
        """Seconds between polls of a running server; 0 or less: never."""
        ...

    @property
    def poll_jitter(self) -> float:
        """Fraction (0 to 1) by which the poll interval varies."""
        ...

    @property
    def failure_limit(self) -> int:
        """The hub ends after so many failed starts in a row; 0: never."""
        ...

    @property
    def will_resume(self) -> bool:
        """Whether token and OAuth client outlive a stop."""
        ...

    @property
    def api_token(self) -> str:
        """The token the server runs with; a resumed server may report its own."""
        ...

    @property
    def local_host(self) -> str | None:
        """The machine whose processes it signals, or None when any replica can reach it."""
        ...

    async def token_scopes(self) -> list[str]:
        """Scopes wanted for the server's API token; empty: those of role ``server``."""
        ...

    async def oauth_scopes(self) -> list[str]:
        """Scopes that OAuth tokens of this server may carry besides access to it."""
        ...

    async def prepare(self, launch: Launch) -> None:
        """All hooks before the start, in upstream's order. Raises PluginError."""
        ...

    async def start(self) -> str:
        """Start; the server's URL (scheme, host, port). Raises PluginError."""
        ...

    async def address(self) -> str:
        """The URL of a server found running after a restart of the hub."""
        ...

    async def find_lost(self) -> bool:
        """Look for what a start left running when the hub died in the midst of it.

        True when something was found; it is then known to ``poll`` and ``stop``.
        """
        ...

    async def poll(self) -> int | None:
        """None while it runs or starts; else its exit status (0: unknown)."""
        ...

    async def stop(self, *, now: bool = False) -> None:
        """Stop and return when it is gone."""
        ...

    async def cleanup(self) -> None:
        """The hooks after a stop and ``clear_state``; their errors are logged, not raised."""
        ...

    def state(self) -> dict[str, Any]:
        """What is needed to find the server again, as JSON values."""
        ...

    def set_address(self, url: str | None) -> None:
        """Tell the plug-in where its server listens (its ``server`` attribute)."""
        ...

    def set_progressing(self, pending: str | None, ready: bool) -> None:
        """Keep the plug-in's ``pending`` and ``ready`` attributes true."""
        ...

    def progress(self) -> AsyncIterator[dict[str, Any]]:
        """The plug-in's own progress events of the running start."""
        ...

    async def ready_event(self, event: dict[str, Any]) -> dict[str, Any]:
        """The last event, as the operator's hook wants it."""
        ...

    async def options_form(self, request: object | None = None) -> str:
        """HTML of the options form; empty when there is none. Runs auth_state_hook first.

        ``request`` is the web request that shows the form (opaque here).
        """
        ...

    async def options_from_form(self, form: FormData) -> dict[str, Any]:
        """Options from the submitted form. Raises PluginError or Refusal."""
        ...

    async def options_from_query(self, query: FormData) -> dict[str, Any]:
        """Options from a link's query. Raises PluginError or Refusal."""
        ...

    async def rename(self, old: str, new: str) -> None:
        """The (stopped) server gets another name. Raises PluginError to refuse."""
        ...

    async def delete_forever(self) -> None:
        """The server's row is going for good; errors are logged."""
        ...


class SpawnerFactory(Protocol):
    """Makes and keeps the spawner objects of this process, one per server."""

    @property
    def class_name(self) -> str:
        """The name of the spawner class."""
        ...

    def open(
        self, server: Server, user: User, groups: Sequence[str], *, fresh: bool = False
    ) -> SpawnerPort:
        """The server's live object; ``fresh`` replaces it, with stored state loaded."""
        ...

    def find(self, server_id: int) -> SpawnerPort | None:
        """The live object, if there is one."""
        ...

    def forget(self, server_id: int) -> None:
        """Drop the object after a stop."""
        ...


@dataclass(frozen=True, slots=True)
class AuthModel:
    """What an authenticator says of a person after a successful sign-in.

    None means "unchanged" for ``admin``, ``groups``, ``roles`` and ``user_info``.
    ``has_auth_state`` tells an auth_state of None from a missing one.
    """

    name: str
    admin: bool | None = None
    auth_state: dict[str, Any] | None = None
    has_auth_state: bool = True
    groups: tuple[str, ...] | None = None
    roles: tuple[dict[str, Any], ...] | None = None
    user_info: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class AuthRules:
    """The authenticator's settings that the hub acts on; times in seconds."""

    admin_users: frozenset[str] = frozenset()
    allowed_users: frozenset[str] = frozenset()
    blocked_users: frozenset[str] = frozenset()
    enable_auth_state: bool = False
    manage_groups: bool = False
    manage_roles: bool = False
    reset_managed_roles_on_startup: bool = False
    delete_invalid_users: bool = False
    auto_login: bool = False
    auto_login_oauth2_authorize: bool = False
    refresh_strict: bool = False
    refresh_pre_spawn: bool = False
    refresh_pre_stop: bool = False
    request_otp: bool = False
    otp_prompt: str = "OTP:"
    login_service: str = ""


class AuthenticatorPort(Protocol):
    """The hub's one authenticator. ``request`` is the web request, opaque here."""

    class_name: str

    @property
    def refresh_age_s(self) -> float:
        """How old a sign-in may be before the plug-in is asked again (seconds); 0: never."""
        ...

    @property
    def rules(self) -> AuthRules:
        """The settings that the hub acts on, as they are now."""
        ...

    async def authenticate(
        self, request: object, data: Mapping[str, Any] | None
    ) -> AuthModel | None:
        """Who this is, checked, allowed and hooked; None: not let in. Raises PluginError."""
        ...

    async def refresh(self, user: User, request: object | None) -> AuthModel | bool:
        """True: still good; False: must sign in again; a model: new facts."""
        ...

    async def reconcile_auth_state(
        self, model: AuthModel, existing: dict[str, Any] | None
    ) -> dict[str, Any] | None:
        """The auth_state to store, after the operator's hook."""
        ...

    def normalize(self, name: str) -> str:
        """The name as the hub stores it."""
        ...

    def is_valid(self, name: str) -> bool:
        """Whether the (normalised) name may exist."""
        ...

    async def add_user(self, user: User) -> None:
        """The person is new to the hub, or the hub starts. Raises PluginError to refuse."""
        ...

    async def delete_user(self, user: User) -> None:
        """The person is about to be deleted."""
        ...

    async def managed_roles(self) -> list[dict[str, Any]]:
        """Role definitions that come from the authenticator."""
        ...

    def login_url(self, hub_prefix: str) -> str:
        """Where people go to sign in."""
        ...

    def logout_url(self, hub_prefix: str) -> str:
        """Where people go to sign out."""
        ...

    def custom_html(self, hub_prefix: str) -> str:
        """HTML (a Jinja source) in place of the sign-in form; empty: the form."""
        ...


class ProxyPort(Protocol):
    """The proxy whose table the hub keeps. Errors arrive as PluginError."""

    class_name: str

    @property
    def should_start(self) -> bool:
        """Whether the hub starts and stops it."""
        ...

    @property
    def extra_routes(self) -> Mapping[str, str]:
        """The operator's own routes: routespec to target URL."""
        ...

    async def start(self) -> None:
        """Start the proxy and wait until it takes requests."""
        ...

    async def stop(self) -> None:
        """Stop it."""
        ...

    async def close(self) -> None:
        """Let go of it; if it runs, it goes on routing."""
        ...

    async def add_route(self, route: Route) -> None:
        """Add or replace one route."""
        ...

    async def delete_route(self, routespec: str) -> None:
        """Remove one route; a missing one is no error."""
        ...

    async def routes(self) -> dict[str, Route]:
        """The hub's routes as the proxy has them; data may hold ``last_activity``."""
        ...

    def reconfigure(self, *, api_url: str | None, auth_token: str | None) -> dict[str, str | None]:
        """Reach the proxy's API elsewhere, or with another token; None: as before.

        The arguments that undo it. Raises PluginError.
        """
        ...

    def validate_routespec(self, routespec: str) -> str:
        """The routespec in the proxy's form. Raises ConfigError."""
        ...


@dataclass(frozen=True, slots=True)
class HubAddress:
    """How plug-ins, servers and services reach the hub. URLs end with a slash.

    ``bind_url`` is where the hub listens, if that is another address than ``url``.
    """

    base_url: str
    hub_prefix: str
    api_url: str
    url: str
    bind_url: str = ""
    public_host: str = ""
    public_url: str = ""
    public_hub_url: str = ""
    cookie_options: Mapping[str, Any] = field(default_factory=dict)
