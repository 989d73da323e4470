"""The hub under a Helm chart's configuration: the values of the how-to, the chart's idioms."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from harness import free_port, wait_for
from kubernetes_api import Cluster, running_cluster
from system import end_process

CHART = Path(__file__).with_name("chart") / "jupyterhub_config.py"
VALUES = Path(__file__).resolve().parents[2] / "examples" / "deploy" / "kubernetes" / "values.yaml"
TOKEN = "token-of-the-probe-0123456789abcdef"

DEFAULTS: dict[str, Any] = {
    "Chart": {"Name": "jupyterhub", "Version": "4.0.0"},
    "Release": {"Name": "hub"},
    "hub": {
        "baseUrl": "/",
        "concurrentSpawnLimit": 64,
        "consecutiveFailureLimit": 5,
        "allowNamedServers": True,
        "services": {"probe": {"apiToken": "elsewhere"}},
        "loadRoles": {
            "probe": {
                "services": ["probe"],
                "scopes": ["admin:users", "admin:servers", "list:services"],
            }
        },
        "extraConfig": {
            "01-first": "c.JupyterHub.template_vars = {'announcement': get_config('Release.Name')}",
            "02-second": "def hook(spawner):\n    spawner.environment['HOOKED'] = 'yes'\n"
            "c.KubeSpawner.pre_spawn_hook = hook\n",
        },
    },
    "singleuser": {
        "image": {"pullPolicy": "IfNotPresent"},
        "podNameTemplate": "jupyter-{user_server}",
        "startTimeout": 300,
        "events": True,
        "uid": 1000,
        "fsGid": 100,
        "allowPrivilegeEscalation": False,
        "extraLabels": {"hub.jupyter.org/network-access-hub": "true"},
        "extraEnv": {"OWNER": "{username}"},
        "storage": {
            "type": "dynamic",
            "capacity": "10Gi",
            "homeMountPath": "/home/jovyan",
            "dynamic": {
                "pvcNameTemplate": "claim-{user_server}",
                "volumeNameTemplate": "volume-{user_server}",
            },
            "extraVolumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}],
            "extraVolumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
        },
        "cloudMetadata": {"blockWithIptables": True},
        "networkTools": {"resources": {"limits": {"memory": "64Mi"}}},
    },
    "scheduling": {
        "userScheduler": {"enabled": True},
        "userPods": {
            "nodeAffinity": {"matchNodePurpose": "prefer"},
            "tolerations": [{"key": "hub.jupyter.org/dedicated", "operator": "Equal"}],
        },
    },
}


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Two trees of values as Helm joins them."""
    both = {
        key: merged(under[key], over[key])
        for key in under.keys() & over.keys()
        if isinstance(under[key], dict) and isinstance(over[key], dict)
    }
    return {**under, **over, **both}


@dataclass
class Release:
    """An installed chart: folders as they are mounted, variables as Kubernetes sets them."""

    folder: Path
    environment: dict[str, str]
    origin: str
    plugins: Path

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.plugins / "perijove", *arguments],
            cwd=self.folder / "srv",
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    @contextmanager
    def running(self) -> Iterator[httpx.Client]:
        """Proxy and hub in processes of their own, as in two pods; a client of the API."""
        commands = {
            "proxy": ["proxy", *self.proxy_arguments()],
            "hub": [*self.arguments_of_values()],
        }
        with ExitStack() as stack:
            for name, arguments in commands.items():
                log = stack.enter_context((self.folder / f"{name}.log").open("wb"))
                process = subprocess.Popen(
                    [self.plugins / "perijove", *arguments],
                    cwd=self.folder / "srv",
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                )
                stack.callback(end_process, process)
            api = stack.enter_context(
                httpx.Client(
                    base_url=f"{self.origin}/hub/api",
                    headers={"Authorization": f"token {TOKEN}"},
                    trust_env=False,
                    timeout=30,
                )
            )

            def answers() -> bool:
                assert process.poll() is None, (self.folder / "hub.log").read_text()
                try:
                    return api.get("/").status_code == 200
                except httpx.TransportError:
                    return False

            wait_for("the hub behind the proxy", answers, 60)
            yield api

    def proxy_arguments(self) -> list[str]:
        port = self.origin.rpartition(":")[2]
        api_port = self.environment["LOCALHOST_SERVICE_PORT"]
        return [
            *("--ip=127.0.0.1", f"--port={port}", "--api-ip=127.0.0.1", f"--api-port={api_port}"),
            f"--default-target=http://127.0.0.1:{self.environment['127.0.0.1_SERVICE_PORT']}",
        ]

    def arguments_of_values(self) -> list[str]:
        """What the values have the hub's container run, with the file where it is here."""
        command, *arguments = yaml.safe_load(VALUES.read_text())["hub"]["args"]
        assert command == "perijove"
        mounted = "/usr/local/etc/jupyterhub/jupyterhub_config.py"
        assert mounted in arguments
        return [str(CHART) if word == mounted else word for word in arguments]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running_cluster(tmp_path / "cluster", free_port()) as running:
        running.run_pods = False
        yield running


