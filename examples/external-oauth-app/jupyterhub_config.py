"""A hub that signs people in to an application that it neither starts nor proxies."""

import os
from pathlib import Path

here = Path(__file__).resolve().parent
data = here / "data"
data.mkdir(exist_ok=True)
app_origin = f"http://127.0.0.1:{os.environ.get('APP_PORT', '10103')}"

c = get_config()  # noqa: F821  (the hub provides it)

# Everything listens on this machine only.
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.db_url = f"sqlite:///{data / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(data / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(data / "proxy.pid")

# For trying out: any name, one password.
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "example"
c.Authenticator.allow_all = True

# The application is an OAuth client: an id, a secret, one address to come back to.
c.JupyterHub.services = [
    {
        "name": "reports",
        "oauth_client_id": "service-reports",
        "api_token": os.environ.get("APP_SECRET", "a-secret-for-trying-out-0123456789"),
        "oauth_redirect_uri": f"{app_origin}/callback",
        "display": False,
    }
]

# Who may use it.
c.JupyterHub.load_groups = {"readers": {"users": ["ada"]}}
c.JupyterHub.load_roles = [
    {
        "name": "use-reports",
        "scopes": ["access:services!service=reports"],
        "groups": ["readers"],
    }
]
