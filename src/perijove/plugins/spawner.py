"""The base class of spawners: what starts one server of one user.

Subclasses define ``start``, ``stop`` and ``poll``; everything else has a
default. The hub calls a spawner only through ``adapters.SpawnerAdapter``, in
the order written down at ``domain.ports.SpawnerPort``.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import (
    Bool,
    Dict,
    Float,
    Integer,
    List,
    TraitError,
    Unicode,
    Union,
    default,
    validate,
)
from traitlets.config import LoggingConfigurable

from perijove.kit.aio import maybe_await
from perijove.kit.tls import SERVERS
from perijove.plugins.context import PluginServer, warn_of_db
from perijove.plugins.environment import build_environment
from perijove.plugins.options import FORM_READERS, assign_options, merge_override
from perijove.plugins.refusal import SpawnException
from perijove.plugins.traits import ByteSpecification, Command, Lazy
from perijove.plugins.traits import Callable as CallableTrait
from perijove.plugins.watched import Watched

__all__ = ["SpawnException", "Spawner"]

REQUIRED = ("start", "stop", "poll")


class Spawner(Watched, LoggingConfigurable):
    """Starts, watches and stops one server of one user."""

    # -- set by the hub -----------------------------------------------------
    user = AnyTrait(None)
    hub = AnyTrait(None)
    authenticator = AnyTrait(None)
    orm_spawner = AnyTrait(None, allow_none=True)
    handler = Lazy(None, allow_none=True)
    api_token = Unicode("")
    oauth_client_id = Unicode("", allow_none=True)
    user_options = Dict()
    proxy_spec = Unicode("")
    public_url = Unicode("")
    public_hub_url = Unicode("")
    cookie_options = Dict()
    cookie_host_prefix_enabled = Bool(False)
    admin_access = Bool(False)
    trusted_alt_names = List(Unicode())
    internal_ssl = Bool(False)
    internal_trust_bundles = Dict()
    internal_certs_location = Unicode("")
    cert_paths = Dict()
    db = AnyTrait(help="Old: the hub's database session.")
    _deprecated_db_session = AnyTrait(None, allow_none=True)

    # -- settable by subclasses ---------------------------------------------
    will_resume = Bool(False, help="Whether token and OAuth client outlive a stop.")
    death_interval = Float(0.1, help="Longest wait in seconds between looks at a stopping server.")
    oauth_access_scopes = List(Unicode(), help="Scopes of which a visitor needs one.")
    env = Dict(help="Old; use environment.")

    # -- options -------------------------------------------------------------
    cmd = Command(
        ["jupyterhub-singleuser"],
        allow_none=True,
        help="The command of a server, as a list of words.",
    ).tag(config=True)
    args = List(Unicode(), help="Arguments added to the command.").tag(config=True)
    ip = Unicode("127.0.0.1", help="Address the server listens on; empty: all interfaces.").tag(
        config=True
    )
    port = Integer(0, help="Port the server listens on; 0: any free one.").tag(config=True)
    hub_connect_url = Unicode(
        None, allow_none=True, help="URL by which servers reach the hub, if it is another one."
    ).tag(config=True)
    start_timeout = Integer(60, help="Seconds that a start may take.").tag(config=True)
    http_timeout = Integer(30, help="Seconds that a started server has until it answers HTTP.").tag(
        config=True
    )
    poll_interval = Integer(
        30, help="Seconds between checks whether a running server lives; 0: never."
    ).tag(config=True)
    poll_jitter = Float(
        0.1, min=0, max=1, help="Fraction by which the poll interval varies at random."
    ).tag(config=True)
    consecutive_failure_limit = Integer(
        0, help="The hub ends after this many failed starts in a row; 0: never."
    ).tag(config=True)
    debug = Bool(False, help="Ask the server for its debug log.").tag(config=True)
    notebook_dir = Unicode(
        "", help="Root directory of the server; ~ and {username} are filled in."
    ).tag(config=True)
    default_url = Unicode(
        "", help="Page the server opens with; {username} and {base_url} are filled in."
    ).tag(config=True)
    disable_user_config = Bool(
        False, help="Make the server ignore configuration in the user's home."
    ).tag(config=True)
    env_keep: List[Any] = List(help="Variables taken over from the hub's own environment.").tag(
        config=True
    )
    environment = Dict(
        help="More environment variables: text, or a callable that gets the spawner. They win "
        "over all others."
    ).tag(config=True)
    mem_limit = ByteSpecification(
        None, allow_none=True, help="Bytes the server may use (the spawner must support it)."
    ).tag(config=True)
    mem_guarantee = ByteSpecification(
        None, allow_none=True, help="Bytes the server gets for sure."
    ).tag(config=True)
    cpu_limit = Float(None, allow_none=True, help="Cores the server may use.").tag(config=True)
    cpu_guarantee = Float(None, allow_none=True, help="Cores the server gets for sure.").tag(
        config=True
    )
    options_form = Union(
        [Unicode(), CallableTrait()],
        help="HTML inside the form that asks for options before a start, or a callable that gets "
        "the spawner and returns it.",
    ).tag(config=True)
    options_from_form = Union(
        [CallableTrait(), Unicode()],
        help="How form data becomes options: 'passthrough' (a dict of lists), 'simple' (single "
        "values unpacked), or a callable that gets the form data (and the spawner, if it has a "
        "parameter of that name).",
    ).tag(config=True)
    apply_user_options = Union(
        [Dict(), CallableTrait()],
        default_value=None,
        allow_none=True,
        help="Applies options before a start: a callable (spawner, options), or a dict from "
        "option name to spawner attribute.",
    ).tag(config=True)
    group_overrides = Union(
        [Dict(), CallableTrait()],
        help="Settings by group: name to {groups, spawner_override}, or a callable that gets the "
        "spawner and returns that.",
    ).tag(config=True)
    pre_spawn_hook = AnyTrait(
        None, allow_none=True, help="Callable (spawner) right before a start; errors end it."
    ).tag(config=True)
    post_stop_hook = AnyTrait(
        None, allow_none=True, help="Callable (spawner) after a stop; errors are logged."
    ).tag(config=True)
    auth_state_hook = AnyTrait(
        None,
        allow_none=True,
        help="Callable (spawner, auth_state) before the options form and before a start.",
    ).tag(config=True)
    progress_ready_hook = AnyTrait(
        None, allow_none=True, help="Callable (spawner, event) for the last progress event."
    ).tag(config=True)
    server_token_scopes = Union(
        [List(Unicode()), CallableTrait()],
        help="Scopes of the server's own token, or a callable that gets the spawner; empty: those "
        "of the role 'server'.",
    ).tag(config=True)
    oauth_client_allowed_scopes = Union(
        [List(), CallableTrait()],
        help="Scopes that OAuth tokens issued to this server may hold besides access to it, or a "
        "callable that gets the spawner.",
    ).tag(config=True)
    oauth_roles = Union(
        [List(), CallableTrait()],
        help="Old; use oauth_client_allowed_scopes. Names of roles, or a callable.",
    ).tag(config=True)
    ssl_alt_names = Union(
        [List(Unicode()), CallableTrait()],
        help="Subject-alternative names of the server's certificate, or a callable that gets the "
        "spawner.",
    ).tag(config=True)
    ssl_alt_names_include_local = Bool(
        True, help="Whether the certificate also names localhost and 127.0.0.1."
    ).tag(config=True)

    # -- construction ----------------------------------------------------------
    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        missing = [name for name in REQUIRED if getattr(cls, name) is getattr(Spawner, name)]
        if missing:
            raise NotImplementedError(f"spawner class {cls.__name__} lacks {', '.join(missing)}")

    def __init__(self, **kwargs: Any) -> None:
        self._server: PluginServer | None = kwargs.pop("server", None)
        self._poll_callbacks = []
        self._resolved_oauth_scopes: list[str] | None = None
        super().__init__(**kwargs)

    # -- facts about the server ------------------------------------------------
    @default("db")
    def _default_db(self) -> Any:
        warn_of_db(self)
        return self._deprecated_db_session

    @property
    def name(self) -> str:
        """The server's name; empty for the default one."""
        return str(self.orm_spawner.name) if self.orm_spawner is not None else ""

    @property
    def display_name(self) -> str | None:
        """The name people are shown, if it is another one."""
        return getattr(self.orm_spawner, "display_name", None)

    @property
    def server(self) -> PluginServer | None:
        """Where it listens; None before a start and after a stop."""
        if self._server is None and self.orm_spawner is not None:
            return getattr(self.orm_spawner, "server", None)
        return self._server

    @server.setter
    def server(self, server: PluginServer | None) -> None:
        self._server = server
        if self.orm_spawner is not None:
            self.orm_spawner.server = server

    @property
    def last_activity(self) -> Any:
        """When the server was last used, as the hub knows."""
        return getattr(self.orm_spawner, "last_activity", None)

    @property
    def _local_host(self) -> str | None:
        """The machine whose processes it signals; None when any hub can reach its servers."""
        inner = getattr(self, "child_spawner", None)  # of spawners that wrap another one
        return inner._local_host if isinstance(inner, Spawner) else None

    @property
    def _log_name(self) -> str:
        """The server in log lines: ``USER`` or ``USER:SERVER``."""
        return f"{self.user.name}:{self.name}" if self.name else str(self.user.name)

    # -- defaults and checks of traits ------------------------------------------
    @default("oauth_access_scopes")
    def _default_oauth_access_scopes(self) -> list[str]:
        if self.user is None:
            return []
        owner = self.user.name
        return [f"access:servers!server={owner}/{self.name}", f"access:servers!user={owner}"]

    @default("env_keep")
    def _env_keep_default(self) -> list[str]:
        return []

    @default("options_form")
    def _default_options_form(self) -> str:
        return ""

    @default("options_from_form")
    def _options_from_form(self) -> Any:
        return FORM_READERS["passthrough"]

    @validate("options_from_form")
    def _validate_options_from_form(self, proposal: Any) -> Any:
        value = proposal.value if hasattr(proposal, "value") else proposal["value"]
        if not isinstance(value, str):
            return value
        if value not in FORM_READERS:
            names = " or ".join(repr(name) for name in FORM_READERS)
            raise TraitError(f"options_from_form is {value!r}; as text it can be {names} only")
        return FORM_READERS[value]

    @default("group_overrides")
    def _default_group_overrides(self) -> dict[str, Any]:
        return {}

    @default("server_token_scopes")
    def _default_server_token_scopes(self) -> list[str]:
        return []

    @default("oauth_client_allowed_scopes")
    def _default_oauth_client_allowed_scopes(self) -> list[str]:
        return []

    @default("oauth_roles")
    def _default_oauth_roles(self) -> list[str]:
        return []

    @default("ssl_alt_names")
    def _default_ssl_alt_names(self) -> list[str]:
        domain = getattr(self.user, "domain", "")
        return [*self.trusted_alt_names, *([f"DNS:{domain}"] if domain else [])]

    @validate("ip")
    def _strip_brackets(self, proposal: Any) -> str:
        value = str(proposal["value"])
        return value[1:-1] if value.startswith("[") and value.endswith("]") else value

    @validate("notebook_dir", "default_url")
    def _deprecate_percent_u(self, proposal: Any) -> str:
        value = str(proposal["value"])
        if "%U" in value:
            self.log.warning("%%U in %s is old; write {username}", proposal["trait"].name)
            value = value.replace("%U", "{username}")
        return value

    # -- text with the user's name in it --------------------------------------
    def template_namespace(self) -> dict[str, Any]:
        """What ``format_string`` fills in."""
        namespace = {"username": self.user.name}
        if self.server is not None:
            namespace["base_url"] = self.server.base_url
        return namespace

    def format_string(self, s: str) -> str:
        """``s`` with ``{username}`` and its like filled in."""
        return s.format(**self.template_namespace())

    # -- command and environment ------------------------------------------------
    def get_env(self) -> dict[str, Any]:
        """The environment of the server's process."""
        return build_environment(self)

    def get_args(self) -> list[str]:
        """Arguments after the command."""
        return list(self.args)

    # -- options -------------------------------------------------------------
    async def get_options_form(self) -> str:
        """The HTML of the options form; empty when there is none."""
        form = self.options_form
        return str((await maybe_await(form(self)) if callable(form) else form) or "")

    def run_options_from_form(self, form_data: Mapping[str, Any]) -> Any:
        """Options from form data; may be awaitable."""
        reader: Callable[..., Any] = self.options_from_form
        if "spawner" in inspect.signature(reader).parameters:
            return reader(form_data, spawner=self)
        return reader(form_data)

    def options_from_query(self, query_data: Mapping[str, Any]) -> Any:
        """Options from the arguments of a link; may be awaitable."""
        return self.run_options_from_form(query_data)

    async def _run_apply_user_options(self, user_options: dict[str, Any]) -> None:
        hook = self.apply_user_options
        if callable(hook):
            await maybe_await(hook(self, user_options))
        elif hook:
            assign_options(self, hook, user_options)

    async def apply_group_overrides(self) -> None:
        """Apply the overrides of the user's groups, in the order of their sorted keys."""
        overrides = self.group_overrides
        if callable(overrides):
            overrides = await maybe_await(overrides(self))
        if not overrides:
            return  # before the groups are asked of the database
        groups = {group.name for group in self.user.groups}
        for _, entry in sorted(overrides.items()):
            if groups & set(entry["groups"]):
                await maybe_await(self._apply_overrides(entry["spawner_override"]))

    async def _apply_overrides(self, spawner_override: Mapping[str, Any]) -> None:
        for name, value in spawner_override.items():
            if callable(value):
                value = await maybe_await(value(self))
            setattr(self, name, merge_override(getattr(self, name, None), value))

    # -- scopes ----------------------------------------------------------------
    @property
    def _allowed_oauth_scopes(self) -> list[str]:
        """``oauth_client_allowed_scopes`` as a list; of a callable, what it last gave."""
        if self._resolved_oauth_scopes is not None:
            return self._resolved_oauth_scopes
        value = self.oauth_client_allowed_scopes
        return [] if callable(value) else list(value)

    async def _scopes_from(self, option: str) -> list[str]:
        value = getattr(self, option)
        return list((await maybe_await(value(self)) if callable(value) else value) or ())

    # -- hooks ---------------------------------------------------------------
    def run_pre_spawn_hook(self) -> Any:
        """Run ``pre_spawn_hook``; may be awaitable."""
        return self.pre_spawn_hook(self) if self.pre_spawn_hook else None

    async def run_auth_state_hook(self, auth_state: dict[str, Any] | None) -> None:
        """Run ``auth_state_hook``."""
        if self.auth_state_hook is not None:
            await maybe_await(self.auth_state_hook(self, auth_state))

    def run_post_stop_hook(self) -> Any:
        """Run ``post_stop_hook``; may be awaitable. Errors of a plain call are logged here."""
        if self.post_stop_hook is None:
            return None
        try:
            return self.post_stop_hook(self)
        except Exception:
            self.log.exception("post_stop_hook failed for %s", self._log_name)
            return None

    # -- state -----------------------------------------------------------------
    def get_state(self) -> dict[str, Any]:
        """What is needed to find the server again, as JSON values."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what ``get_state`` gave earlier."""

    def clear_state(self) -> None:
        """Forget the server that ran."""
        self.api_token = ""

    # -- life ------------------------------------------------------------------
    async def start(self) -> Any:
        """Start the server; its (ip, port) or URL."""
        raise NotImplementedError("a spawner class defines start()")

    async def stop(self, now: bool = False) -> None:
        """Stop the server and return when it is gone; ``now``: without asking it first."""
        raise NotImplementedError("a spawner class defines stop()")

    async def poll(self) -> int | None:
        """None while the server runs or starts, else its exit status (0: unknown)."""
        raise NotImplementedError("a spawner class defines poll()")

    async def _find_lost(self) -> bool:
        """Look for what a start left running when the hub died before it stored any state.

        True when something was found, which ``poll`` and ``stop`` then know.
        """
        return False

    async def get_url(self) -> str:
        """The URL of a server found running after a restart of the hub."""
        return self.server.url if self.server is not None else ""

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Events of a running start: ``{progress, message, html_message}``."""
        yield {"progress": 50, "message": "Starting the server ..."}

    async def _generate_progress(self) -> AsyncIterator[dict[str, Any]]:
        async for event in self.progress():
            yield event

    async def rename(self, old_name: str, new_name: str) -> None:
        """The stopped server gets another name; raise to refuse."""

    def delete_forever(self) -> Any:
        """The server's record is deleted for good; may be awaitable."""

    # -- certificates ------------------------------------------------------------
    async def create_certs(self) -> dict[str, str]:
        """Make the server's key and certificate; ``{keyfile, certfile, cafile}``."""
        # Imported here: only hubs with internal_ssl need it, and it is slow to import.
        from perijove.kit.certificates import LOCAL_NAMES, ensure_pair

        names = await self._scopes_from("ssl_alt_names")
        if self.ssl_alt_names_include_local:
            names = [*LOCAL_NAMES, *names]
        pair = await asyncio.to_thread(
            ensure_pair,
            self.internal_certs_location,
            f"user-{self.user.escaped_name}",
            SERVERS,
            names,
        )
        return {
            "keyfile": pair.keyfile,
            "certfile": pair.certfile,
            "cafile": self.internal_trust_bundles[SERVERS],
        }

    async def move_certs(self, paths: dict[str, str]) -> dict[str, str]:
        """Bring the certificate's files to where the server can read them; the new paths."""
        return paths
