"""Local spawners with real, short-lived processes."""

import asyncio
import getpass
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from plugins_factories import make_spawner

from perijove.plugins import processes
from perijove.plugins.local import (
    LocalProcessSpawner,
    SimpleLocalProcessSpawner,
    set_user_setuid,
)

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, sys, time\n"
    "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "open(sys.argv[1], 'w').write('ready')\n"
    "time.sleep(60)",
]


async def wait_for(condition: Any, what: str, timeout_s: float = 10) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"waited {timeout_s} s for {what}"
        await asyncio.sleep(0.01)


@pytest.fixture
def make(tmp_path: Path) -> Any:
    made: list[Any] = []

    def build(**kwargs: Any) -> Any:
        kwargs.setdefault("cmd", SLEEPER)
        kwargs.setdefault("home_dir_template", str(tmp_path / "{username}"))
        spawner = make_spawner(SimpleLocalProcessSpawner, **kwargs)
        made.append(spawner)
        return spawner

    yield build
    for spawner in made:
        if spawner.proc is not None and spawner.proc.poll() is None:
            os.kill(spawner.proc.pid, signal.SIGKILL)
            spawner.proc.wait(10)


async def test_a_server_starts_in_its_home_and_session_and_stops(make: Any, tmp_path: Path) -> None:
    spawner = make()
    ip, port = await spawner.start()
    assert (ip, port) == ("127.0.0.1", spawner.port)
    assert port > 0
    pid = spawner.pid
    assert await spawner.poll() is None
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/cwd") == str(tmp_path / "ada")
    assert spawner.get_state() == {"pid": pid, "pid_birth": processes.birth_of(pid)}
    await spawner.stop()
    assert await spawner.poll() is not None
    assert not processes.is_alive(pid)
    assert spawner.get_state() == {}


async def test_the_process_gets_exactly_the_environment_of_get_env(
    make: Any, tmp_path: Path
) -> None:
    out = tmp_path / "env"
    script = f"import json, os; open({str(out)!r}, 'w').write(json.dumps(dict(os.environ)))"
    spawner = make(cmd=[sys.executable, "-c", script], environment={"NUMBER": 5})
    env = {key: str(value) for key, value in spawner.get_env().items()}
    await spawner.start()
    await wait_for(lambda: spawner.proc.poll() is not None, "the process to end")
    import json

    seen = json.loads(out.read_text())
    env["JUPYTERHUB_SERVICE_URL"] = spawner.get_env()["JUPYTERHUB_SERVICE_URL"]
    assert {key: seen.get(key) for key in env} == env
    assert set(seen) - set(env) <= {"LC_CTYPE", "PWD", "__CF_USER_TEXT_ENCODING"}
    assert seen["HOME"] == str(tmp_path / "ada")
    assert seen["SHELL"] == "/bin/bash"


async def test_the_exit_status_of_a_server_is_known_once(make: Any) -> None:
    spawner = make(cmd=[sys.executable, "-c", "raise SystemExit(7)"])
    await spawner.start()
    status = None
    end = time.monotonic() + 10
    while status is None:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
        status = await spawner.poll()
    assert status == 7
    assert await spawner.poll() == 0


