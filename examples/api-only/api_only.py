"""The hub is an engine: an application of ours has all the pages and asks the API."""

import os

c = get_config()  # noqa: F821  (the hub provides it)

c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.hub_ip = "127.0.0.1"

# The hub answers below /hub/api/. It has no pages, and all its errors are JSON.
c.JupyterHub.hub_routespec = "/hub/api/"
c.Proxy.extra_routes = {"/": os.environ.get("SITE_URL", "http://127.0.0.1:9000")}

# Nobody signs in at the hub; the application makes users as it needs them.
c.JupyterHub.authenticator_class = "null"
c.JupyterHub.services = [{"name": "app", "api_token": os.environ["APP_TOKEN"]}]
c.JupyterHub.load_roles = [
    {
        "name": "app",
        "scopes": ["list:users", "admin:users", "admin:servers", "tokens", "proxy"],
        "services": ["app"],
    }
]

# A start answers at once; the application follows its progress.
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "/tmp/perijove-homes/{username}"
