"""The environment of a single-user server, in the order that its protocol sets down.

Later entries win: the old ``env`` option, the variables kept from the hub's
own environment, the table of the protocol, and last what the operator wrote
into ``environment``.
"""

import json
import os
from typing import Any
from urllib.parse import urlsplit

from perijove.kit.urls import bracket_ipv6, escape_name, join


def build_environment(spawner: Any) -> dict[str, Any]:
    """The environment for ``spawner``'s process."""
    env: dict[str, Any] = {}
    if spawner.env:
        spawner.log.warning("Spawner.env is old; use Spawner.environment")
        env.update(spawner.env)
    kept = ((key, os.environ.get(key)) for key in spawner.env_keep)
    env.update({key: value for key, value in kept if value is not None})
    env.update(_identity(spawner))
    env.update(_urls(spawner))
    env.update(_oauth(spawner))
    env.update(_certificates(spawner))
    env.update(_preferences(spawner))
    env.update(_limits(spawner))
    for key, value in spawner.environment.items():
        env[key] = value(spawner) if callable(value) else value
    return env


def _identity(spawner: Any) -> dict[str, str]:
    return {
        "JUPYTERHUB_API_TOKEN": spawner.api_token,
        "JPY_API_TOKEN": spawner.api_token,
        "JUPYTERHUB_CLIENT_ID": spawner.oauth_client_id or "",
        "JUPYTERHUB_USER": spawner.user.name,
        "JUPYTERHUB_SERVER_NAME": spawner.name,
    }


def _urls(spawner: Any) -> dict[str, str]:
    hub = spawner.hub
    api_url = hub.api_url
    if spawner.hub_connect_url is not None:
        api_url = join(spawner.hub_connect_url, urlsplit(api_url).path)
    prefix = spawner.server.base_url if spawner.server is not None else "/"
    scheme = "https" if spawner.internal_ssl else "http"
    listen = f"{scheme}://{bracket_ipv6(spawner.ip)}:{spawner.port}{prefix}"
    # Suites of plug-ins bring users that are only a name.
    owner = getattr(spawner.user, "escaped_name", spawner.user.name)
    env = {
        "JUPYTERHUB_HOST": hub.public_host,
        "JUPYTERHUB_BASE_URL": hub.base_url.removesuffix("hub/"),
        "JUPYTERHUB_API_URL": api_url,
        "JUPYTERHUB_ACTIVITY_URL": join(api_url, "users", owner, "activity"),
        "JUPYTERHUB_SERVICE_URL": listen,
        "JUPYTERHUB_PUBLIC_URL": spawner.public_url,
        "JUPYTERHUB_PUBLIC_HUB_URL": spawner.public_hub_url,
        "JUPYTERHUB_OAUTH_CALLBACK_URL": join(
            spawner.user.url, escape_name(spawner.name), "oauth_callback"
        ),
    }
    if spawner.server is not None:
        env["JUPYTERHUB_SERVICE_PREFIX"] = prefix
    return env


def _oauth(spawner: Any) -> dict[str, str]:
    access = json.dumps(list(spawner.oauth_access_scopes))
    env = {
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": access,
        "JUPYTERHUB_OAUTH_SCOPES": access,
        "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES": json.dumps(spawner._allowed_oauth_scopes),
        "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": str(int(spawner.cookie_host_prefix_enabled)),
    }
    if spawner.cookie_options:
        env["JUPYTERHUB_COOKIE_OPTIONS"] = json.dumps(dict(spawner.cookie_options))
    if spawner.admin_access:
        env["JUPYTERHUB_ADMIN_ACCESS"] = "1"
    return env


def _certificates(spawner: Any) -> dict[str, str]:
    if not spawner.internal_ssl:
        return {}
    paths = spawner.cert_paths
    return {
        "JUPYTERHUB_SSL_KEYFILE": paths["keyfile"],
        "JUPYTERHUB_SSL_CERTFILE": paths["certfile"],
        "JUPYTERHUB_SSL_CLIENT_CA": paths["cafile"],
    }


def _preferences(spawner: Any) -> dict[str, str]:
    env = {}
    if spawner.notebook_dir:
        env["JUPYTERHUB_ROOT_DIR"] = spawner.format_string(spawner.notebook_dir)
    if spawner.default_url:
        env["JUPYTERHUB_DEFAULT_URL"] = spawner.format_string(spawner.default_url)
    if spawner.debug:
        env["JUPYTERHUB_DEBUG"] = "1"
    if spawner.disable_user_config:
        env["JUPYTERHUB_DISABLE_USER_CONFIG"] = "1"
    return env


def _limits(spawner: Any) -> dict[str, str]:
    values = {
        "MEM_LIMIT": spawner.mem_limit,
        "MEM_GUARANTEE": spawner.mem_guarantee,
        "CPU_LIMIT": spawner.cpu_limit,
        "CPU_GUARANTEE": spawner.cpu_guarantee,
    }
    return {
        key: str(value if key.startswith("MEM") else float(value))
        for key, value in values.items()
        if value
    }
