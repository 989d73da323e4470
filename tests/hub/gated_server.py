"""A single-user server for hub tests: standard library only, so a hundred start in no time.

Answers every request below its prefix with who and what it is. With ``GATE`` in
its environment it runs, but listens only once that file exists.
"""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Handler(BaseHTTPRequestHandler):
    """Answers GET with the process's facts."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The owner, the prefix and the process id, as JSON."""
        body = json.dumps(
            {
                "user": os.environ["JUPYTERHUB_USER"],
                "prefix": os.environ["JUPYTERHUB_SERVICE_PREFIX"],
                "pid": os.getpid(),
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a hundred of these write to one log."""


def main() -> None:
    """Listen on the address that the hub gave, as soon as the gate is open."""
    gate = os.environ.get("GATE")
    while gate and not os.path.exists(gate):
        time.sleep(0.05)
    address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    ThreadingHTTPServer(
        (address.hostname or "127.0.0.1", address.port or 80), Handler
    ).serve_forever()


if __name__ == "__main__":
    main()
