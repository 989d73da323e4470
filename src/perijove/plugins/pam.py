"""Sign-in with the passwords of this machine, by PAM."""

import asyncio
import pwd
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pamela
from traitlets import Any as AnyTrait
from traitlets import Bool, Integer, Set, Unicode, default

from perijove.kit.aio import maybe_await
from perijove.plugins.local_auth import LocalAuthenticator


class PAMAuthenticator(LocalAuthenticator):
    """Checks names and passwords with PAM. The calls block, so they have threads of their own."""

    encoding = Unicode("utf8", help="Text encoding for PAM.").tag(config=True)
    service = Unicode("login", help="PAM service to ask.").tag(config=True)
    open_sessions = Bool(False, help="Open a PAM session for the life of each server.").tag(
        config=True
    )
    check_account = Bool(True, help="Also ask PAM whether the account may be used now.").tag(
        config=True
    )
    admin_groups = Set(help="Members of these system groups are admins, nobody else is.").tag(
        config=True
    )
    pam_normalize_username = Bool(
        False, help="Take the name that the system has for the user id, not the one typed."
    ).tag(config=True)
    executor_threads = Integer(4, min=1, help="Threads for calls of PAM.").tag(config=True)
    executor = AnyTrait()

    @default("executor")
    def _default_executor(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.executor_threads, thread_name_prefix="pam")

    async def _in_thread(self, call: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.executor, call, *args)

    async def authenticate(self, handler: Any, data: dict[str, str] | None) -> str | None:
        """The name, if PAM accepts the password (and the one-time password, if asked for)."""
        if not data:
            return None
        name: str | None = await self._in_thread(self._ask_pam, data)
        return name

    def _ask_pam(self, data: dict[str, str]) -> str | None:
        name, password = data.get("username", ""), data.get("password", "")
        otp = data.get("otp", "")
        if not name or "\0" in name + password + otp:
            return None  # C strings end at a NUL, so PAM would see another name or password
        secret: Any = (password, otp) if self.request_otp else password
        try:
            pamela.authenticate(name, secret, service=self.service, encoding=self.encoding)
        except pamela.PAMError as error:
            self.log.warning("PAM authentication of %r failed: %s", name, error)
            return None
        if not self.check_account:
            return name
        try:
            pamela.check_account(name, service=self.service, encoding=self.encoding)
        except pamela.PAMError as error:
            self.log.warning("PAM account check of %r failed: %s", name, error)
            return None
        return name

    async def is_admin(self, handler: Any, authentication: dict[str, Any]) -> bool | None:
        """Admins by ``admin_users``; with ``admin_groups`` the groups decide for all others.

        Raises KeyError when such a group cannot be looked up: nobody loses
        rights because a directory is away.
        """
        answer: bool | None = await maybe_await(super().is_admin(handler, authentication))
        if answer or not self.admin_groups:
            return answer
        name = authentication["name"]
        groups = set(self.admin_groups)
        return bool(await self._in_thread(lambda: self._in_groups(name, groups, strict=True)))

    def normalize_username(self, username: str) -> str:
        """The name as stored: by user id, or lower case; then ``username_map``."""
        if not self.pam_normalize_username:
            return super().normalize_username(username)
        username = pwd.getpwuid(pwd.getpwnam(username).pw_uid).pw_name
        return str(self.username_map.get(username, username))

    async def pre_spawn_start(self, user: Any, spawner: Any) -> None:
        """Open the PAM session of a server."""
        await self._session(pamela.open_session, user.name)

    async def post_spawn_stop(self, user: Any, spawner: Any) -> None:
        """Close the PAM session of a server."""
        await self._session(pamela.close_session, user.name)

    async def _session(self, call: Callable[..., Any], name: str) -> None:
        if not self.open_sessions:
            return
        try:
            await self._in_thread(lambda: call(name, service=self.service, encoding=self.encoding))
        except pamela.PAMError as error:
            self.log.warning("%s for %r failed: %s", call.__name__, name, error)
            self.log.warning("PAM sessions are switched off from now on")
            self.open_sessions = False
