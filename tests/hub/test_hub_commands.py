"""The commands that ask a running hub, as their users run them: by name, in a shell."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from harness import PERIJOVE, ROOT_TOKEN, HubProcess, MakeHub, wait_for

pytestmark = pytest.mark.slow

LIMIT_S = 60
SETTINGS = "c.JupyterHub.allow_named_servers = True\n"


class Shell:
    """Runs ``perijove`` with a hub's URL and a token in the environment."""

    def __init__(self, hub: HubProcess, token: str = ROOT_TOKEN) -> None:
        self.env = {key: val for key, val in os.environ.items() if not key.startswith("JUPYTERHUB")}
        self.env |= {"JUPYTERHUB_API_URL": hub.origin, "JUPYTERHUB_API_TOKEN": token}
        self.env |= {"TERM": "xterm", "COLUMNS": "120"}
        self.directory = hub.directory

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What the command did."""
        return subprocess.run(
            [str(PERIJOVE), *words],
            env=self.env,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )

    def says(self, *words: str) -> str:
        """What a command prints that ends well and does not complain."""
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, ""), (words, done)
        assert "\x1b" not in done.stdout, "there is no terminal"
        return done.stdout

    def json(self, *words: str) -> Any:
        """The document that it prints."""
        return json.loads(self.says(*words, "--json"))

    def fails(self, *words: str, code: int = 1) -> str:
        """The sentence of a command that cannot do what it should."""
        done = self.run(*words)
        assert done.returncode == code, (words, done)
        assert "Traceback" not in done.stderr
        if code == 1:
            assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def on_terminal(self, *words: str) -> tuple[str, int]:
        """What a command shows on a terminal, and its exit code."""
        master, slave = pty.openpty()
        with subprocess.Popen(
            [str(PERIJOVE), *words], env=self.env, stdin=slave, stdout=slave, stderr=slave
        ) as process:
            os.close(slave)
            shown = _read_all(master)
        os.close(master)
        return shown, process.returncode


def _read_all(master: int) -> str:
    shown = b""
    end = time.monotonic() + LIMIT_S
    while select.select([master], [], [], max(0, end - time.monotonic()))[0]:
        try:
            piece = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        shown += piece
    return shown.decode()


@pytest.fixture
def hub(make_hub: MakeHub, gated_settings: str) -> HubProcess:
    """A hub whose servers can be held in their start."""
    return make_hub(SETTINGS + gated_settings)


def test_users_and_groups_are_kept_from_a_shell(hub: HubProcess) -> None:
    shell = Shell(hub)
    assert shell.says("user", "add", "ada", "bob") == "ada is made\nbob is made\n"
    assert shell.fails("user", "add", "eve", "bob") == "bob exists already.\n"
    assert "already exists" in shell.fails("user", "add", "bob")
    assert [user["name"] for user in shell.json("user", "add", "root", "--admin")] == ["root"]
    names = [user["name"] for user in shell.json("user", "list", "--sort=-name", "--filter=a")]
    assert names == ["admin", "ada"]
    lines = shell.says("user", "list", "--state", "inactive").splitlines()
    assert lines[0].split()[:2] == ["NAME", "ADMIN"]
    assert [line.split()[:2] for line in lines[1:]] == [
        ["admin", "yes"],
        *([name, "no"] for name in ("ada", "bob", "eve")),
        ["root", "yes"],
    ]
    assert shell.json("user", "edit", "ada", "--rename", "lovelace", "--admin")["admin"]
    assert "lovelace" in shell.says("user", "show", "lovelace")
    assert "404 to GET /users/ada" in shell.fails("user", "show", "ada")
    assert "404" in shell.fails("user", "delete", "nobody")
    assert shell.json("user", "delete", "eve") == [{"name": "eve", "deleted": True}]

    shell.says("group", "add", "physics", "arts", "--user", "bob")
    shell.says("group", "members", "add", "arts", "lovelace")
    assert set(shell.json("group", "show", "arts")["users"]) == {"bob", "lovelace"}
    assert shell.json("group", "members", "remove", "arts", "bob")["users"] == ["lovelace"]
    shell.says("group", "delete", "physics")
    assert [group["name"] for group in shell.json("group", "list")] == ["arts"]


def test_servers_are_started_watched_and_stopped_from_a_shell(hub: HubProcess, gate: Path) -> None:
    shell = Shell(hub)
    shell.says("user", "add", "ada", "bob")
    held = ("server", "start", "ada", "--option", "hold=before-process")
    assert shell.says(*held, "--no-wait") == "ada/ is starting\n"
    assert shell.json("server", "status", "ada")["pending"] == "spawn"
    assert "not ready after 1 seconds" in shell.fails("server", "start", "ada", "--timeout=1s")
    start = [str(PERIJOVE), "server", "start", "ada"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(start, env=shell.env, **pipes) as process:
        assert process.stdout is not None
        # All that a start which is held here tells; nothing is on its way when we look away.
        told = [process.stdout.readline(), process.stdout.readline()]
        assert told == ["  0% Server requested\n", " 50% Starting the server ...\n"]
        process.send_signal(signal.SIGINT)
        assert process.communicate() == ("", "")
    assert process.returncode == 130, "who looks away does not end the start"
    with subprocess.Popen(start, env=shell.env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        gate.touch()
        rest = process.stdout.read().splitlines()
    assert first == "  0% Server requested\n", "what happened before is told as well"
    assert (rest[-2:], process.returncode) == (
        ["100% Server ready at /user/ada/", "/user/ada/"],
        0,
    )
    assert shell.says("server", "start", "ada") == "/user/ada/\n", "it runs already"
    assert shell.json("server", "start", "ada", "lab", "--option=n=3")["user_options"] == {"n": 3}
    assert [one["full_name"] for one in shell.json("server", "list")] == ["ada/", "ada/lab"]
    assert len(shell.json("server", "list", "--all")) > 2
    assert shell.says("server", "stop", "ada", "lab", "--remove") == "ada/lab has stopped\n"
    assert shell.json("server", "stop", "ada") == [{"user": "ada", "server": "", "stopped": True}]
    assert "404" in shell.fails("server", "stop", "ada", "lab")
    assert "404" in shell.fails("server", "start", "nobody")


def test_a_start_that_fails_is_told_with_its_reason(make_hub: MakeHub) -> None:
    hub = make_hub('c.Spawner.cmd = ["false"]\n')
    shell = Shell(hub)
    shell.says("user", "add", "ada")
    assert "Spawn failed" in shell.fails("server", "start", "ada")


def test_on_a_terminal_there_is_a_table_and_a_bar(hub: HubProcess) -> None:
    shell = Shell(hub)
    shell.says("user", "add", "ada")
    shown, code = shell.on_terminal("user", "list")
    assert (code, "─────" in shown, "ada" in shown) == (0, True, True)
    shown, code = shell.on_terminal("server", "start", "ada")
    assert code == 0
    assert re.search(r"ada/ .*━━━.*100%.*Server ready at /user/ada/", shown)


def test_tokens_are_made_listed_and_revoked_from_a_shell(hub: HubProcess) -> None:
    shell = Shell(hub)
    shell.says("user", "add", "ada")
    made = shell.json(
        "token", "create", "ada", "--note=n", "--expires-in=1h", "--scope=read:users!user"
    )
    own = Shell(hub, made["token"])
    assert own.json("user", "show", "ada")["name"] == "ada"
    assert "lacks the scope" in own.fails("user", "add", "eve")
    weak = Shell(hub, shell.says("token", "create", "ada").strip())
    listed = weak.json("token", "list")
    assert {token["id"] for token in listed} >= {made["id"]}
    assert all("token" not in token for token in listed), "secrets are shown once"
    assert shell.says("token", "revoke", "ada", made["id"]) == f"{made['id']} is revoked\n"
    assert "expired or revoked" in own.fails("user", "show", "ada")
    assert "name a user" in shell.fails("token", "list")


def test_the_old_form_of_token_needs_no_hub(hub: HubProcess) -> None:
    shell = Shell(hub)
    shell.says("user", "add", "ada", "list")
    hub.stop()
    tokens = []
    for words in (["ada", "-f", str(hub.config)], ["-f", str(hub.config), "ada"], ["--", "list"]):
        done = shell.run("token", *words)
        assert done.returncode == 0, done.stderr
        tokens.append(done.stdout.strip())
    unknown = shell.run("token", "nobody", "-f", str(hub.config))
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr.endswith("No such user: nobody\n")
    assert "no answer" in shell.fails("user", "list").lower()
    hub.start()
    owners = [hub.api_of(token).get("/user").json()["name"] for token in tokens]
    assert owners == ["ada", "ada", "list"]


def test_services_and_shares_are_seen_from_a_shell(hub: HubProcess) -> None:
    shell = Shell(hub)
    shell.says("user", "add", "ada", "bob")
    shell.says("server", "start", "ada")
    assert [service["name"] for service in shell.json("service", "list")] == ["root"]
    assert shell.json("service", "show", "root")["admin"]
    assert shell.json("share", "grant", "ada", "--user", "bob")["user"] == {"name": "bob"}
    assert "bob" in shell.says("share", "list", "ada")
    assert "/hub/accept-share?code=" in shell.says("share", "code", "ada", "--expires-in=10m")
    assert "no access any more" in shell.says("share", "revoke", "ada", "--user", "bob")
    shell.says("share", "revoke", "ada", "--all")
    assert shell.json("share", "list", "ada", "--server", "") == []


def test_a_wrong_token_and_a_reader_that_leaves_are_no_accidents(hub: HubProcess) -> None:
    stranger = Shell(hub, "not-a-token-of-this-hub")
    assert "wrong, expired or revoked" in stranger.fails("user", "list")
    assert "not-a-token" not in stranger.fails("token", "list")
    shell = Shell(hub)
    shell.says("user", "add", *(f"user-with-a-long-name-{n:04}" for n in range(2000)))
    command = [str(PERIJOVE), "user", "list"]
    with subprocess.Popen(
        command, env=shell.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        complaint = process.stderr.read()
    assert complaint == b""
    wait_for("the end of the command", lambda: process.poll() is not None)
