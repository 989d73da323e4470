"""A cluster's front door: each server is a Slurm job, chosen from profiles."""

import batchspawner  # noqa: F401  (registers the address at which jobs report their port)

c = get_config()  # noqa: F821

c.JupyterHub.bind_url = "http://10.1.0.2:8000"
c.JupyterHub.hub_ip = "10.1.0.2"
c.JupyterHub.hub_connect_ip = "10.1.0.2"
c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.service = "sshd"
c.PAMAuthenticator.open_sessions = False
c.LocalAuthenticator.allowed_groups = {"cluster"}
c.PAMAuthenticator.admin_groups = {"wheel"}

c.JupyterHub.spawner_class = "wrapspawner.ProfilesSpawner"
c.Spawner.http_timeout = 120
c.Spawner.start_timeout = 600
c.Spawner.poll_interval = 60
c.JupyterHub.allow_named_servers = True
c.JupyterHub.named_server_limit_per_user = 3
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}

c.BatchSpawnerBase.exec_prefix = "sudo -E -u {username}"
c.BatchSpawnerBase.batchspawner_singleuser_cmd = "batchspawner-singleuser"
c.BatchSpawnerBase.req_nprocs = "1"
c.BatchSpawnerBase.req_queue = "interactive"
c.BatchSpawnerBase.req_host = "login.cluster.example"
c.BatchSpawnerBase.req_prologue = "source /etc/profile.d/modules.sh\nmodule load python jupyter"
c.BatchSpawnerBase.startup_poll_interval = 1.0
c.SlurmSpawner.batch_script = """#!/bin/bash
#SBATCH --output={{homedir}}/.jupyter-slurm-%j.log
#SBATCH --job-name=jupyter
#SBATCH --chdir={{homedir}}
#SBATCH --export={{keepvars}}
#SBATCH --get-user-env=L
{% if partition  %}#SBATCH --partition={{partition}}
{% endif %}{% if runtime    %}#SBATCH --time={{runtime}}
{% endif %}{% if memory     %}#SBATCH --mem={{memory}}
{% endif %}{% if gres       %}#SBATCH --gres={{gres}}
{% endif %}{% if nprocs     %}#SBATCH --cpus-per-task={{nprocs}}
{% endif %}{% if reservation%}#SBATCH --reservation={{reservation}}
{% endif %}{% if options    %}#SBATCH {{options}}{% endif %}
set -euo pipefail
trap 'echo stopped' TERM
{{prologue}}
{% if srun %}{{srun}} {% endif %}{{cmd}}
{{epilogue}}
"""
c.SlurmSpawner.state_exechost_exp = r"\1.cluster.example"
c.Spawner.cmd = ["jupyterhub-singleuser"]
c.Spawner.default_url = "/lab"
c.Spawner.notebook_dir = "~"

SLURM = "batchspawner.SlurmSpawner"
c.ProfilesSpawner.ip = "0.0.0.0"
c.ProfilesSpawner.profiles = [
    ("Login node, 1 hour of small things", "local", "jupyterhub.spawner.LocalProcessSpawner", {}),
    (
        "1 core, 4 GB, 8 hours",
        "small",
        SLURM,
        {"req_partition": "main", "req_runtime": "08:00:00", "req_memory": "4G"},
    ),
    (
        "16 cores, 64 GB, 4 hours",
        "big",
        SLURM,
        {
            "req_partition": "main",
            "req_nprocs": "16",
            "req_runtime": "04:00:00",
            "req_memory": "64G",
        },
    ),
    (
        "1 GPU, 2 hours",
        "gpu",
        SLURM,
        {"req_partition": "gpu", "req_gres": "gpu:1", "req_runtime": "02:00:00"},
    ),
]
