"""A hub without pages that shares a domain: all of it is below /jupyter/."""

import os

c = get_config()  # noqa: F821  (the hub provides it)

c.JupyterHub.bind_url = "http://127.0.0.1:8000/jupyter/"
c.JupyterHub.hub_ip = "127.0.0.1"

# Routes contain the prefix.
c.JupyterHub.hub_routespec = "/jupyter/hub/api/"
c.Proxy.extra_routes = {"/jupyter/": os.environ.get("SITE_URL", "http://127.0.0.1:9000")}

c.JupyterHub.authenticator_class = "null"
c.JupyterHub.services = [{"name": "app", "api_token": os.environ["APP_TOKEN"]}]
c.JupyterHub.load_roles = [
    {
        "name": "app",
        "scopes": ["list:users", "admin:users", "admin:servers", "tokens", "proxy"],
        "services": ["app"],
    }
]

c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "/tmp/perijove-homes/{username}"
