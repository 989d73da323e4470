"""What the kit's spawners start instead of a Jupyter server: it tells how it was started.

``/args`` under its prefix gives the command line, ``/env`` the environment, both as
JSON; every other path gives itself back.
"""

import json
import os
import signal
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Echo(BaseHTTPRequestHandler):
    """Answers GET."""

    def do_GET(self) -> None:
        """Tell what was asked for."""
        path = urlsplit(self.path).path
        if path.endswith("/args"):
            self._answer("application/json", json.dumps(sys.argv))
        elif path.endswith("/env"):
            self._answer("application/json", json.dumps(dict(os.environ)))
        else:
            self._answer("text/plain; charset=utf-8", path)

    def _answer(self, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Tests want no noise."""


def main() -> None:
    """Serve at ``JUPYTERHUB_SERVICE_URL`` until told to end."""
    address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = ThreadingHTTPServer((address.hostname or "127.0.0.1", address.port or 8888), Echo)
    server.daemon_threads = True
    if address.scheme == "https":  # internal_ssl: only the hub and the proxy may come in
        context = ssl.create_default_context(
            ssl.Purpose.CLIENT_AUTH, cafile=os.environ["JUPYTERHUB_SSL_CLIENT_CA"]
        )
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(
            os.environ["JUPYTERHUB_SSL_CERTFILE"], os.environ["JUPYTERHUB_SSL_KEYFILE"]
        )
        server.socket = context.wrap_socket(server.socket, server_side=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
