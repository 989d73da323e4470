"""The operator's plug-ins behind their ports of ``domain.ports``.

Each adapter makes the operator's class the way plug-ins expect, and wraps it:
results arrive awaited and checked, failures as PluginError or Refusal.
Spawners, of which there are many, have a module of their own.
"""

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from traitlets import TraitError

from perijove.domain.errors import ConfigError, PluginError
from perijove.domain.ports import AuthModel, AuthRules
from perijove.domain.routes import Route
from perijove.domain.users import User
from perijove.plugins.authenticator import Authenticator
from perijove.plugins.context import HubContext
from perijove.plugins.failures import ask, blaming
from perijove.plugins.proxy import Proxy
from perijove.plugins.spawner_adapter import SpawnerAdapter
from perijove.plugins.spawner_pool import SpawnerPool

__all__ = ["AuthenticatorAdapter", "ProxyAdapter", "SpawnerAdapter", "SpawnerPool"]

log = logging.getLogger("perijove.plugins")


class AuthenticatorAdapter:
    """The hub's one authenticator, as the hub's rooms use it."""

    def __init__(self, kind: type[Authenticator], context: HubContext) -> None:
        """Make it and check its options.

        Raises ConfigError for rules that it does not know and names that cannot be.
        """
        self._context = context
        self.class_name = kind.__name__
        with _configuring(kind):
            self.authenticator = kind(**_owner(context), _deprecated_db_session=context.db)
        self.authenticator._hub_knows = self._exists
        with _configuring(kind):
            self.authenticator.check_allow_config()
            self._normalize_names()

    async def _exists(self, name: str) -> bool:
        ask_database = self._context.user_exists
        return ask_database is not None and await ask_database(name)

    def _normalize_names(self) -> None:
        it = self.authenticator
        for option in ("admin_users", "allowed_users", "blocked_users"):
            names = {it.normalize_username(name) for name in getattr(it, option)}
            invalid = sorted(name for name in names if not it.validate_username(name))
            if invalid and option != "blocked_users":
                raise ConfigError(
                    f"c.Authenticator.{option} holds {invalid[0]!r}, which is no valid user name"
                )
            if names != getattr(it, option):
                setattr(it, option, names)

    @property
    def refresh_age_s(self) -> float:
        """How old a sign-in may be (asked for at every request, so not one of the rules)."""
        age_s: float = self.authenticator.auth_refresh_age
        return age_s

    @property
    def rules(self) -> AuthRules:
        """The settings that the hub acts on, as they are now."""
        it = self.authenticator
        return AuthRules(
            admin_users=frozenset(it.admin_users),
            allowed_users=frozenset(it.allowed_users),
            blocked_users=frozenset(it.blocked_users),
            enable_auth_state=it.enable_auth_state,
            manage_groups=it.manage_groups,
            manage_roles=it.manage_roles,
            reset_managed_roles_on_startup=it.reset_managed_roles_on_startup,
            delete_invalid_users=it.delete_invalid_users,
            auto_login=it.auto_login,
            auto_login_oauth2_authorize=it.auto_login_oauth2_authorize,
            refresh_strict=it.auth_refresh_strict,
            refresh_pre_spawn=it.refresh_pre_spawn,
            refresh_pre_stop=it.refresh_pre_stop,
            request_otp=it.request_otp,
            otp_prompt=str(it.otp_prompt or ""),
            login_service=it.login_service or "",
        )

    # -- signing in --------------------------------------------------------------
    async def authenticate(
        self, request: object, data: Mapping[str, Any] | None
    ) -> AuthModel | None:
        """Who this is, checked, allowed and hooked; None: not let in."""
        handler = self._context.handler_for(request)
        fields = dict(data) if data is not None else None
        answer = await ask(self.authenticator, "get_authenticated_user", handler, fields)
        if answer is None:
            return None
        return self.model_of(answer, "authenticate")

    async def refresh(self, user: User, request: object | None) -> AuthModel | bool:
        """True: still good; False: must sign in again; a model: new facts."""
        person = self._context.user(user)
        arguments = [person, self._context.handler_for(request)]
        if not _takes(self.authenticator.refresh_user, arguments):
            arguments.pop()
        answer = await ask(self.authenticator, "refresh_user", *arguments)
        if isinstance(answer, Mapping):
            # Names do not change by a refresh.
            return self.model_of({**answer, "name": user.name}, "refresh_user")
        return bool(answer)

    def model_of(self, answer: Mapping[str, Any], call: str) -> AuthModel:
        """What ``call`` answered, checked. Raises PluginError."""
        with blaming(self.class_name, call):
            groups = self._groups(answer)
            roles = answer.get("roles") if self.authenticator.manage_roles else None
            admin = answer.get("admin")
            if not isinstance(admin, (bool, int, type(None))):
                # "no" is true, too.
                raise TypeError(f"'admin' must be True, False or None, not {admin!r}")
            if not isinstance(answer["name"], str):
                raise TypeError(f"'name' must be a text, not {answer['name']!r}")
            return AuthModel(
                name=answer["name"],
                admin=None if admin is None else bool(admin),
                auth_state=answer.get("auth_state"),
                has_auth_state="auth_state" in answer,
                groups=groups,
                roles=None if roles is None else tuple(dict(role) for role in roles),
                user_info=answer.get("user_info"),
            )

    def _groups(self, answer: Mapping[str, Any]) -> tuple[str, ...] | None:
        if not self.authenticator.manage_groups:
            if answer.get("groups"):
                log.warning(
                    "%s gave groups, which count only with c.Authenticator.manage_groups = True",
                    self.class_name,
                )
            return None
        if "groups" not in answer:
            raise ValueError("with manage_groups the answer must have 'groups' (None: unchanged)")
        groups = answer["groups"]
        if isinstance(groups, str):
            raise TypeError("'groups' must be a list of names, not one name")
        # Identity providers name a group twice now and then.
        return None if groups is None else tuple(dict.fromkeys(groups))

    async def reconcile_auth_state(
        self, model: AuthModel, existing: dict[str, Any] | None
    ) -> dict[str, Any] | None:
        """The auth_state to store, after the operator's hook."""
        facts = {
            "name": model.name,
            "admin": model.admin,
            "auth_state": model.auth_state,
            "user_info": model.user_info,
            **({"groups": list(model.groups)} if model.groups is not None else {}),
            **({"roles": list(model.roles)} if model.roles is not None else {}),
        }
        kept: dict[str, Any] | None = await ask(
            self.authenticator, "_run_reconcile_auth_state_hook", facts, existing
        )
        return kept

    # -- names and people ----------------------------------------------------------
    def normalize(self, name: str) -> str:
        """The name as the hub stores it. Raises PluginError."""
        with blaming(self.class_name, "normalize_username"):
            return str(self.authenticator.normalize_username(name))

    def is_valid(self, name: str) -> bool:
        """Whether the (normalised) name may exist."""
        with blaming(self.class_name, "validate_username"):
            return bool(self.authenticator.validate_username(name))

    async def add_user(self, user: User) -> None:
        """The person is new to the hub, or the hub starts. Raises PluginError to refuse."""
        await ask(self.authenticator, "add_user", self._context.user(user))

    async def delete_user(self, user: User) -> None:
        """The person is about to be deleted."""
        await ask(self.authenticator, "delete_user", self._context.user(user))

    async def managed_roles(self) -> list[dict[str, Any]]:
        """Role definitions that come from the authenticator."""
        if not self.authenticator.manage_roles:
            return []
        roles = await ask(self.authenticator, "load_managed_roles")
        return [dict(role) for role in roles or ()]

    # -- pages ---------------------------------------------------------------------
    def login_url(self, hub_prefix: str) -> str:
        """Where people go to sign in."""
        with blaming(self.class_name, "login_url"):
            return str(self.authenticator.login_url(hub_prefix))

    def logout_url(self, hub_prefix: str) -> str:
        """Where people go to sign out."""
        with blaming(self.class_name, "logout_url"):
            return str(self.authenticator.logout_url(hub_prefix))

    def custom_html(self, hub_prefix: str) -> str:
        """HTML (a Jinja source) in place of the sign-in form; empty: the form."""
        with blaming(self.class_name, "get_custom_html"):
            return str(self.authenticator.get_custom_html(hub_prefix) or "")


