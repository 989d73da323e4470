"""The REST API under Schemathesis: what comes, right or wrong, is answered as documented.

It asks for every operation with what the document allows and with what it
forbids, and in sequences where one answer's ids feed the next request. The
rules are in ``schemathesis.toml``.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from harness import GATED_SERVER, ROOT_TOKEN, HubProcess, MakeHub

COMMAND = Path(sys.executable).with_name("schemathesis")
RULES = Path(__file__).with_name("schemathesis.toml")
LIMIT_S = 240

SETTINGS = f"""
c.JupyterHub.allow_named_servers = True
c.JupyterHub.admin_access = True
c.JupyterHub.active_server_limit = 10
c.Spawner.cmd = [{sys.executable!r}, "-S", {str(GATED_SERVER)!r}]
c.Spawner.args = []
c.JupyterHub.services.append(
    {{"name": "app", "url": "http://127.0.0.1:1", "api_token": "app-token-0123456789"}}
)
"""


def fill(hub: HubProcess) -> None:
    """Something of every kind."""
    api = hub.api
    hub.add_users(["ada", "bob", "eve"])
    done = [
        api.post("/groups", json={"groups": ["science", "arts"], "users": ["ada", "bob"]}),
        api.put("/users/ada/servers/lab"),
        api.put("/users/ada/servers/desk"),
        api.post("/shares/ada/lab", json={"user": "bob"}),
        api.post("/shares/ada/lab", json={"group": "science"}),
        api.post("/share-codes/ada/lab"),
        api.post("/users/ada/tokens"),
        api.post("/services/made", json={"url": "http://127.0.0.1:1"}),
    ]
    assert [answer.status_code // 100 for answer in done] == [2] * len(done)


@pytest.mark.slow
def test_whatever_is_sent_is_answered_as_documented(make_hub: MakeHub, tmp_path: Path) -> None:
    hub: HubProcess = make_hub(SETTINGS, environment={"JUPYTERHUB_CRYPT_KEY": "a1" * 32})
    fill(hub)
    (cookie,) = {
        cookie.value
        for cookie in hub.sign_in("admin").cookies.jar
        if cookie.name == "jupyterhub-hub-login"
    }
    url = f"http://127.0.0.1:{hub.hub_port}/hub/api/openapi.json"
    done = subprocess.run(
        [COMMAND, "--config-file", RULES, "--no-color", "run", url],
        cwd=tmp_path,
        env={**os.environ, "HUB_TOKEN": ROOT_TOKEN, "HUB_COOKIE": cookie},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    (tmp_path / "schemathesis.txt").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    assert [line for line in hub.log.read_text().splitlines() if line.startswith("[E ")] == []
    shut = hub.api.post("/shutdown")
    assert (shut.status_code, shut.json()) == (202, {"message": "Shutting down Hub"})
    assert hub.process is not None
    assert hub.process.wait(30) == 0
