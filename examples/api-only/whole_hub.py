"""The usual hub, with a site beside it and a page of your own for what is not there."""

import os
from pathlib import Path

here = Path(__file__).resolve().parent
c = get_config()  # noqa: F821  (the hub provides it)

c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.hub_ip = "127.0.0.1"

# The hub answers all that is routed nowhere else; this is the default.
c.JupyterHub.hub_routespec = "/"
# One prefix goes to a site of ours; the longest route wins.
c.Proxy.extra_routes = {"/about/": os.environ.get("SITE_URL", "http://127.0.0.1:9000")}
# Where a server does not answer, people see 503.html of this folder.
c.ConfigurableHTTPProxy.error_path = str(here / "error_pages")

c.JupyterHub.authenticator_class = "pam"
c.Authenticator.allow_existing_users = True
c.Authenticator.admin_users = {"ada"}
