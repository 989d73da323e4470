"""Spawners for one machine: sudospawner, systemdspawner, wrapspawner's profiles."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from harness import GATED_SERVER, HubProcess, MakeHub, wait_for
from system import need_root, person, program, readable_folder

STANDIN = Path(__file__).with_name("systemd_standin.py")
HUB_USER, PERSON = "perijove-hub", "perijove-ada"

SUDO = """
c.JupyterHub.spawner_class = "sudospawner.SudoSpawner"
c.SudoSpawner.sudospawner_path = "{bin}/sudospawner"
c.JupyterHub.cleanup_servers = False
c.Spawner.args = {arguments!r}
c.Spawner.start_timeout = 60
c.Spawner.http_timeout = 90
"""

PROFILES = """
c.JupyterHub.spawner_class = "wrapspawner.ProfilesSpawner"
c.JupyterHub.cleanup_servers = False
from jupyterhub.spawner import SimpleLocalProcessSpawner
c.ProfilesSpawner.profiles = [
    (label, key, SimpleLocalProcessSpawner, {{"mem_limit": limit}})
    for label, key, limit in (("Small box", "small", "1G"), ("Large box", "large", "8G"))
]
c.Spawner.cmd = {command!r}
c.Spawner.args = []
"""

SYSTEMD = """
c.JupyterHub.spawner_class = "systemdspawner.SystemdSpawner"
c.JupyterHub.cleanup_servers = False
c.SystemdSpawner.mem_limit = "2G"
c.SystemdSpawner.cpu_limit = 1.5
c.SystemdSpawner.isolate_tmp = True
c.SystemdSpawner.isolate_devices = True
c.SystemdSpawner.disable_user_sudo = True
c.SystemdSpawner.readonly_paths = ["/"]
c.SystemdSpawner.readwrite_paths = ["/home/{{USERNAME}}"]
c.SystemdSpawner.unit_extra_properties = {{"TasksMax": "500"}}
c.SystemdSpawner.slice = "jupyter.slice"
c.Spawner.cmd = {command!r}
c.Spawner.args = []
c.Spawner.poll_interval = 1
"""


def ready(hub: HubProcess, name: str) -> object:
    return wait_for(f"{name}'s server", lambda: hub.servers().get(name, {}).get("ready"), 90)


def state_of(hub: HubProcess, name: str) -> dict[str, object]:
    return dict(hub.api.get(f"/users/{name}").json()["servers"][""]["state"])


# -- sudospawner ------------------------------------------------------------------------------
@pytest.fixture
def sudoers() -> Iterator[tuple[str, str]]:
    """A hub account that may start servers for one person; as root where neither can be."""
    program("sudo", "sudo")
    need_root("making accounts and a rule for sudo")
    plugins = Path(os.environ.get("PERIJOVE_TEST_PLUGINS", STANDIN.parents[2] / ".cache/plugins"))
    sudospawner = plugins / "bin" / "sudospawner"
    rules = Path("/etc/sudoers.d/perijove-tests")
    with ExitStack() as stack:
        hub_user = stack.enter_context(person(HUB_USER, sudospawner))
        name = stack.enter_context(person(PERSON, sudospawner))
        rules.write_text(f"{hub_user} ALL=({name}) NOPASSWD: {sudospawner}\n")
        rules.chmod(0o440)
        stack.callback(rules.unlink)
        yield hub_user, name


def test_a_hub_without_root_starts_servers_through_sudo(
    plugins: Path, sudoers: tuple[str, str]
) -> None:
    hub_user, name = sudoers
    with readable_folder() as folder:
        hub = HubProcess(
            folder / "hub",
            SUDO.format(bin=plugins, arguments=["--allow-root"] if name == "root" else []),
            command=["runuser", "-u", hub_user, "--", str(plugins / "perijove")],
        )
        for path in (hub.directory, *hub.directory.rglob("*")):
            shutil.chown(path, hub_user)
        try:
            hub.start()
            assert hub.api.post("/users", json={"usernames": [name]}).status_code == 201
            hub.request_server(name)
            ready(hub, name)
            server = psutil.Process(int(state_of(hub, name)["pid"]))  # type: ignore[call-overload]
            assert server.username() == name
            assert hub.api.get(f"{hub.origin}/user/{name}/api/status").status_code == 200

            hub.stop()
            hub.start()
            ready(hub, name)
            assert psutil.Process(server.pid).username() == name
            hub.client.stop_server(name)
            wait_for("the end of the process", lambda: not server.is_running())
        except BaseException:
            print(hub.log_end())
            raise
        finally:
            hub.end()


# -- wrapspawner ------------------------------------------------------------------------------
def test_a_profile_is_chosen_kept_over_a_restart_and_stopped(plugin_hub: MakeHub) -> None:
    hub = plugin_hub(PROFILES.format(command=[sys.executable, "-S", str(GATED_SERVER)]))
    browser = hub.sign_in("ada")
    form = browser.get("/hub/spawn")
    assert "Small box" in form.text
    assert "Large box" in form.text
    hub.request_server("ada", {"profile": "large"})
    ready(hub, "ada")
    (pid,) = hub.server_processes()["ada"]
    assert psutil.Process(pid).environ()["MEM_LIMIT"] == str(8 * 1024**3)
    assert state_of(hub, "ada")["profile"] == "large"

    hub.stop()
    hub.start()
    ready(hub, "ada")
    assert hub.server_processes()["ada"] == [pid]
    assert hub.api.get(f"{hub.origin}/user/ada/api").status_code == 200
    hub.client.stop_server("ada")
    wait_for("the end of the process", lambda: not hub.server_processes())


# -- systemdspawner ---------------------------------------------------------------------------
@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Path]:
    """A folder with units; ``bin`` in it has the two commands."""
    need_root("a unit with a user of its own")
    with readable_folder() as folder:
        (folder / "bin").mkdir()
        for name in ("systemd-run", "systemctl"):
            command = folder / "bin" / name
            command.write_text(f"#!{sys.executable}\n" + STANDIN.read_text())
            command.chmod(0o755)
        yield folder


def test_a_unit_with_limits_is_made_for_a_person_and_outlives_the_hub(
    plugin_hub: MakeHub, plugins: Path, systemd: Path
) -> None:
    server = systemd / "server.py"
    shutil.copy(GATED_SERVER, server)
    environment = {
        "PATH": f"{systemd / 'bin'}:{os.environ['PATH']}",
        "SYSTEMD_STANDIN": str(systemd),
    }
    with person(PERSON, server) as name:
        command = ["/usr/bin/python3", "-S", str(server)]
        hub = plugin_hub(SYSTEMD.format(command=command), environment=environment)
        hub.add_users([name])
        hub.request_server(name)
        ready(hub, name)
        unit = systemd / f"jupyter-{name}-singleuser.service"
        pid = int(unit.with_suffix(".pid").read_text())
        assert psutil.Process(pid).uids().real == pwd.getpwnam(name).pw_uid
        said = unit.read_text().splitlines()
        for line in (
            "MemoryMax=2147483648",
            "CPUQuota=150%",
            "PrivateTmp=yes",
            "PrivateDevices=yes",
            "NoNewPrivileges=yes",
            "ReadOnlyDirectories=/",
            f"ReadWriteDirectories=/home/{name}",
            "TasksMax=500",
            "Slice=jupyter.slice",
        ):
            assert line in said
        if verifier := shutil.which("systemd-analyze"):
            checked = subprocess.run(
                [verifier, "verify", unit], capture_output=True, text=True, timeout=60
            )
            assert checked.returncode == 0, checked.stderr
            assert "Unknown" not in checked.stderr, checked.stderr

        hub.stop()
        hub.start()
        ready(hub, name)
        assert psutil.pid_exists(pid)
        os.kill(pid, 9)
        wait_for("the hub to notice", lambda: not hub.servers(), 30)
