"""The command itself as a process, as the hub starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import Any

from proxy_kit import closed_port

LIMIT_S = 20.0


class Process:
    """A proxy as the hub starts it."""

    def __init__(self, *words: str, token: str = "secret", **popen: Any) -> None:
        self.port, self.api_port = closed_port(), closed_port()
        self.command = [
            sys.executable, "-m", "perijove.proxy.main",
            "--ip", "127.0.0.1", "--port", str(self.port),
            "--api-ip", "127.0.0.1", "--api-port", str(self.api_port), *words,
        ]  # fmt: skip
        self.popen = subprocess.Popen(
            self.command,
            env={**os.environ, "CONFIGPROXY_AUTH_TOKEN": token},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **popen,
        )

    def wait_until_it_listens(self) -> None:
        """Return when both ports answer."""
        end = time.monotonic() + LIMIT_S
        for port in (self.port, self.api_port):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert self.popen.poll() is None, self.popen.communicate()[0]
                    assert time.monotonic() < end, "the proxy does not listen"
                    time.sleep(0.01)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; returns status and output."""
        self.popen.send_signal(number)
        output, _ = self.popen.communicate(timeout=LIMIT_S)
        return self.popen.returncode, output

    def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """What the REST API answers: decoded JSON, or None."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.api_port}/api/routes{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": "token secret"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=LIMIT_S) as reply:
            text = reply.read()
            return json.loads(text) if text else None

    def get(self, path: str, port: int | None = None) -> bytes:
        """The body of an answer."""
        url = f"http://127.0.0.1:{port or self.port}{path}"
        with urllib.request.urlopen(url, timeout=LIMIT_S) as reply:
            body: bytes = reply.read()
            return body
