"""The base class of authenticators: who people are, and whether they may come in.

Subclasses define ``authenticate``. The hub calls ``get_authenticated_user``,
which puts the checks round it, always in the same order: name normalised,
name valid, not blocked, allowed, admin or not, the operator's hook.

Nobody is allowed unless a rule says so. A configuration that names an allow
rule which the class does not have is an error, and never means "everybody".
"""

import difflib
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, ClassVar
from urllib.parse import unquote

from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, Integer, Set, TraitError, Unicode, default, observe, validate
from traitlets.config import LoggingConfigurable

from perijove.domain.errors import ConfigError
from perijove.kit.aio import maybe_await
from perijove.kit.urls import join
from perijove.plugins.context import warn_of_db

MAX_NAME_LENGTH = 255
"""Longer user names are invalid."""

_UNWANTED = re.compile(r"[\x00-\x1f\x7f/\ud800-\udfff]")
_RULE_NAMES = re.compile(r"allow|.*(whitelist|blacklist)$")
_known_name: ContextVar[str | None] = ContextVar("known_name", default=None)

OLD_METHODS = {
    "check_whitelist": "check_allowed",
    "check_blacklist": "check_blocked_users",
    "check_group_whitelist": "check_allowed_groups",
}
OLD_TRAITS = {
    "whitelist": ("allowed_users", "1.2"),
    "blacklist": ("blocked_users", "1.2"),
    "group_whitelist": ("allowed_groups", "1.2"),
}
"""Old name to the new one, and the version of the interfaces that renamed it."""


