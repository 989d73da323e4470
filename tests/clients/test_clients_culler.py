"""``jupyterhub-idle-culler`` from PyPI stops who is idle and leaves alone who is busy."""

import time

import httpx
import pytest
from harness import GATED_SERVER, MakeHub, wait_for

pytestmark = pytest.mark.slow

TIMEOUT_S = 6
SETTINGS = """
import sys
c.Spawner.cmd = [sys.executable, "-S", {server!r}]
c.Spawner.args = []
c.JupyterHub.allow_named_servers = True
c.JupyterHub.last_activity_interval = 1
c.JupyterHub.activity_resolution = 1
c.JupyterHub.load_roles = [{{
    "name": "idle-culler",
    "services": ["idle-culler"],
    "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
}}]
c.JupyterHub.services += [{{
    "name": "idle-culler",
    "command": [
        {python!r}, "-m", "jupyterhub_idle_culler",
        "--timeout={timeout}", "--cull-every=2", "--api-page-size=2",
    ],
    "environment": {{"PYTHONPATH": ""}},
}}]
"""


def test_idle_servers_are_stopped_and_used_ones_are_not(
    make_hub: MakeHub, clients_python: str
) -> None:
    settings = SETTINGS.format(server=str(GATED_SERVER), python=clients_python, timeout=TIMEOUT_S)
    hub = make_hub(settings)
    names = ["ada", "ben", "cleo", "dan"]
    hub.add_users(names)
    for name in names:
        assert hub.client.start_server(name, wait_s=60)
    assert hub.client.start_server("ben", "spare", wait_s=60)
    busy = f"{hub.origin}/user/ben/work"
    began = time.monotonic()

    def only_ben_is_left() -> bool:
        httpx.get(busy, trust_env=False)
        running = {
            f"{user.name}/{server}" for user in hub.client.users() for server in user.servers or {}
        }
        assert "ben/" in running, f"the busy server was stopped:\n{hub.log_end()}"
        return running == {"ben/"}

    wait_for("the end of all idle servers", only_ben_is_left, 60)
    idle_for = time.monotonic() - began
    still = time.monotonic() + TIMEOUT_S + 3
    wait_for("two rounds more", lambda: only_ben_is_left() and time.monotonic() > still, 30)
    assert idle_for >= TIMEOUT_S - 3, "servers were stopped before they had been idle"
    log = hub.log.read_text()
    assert "Culling server ada" in log, "the culler's reason is not in the hub's log"
