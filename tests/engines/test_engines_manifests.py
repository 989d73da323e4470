"""The pods and claims that KubeSpawner asks for: the same under Perijove as under JupyterHub 6.1.1.

Both hubs read the same configuration and start the same servers, each on a Kubernetes
API of its own; what they sent is compared, secrets and ports apart.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from harness import ROOT_TOKEN, HubProcess, free_port, wait_for
from kubernetes_api import Cluster, Object, running_cluster

GALLERY = Path(__file__).resolve().parents[2] / "examples" / "gallery"

OVERRIDES = """
# What of a deployment cannot be had here.
c.JupyterHub.hub_bind_url = ""
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_connect_url = f"http://127.0.0.1:{c.JupyterHub.hub_port}"
c.JupyterHub.base_url = "/"
c.JupyterHub.authenticator_class = "dummy"
c.ConfigurableHTTPProxy.should_start = True
c.ConfigurableHTTPProxy.command = COMMAND
c.ConfigurableHTTPProxy.api_url = API_URL
c.ConfigurableHTTPProxy.auth_token = "hub-tests-proxy-token"
c.JupyterHub.services = [{"name": "root", "api_token": ROOT_TOKEN, "admin": True}]
c.JupyterHub.load_roles = []
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
"""

HELM = """
# The wiring that Helm charts do.
c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.JupyterHub.allow_named_servers = True
c.KubeSpawner.namespace = "jhub"
c.KubeSpawner.image = "registry.example/singleuser:4"
c.KubeSpawner.image_pull_secrets = ["image-pull-secret"]
c.KubeSpawner.pod_name_template = "jupyter-{user_server}"
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.pvc_name_template = "claim-{user_server}"
c.KubeSpawner.storage_class = "fast"
c.KubeSpawner.storage_capacity = "10Gi"
c.KubeSpawner.storage_extra_labels = {"tier": "home"}
c.KubeSpawner.volumes = [
    {"name": "volume-{user_server}", "persistentVolumeClaim": {"claimName": "{pvc_name}"}}
]
c.KubeSpawner.volume_mounts = [
    {"name": "volume-{user_server}", "mountPath": "/home/jovyan", "subPath": "{username}"}
]
c.KubeSpawner.init_containers = [
    {
        "name": "block-cloud-metadata",
        "image": "registry.example/network-tools:4",
        "command": ["iptables", "--append", "OUTPUT", "--jump", "DROP"],
        "securityContext": {"privileged": True, "runAsUser": 0},
    }
]
c.KubeSpawner.node_affinity_required = [
    {"matchExpressions": [{"key": "users", "operator": "In", "values": ["yes"]}]}
]
c.KubeSpawner.pod_anti_affinity_preferred = [
    {
        "weight": 50,
        "podAffinityTerm": {
            "topologyKey": "kubernetes.io/hostname",
            "labelSelector": {"matchLabels": {"component": "singleuser-server"}},
        },
    }
]
c.KubeSpawner.scheduler_name = "user-scheduler"
c.KubeSpawner.priority_class_name = "default-priority"
c.KubeSpawner.cpu_guarantee = 0.25
c.KubeSpawner.mem_guarantee = "512M"
c.KubeSpawner.extra_pod_config = {"dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 20}
c.KubeSpawner.extra_resource_guarantees = {"example.com/licence": "1"}
c.KubeSpawner.default_url = "/lab/tree/{username}"
c.KubeSpawner.notebook_dir = "~/work"
c.KubeSpawner.debug = True
c.KubeSpawner.environment = {
    "OWNER": lambda spawner: spawner.user.name,
    "TEMPLATE": "{username}-{servername}",
    "GROUPS": lambda spawner: ",".join(sorted(g.name for g in spawner.user.groups)),
}
c.JupyterHub.load_groups = {"readers": {"users": ["ada"]}, "writers": {"users": ["ada", "brook"]}}

def hook(spawner):
    spawner.extra_labels["hooked"] = "yes"
    spawner.environment["OPTIONS"] = repr(sorted(spawner.user_options.items()))

c.KubeSpawner.pre_spawn_hook = hook
"""

CONFIGURATIONS: dict[str, tuple[str, list[tuple[str, str, dict[str, Any]]]]] = {
    "helm": (
        HELM,
        [
            ("ada", "", {}),
            ("ada", "second", {"size": "big"}),
            ("zoë.ü@example.org", "", {}),
            ("a-very-long-name-of-somebody-that-does-not-fit-into-a-label-of-63-signs", "", {}),
            ("1984", "", {}),
        ],
    ),
    "profiles": (
        f"load_subconfig({str(GALLERY / 'kubernetes_profiles.py')!r})\n",
        [
            ("ada", "", {}),
            ("brook", "", {"profile": "look", "python": "p312"}),
            ("chen", "", {"profile": "reduce-data"}),
            ("dara", "", {"profile": "gpu"}),
            (
                "eli",
                "work",
                {
                    "profile": "look",
                    "python--unlisted-choice": "registry.observatory.example/own:1",
                },
            ),
        ],
    ),
    "workshop": (
        f"load_subconfig({str(GALLERY / 'kubernetes_workshop.py')!r})\n",
        [("visitor-1", "", {"seat": "7"}), ("visitor-2", "", {})],
    ),
}


@contextmanager
def running_hub(
    folder: Path, command: list[str], proxy: list[str], settings: str, cluster: Cluster
) -> Iterator[HubProcess]:
    hub = HubProcess(
        folder, command=command, environment={"KUBECONFIG": str(cluster.folder / "kubeconfig")}
    )
    head = f"COMMAND = {proxy!r}\nROOT_TOKEN = {ROOT_TOKEN!r}\nAPI_URL = 'http://127.0.0.1:{hub.proxy_port}'\n"
    with hub.config.open("a") as file:
        file.write(settings + head + OVERRIDES)
    try:
        yield hub.start()
    finally:
        hub.end()


def asked_for(hub: HubProcess, cluster: Cluster, starts: list[Any]) -> list[Object]:
    """What the hub sends for these starts, one after the other."""
    names = list(dict.fromkeys(name for name, _, _ in starts))
    known = {user.name for user in hub.client.users()}
    for name in names:
        if name not in known:
            assert hub.api.post("/users", json={"usernames": [name]}).status_code == 201
    for name, server, options in starts:
        path = f"/users/{name}/servers/{server}" if server else f"/users/{name}/server"
        before = pods_sent(cluster)
        answer = hub.api.post(path, json=options)
        assert answer.status_code == 202, answer.text
        wait_for("the pod", lambda before=before: pods_sent(cluster) > before)
    return cluster.created


def pods_sent(cluster: Cluster) -> int:
    return sum(sent["kind"] == "Pod" for sent in cluster.created)


def comparable(sent: list[Object], hub: HubProcess) -> list[Object]:
    """Without what differs between any two hubs: tokens and ports."""
    text = json.dumps([o for o in sent if o["kind"] != "Event"], indent=1, sort_keys=True)
    text = re.sub(rf"\b{hub.hub_port}\b", "HUB_PORT", text)
    text = re.sub(rf"\b{hub.port}\b", "PORT", text)
    found: list[Object] = json.loads(text)
    for sent_object in found:
        for container in sent_object.get("spec", {}).get("containers", ()):
            for variable in container.get("env", ()):
                if variable["name"] in {"JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN"}:
                    variable["value"] = f"a token of {len(variable['value']) > 20}"
    return found


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_pods_and_claims_are_what_jupyterhub_asks_for(
    name: str, plugins: Path, tmp_path: Path
) -> None:
    settings, starts = CONFIGURATIONS[name]
    proxy = [str(plugins / "perijove"), "proxy"]
    found = {}
    for hub_name in ("jupyterhub", "perijove"):
        with running_cluster(tmp_path / f"cluster-{hub_name}", free_port()) as cluster:
            cluster.run_pods = False
            command = [str(plugins / hub_name)]
            with running_hub(
                tmp_path / f"hub-{hub_name}", command, proxy, settings, cluster
            ) as hub:
                found[hub_name] = comparable(asked_for(hub, cluster, starts), hub)
    if folder := os.environ.get("PERIJOVE_TEST_KEEP"):
        for hub_name, sent in found.items():
            Path(folder, f"{name}-{hub_name}.json").write_text(json.dumps(sent, indent=1))
    assert sum(o["kind"] == "Pod" for o in found["jupyterhub"]) == len(starts)
    assert found["perijove"] == found["jupyterhub"]
