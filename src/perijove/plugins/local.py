"""Spawners that start servers as processes of this machine."""

import asyncio
import json
import os
import pwd
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Dict, Integer, Unicode, default

from perijove.kit.aio import maybe_await
from perijove.plugins.net import connectable, random_port
from perijove.plugins.processes import (
    birth_of,
    child_of,
    find_leader,
    is_alive,
    launch,
    send_signal,
)
from perijove.plugins.spawner import Spawner
from perijove.plugins.traits import Command

KEPT_VARIABLES = [
    "CONDA_DEFAULT_ENV",
    "CONDA_ROOT",
    "JUPYTERHUB_SINGLEUSER_APP",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONPATH",
    "VIRTUAL_ENV",
]

# Runs as the server's user, so that no link in the user's home can mislead a root process.
_STORE_CERTS = """
import json, os, sys
where, files = json.load(sys.stdin)
os.umask(0o077)
os.makedirs(where, exist_ok=True)
os.chmod(where, 0o700)
for name, text in files.items():
    path = os.path.join(where, name)
    if os.path.lexists(path):
        os.unlink(path)
    with open(path, "x") as file:
        file.write(text)
"""


def set_user_setuid(username: str, chdir: bool = True) -> Callable[[], None]:
    """A function that makes the process calling it one of ``username``.

    For ``preexec_fn`` of plug-ins: new session, group, groups, user, and (with
    ``chdir``) the home directory. Raises KeyError for an unknown user.
    """
    account = pwd.getpwnam(username)
    groups = os.getgrouplist(username, account.pw_gid)

    def become() -> None:
        try:
            os.setsid()
        except PermissionError:
            pass  # start_new_session has done it already
        os.setgid(account.pw_gid)
        try:
            os.setgroups(groups)
        except PermissionError:
            pass  # not root: the groups are those of the hub's own user
        os.setuid(account.pw_uid)
        if chdir:
            try:
                os.chdir(account.pw_dir)
            except OSError:
                os.chdir("/")

    return become


