"""traefik as the proxy: jupyterhub-traefik-proxy with its rules in a file."""

import sys
from pathlib import Path

import httpx
import psutil
from harness import GATED_SERVER, HubProcess, MakeHub, free_port, wait_for

SETTINGS = """
import os
c.JupyterHub.proxy_class = "traefik_file"
c.JupyterHub.cleanup_servers = False
c.TraefikProxy.traefik_api_url = "http://127.0.0.1:{api_port}"
c.TraefikProxy.traefik_api_username = "hub"
c.TraefikProxy.traefik_api_password = "traefik-secret"
c.TraefikProxy.traefik_log_level = "WARN"
c.TraefikFileProviderProxy.static_config_file = {static!r}
c.TraefikFileProviderProxy.dynamic_config_file = {dynamic!r}
c.Proxy.extra_routes = {{"/elsewhere/": "http://127.0.0.1:{hub_like}/"}}
c.Spawner.cmd = {command!r}
c.Spawner.args = []
os.environ["PATH"] = {bin!r} + os.pathsep + os.environ["PATH"]
"""


def make_settings(plugins: Path, folder: Path) -> str:
    return SETTINGS.format(
        api_port=free_port(),
        hub_like=free_port(),
        static=str(folder / "traefik.toml"),
        dynamic=str(folder / "rules.toml"),
        command=[sys.executable, "-S", str(GATED_SERVER)],
        bin=str(plugins),
    )


def traefiks(hub: HubProcess) -> list[int]:
    """Process ids of this hub's traefik."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if "traefik" in " ".join(command[:2]) and any(
            str(hub.directory.parent) in argument for argument in command
        ):
            found.append(process.pid)
    return found


def answers(hub: HubProcess, path: str) -> int:
    """Status of a request of root's service."""
    try:
        return int(hub.api.get(f"{hub.origin}{path}").status_code)
    except httpx.TransportError:
        return 0


def test_traefik_leads_to_hub_and_servers_and_back_after_a_restart(
    plugin_hub: MakeHub, plugins: Path, tmp_path: Path
) -> None:
    hub = plugin_hub(make_settings(plugins, tmp_path))
    (first,) = traefiks(hub)
    hub.add_users(["ada", "brook"])
    for name in ("ada", "brook"):
        hub.request_server(name)
    for name in ("ada", "brook"):
        wait_for(f"{name}'s server", lambda name=name: hub.servers().get(name, {}).get("ready"), 60)
        assert answers(hub, f"/user/{name}/api") == 200
    routes = hub.api.get("/proxy").json()
    assert {"/", "/user/ada/", "/user/brook/", "/elsewhere/"} <= set(routes), routes
    assert routes["/user/ada/"]["data"]["user"] == "ada"
    # The prefix ends where the name ends.
    assert answers(hub, "/user/adam/api") == 302

    hub.client.stop_server("brook")
    wait_for("the route to go", lambda: answers(hub, "/user/brook/api") == 302)

    hub.stop()
    wait_for("the end of traefik", lambda: not psutil.pid_exists(first))
    hub.start()
    wait_for("ada's server again", lambda: answers(hub, "/user/ada/api") == 200)
    assert len(traefiks(hub)) == 1
