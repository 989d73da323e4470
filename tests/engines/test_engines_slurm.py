"""batchspawner on a real Slurm: JupyterLab as a job of the person, across a restart of the hub."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import HubProcess, MakeHub, wait_for
from slurm import Slurm, running_slurm
from system import IS_ROOT, person, program, readable_folder

HOW_TO = Path(__file__).resolve().parents[2] / "examples/deploy/slurm/jupyterhub_config.py"

SETTINGS = """
# The how-to's file, with what differs from its cluster.
bind_url = c.JupyterHub.bind_url
load_subconfig({how_to!r})
c.JupyterHub.bind_url = bind_url
c.JupyterHub.authenticator_class = "dummy"
c.BatchSpawnerBase.exec_prefix = {prefix!r}
c.BatchSpawnerBase.batchspawner_singleuser_cmd = "{bin}/batchspawner-singleuser"
c.Spawner.cmd = ["{bin}/jupyterhub-singleuser"]
c.Spawner.args = {arguments!r}
c.SlurmSpawner.req_options = "--output=/dev/null"
"""


@pytest.fixture
def slurm() -> Iterator[Slurm]:
    program("slurmctld", "slurmctld")
    with readable_folder() as folder, running_slurm(folder) as running:
        yield running


@pytest.fixture
def name(plugins: Path) -> Iterator[str]:
    with person("perijove-slurm", plugins / "batchspawner-singleuser") as account:
        yield account


def settings(slurm: Slurm, name: str, plugins: Path) -> str:
    prefix = f"env SLURM_CONF={slurm.configuration}"
    if IS_ROOT:
        prefix = f"runuser -u {{username}} -- {prefix}"
    arguments = ["--allow-root"] if name == "root" else []
    return SETTINGS.format(how_to=str(HOW_TO), prefix=prefix, bin=plugins, arguments=arguments)


def lab_status(hub: HubProcess, name: str) -> dict[str, object]:
    """What the person's JupyterLab answers through the proxy."""
    reply = hub.api.get(f"{hub.origin}/user/{name}/api/status")
    return dict(reply.json()) if reply.status_code == 200 else {"status": reply.status_code}


def test_jupyterlab_runs_as_a_job_and_outlives_a_restart_of_the_hub(
    plugin_hub: MakeHub, slurm: Slurm, name: str, plugins: Path
) -> None:
    hub = plugin_hub(settings(slurm, name, plugins))
    hub.add_users([name])
    hub.request_server(name)
    server = wait_for("the job's server", lambda: hub.servers().get(name, {}).get("ready"), 120)
    assert server
    assert slurm.jobs() == [f"RUNNING {name}"]
    job = hub.api.get(f"/users/{name}").json()["servers"][""]["state"]["job_id"]
    assert job
    first = lab_status(hub, name)
    assert "kernels" in first, first

    hub.stop()
    assert slurm.jobs() == [f"RUNNING {name}"]
    hub.start()
    wait_for("the same server", lambda: hub.servers().get(name, {}).get("ready"), 60)
    assert hub.api.get(f"/users/{name}").json()["servers"][""]["state"]["job_id"] == job
    assert lab_status(hub, name).get("started") == first["started"]

    hub.client.stop_server(name)
    wait_for("the end of the job", lambda: not slurm.jobs(), 60)
    wait_for("the end of the stop", lambda: not hub.servers())


def test_a_job_that_is_cancelled_ends_the_server(
    plugin_hub: MakeHub, slurm: Slurm, name: str, plugins: Path
) -> None:
    hub = plugin_hub(settings(slurm, name, plugins) + "c.Spawner.poll_interval = 1\n")
    hub.add_users([name])
    hub.request_server(name)
    wait_for("the job's server", lambda: hub.servers().get(name, {}).get("ready"), 120)
    job = hub.api.get(f"/users/{name}").json()["servers"][""]["state"]["job_id"]
    slurm.ask("scancel", job)
    wait_for("the hub to notice", lambda: not hub.servers(), 60)
