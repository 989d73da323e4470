"""The quick-start example is a whole configuration that runs as it stands in the repository."""

import json
import os
import shutil
from pathlib import Path

import pytest
from harness import HubProcess, hidden_field, wait_for

QUICKSTART = Path(__file__).resolve().parents[2] / "examples" / "quickstart"

pytestmark = pytest.mark.slow


def quickstart_hub(directory: Path) -> HubProcess:
    """A hub with a copy of the example; only its ports differ."""
    shutil.copytree(QUICKSTART, directory, ignore=shutil.ignore_patterns("data", "__pycache__"))
    original = (directory / "jupyterhub_config.py").read_text()
    hub = HubProcess(directory)
    hub.config.write_text(original)
    hub.command += [
        f"--JupyterHub.bind_url={hub.origin}",
        f"--JupyterHub.hub_port={hub.hub_port}",
        f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{hub.proxy_port}",
    ]
    return hub


def test_quick_start_gives_a_person_with_the_shared_password_a_jupyterlab(tmp_path: Path) -> None:
    hub = quickstart_hub(tmp_path / "hub")
    try:
        hub.start()
        secrets = hub.directory / "data" / "passwords.json"
        assert secrets.stat().st_mode & 0o077 == 0, "the passwords are readable by others"
        password = json.loads(secrets.read_text())["user"]

        client = hub.browser()
        form = client.get("/hub/login").text
        data = {"username": "ada", "_xsrf": hidden_field(form, "_xsrf")}
        wrong = client.post("/hub/login", data={**data, "password": "not the password"})
        assert wrong.status_code == 403
        right = client.post("/hub/login", data={**data, "password": password})
        assert right.status_code == 200, right.text[:500]
        client.get("/hub/spawn")

        def lab_answers() -> bool:
            page = client.get("/user/ada/lab")
            return page.status_code == 200 and page.url.path.startswith("/user/ada/lab")

        wait_for("JupyterLab", lab_answers, 90)
        assert "jupyterlab" in client.get("/user/ada/lab").text.lower()
        assert os.listdir(hub.directory / "data" / "homes") == ["ada"]
    finally:
        hub.end()
