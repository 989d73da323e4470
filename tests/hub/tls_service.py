"""A service that speaks TLS with its hub's certificates and says who the hub says a caller is."""

import json
import os
import ssl
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

PAIR = os.environ["JUPYTERHUB_SSL_CERTFILE"], os.environ["JUPYTERHUB_SSL_KEYFILE"]
TRUSTED = os.environ["JUPYTERHUB_SSL_CLIENT_CA"]


def ask_hub(path: str) -> dict[str, object]:
    """What the hub's API answers this service."""
    context = ssl.create_default_context(cafile=TRUSTED)
    context.load_cert_chain(*PAIR)
    request = urllib.request.Request(
        os.environ["JUPYTERHUB_API_URL"] + path,
        headers={"Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}"},
    )
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    with opener.open(request, timeout=10) as reply:
        answer: dict[str, object] = json.load(reply)
        return answer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"hub says": ask_hub("/user")}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    server = HTTPServer((address.hostname or "", address.port or 443), Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=TRUSTED)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(*PAIR)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
