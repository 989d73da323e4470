"""The hub has its pages, and a site of ours has the front door."""

import os

c = get_config()  # noqa: F821  (the hub provides it)

c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.hub_ip = "127.0.0.1"

# The hub answers below /hub/: pages and API.
c.JupyterHub.hub_routespec = "/hub/"
# Our site answers the rest, also for servers that do not run.
c.Proxy.extra_routes = {"/": os.environ.get("SITE_URL", "http://127.0.0.1:9000")}

c.JupyterHub.authenticator_class = "pam"
c.Authenticator.allow_existing_users = True
