"""Several hubs on one PostgreSQL; the proxy and the balancer in front are run apart.

Each replica reads this same file. POSTGRES_PASSWORD, CONFIGPROXY_AUTH_TOKEN, JHUB_COOKIE_SECRET and
JUPYTERHUB_CRYPT_KEY are the same for all of them.
"""

import os
import socket

c = get_config()  # noqa: F821

c.JupyterHub.db_url = "postgresql+psycopg://hub@db.internal.example:5432/hub"
os.environ.setdefault("PGPASSWORD", os.environ.get("POSTGRES_PASSWORD", ""))
c.JupyterHub.db_kwargs = {"pool_size": 10, "max_overflow": 5, "pool_pre_ping": True}
c.JupyterHub.upgrade_db = False
c.JupyterHub.cookie_secret = bytes.fromhex(os.environ.get("JHUB_COOKIE_SECRET", "ab" * 32))
c.CryptKeeper.keys = os.environ.get("JUPYTERHUB_CRYPT_KEY", "cd" * 32).split(";")

c.JupyterHub.hub_ip = "0.0.0.0"
c.JupyterHub.hub_port = int(os.environ.get("HUB_PORT", "8081"))
c.JupyterHub.hub_connect_url = "http://hubs.internal.example:8081"
c.JupyterHub.cleanup_proxy = False
c.JupyterHub.cleanup_servers = False
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://proxy.internal.example:8001"
c.ConfigurableHTTPProxy.auth_token = os.environ.get("CONFIGPROXY_AUTH_TOKEN", "made-up")
c.JupyterHub.public_url = "https://hub.example.org/"
c.JupyterHub.activity_resolution = 60
c.JupyterHub.last_activity_interval = 300
c.JupyterHub.service_check_interval = 60
c.JupyterHub.log_format = f"%(asctime)s {socket.gethostname()} %(levelname)s %(message)s"
c.PeriodicMetricsCollector.active_users_update_interval = 600

c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.KubeSpawner.image = "registry.example.org/notebook:1"
c.KubeSpawner.consecutive_failure_limit = 5
c.JupyterHub.authenticator_class = "azuread"
c.AzureAdOAuthenticator.tenant_id = "00000000-0000-0000-0000-000000000000"
c.AzureAdOAuthenticator.client_id = "made-up-id"
c.AzureAdOAuthenticator.client_secret = "made-up-secret"
c.AzureAdOAuthenticator.oauth_callback_url = "https://hub.example.org/hub/oauth_callback"
c.AzureAdOAuthenticator.allow_all = True
c.JupyterHub.authenticate_prometheus = True