def _takes(method: Callable[..., Any], arguments: list[Any]) -> bool:
    try:
        inspect.signature(method).bind(*arguments)
    except TypeError:
        return False
    return True


def _owner(context: HubContext) -> dict[str, Any]:
    """Where a plug-in gets its configuration and its log from."""
    if context.app is not None:
        return {"parent": context.app, "log": context.log}
    return {"config": context.config, "log": context.log}


@contextmanager
def _configuring(kind: type) -> Iterator[None]:
    """Say which class refuses its configuration."""
    try:
        yield
    except ConfigError:
        raise
    except (TraitError, ValueError) as error:
        raise ConfigError(f"{kind.__name__}: {error}") from error


class ProxyAdapter:
    """The proxy, as the hub's rooms use it."""

    def __init__(self, kind: type[Proxy], context: HubContext, options: Mapping[str, Any]) -> None:
        """Make it. ``options``: ``public_url``, ``host_routing``, ``ssl_cert``, ``ssl_key`` and
        ``http``.

        Raises ConfigError when its configuration cannot be used.
        """
        self.class_name = kind.__name__
        self._context = context
        arguments: dict[str, Any] = {
            **_owner(context),
            "db_factory": lambda: context.db,
            "hub": context.hub,
            "app": context.app,
            **options,
        }
        with _configuring(kind):
            self.proxy = kind(**arguments)

    def on_restart(self, restore: Callable[[], Awaitable[Any]]) -> None:
        """What to do when the proxy came back without its routes."""
        self.proxy._on_restart = restore

    @property
    def should_start(self) -> bool:
        """Whether the hub starts and stops it."""
        return bool(self.proxy.should_start)

    @property
    def extra_routes(self) -> Mapping[str, str]:
        """The operator's own routes: routespec to target URL."""
        return dict(self.proxy.extra_routes)

    async def start(self) -> None:
        """Start the proxy and wait until it takes requests."""
        if self.proxy.has_trait("_auth_secret"):
            # The next hub makes the same token of it, and can take over this proxy.
            self.proxy.set_trait("_auth_secret", self._context.settings.get("cookie_secret", b""))
        await ask(self.proxy, "start")

    async def stop(self) -> None:
        """Stop it."""
        await ask(self.proxy, "stop")

    async def close(self) -> None:
        """Let go of it; if it runs, it goes on."""
        await ask(self.proxy, "_let_go")

    async def add_route(self, route: Route) -> None:
        """Add or replace one route."""
        await ask(self.proxy, "add_route", route.routespec, route.target, dict(route.data))

    async def delete_route(self, routespec: str) -> None:
        """Remove one route; a missing one is no error."""
        await ask(self.proxy, "delete_route", routespec)

    async def routes(self) -> dict[str, Route]:
        """The hub's routes as the proxy has them; data may hold ``last_activity``."""
        found = await ask(self.proxy, "get_all_routes")
        with blaming(self.class_name, "get_all_routes"):
            return {
                spec: Route(spec, entry["target"], dict(entry.get("data") or {}))
                for spec, entry in found.items()
            }

    def reconfigure(self, *, api_url: str | None, auth_token: str | None) -> dict[str, str | None]:
        """Reach the proxy's API elsewhere, or with another token; None: as before.

        The arguments that undo it. Raises PluginError.
        """
        before: dict[str, str | None] = {"api_url": None, "auth_token": None}
        for name, value in (("api_url", api_url), ("auth_token", auth_token)):
            if value is None:
                continue
            if not self.proxy.has_trait(name):
                raise PluginError(self.class_name, "reconfigure", f"it has no {name}")
            with blaming(self.class_name, "reconfigure"):
                before[name] = getattr(self.proxy, name)
                setattr(self.proxy, name, value)
        return before

    def validate_routespec(self, routespec: str) -> str:
        """The routespec in the proxy's form. Raises ConfigError."""
        try:
            return str(self.proxy.validate_routespec(routespec))
        except ValueError as error:
            raise ConfigError(f"{routespec!r} is no route of this proxy: {error}") from error
