"""A team on Docker Swarm: services instead of containers, sharing of servers, a dashboard."""

import sys

c = get_config()  # noqa: F821

c.JupyterHub.bind_url = "http://:8000"
c.JupyterHub.hub_bind_url = "http://:8081"
c.JupyterHub.hub_connect_url = "http://hub:8081"
c.JupyterHub.spawner_class = "dockerspawner.SwarmSpawner"
c.SwarmSpawner.image = "registry.team.example/notebook:stable"
c.SwarmSpawner.network_name = "team_jupyter"
c.SwarmSpawner.extra_host_config = {"network_mode": "team_jupyter"}
c.SwarmSpawner.extra_placement_spec = {"constraints": ["node.role == worker"]}
c.SwarmSpawner.remove_containers = True
c.SwarmSpawner.http_timeout = 300
c.SwarmSpawner.start_timeout = 300
c.SwarmSpawner.volumes = {"nfs-{username}": "/home/jovyan/work"}
c.SwarmSpawner.volume_driver = "local"
c.SwarmSpawner.format_volume_name = lambda template, spawner: template.format(
    username=spawner.escaped_name
)

c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = "a long sentence of the team"
c.SharedPasswordAuthenticator.admin_password = "a much longer sentence for two of the team only"
c.Authenticator.allowed_users = {"ada", "brook", "chen", "dara"}
c.Authenticator.admin_users = {"ada"}

c.JupyterHub.load_groups = {
    "readers": {"users": ["chen", "dara"], "properties": {"tier": "basic"}},
    "writers": {"users": ["ada", "brook"]},
}
c.JupyterHub.load_roles = [
    {
        "name": "user",
        "scopes": ["self", "shares!user", "read:users:name", "read:groups:name"],
    },
    {
        "name": "pair-writing",
        "description": "Writers may open one another's servers",
        "scopes": ["access:servers!group=writers"],
        "groups": ["writers"],
    },
]
c.Spawner.oauth_client_allowed_scopes = ["access:servers!server", "shares!server"]
c.Spawner.group_overrides = {
    "01-basic": {"groups": ["readers"], "spawner_override": {"mem_limit": "1G"}},
    "02-more": {"groups": ["writers"], "spawner_override": {"mem_limit": "8G", "cpu_limit": 4}},
}
c.JupyterHub.services = [
    {
        "name": "dashboard",
        "url": "http://127.0.0.1:10101",
        "command": [sys.executable, "-m", "http.server", "10101", "--bind", "127.0.0.1"],
        "oauth_no_confirm": True,
        "display": True,
        "environment": {"TITLE": "Team"},
        "oauth_client_allowed_scopes": ["read:users!user"],
    }
]