class LocalProcessSpawner(Spawner):
    """Starts servers as processes of the system users of the same names.

    Needs root, unless the hub serves its own user only.
    """

    cmd = Command(
        [sys.executable, "-m", "perijove", "singleuser"],
        allow_none=True,
        help="The command of a server, as a list of words.",
    ).tag(config=True)
    interrupt_timeout = Integer(30, help="Seconds from SIGINT to SIGTERM at a stop.").tag(
        config=True
    )
    term_timeout = Integer(30, help="Seconds from SIGTERM to SIGKILL at a stop.").tag(config=True)
    kill_timeout = Integer(5, help="Seconds after SIGKILL until the hub gives up.").tag(config=True)
    popen_kwargs = Dict(help="More arguments of subprocess.Popen (not env).").tag(config=True)
    shell_cmd = Command(
        minlen=0,
        help="A shell and its options, e.g. ['bash', '-lc']; the quoted command of the server is "
        "added as one word.",
    ).tag(config=True)

    proc = AnyTrait(None, allow_none=True)
    pid = Integer(0)
    _pid_birth = Unicode("")

    @default("env_keep")
    def _env_keep_default(self) -> list[str]:
        return list(KEPT_VARIABLES)

    @property
    def _local_host(self) -> str:
        """The machine whose processes these are."""
        return socket.gethostname()

    # -- state -----------------------------------------------------------------
    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a process of an earlier hub, or of an earlier object of this one."""
        super().load_state(state)
        if "pid" in state:
            self.pid = state["pid"]
            self._pid_birth = state.get("pid_birth", "")
            self.proc = child_of(self.pid)

    def get_state(self) -> dict[str, Any]:
        """The process id, and the moment the process began."""
        state = super().get_state()
        if self.pid:
            state["pid"] = self.pid
            if self._pid_birth:
                state["pid_birth"] = self._pid_birth
        return state

    def clear_state(self) -> None:
        """Forget the process."""
        super().clear_state()
        self.pid = 0
        self._pid_birth = ""
        self.proc = None

    # -- environment -------------------------------------------------------------
    def user_env(self, env: dict[str, Any]) -> dict[str, Any]:
        """Add USER, HOME and SHELL of the system user. Raises KeyError for an unknown one."""
        account = self._account()
        env["USER"] = self.user.name
        env["HOME"] = account.pw_dir
        if account.pw_shell:
            env["SHELL"] = account.pw_shell
        return env

    def get_env(self) -> dict[str, Any]:
        """The server's environment with the system user's variables."""
        env = super().get_env()
        return self.user_env(env) if self.user.name else env

    def _account(self) -> pwd.struct_passwd:
        return pwd.getpwnam(self.user.name)

    # -- start -------------------------------------------------------------------
    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """What the child runs before the server's program; for subclasses to replace.

        The hub itself calls it only where a subclass has replaced it: a Python
        function in a forked child is slow, and unsafe in a threaded parent.
        """
        return set_user_setuid(name)

    def _process_options(self) -> dict[str, Any]:
        """How the process becomes one of the user: arguments of ``subprocess.Popen``.

        Runs in a thread, as looking up users may ask a directory server.
        """
        account = self._account()
        options: dict[str, Any] = {"cwd": account.pw_dir}
        if account.pw_uid != os.getuid():
            options["user"] = account.pw_uid
            options["group"] = account.pw_gid
            options["extra_groups"] = os.getgrouplist(account.pw_name, account.pw_gid)
        return options

    def _popen(self, cmd: list[str], env: dict[str, str]) -> "subprocess.Popen[bytes]":
        own_preexec = [
            LocalProcessSpawner.make_preexec_fn,
            SimpleLocalProcessSpawner.make_preexec_fn,
        ]
        if type(self).make_preexec_fn in own_preexec:
            options = self._process_options()
        else:
            options = {"preexec_fn": self.make_preexec_fn(self.user.name)}
        options |= {key: value for key, value in self.popen_kwargs.items() if key != "env"}
        return launch(cmd, env, **options)

    async def _launch(self, cmd: list[str], env: dict[str, str]) -> None:
        starting = asyncio.ensure_future(asyncio.to_thread(self._popen, cmd, env))
        try:
            await asyncio.shield(starting)
        finally:
            # Also when cancelled: a process that nobody knows could never be stopped.
            child = await starting
            self.proc = child
            self.pid = child.pid
            self._pid_birth = birth_of(child.pid)

    async def start(self) -> tuple[str, int]:
        """Start the server's process; its address."""
        if self.port == 0:
            self.port = random_port()
        cmd = [*(self.cmd or []), *self.get_args()]
        if self.shell_cmd:
            cmd = [*self.shell_cmd, shlex.join(cmd)]
        env = {key: str(value) for key, value in self.get_env().items()}
        self.log.info("Starting %s: %s", self._log_name, shlex.join(cmd))
        try:
            await self._launch(cmd, env)
        except PermissionError as error:
            raise PermissionError(
                f"cannot start {cmd[0]} as {self.user.name}: {error.strerror}. Starting processes "
                "of other system users needs root (or SimpleLocalProcessSpawner, or sudospawner)"
            ) from error
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"there is no {error.filename!r} to start the server with; see "
                f"c.{type(self).__name__}.cmd"
            ) from error
        return (connectable(self.ip), self.port)

    # -- watching and stopping -----------------------------------------------------
    async def poll(self) -> int | None:
        """None while the process runs, else its exit status (0 when that is unknown)."""
        if self.proc is not None:
            status: int | None = self.proc.poll()
            if status is not None:
                self.clear_state()
            return status
        if not self.pid:
            self.clear_state()
            return 0
        if is_alive(self.pid, self._pid_birth):
            return None
        self.clear_state()
        return 0

    async def _signal(self, sig: int) -> bool:
        """Signal the process; False when it is gone. SIGKILL takes its whole group."""
        return send_signal(self.pid, sig, self._pid_birth, group=sig == signal.SIGKILL)

    async def stop(self, now: bool = False) -> None:
        """Interrupt, terminate, kill: each when the one before had its time."""
        steps = [
            (signal.SIGINT, self.interrupt_timeout),
            (signal.SIGTERM, self.term_timeout),
            (signal.SIGKILL, self.kill_timeout),
        ]
        for number, timeout_s in steps[1:] if now else steps:
            if await maybe_await(self.poll()) is not None:
                return
            self.log.debug("Sending %s to %s (%s)", number.name, self.pid, self._log_name)
            await maybe_await(self._signal(number))
            await self.wait_for_death(timeout_s)
        if await maybe_await(self.poll()) is None:
            self.log.warning("Process %s of %s does not die", self.pid, self._log_name)

    async def _find_lost(self) -> bool:
        """Find a process of this machine that was started for this very server."""
        marks = {
            key: value
            for key, value in self.get_env().items()
            if key in {"JUPYTERHUB_API_URL", "JUPYTERHUB_CLIENT_ID", "JUPYTERHUB_SERVICE_PREFIX"}
        }
        pid = await asyncio.to_thread(find_leader, marks)
        if pid is None:
            return False
        self.pid, self._pid_birth, self.proc = pid, birth_of(pid), child_of(pid)
        return True

    # -- certificates ------------------------------------------------------------
    async def move_certs(self, paths: dict[str, str]) -> dict[str, str]:
        """Copy key and certificates to ``~/.jupyterhub/jupyterhub-certs/``, for the user only."""
        return await asyncio.to_thread(self._copy_certs, paths)

    def _copy_certs(self, paths: dict[str, str]) -> dict[str, str]:
        options = self._process_options()
        home = self._account().pw_dir
        where = str(Path(home, ".jupyterhub", "jupyterhub-certs", self.name or "default"))
        files = {f"{kind}.pem": Path(path).read_text() for kind, path in paths.items()}
        subprocess.run(
            [sys.executable, "-I", "-c", _STORE_CERTS],
            input=json.dumps([where, files]),
            text=True,
            check=True,
            **options,
        )
        return {kind: f"{where}/{kind}.pem" for kind in paths}


