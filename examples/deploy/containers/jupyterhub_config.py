"""A container for each person, through dockerspawner, on Docker or podman's Docker socket.

The engine is the one that DOCKER_HOST names. Containers use the host's network: each gets
a port of its own and listens on the machine itself only, as do hub and proxy.
"""

import os

from dockerspawner import DockerSpawner

c = get_config()  # noqa: F821


class HostNetworkSpawner(DockerSpawner):
    """Containers on the host's network, each at a free port."""

    async def get_ip_and_port(self):
        return "127.0.0.1", self.port


def choose_port(spawner):
    """A port by the number of the server, in a range that is kept for this."""
    spawner.port = 20000 + spawner.orm_spawner.id % 10000


c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.cleanup_servers = False
c.JupyterHub.authenticator_class = "firstuseauthenticator.FirstUseAuthenticator"
c.FirstUseAuthenticator.dbm_path = "/var/lib/perijove/passwords.dbm"
c.FirstUseAuthenticator.create_users = False
c.Authenticator.allowed_users = {"ada", "brook"}
c.Authenticator.admin_users = {"ada"}

c.JupyterHub.spawner_class = HostNetworkSpawner
c.Spawner.pre_spawn_hook = choose_port
c.DockerSpawner.image = os.environ.get("NOTEBOOK_IMAGE", "quay.io/jupyter/scipy-notebook")
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.network_name = "host"
c.DockerSpawner.use_internal_ip = True
c.Spawner.ip = "127.0.0.1"
c.DockerSpawner.remove = True
c.DockerSpawner.notebook_dir = "/home/jovyan/work"
c.DockerSpawner.volumes = {"/srv/homes/{username}": "/home/jovyan/work"}
c.DockerSpawner.mem_limit = "1G"
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 90
