"""The environment of a managed service: how it reaches the hub and signs people in."""

import json
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from perijove.domain.settings import NetworkSettings, ServiceSpec
from perijove.domain.users import Service
from perijove.routes.addresses import Addresses
from perijove.routes.desired import origin_of

KEPT = (
    "CONDA_DEFAULT_ENV",
    "CONDA_ROOT",
    "JUPYTERHUB_SINGLEUSER_APP",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)
"""What a service inherits of the hub's own environment."""


@dataclass(frozen=True)
class ServiceEnvironment:
    """Makes environments of services."""

    network: NetworkSettings
    addresses: Addresses
    cookie_options: Mapping[str, Any] = field(default_factory=dict)
    cookie_host_prefix: bool = False

    def url_of(self, spec: ServiceSpec | Service) -> str:
        """Where the service itself answers, its prefix included."""
        return origin_of(spec.url) + self.addresses.service_path(spec.name)

    def of(self, spec: ServiceSpec, secret: str) -> dict[str, str]:
        """All variables of one service; the operator's own win."""
        network = self.network
        env = {name: os.environ[name] for name in KEPT if name in os.environ}
        access = ["access:services", f"access:services!service={spec.name}"]
        env |= {
            "JUPYTERHUB_API_TOKEN": secret,
            "JPY_API_TOKEN": secret,
            "JUPYTERHUB_API_URL": network.hub_api_url,
            "JUPYTERHUB_BASE_URL": network.base_url,
            "JUPYTERHUB_HOST": network.public_host,
            "JUPYTERHUB_SERVICE_NAME": spec.name,
            "JUPYTERHUB_USER": spec.user,
            "JUPYTERHUB_SERVER_NAME": "",
            "JUPYTERHUB_CLIENT_ID": spec.client_id,
            "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps(access),
            "JUPYTERHUB_OAUTH_SCOPES": json.dumps(access),
            "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES": json.dumps(
                list(spec.oauth_client_allowed_scopes)
            ),
            "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": "1" if self.cookie_host_prefix else "0",
            "JUPYTERHUB_PUBLIC_URL": "",
            "JUPYTERHUB_PUBLIC_HUB_URL": "",
        }
        if self.cookie_options:
            env["JUPYTERHUB_COOKIE_OPTIONS"] = json.dumps(dict(self.cookie_options))
        origin = self.addresses.public_origin
        if origin:
            env["JUPYTERHUB_PUBLIC_HUB_URL"] = origin + network.hub_prefix
        if spec.url:
            env |= self._routed(spec, origin)
        if spec.user:
            env |= _account(spec.user)
        return env | dict(spec.environment)

    def _routed(self, spec: ServiceSpec, origin: str) -> dict[str, str]:
        path = self.addresses.service_path(spec.name)
        own_host = self.addresses.origin_of(self.addresses.service_host(spec.name))
        routed = {
            "JUPYTERHUB_SERVICE_URL": spec.url,
            "JUPYTERHUB_SERVICE_PREFIX": path,
            "JUPYTERHUB_OAUTH_CALLBACK_URL": spec.oauth_redirect_uri
            or f"{own_host}{path}oauth_callback",
        }
        if origin:
            routed["JUPYTERHUB_PUBLIC_URL"] = (own_host or origin) + path
        return routed


def _account(name: str) -> dict[str, str]:
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        return {}
    return {"USER": name, "HOME": account.pw_dir, "SHELL": account.pw_shell}
