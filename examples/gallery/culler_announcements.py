"""Services of all kinds: managed and external, with and without pages, with roles."""

import os
import sys

c = get_config()  # noqa: F821

c.JupyterHub.bind_url = "http://127.0.0.1:8000/hub-of-physics/"
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = os.environ.get("TEST_PASSWORD", "for tests only")
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.Spawner.debug = True

c.JupyterHub.services = [
    {
        "name": "jupyterhub-idle-culler-service",
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"],
    },
    {
        "name": "announcement",
        "url": "http://127.0.0.1:8888",
        "command": [sys.executable, "-m", "announcement", "--fixed-message=Closed on Friday"],
        "oauth_no_confirm": True,
        "cwd": "/srv/announcement",
    },
    {
        "name": "usage",
        "url": "http://usage.physics.example:9100",
        "api_token": "made-up-" + "a" * 32,
        "oauth_client_id": "service-usage",
        "oauth_redirect_uri": "https://hub.physics.example/services/usage/oauth_callback",
        "info": {"owner": "operations"},
        "display": False,
    },
    {"name": "cron", "api_token": "made-up-" + "b" * 32},
    {"name": "wiki", "url": "http://wiki.physics.example/"},
]
c.JupyterHub.load_roles = [
    {
        "name": "jupyterhub-idle-culler-role",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["jupyterhub-idle-culler-service"],
    },
    {
        "name": "announcers",
        "scopes": ["access:services!service=announcement"],
        "users": ["ada"],
        "groups": ["operators"],
    },
    {"name": "usage", "scopes": ["read:metrics", "list:users", "read:hub"], "services": ["usage"]},
    {"name": "cron", "scopes": ["admin:users", "tokens"], "services": ["cron"]},
    {
        "name": "user",
        "scopes": ["self", "access:services!service=usage", "access:services!service=wiki"],
    },
    {"name": "server", "scopes": ["users:activity!user", "access:servers!server"]},
]
c.JupyterHub.custom_scopes = {
    "custom:announcement:write": {
        "description": "Change the announcement",
        "subscopes": ["custom:announcement:read"],
    },
    "custom:announcement:read": {"description": "Read the announcement"},
}
c.JupyterHub.load_groups = {"operators": {"users": ["ada", "brook"]}}
c.JupyterHub.user_redirect_hook = lambda path, request, user, base_url: None
c.JupyterHub.template_vars = {
    "announcement": "Data of 2019 moves to tape this week.",
    "announcement_home": "Your quota is 20 GB.",
}