class SimpleLocalProcessSpawner(LocalProcessSpawner):
    """Starts all servers as the hub's own user, each in a directory of its own.

    For trying things out: users are not protected from one another.
    """

    home_dir_template = Unicode(
        "/tmp/{username}", help="Home directory of a user; made when missing."
    ).tag(config=True)
    home_dir = Unicode(help="The home directory of this server's user.")

    @default("home_dir")
    def _default_home_dir(self) -> str:
        name = self.user.name
        if "/" in name or name in {"", ".", ".."}:
            raise ValueError(f"{name!r} cannot be the name of a directory")
        return self.home_dir_template.format(username=name, userid=self.user.id)

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """What the child runs before the server's program; for subclasses to replace."""
        home = self.home_dir

        def enter_home() -> None:
            os.makedirs(home, 0o755, exist_ok=True)
            os.chdir(home)

        return enter_home

    def _process_options(self) -> dict[str, Any]:
        """The home directory, made when missing. Runs in a thread."""
        os.makedirs(self.home_dir, 0o755, exist_ok=True)
        return {"cwd": self.home_dir}

    def user_env(self, env: dict[str, Any]) -> dict[str, Any]:
        """Add USER, HOME and SHELL; no system user is needed."""
        env["USER"] = self.user.name
        env["HOME"] = self.home_dir
        env["SHELL"] = "/bin/bash"
        return env

    async def move_certs(self, paths: dict[str, str]) -> dict[str, str]:
        """The hub's own files: the server runs as the same user."""
        return paths
