"""Authenticators without a user directory: for tests, for classes, for nobody."""

import hmac
from typing import Any

from traitlets import Bool, Dict, TraitError, Unicode, default, observe, validate

from perijove.domain.errors import ConfigError
from perijove.plugins.authenticator import Authenticator

MIN_USER_PASSWORD = 8
MIN_ADMIN_PASSWORD = 32


def same_text(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(
        one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass")
    )


class DummyAuthenticator(Authenticator):
    """Lets people in under any name, with any password or one shared one. For testing only."""

    password = Unicode("", help="If set, the only password that is accepted.").tag(config=True)

    @default("allow_all")
    def _default_allow_all(self) -> bool:
        return not self.allowed_users

    @observe("password")
    def _prefer_shared_password(self, change: Any) -> None:
        if change["new"]:
            self.log.warning(
                "DummyAuthenticator.password is old; SharedPasswordAuthenticator does that"
            )

    def check_allow_config(self) -> None:
        """Warn that the hub is open."""
        super().check_allow_config()
        self.log.warning("DummyAuthenticator lets anybody in; it is for testing only")

    async def authenticate(self, handler: Any, data: dict[str, str] | None) -> str | None:
        """The name that was typed, if the password is right or none is asked for."""
        if not data or not data.get("username"):
            return None
        if self.password and not same_text(data.get("password", ""), self.password):
            return None
        return data["username"]


class NullAuthenticator(Authenticator):
    """Lets nobody sign in: for hubs that are used by tokens only."""

    auto_login = Bool(True)
    login_service = Unicode("null")

    def check_allow_config(self) -> None:
        """Nobody coming in is what this class is for: no warning."""

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """No login page at all."""
        return []


class SharedPasswordAuthenticator(Authenticator):
    """One password for everybody, another one for admins."""

    user_password = Unicode(
        None,
        allow_none=True,
        help=f"Password of everybody who is no admin; at least {MIN_USER_PASSWORD} characters.",
    ).tag(config=True)
    admin_password = Unicode(
        None,
        allow_none=True,
        help=f"Password of admin_users; at least {MIN_ADMIN_PASSWORD} characters.",
    ).tag(config=True)
    password_groups = Dict(
        help="More passwords, each with the groups that signing in with it gives; needs "
        "manage_groups."
    ).tag(config=True)

    @validate("user_password")
    def _check_user_password(self, proposal: Any) -> Any:
        return _long_enough("user_password", proposal["value"], MIN_USER_PASSWORD)

    @validate("admin_password")
    def _check_admin_password(self, proposal: Any) -> Any:
        return _long_enough("admin_password", proposal["value"], MIN_ADMIN_PASSWORD)

    @validate("password_groups")
    def _check_password_groups(self, proposal: Any) -> Any:
        for password in proposal["value"]:
            _long_enough("password_groups", password, MIN_USER_PASSWORD)
        return proposal["value"]

    def check_allow_config(self) -> None:
        """Raises ConfigError when the passwords contradict one another."""
        super().check_allow_config()
        if self.admin_password is not None and (
            self.admin_password == self.user_password or self.admin_password in self.password_groups
        ):
            raise ConfigError(
                "c.SharedPasswordAuthenticator.admin_password must differ from the other passwords"
            )
        if self.password_groups and not self.manage_groups:
            raise ConfigError(
                "c.SharedPasswordAuthenticator.password_groups needs "
                "c.Authenticator.manage_groups = True"
            )
        if self.user_password is None and self.admin_password is None and not self.password_groups:
            self.log.warning("SharedPasswordAuthenticator has no password, so nobody can log in")

    async def authenticate(self, handler: Any, data: dict[str, str] | None) -> Any:
        """The name that was typed, if it came with a password that fits it."""
        if not data or not data.get("username"):
            return None
        password = data.get("password", "")
        name = data["username"]
        if self.normalize_username(name) in self.admin_users:
            if self.admin_password is None or not same_text(password, self.admin_password):
                return None
            return self._model(name, [])
        groups = None
        for secret, given in self.password_groups.items():
            if same_text(password, secret):
                groups = list(given)
        if self.user_password is not None and same_text(password, self.user_password):
            groups = groups or []
        return None if groups is None else self._model(name, groups)

    def _model(self, name: str, groups: list[str]) -> dict[str, Any]:
        return {"name": name, **({"groups": groups} if self.manage_groups else {})}


def _long_enough(option: str, value: str | None, minimum: int) -> str | None:
    if value is not None and len(value) < minimum:
        raise TraitError(f"{option} must have at least {minimum} characters")
    return value
