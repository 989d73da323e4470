"""A hub with a Flask service, "badge", for one group; one of its pages is for fewer people."""

import os
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
data = here / "data"
data.mkdir(exist_ok=True)
service_port = os.environ.get("SERVICE_PORT", "10102")

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

# The hub starts the service, gives it a token and an address below /services/badge/.
c.JupyterHub.services = [
    {
        "name": "badge",
        "url": f"http://127.0.0.1:{service_port}",
        "command": [sys.executable, "badge.py", service_port],
        "cwd": str(here),
        # What the service may ask its visitors for besides entering.
        "oauth_client_allowed_scopes": ["custom:badge:list"],
    }
]

# Who may use it: the group "visitors"; and the list of visits is for its keepers.
c.JupyterHub.custom_scopes = {"custom:badge:list": {"description": "See who has a badge"}}
c.JupyterHub.load_groups = {
    "visitors": {"users": ["ada", "grace"]},
    "keepers": {"users": ["grace"]},
}
c.JupyterHub.load_roles = [
    {
        "name": "use-badge",
        "scopes": ["access:services!service=badge"],
        "groups": ["visitors"],
    },
    {"name": "keep-badges", "scopes": ["custom:badge:list"], "groups": ["keepers"]},
]
