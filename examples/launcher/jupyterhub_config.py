"""Notebooks for everybody who comes by: a launcher in front of a hub without pages.

For trying things out. Visitors' servers run as you, on this machine; with another
spawner (containers, pods) the same launcher serves the public. The tutorial
docs/tutorials/api-only.md goes through this file.
"""

import os
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
data = Path(os.environ.get("LAUNCHER_DATA", here / "data"))
data.mkdir(parents=True, exist_ok=True)
sys.path.insert(0, str(here))

from spawner import ImageSpawner  # noqa: E402  (beside this file)

c = get_config()  # noqa: F821  (the hub provides it)

# [routes]
port = int(os.environ.get("LAUNCHER_PORT", "9100"))
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_routespec = "/hub/api/"
c.Proxy.extra_routes = {"/": f"http://127.0.0.1:{port}"}
c.ConfigurableHTTPProxy.error_path = str(here / "error_pages")

# [people]
c.JupyterHub.authenticator_class = "null"
c.JupyterHub.active_server_limit = 20

# [launcher]
c.JupyterHub.services = [
    {
        "name": "launcher",
        "command": [
            *(sys.executable, "-m", "uvicorn", "launcher.app:app"),
            *("--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"),
        ],
        "cwd": str(here),
        "environment": {
            "LAUNCHER_DATA": str(data),
            "LAUNCHER_IDLE_S": os.environ.get("LAUNCHER_IDLE_S", "600"),
            "LAUNCHER_MAX_AGE_S": os.environ.get("LAUNCHER_MAX_AGE_S", "14400"),
        },
    }
]
c.JupyterHub.load_roles = [
    {
        "name": "launcher",
        "scopes": ["list:users", "read:users:activity", "admin:users", "admin:servers"],
        "services": ["launcher"],
    }
]

# [servers]
c.JupyterHub.spawner_class = ImageSpawner
c.ImageSpawner.images = str(data / "images")
c.SimpleLocalProcessSpawner.home_dir_template = str(data / "homes") + "/{username}"
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 60
c.Spawner.poll_interval = 10
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
c.JupyterHub.last_activity_interval = 10

# [files]
c.JupyterHub.db_url = f"sqlite:///{data / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(data / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(data / "proxy.pid")
