"""The Node.js configurable-http-proxy can stand in for ours, by naming its command."""

import os
from pathlib import Path

import httpx
import pytest
from harness import HubProcess, MakeHub, missing, wait_for

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("PERIJOVE_TEST_PEERS", ROOT / ".cache" / "peers"))
NODE_PROXY = PEERS / "node_modules" / ".bin" / "configurable-http-proxy"

pytestmark = pytest.mark.slow


def ready(hub: HubProcess, user: str) -> bool:
    return bool(hub.servers().get(user, {}).get("ready"))


def test_a_server_is_reached_through_the_node_proxy(make_hub: MakeHub, gated_settings: str) -> None:
    if not NODE_PROXY.exists():
        missing(f"{NODE_PROXY} is not installed (scripts/peer_venv.sh --proxy)")
    path = os.pathsep.join([str(PEERS / "node" / "bin"), os.environ["PATH"]])
    settings = f"{gated_settings}\nc.ConfigurableHTTPProxy.command = [{str(NODE_PROXY)!r}]\n"
    hub = make_hub(settings, environment={"PATH": path})
    commands = [" ".join(process.cmdline()) for process in hub.processes()]
    assert any("configurable-http-proxy" in command and "node" in command for command in commands)

    hub.add_users(["ada"])
    hub.request_server("ada")
    wait_for("ada's server", lambda: ready(hub, "ada"))
    token = hub.new_token("ada")
    reply = httpx.get(
        f"{hub.origin}/user/ada/where", headers={"Authorization": f"token {token}"}, trust_env=False
    )
    assert reply.status_code == 200
    assert reply.json()["prefix"] == "/user/ada/"
