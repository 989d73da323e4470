"""Options, connection and errors of the commands that ask a hub."""

import socket
import subprocess
import sys
from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from free_ports import free_ports
from perijove import cli
from perijove.commands.connection import proxy_of
from perijove.commands.durations import seconds
from perijove.config.load import SUBCOMMANDS

ENVIRONMENT = ("JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "http_proxy", "no_proxy")
HEAVY = ("sqlalchemy", "traitlets", "tornado", "starlette", "jinja2", "perijove.app")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing says which hub is meant."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


def test_the_configuration_knows_all_commands() -> None:
    assert set(SUBCOMMANDS) == set(cli.COMMANDS)


@pytest.mark.parametrize("command", sorted(cli.COMMANDS))
def test_every_command_says_in_the_overview_what_it_does(command: str) -> None:
    summary = cli.COMMANDS[command].__doc__
    assert summary
    assert f"  {command:<17}{summary}\n" in cli.overview()


@pytest.mark.parametrize(
    "words",
    [
        *("user", "user list", "user add", "group members", "group members remove"),
        *("token", "token create", "server start", "service list", "share grant"),
        *("upgrade-db", "check-config", "generate-config"),
    ],
)
def test_each_command_has_a_help_of_its_own(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = cli.main([*words.split(), "--help"])
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: perijove {words} ")
    assert "--Application.log_level" not in said, "that is the help of the hub"


@pytest.mark.parametrize(
    "line",
    [
        *("user", "user frobnicate", "user add", "user list --state=sleeping", "user edit ada"),
        *("user edit ada --admin --no-admin", "token create --expires-in=soon", "token revoke ada"),
        *("server start ada --option=novalue", "share grant ada", "share grant ada --us=bob"),
        *("share grant ada --user=bob --group=arts", "group members add arts"),
    ],
)
def test_a_wrong_command_line_ends_with_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([*line.split(), *(["--token=t"] if len(line.split()) > 2 else [])])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: perijove ")


def test_without_a_token_the_command_says_where_one_comes_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["user", "list"]) == 1
    said, complaint = capsys.readouterr()
    assert (said, complaint.count("\n")) == ("", 1)
    assert "JUPYTERHUB_API_TOKEN" in complaint


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_hub_that_is_down_is_one_sentence(
    as_json: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    assert cli.main(["group", "list", "--url", url, "--token", "secret-token", *as_json]) == 1
    said, complaint = capsys.readouterr()
    assert (said, complaint.count("\n")) == ("", 1)
    assert f"{url}/hub/api: connection refused" in complaint
    assert "secret-token" not in complaint


def test_a_hub_that_is_down_is_asked_once_for_many_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    assert cli.main(["user", "delete", "a", "b", "c", "--url", url, "--token", "t"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_token_file_is_read_and_a_missing_one_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["user", "list", "--token-file", str(tmp_path / "none")]) == 1
    assert str(tmp_path / "none") in capsys.readouterr().err
    (tmp_path / "bad").write_bytes(b"\xff")
    assert cli.main(["user", "list", "--token-file", str(tmp_path / "bad")]) == 1
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["hub.example.org", "ftp://h"])
def test_a_bad_url_is_told_with_a_good_one(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["user", "list", "--token", "t", "--url", url]) == 1
    assert "https://hub.example.org/" in capsys.readouterr().err


def test_a_server_that_is_no_hub_is_found_out(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with subprocess.Popen(
            [sys.executable, "-c", _ONE_PAGE, str(server.fileno())], pass_fds=[server.fileno()]
        ):
            assert cli.main(["service", "list", "--token", "t", "--url", url]) == 1
    assert "address that of a hub?" in capsys.readouterr().err


_ONE_PAGE = """
import socket, sys
peer, _ = socket.socket(fileno=int(sys.argv[1])).accept()
peer.recv(65536)
peer.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\nConnection: close\\r\\n\\r\\n<html>")
peer.close()
"""


def test_commands_that_ask_a_hub_load_none() -> None:
    code = "import sys, perijove.commands.server, perijove.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not set(HEAVY) & set(loaded.stdout.split())
    assert "rich" not in loaded.stdout.split(), "only a terminal needs it"


@pytest.mark.parametrize(
    ("text", "meant"), [("90", 90), ("90s", 90), ("30m", 1800), ("12h", 43200), ("7d", 604800)]
)
def test_durations_are_read(text: str, meant: int) -> None:
    assert seconds(text) == meant


@pytest.mark.parametrize("text", ["", "0", "0h", "-5", "1.5h", "5 m", "1y", "9" * 10, "٣"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        seconds(text)


def test_a_proxy_of_the_environment_is_used_for_far_hubs_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.test:3128")
    monkeypatch.setenv("no_proxy", "inner.test")
    assert proxy_of("http://hub.test/hub/api") == "http://proxy.test:3128"
    assert proxy_of("http://inner.test/hub/api") is None
    assert proxy_of("http://127.0.0.1:8000/hub/api") is None
    assert proxy_of("http://[::1]:8000/hub/api") is None
    assert proxy_of("http+unix://%2Frun%2Fhub.sock/hub/api") is None
