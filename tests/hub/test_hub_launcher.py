"""The tutorial of the launcher: its commands, typed one after the other, answer as it says."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import HubProcess, wait_for
from launcher_kit import launcher_hub, start

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "tutorials" / "api-only.md"

pytestmark = pytest.mark.slow


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[HubProcess]:
    """The example in a folder that looks like a clone; not started yet."""
    hub = launcher_hub(tmp_path / "hub")
    (hub.directory / ".venv").symlink_to(Path(sys.prefix))
    yield hub
    hub.end()


def commands(text: str) -> Iterator[tuple[str, str]]:
    """The commands of all console blocks, each with the answer that the tutorial shows."""
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, answer = part.partition("\n")
            yield command, answer.strip()


class Shell:
    """One shell, so that variables live on."""

    def __init__(self, directory: Path) -> None:
        env = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        self._process = subprocess.Popen(
            ["sh"],
            cwd=directory,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> tuple[int, str]:
        """Exit status and output of a command."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\necho END $?\n")
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            said, end, status = line.partition("END ")
            if end and status.strip().isdigit():
                lines.append(said)
                return int(status), "".join(lines).strip()
            lines.append(line)
        raise AssertionError(f"the shell ended at {command}")

    def close(self) -> None:
        """End the shell."""
        self._process.kill()
        self._process.communicate()


def matches(shown: str, said: str) -> bool:
    """Whether the output is what the tutorial shows, where an ellipsis stands for anything."""
    pattern = ".*".join(re.escape(piece) for piece in shown.split("…"))
    return re.fullmatch(pattern, said, re.DOTALL) is not None


def test_the_commands_of_the_tutorial_answer_as_it_shows(launcher: HubProcess) -> None:
    text = TUTORIAL.read_text().replace("http://127.0.0.1:8000", launcher.origin)
    shell, done = Shell(launcher.directory), 0
    try:
        for command, shown in commands(text):
            if command.startswith(".venv/bin/perijove"):
                assert command.split()[1:] == ["-f", "examples/launcher/jupyterhub_config.py"]
                start(launcher)
                continue
            status, said = shell.run(command)
            assert status == 0, (command, said)
            assert matches(shown, said) if shown else not said, (command, said)
            done += 1
    finally:
        shell.close()
    assert done >= 8
    wait_for("the visitor's server", lambda: len(launcher.server_processes()) == 1)


def test_a_visitor_who_chooses_nothing_or_follows_an_old_link_is_told_so(
    launcher: HubProcess,
) -> None:
    start(launcher)
    browser = launcher.browser()
    html = {"Accept": "text/html"}
    nothing = browser.post("/launches", data={"environment": "none"}, headers=html)
    assert (nothing.status_code, "Please choose" in nothing.text) == (400, True)
    old = browser.get("/launches/old", headers=html)
    assert (old.status_code, "This session has ended" in old.text) == (404, True)
    polling = browser.get("/user/visitor-1/api/kernels", headers={"Accept": "application/json"})
    assert (polling.status_code, polling.json()["message"][:12]) == (404, "This session")
    assert browser.get("/launches/old/events").status_code == 404
