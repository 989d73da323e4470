"""The engine behind another web application: no pages of its own, servers without sign-in."""

import os

c = get_config()  # noqa: F821

c.JupyterHub.hub_routespec = "/hub/api/"
c.JupyterHub.bind_url = "http://:8000/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:8081"
c.JupyterHub.authenticator_class = "null"
c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.JupyterHub.allow_named_servers = False
c.JupyterHub.api_page_default_limit = 100
c.JupyterHub.api_page_max_limit = 1000
c.JupyterHub.init_spawners_timeout = 1
c.JupyterHub.concurrent_spawn_limit = 200
c.JupyterHub.tornado_settings = {
    "headers": {"Access-Control-Allow-Origin": "https://try.example.org"},
}
c.Spawner.disable_user_config = True


def take_options(spawner, options):
    """Image and token come from the application that asks for a server."""
    spawner.image = options["image"]
    spawner.args = [f"--ServerApp.token={options['token']}", "--ServerApp.allow_origin=*"]


c.Spawner.apply_user_options = take_options
c.DockerSpawner.cmd = ["jupyter", "lab", "--ip=0.0.0.0", "--no-browser"]
c.DockerSpawner.network_name = "binder"
c.DockerSpawner.remove = True
c.JupyterHub.services = [
    {"name": "application", "api_token": os.environ.get("APP_TOKEN", "made-up-" + "0" * 32)}
]
c.JupyterHub.load_roles = [
    {
        "name": "application",
        "services": ["application"],
        "scopes": ["admin:users", "admin:servers", "proxy", "read:metrics"],
    }
]
