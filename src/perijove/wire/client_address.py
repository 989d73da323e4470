"""Where a hub's API is: from a URL that a person has at hand, or from the environment."""

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from perijove.kit.tls import make_caller_context
from perijove.kit.urls import join, unix_socket_of
from perijove.wire.client_errors import BadAddress

DEFAULT_ORIGIN = "http://127.0.0.1:8081"
"""Where a hub listens unless configured otherwise; the proxy is not needed."""

_EXAMPLE = "Write it like https://hub.example.org/ or http://127.0.0.1:8000/hub/api."
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the API is: ``url`` without a slash at its end, and the UNIX socket if it is one."""

    url: str
    socket: str | None = None

    @property
    def base(self) -> str:
        """What paths are appended to; for a socket the host is of no meaning."""
        if self.socket is None:
            return self.url
        parts = urlsplit(self.url)
        return f"{parts.scheme.partition('+')[0]}://localhost{parts.path}"


def parse_hub_url(url: str) -> Address:
    """The API of the hub that ``url`` leads to. Raises BadAddress.

    Takes the API's own URL, that of the hub (``/hub``), of a page of it, or of what
    is in front of it; ``http+unix://%2Fpath%2Fto%2Fsocket`` for a UNIX socket.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        port = parts.port if "+unix" not in parts.scheme else None
    except ValueError as error:
        raise BadAddress(f"{url!r} is no URL: {error}", advice=_EXAMPLE) from None
    if parts.scheme not in {"http", "https", "http+unix", "https+unix"} or not parts.netloc:
        raise BadAddress(f"{url!r} is not the URL of a hub", advice=_EXAMPLE)
    if "@" in parts.netloc:
        raise BadAddress("The hub's URL must not hold a user name or password", advice=_EXAMPLE)
    if _CONTROL.search(url) or port == 0 or not (parts.hostname or "+unix" in parts.scheme):
        raise BadAddress(f"{url!r} is not the URL of a hub", advice=_EXAMPLE)
    socket = unix_socket_of(url)
    if socket is not None and not socket.startswith("/"):
        raise BadAddress(
            f"{url!r} names no socket",
            advice="Write it like http+unix://%2Frun%2Fhub.sock/hub/api.",
        )
    return Address(f"{parts.scheme}://{parts.netloc}{_api_path(parts.path)}", socket)


def _api_path(path: str) -> str:
    """``/BASE/hub/api`` for the path of the API, the hub, one of its pages, or of its base."""
    path = join("/", path).rstrip("/")
    if path.endswith("/hub/api"):
        return path
    base, found, _ = f"{path}/".rpartition("/hub/")
    return f"{base if found else path}/hub/api"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the environment says about the hub, as it does for servers and services."""

    url: str
    token: str | None = field(repr=False)
    ssl_context: ssl.SSLContext | None


def read_environment(env: Mapping[str, str] | None = None) -> Surroundings:
    """JUPYTERHUB_API_URL, JUPYTERHUB_API_TOKEN and JUPYTERHUB_SSL_*.

    Without a URL it is that of a hub on this machine with the default port. Raises
    BadAddress when a file that is named cannot be read.
    """
    env = os.environ if env is None else env
    files = [env.get(f"JUPYTERHUB_SSL_{name}", "") for name in ("KEYFILE", "CERTFILE", "CLIENT_CA")]
    try:
        context = make_caller_context(*files)
    except OSError as error:
        named = ", ".join(filter(None, files))
        raise BadAddress(
            f"The files named by JUPYTERHUB_SSL_* ({named}) cannot be used: {error}"
        ) from None
    default = DEFAULT_ORIGIN + join("/", env.get("JUPYTERHUB_BASE_URL", ""), "hub/api")
    return Surroundings(
        env.get("JUPYTERHUB_API_URL") or default, env.get("JUPYTERHUB_API_TOKEN") or None, context
    )
