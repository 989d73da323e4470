"""Servers as Slurm jobs, through batchspawner: each runs as the person who asked for it."""

import os

import batchspawner  # noqa: F401  (registers the address at which jobs report their port)

c = get_config()  # noqa: F821

# Compute nodes reach the hub here; jobs report to it.
HUB = os.environ.get("HUB_ADDRESS", "127.0.0.1")
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.hub_ip = HUB
c.JupyterHub.cleanup_servers = False
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}

c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.open_sessions = False
c.LocalAuthenticator.allowed_groups = {"cluster"}

c.JupyterHub.spawner_class = "batchspawner.SlurmSpawner"
c.Spawner.cmd = ["/opt/notebooks/bin/jupyterhub-singleuser"]
c.Spawner.default_url = "/lab"
# A job may wait in the queue.
c.Spawner.start_timeout = 600
c.Spawner.http_timeout = 120
c.Spawner.poll_interval = 30

# The hub runs as root here; as another user: sudo -E -u {username}
c.BatchSpawnerBase.exec_prefix = "runuser -u {username} --"
c.BatchSpawnerBase.batchspawner_singleuser_cmd = "/opt/notebooks/bin/batchspawner-singleuser"
c.SlurmSpawner.req_partition = "main"
c.SlurmSpawner.req_nprocs = "1"
c.SlurmSpawner.req_memory = "512M"
c.SlurmSpawner.req_runtime = "08:00:00"