class Authenticator(LoggingConfigurable):
    """Finds out who a visitor is, and whether they may use the hub."""

    admin_users = Set(help="Names that are made admins; nobody stops being one by it.").tag(
        config=True
    )
    allow_all = Bool(False, help="Everyone who can authenticate may come in.").tag(config=True)
    allow_existing_users = Bool(
        help="Everyone whom the hub knows already may come in. On when allowed_users is set."
    ).tag(config=True)
    allowed_users = Set(help="Names that may come in; admins may then, too.").tag(config=True)
    any_allow_config = Bool(
        help="Whether any rule lets anybody in; set it to silence the warning that none does."
    ).tag(config=True)
    blocked_users = Set(help="Names that may never come in.").tag(config=True)
    whitelist = Set(help="Old name of allowed_users.").tag(config=True)
    blacklist = Set(help="Old name of blocked_users.").tag(config=True)
    auth_refresh_age = Integer(
        300, help="Seconds after which a person's facts are looked up again; 0: never."
    ).tag(config=True)
    auth_refresh_strict = Bool(
        False, help="Refuse requests with tokens, too, while a person's facts are stale."
    ).tag(config=True)
    refresh_pre_spawn = Bool(False, help="Look a person up again before a start.").tag(config=True)
    refresh_pre_stop = Bool(False, help="Look a person up again before a stop.").tag(config=True)
    auto_login = Bool(
        False, help="Send people straight to login_url() instead of showing a form."
    ).tag(config=True)
    auto_login_oauth2_authorize = Bool(
        False, help="Like auto_login, for people who arrive from a server or service."
    ).tag(config=True)
    delete_invalid_users = Bool(
        False, help="Delete people whom add_user() refuses when the hub starts."
    ).tag(config=True)
    enable_auth_state = Bool(
        False, help="Keep auth_state, encrypted with JUPYTERHUB_CRYPT_KEY."
    ).tag(config=True)
    manage_groups = Bool(False, help="A person's groups come from the authenticator.").tag(
        config=True
    )
    manage_roles = Bool(False, help="A person's roles come from the authenticator.").tag(
        config=True
    )
    reset_managed_roles_on_startup = Bool(
        False, help="Drop roles that load_managed_roles() no longer gives."
    ).tag(config=True)
    otp_prompt = AnyTrait("OTP:", help="Label of the field for a one-time password.").tag(
        config=True
    )
    request_otp = Bool(False, help="Show a field for a one-time password.").tag(config=True)
    post_auth_hook = AnyTrait(
        None,
        allow_none=True,
        help="Callable (authenticator, handler, model) after all checks; returns the model.",
    ).tag(config=True)
    reconcile_auth_state_hook = AnyTrait(
        None,
        allow_none=True,
        help="Callable (authenticator, model, existing auth_state) that returns the auth_state "
        "to keep.",
    ).tag(config=True)
    username_map = Dict(help="Names to replace, after lower-casing.").tag(config=True)
    username_pattern = Unicode("", help="Regular expression that names must match.").tag(
        config=True
    )

    custom_html = Unicode("")
    login_service = Unicode("")
    username_regex = AnyTrait(None, allow_none=True)
    db = AnyTrait(help="Old: the hub's database session.")
    _deprecated_db_session = AnyTrait(None, allow_none=True)

    _login_handlers: ClassVar[list[tuple[Any, ...]]] = []
    """The hub's own login page as tornado handlers; filled by ``compat``."""

    _hub_knows: Callable[[str], Awaitable[bool]] | None = None
    """Asks the database whether it knows a name. Set by the hub."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for old, new in OLD_METHODS.items():
            if hasattr(type(self), old) and self._overrides(old) and not self._overrides(new):
                self.log.warning("%s.%s is old; name it %s", type(self).__name__, old, new)
                setattr(self, new, getattr(self, old))

    def _overrides(self, method: str) -> bool:
        for cls in type(self).__mro__:
            if method in vars(cls):
                return not cls.__module__.startswith("perijove.plugins.")
        return False

    # -- defaults and checks of traits ------------------------------------------
    @default("db")
    def _default_db(self) -> Any:
        warn_of_db(self)
        return self._deprecated_db_session

    @default("allow_existing_users")
    def _default_allow_existing_users(self) -> bool:
        return bool(self.allowed_users)

    @default("any_allow_config")
    def _default_any_allow_config(self) -> bool:
        # A subclass may have put a plain value in the place of the option.
        return bool(self.allow_all) or any(
            bool(getattr(self, name))
            for name, trait in self.traits(config=True).items()
            if name != "any_allow_config"
            and (name.startswith("allow") or trait.metadata.get("allow_config", False))
        )

    @observe("whitelist", "blacklist", "group_whitelist")
    def _copy_old_name(self, change: Any) -> None:
        old, (new, version) = change["name"], OLD_TRAITS[change["name"]]
        present = getattr(self, new)
        if present == change["new"]:
            return
        owner = type(self).__name__
        # Suites of plug-ins wait for this very sentence.
        sentence = "%s.%s is deprecated in JupyterHub %s, use %s.%s instead"
        self.log.warning(sentence, owner, old, version, owner, new)
        before = change["old"] if isinstance(change["old"], set) else set()
        setattr(self, new, (present - before) | change["new"])

    @observe("username_pattern")
    def _compile_pattern(self, change: Any) -> None:
        try:
            self.username_regex = re.compile(change["new"]) if change["new"] else None
        except re.error as error:
            raise TraitError(f"username_pattern is no regular expression: {error}") from error

    @validate("admin_users", "allowed_users", "blocked_users")
    def _no_single_name(self, proposal: Any) -> Any:
        names = {name for name in proposal["value"] if isinstance(name, str)}
        if len(names) > 1 and all(len(name) == 1 for name in names):
            self.log.warning(
                "%s holds single letters only; is it a string instead of a set of names?",
                proposal["trait"].name,
            )
        return proposal["value"]

    def check_allow_config(self) -> None:
        """Look over the allow rules at the hub's start.

        Warns when nobody can come in. Raises ConfigError for a rule that this
        class does not have.
        """
        self._refuse_unknown_rules()
        if not self.any_allow_config:
            self.log.warning(
                "No allow rule is set, so nobody can log in. To let everyone in who can "
                "authenticate: c.Authenticator.allow_all = True; to let some in: "
                "c.Authenticator.allowed_users = {'name'}"
            )

    def _refuse_unknown_rules(self) -> None:
        known = {*self.traits(config=True), *Authenticator.class_trait_names(config=True)}
        for section in (cls.__name__ for cls in type(self).__mro__):
            if section not in self.config:
                continue
            for key in self.config[section]:
                if _RULE_NAMES.match(key) and key not in known:
                    near = difflib.get_close_matches(key, known, 1)
                    hint = f"; did you mean {near[0]}?" if near else ""
                    raise ConfigError(
                        f"c.{section}.{key} is no option of {type(self).__name__}{hint} "
                        "(it is not read as 'everybody is allowed')"
                    )

    # -- names -----------------------------------------------------------------
    def normalize_username(self, username: str) -> str:
        """The name as the hub stores it: lower case, then ``username_map``."""
        username = username.lower()
        return str(self.username_map.get(username, username))

    def validate_username(self, username: str) -> bool:
        """Whether a (normalised) name may exist at all."""
        # Dots alone would mean another place in a path, also when something decodes them.
        if len(username) > MAX_NAME_LENGTH or not unquote(username).strip("."):
            return False
        if _UNWANTED.search(username) or username != username.strip():
            return False
        return self.username_regex is None or bool(self.username_regex.match(username))

    # -- rules -------------------------------------------------------------------
    def check_blocked_users(
        self, username: str, authentication: dict[str, Any] | None = None
    ) -> Any:
        """Whether the name is *not* blocked; may be awaitable."""
        return username not in self.blocked_users

    def check_allowed(self, username: str, authentication: dict[str, Any] | None = None) -> Any:
        """Whether a rule lets the name in; may be awaitable. Not asked with ``allow_all``."""
        if self.allow_all:
            return True
        if self.allowed_users and (username in self.allowed_users or username in self.admin_users):
            return True
        return self.allow_existing_users and username == _known_name.get()

    def check_blacklist(self, username: str, authentication: dict[str, Any] | None = None) -> Any:
        """Old name of ``check_blocked_users``."""
        return type(self).check_blocked_users(self, username, authentication)

    def check_whitelist(self, username: str, authentication: dict[str, Any] | None = None) -> Any:
        """Old name of ``check_allowed``."""
        return type(self).check_allowed(self, username, authentication)

    def is_admin(self, handler: Any, authentication: dict[str, Any]) -> Any:
        """True or False: make or unmake an admin; None: leave that. May be awaitable."""
        return True if authentication["name"] in self.admin_users else None

    # -- signing in --------------------------------------------------------------
    async def authenticate(self, handler: Any, data: dict[str, str] | None) -> Any:
        """Who this is: a name, a dict with at least ``name``, or None. Subclasses define it."""
        return None

    async def get_authenticated_user(
        self, handler: Any, data: dict[str, str] | None
    ) -> dict[str, Any] | None:
        """The checked model of whoever signs in, or None. The hub calls it; do not override."""
        answer = await maybe_await(self.authenticate(handler, data))
        if answer is None:
            return None
        model = dict(answer) if isinstance(answer, Mapping) else {"name": answer}
        for key in ("auth_state", "user_info", "admin"):
            model.setdefault(key, None)
        if not isinstance(model["name"], str):
            raise TypeError(f"authenticate gave no name but {model['name']!r}")
        model["name"] = name = self.normalize_username(model["name"])
        if not self.validate_username(name):
            self.log.warning("The name %r is not valid here.", name[:MAX_NAME_LENGTH])
            return None
        if not await self._passes(self.check_blocked_users, name, model):
            self.log.warning("User %r is blocked and may not log in.", name)
            return None
        if not self.allow_all and not await self._is_allowed(name, model):
            self.log.warning("User %r is not allowed to log in.", name)
            return None
        if model["admin"] is None:
            model["admin"] = await maybe_await(self.is_admin(handler, model))
        hooked = await self.run_post_auth_hook(handler, model)
        return None if hooked is None else dict(hooked)

    async def _is_allowed(self, name: str, model: dict[str, Any]) -> bool:
        known = bool(self.allow_existing_users and self._hub_knows and await self._hub_knows(name))
        token = _known_name.set(name if known else None)
        try:
            return await self._passes(self.check_allowed, name, model)
        finally:
            _known_name.reset(token)

    @staticmethod
    async def _passes(check: Callable[..., Any], name: str, model: dict[str, Any]) -> bool:
        """Ask a check, also one of the old kind that takes only the name."""
        try:
            inspect.signature(check).bind(name, model)
        except TypeError:
            return bool(await maybe_await(check(name)))
        return bool(await maybe_await(check(name, model)))

    async def run_post_auth_hook(self, handler: Any, auth_model: dict[str, Any]) -> Any:
        """Run ``post_auth_hook``; the model it returns."""
        if self.post_auth_hook is None:
            return auth_model
        return await maybe_await(self.post_auth_hook(self, handler, auth_model))

    async def _run_reconcile_auth_state_hook(
        self, auth_model: dict[str, Any], existing: dict[str, Any] | None
    ) -> dict[str, Any] | None:
        """Run ``reconcile_auth_state_hook``; the auth_state to keep."""
        if self.reconcile_auth_state_hook is None:
            return auth_model.get("auth_state")
        kept: dict[str, Any] | None = await maybe_await(
            self.reconcile_auth_state_hook(self, auth_model, existing)
        )
        return kept

    async def refresh_user(self, user: Any, handler: Any = None) -> Any:
        """True: still good; False or None: must sign in again; a dict: new facts."""
        return True

    # -- people come and go --------------------------------------------------------
    def add_user(self, user: Any) -> Any:
        """Somebody is new to the hub, or the hub starts; raise to refuse. May be awaitable."""
        if not self.validate_username(user.name):
            raise ValueError(f"the user name {user.name!r} is not valid here")
        if self.allow_existing_users and self._hub_knows is None:
            # Without a hub to ask, this object is all that remembers who exists.
            self.allowed_users.add(user.name)

    def delete_user(self, user: Any) -> Any:
        """Somebody is about to be deleted; may be awaitable."""
        self.allowed_users.discard(user.name)

    def pre_spawn_start(self, user: Any, spawner: Any) -> Any:
        """Before a start; raise to end it. May be awaitable."""

    def post_spawn_stop(self, user: Any, spawner: Any) -> Any:
        """After a stop; may be awaitable."""

    async def load_managed_roles(self) -> list[dict[str, Any]]:
        """Roles that the authenticator defines, when ``manage_roles`` is on."""
        return []

    # -- pages ---------------------------------------------------------------------
    def login_url(self, base_url: str) -> str:
        """Where people go to sign in; ``base_url`` is the hub's prefix."""
        return join(base_url, "login")

    def logout_url(self, base_url: str) -> str:
        """Where people go to sign out."""
        return join(base_url, "logout")

    def get_custom_html(self, base_url: str) -> str:
        """HTML (a Jinja source) in place of the login form; empty: the form."""
        return self.custom_html

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """Tornado handlers under the hub's prefix: (path, class[, arguments])."""
        return list(self._login_handlers)
