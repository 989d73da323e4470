"""Mistakes in configurations end the start with a sentence that helps, and nothing else does."""

import os
import subprocess
from pathlib import Path

import pytest
from harness import HUB_COMMAND, free_port

pytestmark = pytest.mark.slow

CONFIG = """\
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
{settings}
"""
LIMIT_S = 30


def write_config(folder: Path, settings: str) -> None:
    text = CONFIG.format(
        port=free_port(), hub_port=free_port(), proxy_port=free_port(), settings=settings
    )
    (folder / "jupyterhub_config.py").write_text(text)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTERHUB_")}
    return subprocess.run(
        [*HUB_COMMAND, *arguments],
        cwd=folder,
        env=inherited,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("c.Authenticator.enable_auth_state = True", ["JUPYTERHUB_CRYPT_KEY"]),
        ("c.Authenticator.username_pattern = '('", ["username_pattern"]),
        ("c.Proxy.extra_routes = {'no-slash': 'http://127.0.0.1:1'}", ["no-slash"]),
    ],
)
def test_a_mistake_ends_the_start_with_a_sentence_that_names_it(
    tmp_path: Path, settings: str, words: list[str]
) -> None:
    write_config(tmp_path, settings)
    ended = run(tmp_path)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert "Traceback" not in said
    (sentence, *_) = [line for line in said.splitlines() if words[0] in line]
    assert all(word in sentence for word in words)


def test_options_before_the_subcommand_get_no_circular_advice(tmp_path: Path) -> None:
    write_config(tmp_path, "")
    ended = run(tmp_path, "--config", "jupyterhub_config.py", "upgrade-db")
    assert ended.returncode == 1
    assert "the command comes first: perijove upgrade-db" in ended.stderr
    assert run(tmp_path, "upgrade-db", "--config", "jupyterhub_config.py").returncode == 0
