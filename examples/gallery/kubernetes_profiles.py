"""Kubernetes for an observatory: profiles with choices, home volumes, spot nodes, a sidecar."""

import os

c = get_config()  # noqa: F821

c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.JupyterHub.hub_bind_url = "http://:8081"
c.JupyterHub.hub_connect_url = "http://hub:8081"
c.JupyterHub.allow_named_servers = True
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://proxy-api:8001"
c.ConfigurableHTTPProxy.auth_token = os.environ.get("CONFIGPROXY_AUTH_TOKEN", "made-up-token")

c.KubeSpawner.namespace = os.environ.get("POD_NAMESPACE", "jupyter")
c.KubeSpawner.image = "registry.observatory.example/science:2026.11"
c.KubeSpawner.image_pull_policy = "IfNotPresent"
c.KubeSpawner.image_pull_secrets = ["registry-key"]
c.KubeSpawner.service_account = "notebook"
c.KubeSpawner.start_timeout = 900
c.KubeSpawner.cpu_guarantee = 0.5
c.KubeSpawner.cpu_limit = 4
c.KubeSpawner.mem_guarantee = "1G"
c.KubeSpawner.mem_limit = "8G"
c.KubeSpawner.uid = 1000
c.KubeSpawner.gid = 100
c.KubeSpawner.fs_gid = 100
c.KubeSpawner.common_labels = {"app": "jupyterhub", "heritage": "observatory"}
c.KubeSpawner.extra_labels = {"hub.observatory.example/network-access-hub": "true"}
c.KubeSpawner.extra_annotations = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}

c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.storage_class = "standard-rwo"
c.KubeSpawner.storage_access_modes = ["ReadWriteOnce"]
c.KubeSpawner.storage_capacity = "20Gi"
c.KubeSpawner.pvc_name_template = "claim-{username}{servername}"
c.KubeSpawner.volumes = [
    {
        "name": "volume-{username}{servername}",
        "persistentVolumeClaim": {"claimName": "claim-{username}{servername}"},
    },
    {"name": "catalogues", "nfs": {"server": "nfs.observatory.example", "path": "/catalogues"}},
    {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}},
]
c.KubeSpawner.volume_mounts = [
    {"mountPath": "/home/jovyan", "name": "volume-{username}{servername}"},
    {"mountPath": "/catalogues", "name": "catalogues", "readOnly": True},
    {"mountPath": "/dev/shm", "name": "shm"},
]
c.KubeSpawner.init_containers = [
    {
        "name": "copy-examples",
        "image": "registry.observatory.example/examples:latest",
        "command": ["sh", "-c", "cp -ru /examples/. /home/jovyan/examples"],
        "volumeMounts": [{"mountPath": "/home/jovyan", "name": "volume-{username}{servername}"}],
    }
]
c.KubeSpawner.extra_containers = [
    {
        "name": "fits-cache",
        "image": "registry.observatory.example/fits-cache:3",
        "ports": [{"containerPort": 9000}],
        "env": [{"name": "OWNER", "value": "{username}"}],
    }
]
c.KubeSpawner.lifecycle_hooks = {
    "postStart": {"exec": {"command": ["sh", "-c", "git config --global pull.rebase true || true"]}}
}
c.KubeSpawner.node_selector = {"pool": "users"}
c.KubeSpawner.tolerations = [
    {"key": "users", "operator": "Equal", "value": "only", "effect": "NoSchedule"}
]
c.KubeSpawner.node_affinity_preferred = [
    {
        "weight": 100,
        "preference": {"matchExpressions": [{"key": "spot", "operator": "In", "values": ["true"]}]},
    }
]
c.KubeSpawner.environment = {
    "S3_ENDPOINT": "https://s3.observatory.example",
    "NODE": {"valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
}

PYTHONS = {
    "display_name": "Python",
    "choices": {
        "p311": {
            "display_name": "3.11",
            "default": True,
            "kubespawner_override": {"image": "registry.observatory.example/science:py311"},
        },
        "p312": {
            "display_name": "3.12",
            "kubespawner_override": {"image": "registry.observatory.example/science:py312"},
        },
    },
    "unlisted_choice": {
        "enabled": True,
        "display_name": "Your own image",
        "display_name_in_choices": "Other",
        "validation_regex": r"^registry\.observatory\.example/.+:.+$",
        "validation_message": "an image of the observatory's registry",
        "kubespawner_override": {"image": "{value}"},
    },
}
c.KubeSpawner.profile_list = [
    {
        "display_name": "Look around",
        "slug": "look",
        "description": "half a core, 1 GB",
        "default": True,
        "profile_options": {"python": PYTHONS},
        "kubespawner_override": {"mem_guarantee": "0.5G", "mem_limit": "1G", "cpu_limit": 0.5},
    },
    {
        "display_name": "Reduce data",
        "description": "8 cores, 32 GB",
        "profile_options": {"python": PYTHONS},
        "kubespawner_override": {
            "cpu_guarantee": 7,
            "cpu_limit": 8,
            "mem_limit": "32G",
            "node_selector": {"pool": "big"},
        },
    },
    {
        "display_name": "GPU",
        "description": "one GPU for training",
        "kubespawner_override": {
            "extra_resource_limits": {"nvidia.com/gpu": "1"},
            "image": "registry.observatory.example/gpu:2026.11",
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
        },
    },
]


async def stamp(spawner, pod):
    """Bill the pod to the first of the person's groups."""
    groups = sorted(group.name for group in spawner.user.groups)
    pod.metadata.labels["cost-centre"] = groups[0] if groups else "none"
    return pod


c.KubeSpawner.modify_pod_hook = stamp
c.JupyterHub.authenticator_class = "oauthenticator.google.GoogleOAuthenticator"
c.GoogleOAuthenticator.client_id = "made-up.apps.example"
c.GoogleOAuthenticator.client_secret = os.environ.get("GOOGLE_SECRET", "made-up-secret")
c.GoogleOAuthenticator.oauth_callback_url = "https://hub.observatory.example/hub/oauth_callback"
c.GoogleOAuthenticator.hosted_domain = ["observatory.example"]
c.GoogleOAuthenticator.login_service = "Observatory account"
c.GoogleOAuthenticator.allow_all = True
c.GoogleOAuthenticator.admin_users = {"ada@observatory.example"}