def install(folder: Path, plugins: Path, cluster: Cluster, more: dict[str, Any]) -> Release:
    for name in ("secret", "config", "srv"):
        (folder / name).mkdir()
    values = merged(merged(DEFAULTS, yaml.safe_load(VALUES.read_text())), more)
    secrets = {
        "values.yaml": yaml.safe_dump(values),
        "hub.services.probe.apiToken": TOKEN,
        "hub.config.JupyterHub.cookie_secret": "ab" * 32,
        "hub.config.CryptKeeper.keys": "cd" * 32,
    }
    names = {"hub": "127.0.0.1", "proxy-api": "localhost", "user-scheduler": "user-scheduler"}
    for where, files in (("secret", secrets), ("config", names)):
        for name, text in files.items():
            (folder / where / name).write_text(text)
    environment = {
        "PATH": f"{plugins}:{os.environ['PATH']}",
        "HOME": str(folder / "srv"),
        "CHART_ROOT": str(folder),
        "KUBECONFIG": str(cluster.folder / "kubeconfig"),
        "POD_NAMESPACE": "jhub",
        "HELM_RELEASE_NAME": "hub",
        "CONFIGPROXY_AUTH_TOKEN": "proxy-token-of-the-chart",
        "PYTHONUNBUFFERED": "1",
        "127.0.0.1_SERVICE_PORT": str(free_port()),
        "LOCALHOST_SERVICE_PORT": str(free_port()),
    }
    return Release(folder, environment, f"http://127.0.0.1:{free_port()}", plugins)


def test_the_charts_configuration_starts_the_hub_and_its_pods(
    plugins: Path, cluster: Cluster, tmp_path: Path
) -> None:
    release = install(tmp_path, plugins, cluster, {})
    checked = release.run("check-config", "-f", str(CHART))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "warning" not in checked.stdout.lower(), checked.stdout
    with release.running() as api:
        assert api.post("/users/ada/server", json={"profile": "large"}).status_code == 202
        pod = wait_for("the pod", lambda: next(iter(cluster.named("pods").values()), None))
        services = api.get("/services").json()
    spec, metadata = pod["spec"], pod["metadata"]
    assert metadata["labels"]["release"] == "hub"
    assert metadata["namespace"] == "jhub"
    assert spec["schedulerName"] == "user-scheduler"
    assert spec["initContainers"][0]["securityContext"]["capabilities"] == {"add": ["NET_ADMIN"]}
    assert spec["tolerations"][0]["key"] == "hub.jupyter.org/dedicated"
    preferred = spec["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred[0]["weight"] == 100
    (container,) = spec["containers"]
    assert container["args"] == ["jupyterhub-singleuser"]
    assert container["image"] == "quay.io/jupyter/scipy-notebook:latest"
    assert container["resources"]["limits"]["memory"] == 16 * 1024**3
    variables = {v["name"]: v.get("value") for v in container["env"]}
    assert variables["HOOKED"] == "yes"
    assert variables["OWNER"] == "ada"
    assert variables["JUPYTERHUB_DEFAULT_URL"] == "/lab"
    assert {v["name"] for v in spec["volumes"]} == {"volume-ada", "shm"}
    assert set(cluster.named("persistentvolumeclaims")) == {"claim-ada"}
    assert {"jupyterhub-idle-culler", "probe"} <= set(services)
    assert (tmp_path / "srv" / "perijove.sqlite").exists()


def test_a_null_command_leaves_the_start_to_the_image(
    plugins: Path, cluster: Cluster, tmp_path: Path
) -> None:
    release = install(tmp_path, plugins, cluster, {"singleuser": {"cmd": None}})
    with release.running() as api:
        assert api.post("/users/ada/server", json={}).status_code == 202
        pod = wait_for("the pod", lambda: next(iter(cluster.named("pods").values()), None))
    assert pod["spec"]["containers"][0].get("args") is None