async def test_a_stubborn_server_is_killed_with_its_children(make: Any, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    spawner = make(
        cmd=[
            "sh",
            "-c",
            'trap "" INT TERM; sleep 61 & echo $! > "$0"; wait; wait; sleep 60',
            str(flag),
        ],
        interrupt_timeout=0,
        term_timeout=0,
    )
    await spawner.start()
    await wait_for(lambda: flag.exists() and flag.read_text().strip(), "the server's child")
    pid, child = spawner.pid, int(flag.read_text())
    await spawner.stop()
    assert not processes.is_alive(pid)
    await wait_for(lambda: not processes.is_alive(child), "the server's child to die")


async def test_stop_now_skips_the_interrupt(make: Any, tmp_path: Path) -> None:
    flag = tmp_path / "signals"
    script = (
        "import signal, sys, time\n"
        f"def note(number, frame): open({str(flag)!r}, 'a').write(f'{{number}} ')\n"
        "signal.signal(signal.SIGINT, note)\n"
        "signal.signal(signal.SIGTERM, lambda n, f: (note(n, f), sys.exit(0)))\n"
        f"open({str(flag)!r}, 'a').write('ready ')\n"
        "while True: time.sleep(60)"
    )
    spawner = make(cmd=[sys.executable, "-c", script])
    await spawner.start()
    await wait_for(lambda: flag.exists() and "ready" in flag.read_text(), "the server to be ready")
    await spawner.stop(now=True)
    assert flag.read_text() == f"ready {int(signal.SIGTERM)} "


async def test_another_spawner_object_finds_the_process_by_its_state(make: Any) -> None:
    first = make()
    await first.start()
    second = make()
    second.load_state(first.get_state())
    assert second.proc is first.proc
    assert await second.poll() is None
    await second.stop()
    assert await first.poll() is not None


@pytest.fixture
def orphan() -> int:
    """The id of a running process that is no child of this one."""
    script = (
        "import subprocess, sys\nprint(subprocess.Popen(sys.argv[1:], stdout=-3, stderr=-3).pid)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script, "sleep", "60"], capture_output=True, text=True, check=True
    )
    return int(printed.stdout)


async def test_a_process_of_an_earlier_hub_is_found_and_stopped(make: Any, orphan: int) -> None:
    pid = orphan
    spawner = make()
    spawner.load_state({"pid": pid, "pid_birth": processes.birth_of(pid)})
    assert spawner.proc is None
    assert await spawner.poll() is None
    await spawner.stop()
    assert not processes.is_alive(pid)
    assert await spawner.poll() == 0


async def test_a_reused_process_id_is_neither_taken_for_the_server_nor_signalled(
    make: Any, orphan: int
) -> None:
    spawner = make()
    spawner.load_state({"pid": orphan, "pid_birth": "long ago"})
    assert not await spawner._signal(signal.SIGKILL)
    assert await spawner.poll() == 0
    assert processes.is_alive(orphan)
    os.kill(orphan, signal.SIGKILL)


async def test_state_of_an_older_hub_without_birth_is_taken_over(make: Any) -> None:
    first = make()
    await first.start()
    second = make()
    second.load_state({"pid": first.pid})
    assert await second.poll() is None


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen(["true"])
    end = time.monotonic() + 10
    while processes.is_alive(child.pid):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert child.wait() == 0


async def test_a_server_whose_state_was_never_stored_is_found_by_its_environment(
    make: Any,
) -> None:
    started, other = make(oauth_client_id="client-of-ada"), make(user="bob")
    await started.start()
    await other.start()
    finder = make(oauth_client_id="client-of-ada")
    assert await finder._find_lost()
    assert finder.get_state() == started.get_state()
    assert await finder.poll() is None
    await finder.stop()
    assert await started.poll() is not None
    assert not await make(oauth_client_id="client-of-ada")._find_lost()


async def test_a_cancelled_start_leaves_no_unknown_process(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawner = make()
    reached = asyncio.Event()
    loop = asyncio.get_running_loop()
    popen = spawner._popen

    def slow(*args: Any) -> Any:
        loop.call_soon_threadsafe(reached.set)
        time.sleep(0.1)
        return popen(*args)

    monkeypatch.setattr(spawner, "_popen", slow)
    start = asyncio.ensure_future(spawner.start())
    await reached.wait()
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert spawner.pid > 0
    assert await spawner.poll() is None
    await spawner.stop()


async def test_a_shell_command_gets_the_server_as_one_word(make: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    spawner = make(
        cmd=["sh", "-c", 'printf %s "$1" > "$0"', str(out)],
        args=["it's $HOME"],
        shell_cmd=["sh", "-c"],
    )
    await spawner.start()
    await wait_for(lambda: out.exists() and out.read_text(), "output")
    assert out.read_text() == "it's $HOME"


async def test_popen_kwargs_win_but_not_over_the_environment(make: Any, tmp_path: Path) -> None:
    out = tmp_path / "log"
    with out.open("wb") as log:
        spawner = make(
            cmd=["sh", "-c", "pwd; echo $MARK"],
            popen_kwargs={"cwd": "/", "stdout": log, "env": {"MARK": "wrong"}},
            environment={"MARK": "right"},
        )
        await spawner.start()
    await wait_for(lambda: spawner.proc.poll() is not None, "the process to end")
    assert out.read_text() == "/\nright\n"


async def test_a_missing_command_is_named_with_its_option(make: Any) -> None:
    spawner = make(cmd=["no-such-command-here"])
    with pytest.raises(
        FileNotFoundError, match=r"no-such-command-here.*SimpleLocalProcessSpawner\.cmd"
    ):
        await spawner.start()
    assert await spawner.poll() == 0


async def test_a_replaced_preexec_function_is_used(make: Any, tmp_path: Path) -> None:
    class Own(SimpleLocalProcessSpawner):
        def make_preexec_fn(self, name: str) -> Any:
            return lambda: os.chdir("/tmp")

    spawner = make_spawner(
        Own, cmd=SLEEPER, home_dir_template=str(tmp_path / "{username}"), interrupt_timeout=1
    )
    await spawner.start()
    assert os.readlink(f"/proc/{spawner.pid}/cwd") == "/tmp"
    assert os.getsid(spawner.pid) == spawner.pid
    await spawner.stop(now=True)


async def test_the_local_spawner_serves_the_hubs_own_system_user(tmp_path: Path) -> None:
    me = getpass.getuser()
    spawner = make_spawner(LocalProcessSpawner, user=me, cmd=SLEEPER)
    await spawner.start()
    env = spawner.get_env()
    assert env["USER"] == me
    assert os.readlink(f"/proc/{spawner.pid}/cwd") == env["HOME"]
    await spawner.stop(now=True)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
async def test_root_starts_servers_as_other_users_without_its_own_groups() -> None:
    import pwd

    account = pwd.getpwnam("nobody")
    spawner = make_spawner(LocalProcessSpawner, user="nobody", cmd=["sleep", "60"])
    await spawner.start()
    status = await asyncio.to_thread(Path(f"/proc/{spawner.pid}/status").read_text)
    assert f"Uid:\t{account.pw_uid}\t{account.pw_uid}" in status
    assert f"Gid:\t{account.pw_gid}\t{account.pw_gid}" in status
    groups = next(line for line in status.splitlines() if line.startswith("Groups:")).split()[1:]
    assert [int(group) for group in groups] == os.getgrouplist("nobody", account.pw_gid)
    await spawner.stop(now=True)


async def test_an_unknown_system_user_ends_the_start() -> None:
    spawner = make_spawner(LocalProcessSpawner, user="no-such-user-here", cmd=SLEEPER)
    with pytest.raises(KeyError):
        await spawner.start()


def test_set_user_setuid_refuses_unknown_users() -> None:
    with pytest.raises(KeyError):
        set_user_setuid("no-such-user-here")


@pytest.mark.parametrize("name", ["..", ".", "a/b"])
def test_names_that_are_no_directory_names_get_no_home(name: str) -> None:
    spawner = make_spawner(SimpleLocalProcessSpawner)
    spawner.user.name = name
    with pytest.raises(ValueError, match="directory"):
        _ = spawner.home_dir


async def test_many_servers_started_at_once_get_different_ports(make: Any) -> None:
    spawners = [make(user=f"user-{number}") for number in range(12)]
    answers = await asyncio.gather(*(spawner.start() for spawner in spawners))
    assert len({port for _, port in answers}) == 12
    await asyncio.gather(*(spawner.stop(now=True) for spawner in spawners))
