"""Perijove on your own machine: everybody who knows the password gets a JupyterLab.

For trying things out. All servers run as you, so people who sign in can read one
another's files and yours; for real people choose another authenticator and
spawner (docs/how-to/).
"""

import os
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
data = here / "data"
data.mkdir(exist_ok=True)
sys.path.insert(0, str(here))

import passwords  # noqa: E402  (beside this file)

c = get_config()  # noqa: F821  (the hub provides it)

# Where people go. Everything listens on this machine only.
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.hub_ip = "127.0.0.1"

# What the hub keeps.
c.JupyterHub.db_url = f"sqlite:///{data / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(data / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(data / "proxy.pid")

# Who may come in: any name with the shared password; "admin" with a longer one.
known = passwords.load()
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = known["user"]
c.SharedPasswordAuthenticator.admin_password = known["admin"]
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {"admin"}
c.Authenticator.username_pattern = r"[a-z][a-z0-9_-]{0,31}"

# What they get: JupyterLab, as a process of yours in a folder of their own.
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(data / "homes") + "/{username}"
c.Spawner.cmd = [str(Path(sys.executable).with_name("perijove")), "singleuser"]
c.Spawner.args = ["--allow-root"] if os.geteuid() == 0 else []
c.Spawner.default_url = "/lab"
c.JupyterHub.allow_named_servers = True
