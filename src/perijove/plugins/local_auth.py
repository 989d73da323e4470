"""An authenticator for the users of this machine."""

import asyncio
import grp
import os
import pwd
import shutil
import subprocess
from typing import Any

from traitlets import Bool, Dict, Set, default

from perijove.kit.aio import maybe_await
from perijove.plugins.authenticator import Authenticator
from perijove.plugins.traits import Command


class LocalAuthenticator(Authenticator):
    """Base of authenticators whose people are system users. Can create missing ones."""

    create_system_users = Bool(
        False, help="Create the system user of somebody who is new to the hub."
    ).tag(config=True)
    add_user_cmd = Command(
        help="Command that creates a system user; USERNAME in it is replaced, and the name is "
        "added at the end."
    ).tag(config=True)
    uids = Dict(help="User ids by name, for created system users.").tag(config=True)
    allowed_groups = Set(help="Members of these system groups may come in.").tag(config=True)
    group_whitelist = Set(help="Old name of allowed_groups.").tag(config=True)

    @default("add_user_cmd")
    def _default_add_user_cmd(self) -> list[str]:
        if shutil.which("pw"):
            return ["pw", "useradd", "-m", "-n"]
        return ["adduser", "-q", "--gecos", '""', "--disabled-password"]

    def check_allowed(self, username: str, authentication: dict[str, Any] | None = None) -> Any:
        """Whether the name, or one of its system groups, is allowed."""
        if self.check_allowed_groups(username, authentication):
            return True
        return super().check_allowed(username, authentication)

    def check_allowed_groups(
        self, username: str, authentication: dict[str, Any] | None = None
    ) -> bool:
        """Whether the name is a member of one of ``allowed_groups``."""
        return bool(self.allowed_groups) and self._in_groups(username, self.allowed_groups)

    def check_group_whitelist(
        self, username: str, authentication: dict[str, Any] | None = None
    ) -> bool:
        """Old name of ``check_allowed_groups``."""
        return type(self).check_allowed_groups(self, username, authentication)

    def _in_groups(self, username: str, names: set[str], *, strict: bool = False) -> bool:
        """Whether a system user is in one of the system groups.

        Groups that do not exist are logged, or with ``strict`` raise KeyError.
        """
        try:
            account = self._getpwnam(username)
        except KeyError:
            self.log.warning("There is no system user %r to look up groups of", username)
            return False
        member_of = set(self._getgrouplist(username, account.pw_gid))
        for name in names:
            try:
                group = self._getgrnam(name)
            except KeyError:
                if strict:
                    raise KeyError(f"there is no system group {name!r}") from None
                self.log.error("There is no system group %r", name)
                continue
            if group.gr_gid in member_of or username in group.gr_mem:
                return True
        return False

    async def add_user(self, user: Any) -> None:
        """Check the system user, or create it. Raises KeyError when it is missing."""
        if not await asyncio.to_thread(self.system_user_exists, user):
            if not self.create_system_users:
                raise KeyError(
                    f"there is no system user {user.name!r}; with "
                    "c.LocalAuthenticator.create_system_users = True it would be created"
                )
            await asyncio.to_thread(self.add_system_user, user)
        await maybe_await(super().add_user(user))

    def system_user_exists(self, user: Any) -> bool:
        """Whether the system knows the user."""
        try:
            self._getpwnam(user.name)
        except KeyError:
            return False
        return True

    def add_system_user(self, user: Any) -> None:
        """Create the system user. Blocks. Raises RuntimeError with the command's own words."""
        name = user.name
        if name.startswith("-"):
            raise ValueError(f"the user name {name!r} would be taken for an option")
        cmd = [word.replace("USERNAME", name) for word in self.add_user_cmd]
        if (uid := self.uids.get(name)) is not None:
            cmd += ["--uid", str(int(uid))]
        cmd.append(name)
        self.log.info("Creating the system user: %s", cmd)
        done = subprocess.run(
            cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"could not create the system user {name!r}: {done.stdout.strip()}")

    # Separate, so that plug-ins and tests can put other sources in their place.
    @staticmethod
    def _getgrnam(name: str) -> grp.struct_group:
        return grp.getgrnam(name)

    @staticmethod
    def _getpwnam(name: str) -> pwd.struct_passwd:
        return pwd.getpwnam(name)

    @staticmethod
    def _getgrouplist(name: str, group: int) -> list[int]:
        return os.getgrouplist(name, group)
