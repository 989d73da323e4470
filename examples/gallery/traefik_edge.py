"""traefik as the proxy, started by the hub, its rules in a file."""

import os

c = get_config()  # noqa: F821

c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.proxy_class = "traefik_file"
c.TraefikProxy.traefik_api_username = "hub"
c.TraefikProxy.traefik_api_password = os.environ.get("TRAEFIK_PASSWORD", "made-up-password")
c.TraefikProxy.traefik_api_url = "http://127.0.0.1:8099"
c.TraefikProxy.check_route_timeout = 30
c.TraefikProxy.traefik_log_level = "WARN"
c.TraefikFileProviderProxy.static_config_file = "/srv/hub/traefik.toml"
c.TraefikFileProviderProxy.dynamic_config_file = "/srv/hub/rules.toml"
c.Proxy.should_start = True
c.JupyterHub.authenticator_class = "pam"
c.Authenticator.allow_all = True
c.Spawner.default_url = "/lab"
