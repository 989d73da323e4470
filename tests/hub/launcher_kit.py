"""Runs the launcher example as it stands in the repository; only its ports differ."""

import shutil
from pathlib import Path

import httpx
from harness import HubProcess, free_port, wait_for

LAUNCHER = Path(__file__).resolve().parents[2] / "examples" / "launcher"


def options_of(hub: HubProcess) -> list[str]:
    """Command-line options that put a hub on the ports of ``hub``, whatever its file says."""
    return [
        f"--JupyterHub.bind_url={hub.origin}{hub.base_url}",
        f"--JupyterHub.hub_port={hub.hub_port}",
        f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{hub.proxy_port}",
    ]


def launcher_hub(directory: Path, **environment: str) -> HubProcess:
    """A hub below ``directory`` with a copy of the example, placed as in the repository.

    ``environment`` are the example's own variables.
    """
    place = directory / "examples" / "launcher"
    shutil.copytree(LAUNCHER, place, ignore=shutil.ignore_patterns("data", "__pycache__"))
    hub = HubProcess(directory, environment={"LAUNCHER_PORT": str(free_port()), **environment})
    hub.config = place / "jupyterhub_config.py"
    hub.command += options_of(hub)
    return hub


def start(hub: HubProcess) -> None:
    """Start it, and wait for its first page."""
    hub.start()

    def answers() -> bool:
        reply = httpx.get(hub.origin, trust_env=False)
        return reply.status_code == 200 and "Start a notebook" in reply.text

    wait_for("the launcher's page", answers)
