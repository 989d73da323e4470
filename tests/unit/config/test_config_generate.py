"""The generated configuration file: complete, valid, private, never overwritten in silence."""

import stat
from pathlib import Path

import pytest
from traitlets.config import Config

from perijove.config.generate import generate_config_file, write_config_file
from perijove.config.hub import JupyterHub
from perijove.config.load import load_hub, read_config_file
from perijove.domain.errors import ConfigError


def hub_for(*argv: str) -> JupyterHub:
    return load_hub(["--generate-config", *argv]).hub


def refuse(_: str) -> str:
    raise AssertionError("nobody should be asked")


def test_the_file_names_every_option_and_sets_none(workdir: Path) -> None:
    assert write_config_file(hub_for("-f", "my.py"), ask=refuse)
    file = workdir / "my.py"
    text = file.read_text()
    assert read_config_file(file) == Config()
    for option in ("JupyterHub.bind_url", "Spawner.start_timeout", "Authenticator.allow_all"):
        assert f"# c.{option} = " in text
    assert list(workdir.iterdir()) == [file]


def test_the_file_is_private(workdir: Path) -> None:
    write_config_file(hub_for(), ask=refuse)
    assert stat.S_IMODE((workdir / "jupyterhub_config.py").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("answer", "written"),
    [("y", True), ("Yes\n", True), ("n", False), ("", False), ("what", False)],
)
def test_an_existing_file_is_replaced_only_after_a_yes(
    workdir: Path, answer: str, written: bool
) -> None:
    (workdir / "my.py").write_text("mine")
    questions: list[str] = []
    hub = hub_for("-f", "my.py")
    assert write_config_file(hub, ask=lambda q: questions.append(q) or answer) is written
    assert questions == ["Overwrite my.py with default config? [y/N] "]
    assert ((workdir / "my.py").read_text() == "mine") is not written


def test_a_yes_on_the_command_line_is_enough(workdir: Path) -> None:
    (workdir / "my.py").write_text("mine")
    assert write_config_file(hub_for("-f", "my.py", "-y"), ask=refuse)
    assert (workdir / "my.py").read_text() != "mine"


def test_without_anybody_to_ask_nothing_is_overwritten(workdir: Path) -> None:
    def nobody(_: str) -> str:
        raise EOFError

    (workdir / "my.py").write_text("mine")
    with pytest.raises(ConfigError, match="-y overwrites it"):
        write_config_file(hub_for("-f", "my.py"), ask=nobody)
    assert (workdir / "my.py").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_named() -> None:
    with pytest.raises(ConfigError, match=r"Cannot write no/such/my\.py"):
        write_config_file(hub_for("-f", "no/such/my.py"))


def test_the_caller_chooses_the_classes() -> None:
    text = generate_config_file([JupyterHub])
    assert "c.JupyterHub.port" in text
    assert "c.Spawner" not in text
