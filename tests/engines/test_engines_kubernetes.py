"""KubeSpawner on a Kubernetes API in memory: pods that run, and the spawn page's profiles."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import PASSWORD, HubProcess, MakeHub, free_port, wait_for
from kubernetes_api import Cluster, Object, running_cluster
from playwright.sync_api import Browser, expect

SETTINGS = """
c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.JupyterHub.cleanup_servers = False
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 0}}
c.KubeSpawner.namespace = "science"
c.KubeSpawner.image = "registry.example/base:1"
c.KubeSpawner.ip = "127.0.0.1"
c.KubeSpawner.port = {port}
c.KubeSpawner.cmd = {command!r}
c.KubeSpawner.args = ["--allow-root"]
c.KubeSpawner.notebook_dir = ""
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.storage_capacity = "1Gi"
c.KubeSpawner.start_timeout = 120
c.KubeSpawner.http_timeout = 90
c.KubeSpawner.poll_interval = 1
c.KubeSpawner.volumes = [
    {{"name": "home", "persistentVolumeClaim": {{"claimName": "{{pvc_name}}"}}}}
]
c.KubeSpawner.volume_mounts = [{{"name": "home", "mountPath": "/home/jovyan"}}]
"""

PROFILES = """
c.KubeSpawner.profile_list = [
    {
        "display_name": "Look around",
        "slug": "look",
        "default": True,
        "description": "half a core",
        "kubespawner_override": {"cpu_limit": 0.5, "mem_limit": "1G"},
    },
    {
        "display_name": "Reduce data",
        "slug": "reduce",
        "description": "eight cores",
        "profile_options": {
            "python": {
                "display_name": "Python",
                "choices": {
                    "p311": {
                        "display_name": "Python 3.11",
                        "default": True,
                        "kubespawner_override": {"image": "registry.example/py311:1"},
                    },
                    "p312": {
                        "display_name": "Python 3.12",
                        "kubespawner_override": {"image": "registry.example/py312:1"},
                    },
                },
            }
        },
        "kubespawner_override": {"cpu_limit": 8, "node_selector": {"pool": "big"}},
    },
]
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running_cluster(tmp_path / "cluster", free_port()) as running:
        yield running


@pytest.fixture
def make_kube_hub(plugin_hub: MakeHub, cluster: Cluster, plugins: Path) -> MakeHub:
    def make(more: str = "") -> HubProcess:
        settings = SETTINGS.format(
            port=free_port(), command=[str(plugins / "jupyterhub-singleuser")]
        )
        kubeconfig = str(cluster.folder / "kubeconfig")
        return plugin_hub(settings + more, environment={"KUBECONFIG": kubeconfig})

    return make


def pods(cluster: Cluster) -> dict[str, Object]:
    return cluster.named("pods")


def test_a_pod_serves_its_person_outlives_the_hub_and_is_deleted(
    make_kube_hub: MakeHub, cluster: Cluster
) -> None:
    hub = make_kube_hub()
    hub.add_users(["ada"])
    hub.request_server("ada")
    messages = [event.message or "" for event in hub.client.follow_start("ada")]
    assert any("Successfully assigned" in message for message in messages), messages
    assert hub.servers()["ada"]["ready"], messages
    (pod,) = pods(cluster).values()
    (claim,) = cluster.named("persistentvolumeclaims").values()
    volume = pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"]
    assert volume == claim["metadata"]["name"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"
    assert pod["metadata"]["annotations"]["hub.jupyter.org/username"] == "ada"
    status = hub.api.get(f"{hub.origin}/user/ada/api/status")
    assert status.status_code == 200, status.text[:300]

    hub.stop()
    hub.start()
    wait_for("the same pod's server", lambda: hub.servers().get("ada", {}).get("ready"), 60)
    assert [p["metadata"]["uid"] for p in pods(cluster).values()] == [pod["metadata"]["uid"]]
    assert hub.api.get(f"{hub.origin}/user/ada/api/status").status_code == 200

    hub.client.stop_server("ada")
    wait_for("the end of the pod", lambda: not pods(cluster), 60)
    wait_for("the end of the stop", lambda: not hub.servers())
    assert list(cluster.named("persistentvolumeclaims")) == [claim["metadata"]["name"]]
    assert hub.api.delete("/users/ada").status_code == 204
    wait_for("the end of the claim", lambda: not cluster.named("persistentvolumeclaims"))


def test_a_pod_that_ends_by_itself_ends_the_server(
    make_kube_hub: MakeHub, cluster: Cluster
) -> None:
    hub = make_kube_hub(
        'c.KubeSpawner.cmd = ["sh", "-c", "sleep 2; exit 3"]\nc.KubeSpawner.http_timeout = 3\n'
    )
    hub.add_users(["ada"])
    hub.request_server("ada")
    wait_for("the end of the start", lambda: not hub.servers(), 60)
    wait_for("the end of the pod", lambda: not pods(cluster), 60)


def test_profiles_are_shown_and_the_chosen_one_makes_the_pod(
    browser: Browser, make_kube_hub: MakeHub, cluster: Cluster
) -> None:
    cluster.run_pods = False
    hub = make_kube_hub(PROFILES)
    context = browser.new_context()
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto(f"{hub.origin}/hub/login?next=%2Fhub%2Fspawn")
    page.fill("input[name=username]", "ada")
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(re.compile(r"/hub/spawn$"))
    expect(page.locator("body")).to_contain_text("Look around")
    expect(page.locator("body")).to_contain_text("eight cores")
    assert page.locator("input[name=profile]:checked").get_attribute("value") == "look"
    page.check("input[name=profile][value=reduce]")
    page.select_option("select[name=profile-option-reduce--python]", "p312")
    page.locator("form").filter(has=page.locator("input[name=profile]")).locator(
        "input[type=submit], button[type=submit]"
    ).first.click()
    page.wait_for_url(re.compile(r"/hub/spawn-pending/ada"))
    context.close()

    pod = wait_for("the pod", lambda: next(iter(pods(cluster).values()), None))
    container = pod["spec"]["containers"][0]
    assert container["image"] == "registry.example/py312:1"
    assert container["resources"]["limits"]["cpu"] == 8
    assert pod["spec"]["nodeSelector"] == {"pool": "big"}
    options = hub.api.get("/users/ada").json()["servers"][""]["user_options"]
    assert options["profile"] == "reduce"
