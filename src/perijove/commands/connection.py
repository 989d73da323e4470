"""Which hub a command talks to, and with which token."""

import os
import urllib.request
from argparse import ArgumentParser, Namespace
from pathlib import Path
from urllib.parse import urlsplit

from perijove.wire.client import BadAddress, HubClient, Retries
from perijove.wire.client_address import parse_hub_url, read_environment

RETRIES = Retries(attempts=4, max_s=1.0, within_s=30.0)
"""Somebody waits at the keyboard."""

_LOOPBACK = ("localhost", "127.", "::1")
_NO_TOKEN = (
    "There is no token to show to the hub: set JUPYTERHUB_API_TOKEN, or give --token or "
    "--token-file. On the hub's machine, perijove token NAME -f CONFIG makes one."
)


def add_connection_options(parser: ArgumentParser) -> None:
    """``--url``, ``--token``, ``--token-file`` and ``--json``."""
    group = parser.add_argument_group("which hub")
    group.add_argument(
        "--url",
        help="of the hub, its API, or one of its pages (default: $JUPYTERHUB_API_URL, "
        "or the hub of this machine at port 8081)",
    )
    group.add_argument(
        "--token",
        help="API token (default: $JUPYTERHUB_API_TOKEN); others on this machine can see it here",
    )
    group.add_argument("--token-file", metavar="FILE", help="file that holds the token")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def connect(args: Namespace) -> HubClient:
    """The client that the options and the environment describe. Raises BadAddress."""
    if args.url:
        # Given by hand it is a public address, for which neither the authority of the
        # inner ones nor their direct way holds.
        proxy = proxy_of(parse_hub_url(args.url).url)
        return HubClient(args.url, _token(args), proxy=proxy, retries=RETRIES)
    found = read_environment()
    return HubClient(found.url, _token(args), ssl_context=found.ssl_context, retries=RETRIES)


def _token(args: Namespace) -> str:
    token = args.token or os.environ.get("JUPYTERHUB_API_TOKEN")
    if args.token_file:
        try:
            token = Path(args.token_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadAddress(f"--token-file {args.token_file} cannot be read: {error}") from None
    if not token:
        raise BadAddress(_NO_TOKEN)
    return token


def proxy_of(url: str) -> str | None:
    """The HTTP proxy that the environment names for ``url``; none for this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if "+unix" in parts.scheme or host.startswith(_LOOPBACK) or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(parts.scheme)
