"""A hub with a FastAPI service, "notes", that the members of one group may use."""

import os
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
data = here / "data"
data.mkdir(exist_ok=True)
service_port = os.environ.get("SERVICE_PORT", "10101")

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

# The hub starts the service, gives it a token and an address below /services/notes/.
c.JupyterHub.services = [
    {
        "name": "notes",
        "url": f"http://127.0.0.1:{service_port}",
        "command": [sys.executable, "-m", "uvicorn", "notes:app", "--port", service_port],
        "cwd": str(here),
    }
]

# Who may use it.
c.JupyterHub.load_groups = {"writers": {"users": ["ada"]}}
c.JupyterHub.load_roles = [
    {
        "name": "use-notes",
        "scopes": ["access:services!service=notes"],
        "groups": ["writers"],
    }
]
