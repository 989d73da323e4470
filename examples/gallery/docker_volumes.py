"""One big machine: a container and a volume for each person; the hub is a container as well."""

import os

from dockerspawner import DockerSpawner

c = get_config()  # noqa: F821


class FacultySpawner(DockerSpawner):
    """DockerSpawner with the disks of the person's groups."""

    def start(self):
        for group in self.user.groups:
            self.volumes[f"/data/groups/{group.name}"] = {
                "bind": f"/home/jovyan/groups/{group.name}",
                "mode": "rw",
            }
        return super().start()


c.JupyterHub.spawner_class = FacultySpawner
c.DockerSpawner.image = os.environ.get("DOCKER_NOTEBOOK_IMAGE", "quay.io/jupyter/scipy-notebook")
c.DockerSpawner.cmd = os.environ.get("DOCKER_SPAWN_CMD", "start-singleuser.py")
network_name = os.environ.get("DOCKER_NETWORK_NAME", "jupyterhub")
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.network_name = network_name
notebook_dir = os.environ.get("DOCKER_NOTEBOOK_DIR", "/home/jovyan/work")
c.DockerSpawner.notebook_dir = notebook_dir
c.DockerSpawner.volumes = {
    "jupyterhub-user-{username}": notebook_dir,
    "/data/shared": {"bind": "/home/jovyan/shared", "mode": "ro"},
}
c.DockerSpawner.name_template = "{prefix}-{username}-{servername}"
c.DockerSpawner.remove = True
c.DockerSpawner.debug = True
c.DockerSpawner.mem_limit = "4G"
c.DockerSpawner.cpu_limit = 2.0
c.DockerSpawner.extra_create_kwargs = {"user": "root"}
c.DockerSpawner.environment = {"GRANT_SUDO": "no", "CHOWN_HOME": "yes"}
c.DockerSpawner.extra_host_config = {"security_opt": ["no-new-privileges"], "pids_limit": 2000}
c.DockerSpawner.client_kwargs = {"timeout": 120}
c.DockerSpawner.allowed_images = {
    "SciPy": "quay.io/jupyter/scipy-notebook",
    "R": "quay.io/jupyter/r-notebook",
}

c.JupyterHub.hub_ip = "0.0.0.0"
c.JupyterHub.hub_connect_ip = "jupyterhub"
c.JupyterHub.hub_port = 8080
c.JupyterHub.cookie_secret_file = "/data/jupyterhub_cookie_secret"
c.JupyterHub.db_url = "sqlite:////data/jupyterhub.sqlite"
c.JupyterHub.authenticator_class = "firstuseauthenticator.FirstUseAuthenticator"
c.FirstUseAuthenticator.dbm_path = "/data/passwords.dbm"
c.FirstUseAuthenticator.create_users = False
c.FirstUseAuthenticator.min_password_length = 12
c.Authenticator.allowed_users = {"ada", "brook", "chen"}
c.Authenticator.admin_users = {os.environ.get("JUPYTERHUB_ADMIN", "ada")}
