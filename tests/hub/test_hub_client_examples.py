"""The client's examples, and the code in its guide, do on a real hub what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness import ROOT_TOKEN, HubProcess, MakeHub, wait_for

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "client"
GUIDE = ROOT / "docs" / "how-to" / "use-the-api-from-python.md"

pytestmark = pytest.mark.slow


def run_python(hub: HubProcess, *words: str, token: str = ROOT_TOKEN) -> str:
    """What a program prints that ends well and does not complain."""
    env = {**os.environ, "JUPYTERHUB_API_URL": hub.origin, "JUPYTERHUB_API_TOKEN": token}
    done = subprocess.run(
        [sys.executable, *words], env=env, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, ""), (words, done)
    return done.stdout


def test_the_code_in_the_guide_runs_from_top_to_bottom(
    make_hub: MakeHub, gated_settings: str
) -> None:
    hub = make_hub(gated_settings)
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    said = "\n".join(run_python(hub, "-c", block) for block in blocks)
    assert "root may " in said
    assert "ada has ['']" in said
    assert "go to /user/grace/" in said
    assert "there is no such user" in said


def test_a_class_follows_its_list(make_hub: MakeHub, tmp_path: Path) -> None:
    hub = make_hub()
    names = tmp_path / "names.txt"
    program = str(EXAMPLES / "class_list.py")
    names.write_text("ada\nGrace\n\n")
    said = run_python(hub, program, str(names), "physics")
    assert said == "2 new users; physics has 2 members\n"
    names.write_text("ada\neve\n")
    run_python(hub, program, str(names), "physics")
    assert set(hub.client.group("physics").users or []) == {"ada", "eve"}
    assert hub.client.user("grace").name == "grace"


def test_idle_servers_are_stopped_with_no_more_rights_than_the_example_names(
    make_hub: MakeHub, gated_settings: str
) -> None:
    role = """
c.JupyterHub.services += [{"name": "idle", "api_token": "token-of-the-idle-service"}]
c.JupyterHub.load_roles = [{
    "name": "idle", "scopes": ["list:users", "read:servers", "delete:servers"],
    "services": ["idle"],
}]
"""
    hub = make_hub(gated_settings + role)
    hub.add_users(["ada", "ben"])
    for user in ("ada", "ben"):
        assert hub.client.start_server(user, wait_s=60)
    program, token = str(EXAMPLES / "stop_idle.py"), "token-of-the-idle-service"
    assert run_python(hub, program, "3600", token=token) == ""
    said = run_python(hub, program, "0", token=token)
    assert sorted(said.splitlines()) == ["stopped ada/", "stopped ben/"]
    wait_for("the end of both", lambda: hub.servers() == {})
