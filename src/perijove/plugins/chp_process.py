"""The proxy as a process: found again, started, watched, ended.

The pid file holds the process id and, on a second line, the moment the process
began, so that a stranger who got the same id later is not mistaken for it.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from perijove.plugins.net import accepts_connections
from perijove.plugins.processes import birth_of, is_alive, launch, send_signal

PORT_TIMEOUT_S = 10.0
START_TIMEOUT_S = 15.0
PAUSE_S = 1.0


class ProxyProcess:
    """One proxy process and its pid file."""

    def __init__(
        self,
        command: list[str],
        options: list[str],
        *,
        token: str,
        umask: int,
        pid_file: str,
        public_url: str,
        api_url: str,
    ) -> None:
        self._command = command
        self._options = options
        self._token = token
        self._umask = umask
        self._pid_file = Path(pid_file)
        self._public_url = public_url
        self._api_url = api_url
        self._child: subprocess.Popen[bytes] | None = None
        self.pid = 0
        self._birth = ""

    # -- finding -----------------------------------------------------------------------
    async def find(self) -> bool:
        """Whether the pid file names a living proxy with our very options that takes requests."""
        if not self._read_pid_file():
            return False
        if not self._has_our_options():
            return False
        return await accepts_connections(self._public_url) and await accepts_connections(
            self._api_url
        )

    def _read_pid_file(self) -> bool:
        try:
            lines = self._pid_file.read_text().split("\n")
            pid = int(lines[0])
        except (OSError, ValueError, IndexError):
            return False
        birth = lines[1].strip() if len(lines) > 1 else ""
        if pid == os.getpid() or not is_alive(pid, birth):
            return False
        self.pid, self._birth = pid, birth or birth_of(pid)
        return True

    def _has_our_options(self) -> bool:
        """Whether the process was started with the options that we would start it with now.

        A changed port or certificate in the configuration must take effect. The
        words before the options are left out: a script's interpreter stands there.
        """
        words = self._words(self.pid)
        return words is None or words[-len(self._options) :] == self._options

    @staticmethod
    def _words(pid: int) -> list[str] | None:
        if sys.platform != "linux":
            return None
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return []
        return [os.fsdecode(word) for word in raw.split(b"\0")[:-1]]

    def _looks_like_proxy(self) -> bool:
        words = self._words(self.pid)
        return words is None or "--error-target" in words or "--api-port" in words

    # -- starting and ending -------------------------------------------------------------
    async def replace(self) -> None:
        """End a process that is left over, start a new one, and wait until it takes requests.

        Raises RuntimeError when it does not, FileNotFoundError for a missing command.
        """
        if self._child is None and self._read_pid_file():
            if self._looks_like_proxy():
                await self.end()
            else:
                self._forget()
        await asyncio.to_thread(self._launch)
        try:
            await self._wait_up()
        except BaseException:
            await self.end()
            raise

    def _launch(self) -> None:
        env = {**os.environ, "CONFIGPROXY_AUTH_TOKEN": self._token}
        try:
            self._child = launch([*self._command, *self._options], env, umask=self._umask)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"there is no {self._command[0]!r} to start the proxy with; see "
                "c.ConfigurableHTTPProxy.command"
            ) from error
        self.pid = self._child.pid
        self._birth = birth_of(self.pid)
        self._pid_file.write_text(f"{self.pid}\n{self._birth}\n")

    async def _wait_up(self) -> None:
        end = time.monotonic() + START_TIMEOUT_S
        for url in (self._public_url, self._api_url):
            limit = min(end, time.monotonic() + PORT_TIMEOUT_S)
            while not await accepts_connections(url):
                if (status := self.poll()) is not None:
                    raise RuntimeError(
                        f"the proxy ended at once with exit code {status}; is {url} taken? "
                        "Its own messages are above"
                    )
                if time.monotonic() > limit:
                    raise RuntimeError(f"the proxy does not listen at {url}")
                await asyncio.sleep(0.05)
            # Another program may hold the port that ours could not get.
            if (status := self.poll()) is not None:
                raise RuntimeError(f"the proxy ended with exit code {status}; is {url} taken?")

    def poll(self) -> int | None:
        """None while the process lives, else its exit code (0 when that is unknown)."""
        if self._child is not None:
            return self._child.poll()
        return None if is_alive(self.pid, self._birth) else 0

    async def end(self) -> None:
        """SIGTERM, SIGTERM, SIGKILL, a second apart, until the process is gone."""
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if self.poll() is not None:
                break
            with contextlib.suppress(PermissionError):
                send_signal(self.pid, number, self._birth)
            await self._wait_gone()
        self._forget()

    async def _wait_gone(self) -> None:
        end = time.monotonic() + PAUSE_S
        while self.poll() is None and time.monotonic() < end:
            await asyncio.sleep(0.02)

    def _forget(self) -> None:
        self._child = None
        self.pid, self._birth = 0, ""
        self._pid_file.unlink(missing_ok=True)
