"""dockerspawner on podman's Docker-compatible socket: a container for a person."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import MakeHub, free_port, wait_for
from podman import IMAGE, Podman, running_podman
from system import readable_folder

HOW_TO = Path(__file__).resolve().parents[2] / "examples/deploy/containers/jupyterhub_config.py"

SETTINGS = """
# The how-to's file, with what differs from its machine: the image has no software in it.
bind_url = c.JupyterHub.bind_url
load_subconfig({how_to!r})
c.JupyterHub.bind_url = bind_url
c.JupyterHub.authenticator_class = "dummy"
c.DockerSpawner.image = {image!r}
c.DockerSpawner.pull_policy = "skip"
c.Spawner.pre_spawn_hook = lambda spawner: setattr(spawner, "port", {port})
c.DockerSpawner.read_only_volumes = {{path: path for path in {mounts!r}}}
c.DockerSpawner.volumes = {{"{data}/{{username}}": "/home/jovyan/work"}}
c.DockerSpawner.environment = {{"COURSE": "mechanics"}}
c.DockerSpawner.cmd = ["{bin}/jupyterhub-singleuser", "--allow-root"]
c.Spawner.poll_interval = 1
"""


@pytest.fixture
def podman() -> Iterator[Podman]:
    with readable_folder() as folder, running_podman(folder) as running:
        yield running


def mounts(plugins: Path) -> list[str]:
    """What a container needs of this machine to run the single-user server."""
    prefix = subprocess.check_output(
        [plugins / "python", "-c", "import sys; print(sys.base_prefix)"], text=True
    ).strip()
    # The environment also finds the checkout, but a single-user server imports none of it.
    wanted = ["/usr", prefix, str(plugins.parent), "/etc/ld.so.cache", "/etc/ssl"]
    return [path for path in dict.fromkeys(wanted) if Path(path).exists()]


def test_a_container_serves_its_person_outlives_the_hub_and_is_removed(
    plugin_hub: MakeHub, podman: Podman, plugins: Path, tmp_path: Path
) -> None:
    (tmp_path / "data" / "ada").mkdir(parents=True)
    settings = SETTINGS.format(
        how_to=str(HOW_TO),
        image=IMAGE,
        port=free_port(),
        mounts=mounts(plugins),
        bin=plugins,
        data=tmp_path / "data",
    )
    hub = plugin_hub(settings, environment=podman.environment)
    hub.request_server("ada")
    wait_for("the container's server", lambda: hub.servers().get("ada", {}).get("ready"), 120)
    assert podman.containers() == ["jupyter-ada"]
    variables = podman.ask("exec", "jupyter-ada", "env").splitlines()
    assert "COURSE=mechanics" in variables
    assert "JUPYTERHUB_USER=ada" in variables
    ada = hub.api_of(hub.new_token("ada"))
    written = ada.put(
        f"{hub.origin}/user/ada/api/contents/notes.txt",
        json={"type": "file", "format": "text", "content": "hello"},
    )
    assert written.status_code == 201, written.text
    assert (tmp_path / "data" / "ada" / "notes.txt").read_text() == "hello"

    hub.stop()
    hub.start()
    wait_for("the same server", lambda: hub.servers().get("ada", {}).get("ready"), 60)
    assert podman.containers() == ["jupyter-ada"]
    assert ada.get(f"{hub.origin}/user/ada/api/status").status_code == 200

    hub.client.stop_server("ada")
    wait_for("the removal of the container", lambda: not podman.containers(), 60)
    wait_for("the end of the stop", lambda: not hub.servers())


def test_an_image_that_does_not_exist_is_a_failure_with_its_name(
    plugin_hub: MakeHub, podman: Podman, plugins: Path, tmp_path: Path
) -> None:
    settings = SETTINGS.format(
        how_to=str(HOW_TO),
        image="localhost/none:1",
        port=free_port(),
        mounts=[],
        bin=plugins,
        data=tmp_path,
    )
    hub = plugin_hub(settings, environment=podman.environment)
    answer = hub.api.post("/users/ada/server")
    assert answer.status_code == 500, answer.text
    wait_for("the end of the start", lambda: not hub.servers(), 60)
    assert "localhost/none:1" in hub.log_end(200)
    assert podman.containers() == []
