"""What a hub tells a server or a service through its environment, read in one place.

Names and defaults are those of the single-user and services protocols.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from perijove.kit import urls

DEFAULT_API_ORIGIN = "http://127.0.0.1:8081"


class BadEnvironment(ValueError):
    """A variable that the hub should have set is missing or unreadable."""


def read_flag(env: Mapping[str, str], name: str, default: bool = False) -> bool:
    """A boolean variable: unset or empty is the default, ``0`` and ``false`` are false."""
    text = env.get(name, "").strip().lower()
    if not text:
        return default
    return text not in {"0", "false"}


def read_json(env: Mapping[str, str], name: str, kind: type) -> Any:
    """A variable that holds JSON; an empty ``kind`` when it is unset or empty.

    Raises BadEnvironment when the text is no JSON or holds another type.
    """
    text = env.get(name, "").strip()
    if not text:
        return kind()
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadEnvironment(f"{name} holds no valid JSON: {error}") from None
    if not isinstance(value, kind):
        raise BadEnvironment(f"{name} should hold a JSON {kind.__name__}, found {text[:80]!r}")
    return value


def _access_scopes(env: Mapping[str, str]) -> frozenset[str]:
    for name in ("JUPYTERHUB_OAUTH_ACCESS_SCOPES", "JUPYTERHUB_OAUTH_SCOPES"):
        if env.get(name, "").strip():
            return frozenset(str(scope) for scope in read_json(env, name, list))
    service = env.get("JUPYTERHUB_SERVICE_NAME", "")
    return frozenset({f"access:services!service={service}"}) if service else frozenset()


@dataclass(frozen=True, slots=True)
class HubAuthSettings:
    """All that identifying visitors depends on."""

    api_token: str = field(default="", repr=False)
    api_url: str = ""
    base_url: str = "/"
    hub_host: str = ""
    hub_prefix: str = "/hub/"
    public_url: str = ""
    client_id: str = ""
    oauth_redirect_uri: str = ""
    access_scopes: frozenset[str] = frozenset()
    group: str = ""
    allow_token_in_url: bool = False
    allow_websocket_cookie_auth: bool = True
    cookie_options: Mapping[str, Any] = field(default_factory=dict)
    cookie_host_prefix_enabled: bool = False
    keyfile: str = ""
    certfile: str = ""
    client_ca: str = ""

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "HubAuthSettings":
        """Read the variables. Raises BadEnvironment for one that cannot be read."""
        hub_prefix = urls.prefix_of(urls.join(env.get("JUPYTERHUB_BASE_URL") or "/", "hub/"))
        base_url = urls.prefix_of(env.get("JUPYTERHUB_SERVICE_PREFIX") or "/")
        api_url = env.get("JUPYTERHUB_API_URL") or f"{DEFAULT_API_ORIGIN}{hub_prefix}api"
        callback = env.get("JUPYTERHUB_OAUTH_CALLBACK_URL") or f"{base_url}oauth_callback"
        return cls(
            api_token=env.get("JUPYTERHUB_API_TOKEN", ""),
            api_url=api_url.rstrip("/"),
            base_url=base_url,
            hub_host=env.get("JUPYTERHUB_HOST", "").rstrip("/"),
            hub_prefix=hub_prefix,
            public_url=env.get("JUPYTERHUB_PUBLIC_URL", ""),
            client_id=env.get("JUPYTERHUB_CLIENT_ID", ""),
            oauth_redirect_uri=callback,
            access_scopes=_access_scopes(env),
            group=env.get("JUPYTERHUB_GROUP", ""),
            allow_token_in_url=read_flag(env, "JUPYTERHUB_ALLOW_TOKEN_IN_URL"),
            allow_websocket_cookie_auth=read_flag(
                env, "JUPYTERHUB_ALLOW_WEBSOCKET_COOKIE_AUTH", default=True
            ),
            cookie_options=read_json(env, "JUPYTERHUB_COOKIE_OPTIONS", dict),
            cookie_host_prefix_enabled=read_flag(env, "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED"),
            keyfile=env.get("JUPYTERHUB_SSL_KEYFILE", ""),
            certfile=env.get("JUPYTERHUB_SSL_CERTFILE", ""),
            client_ca=env.get("JUPYTERHUB_SSL_CLIENT_CA", ""),
        )


def callback_route(base_url: str, redirect_uri: str) -> str:
    """Where below ``base_url`` the OAuth callback is served: ``oauth_callback`` or a custom path.

    A redirect URI outside the prefix cannot reach this process, so the usual
    place is served then.
    """
    path = urlsplit(redirect_uri).path
    if path.startswith(base_url) and len(path) > len(base_url):
        return path[len(base_url) :]
    return "oauth_callback"
