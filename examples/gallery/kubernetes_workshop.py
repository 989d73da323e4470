"""A workshop on Kubernetes: accounts that last a visit, one image, everything gone afterwards."""

import sys

from kubespawner import KubeSpawner

c = get_config()  # noqa: F821


class WorkshopSpawner(KubeSpawner):
    """Knows which seat the person took, from the link that they came by."""

    def options_from_query(self, query):
        return {"seat": query.get("seat", ["?"])[0][:8]}

    async def get_options_form(self):
        return ""


c.JupyterHub.authenticator_class = "tmpauthenticator.TmpAuthenticator"
c.JupyterHub.spawner_class = WorkshopSpawner
c.JupyterHub.base_url = "/workshop"
c.JupyterHub.hub_ip = "0.0.0.0"
c.JupyterHub.hub_connect_ip = "hub.workshop.svc"
c.JupyterHub.cleanup_servers = True
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.concurrent_spawn_limit = 64

c.KubeSpawner.image = "registry.workshop.example/day1:v3"
c.KubeSpawner.cmd = ["jupyterhub-singleuser"]
c.KubeSpawner.args = ["--ServerApp.shutdown_no_activity_timeout=3600"]
c.KubeSpawner.automount_service_account_token = False
c.KubeSpawner.container_security_context = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
c.KubeSpawner.pod_security_context = {"runAsNonRoot": True, "fsGroup": 100}
c.KubeSpawner.delete_stopped_pods = True
c.KubeSpawner.delete_grace_period = 1
c.KubeSpawner.k8s_api_threadpool_workers = 4
c.KubeSpawner.scheduler_name = "packing"
c.KubeSpawner.priority_class_name = "workshop"
c.KubeSpawner.default_url = "/lab/tree/start.ipynb"
c.KubeSpawner.events_enabled = True
c.KubeSpawner.working_dir = "/home/jovyan"

c.JupyterHub.services = [
    {
        "name": "cull-idle",
        "command": [
            sys.executable,
            "-m",
            "jupyterhub_idle_culler",
            "--timeout=1800",
            "--max-age=28800",
            "--cull-users",
            "--concurrency=5",
        ],
    }
]
c.JupyterHub.load_roles = [
    {
        "name": "cull-idle",
        "scopes": ["list:users", "admin:users", "read:users:activity", "admin:servers"],
        "services": ["cull-idle"],
    }
]
