"""Managed services as real, short processes; external ones as closed and open ports."""

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiohttp import web
from services_house import ServicesHouse, until

from free_ports import free_ports
from perijove.domain.errors import ConfigError, StoreUnavailable
from perijove.domain.settings import ServiceSpec
from perijove.services import process
from perijove.services import supervisor as module
from perijove.services.process import Managed

SLEEP = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time\n"
    "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('up', flush=True)\n"
    "time.sleep(60)",
)
SERVE = (
    sys.executable,
    "-c",
    "import os, http.server, urllib.parse\n"
    "prefix = os.environ['JUPYTERHUB_SERVICE_PREFIX']\n"
    "class H(http.server.BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        self.send_response(200 if self.path == prefix else 500)\n"
    "        self.end_headers()\n"
    "url = urllib.parse.urlsplit(os.environ['JUPYTERHUB_SERVICE_URL'])\n"
    "http.server.HTTPServer((url.hostname, url.port), H).serve_forever()",
)
PORTS = iter(free_ports(10))


def url() -> str:
    return f"http://127.0.0.1:{next(PORTS)}"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.05)
    patience = [(signal.SIGINT, 5.0), (signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0)]
    monkeypatch.setattr(module, "STOP_STEPS", tuple(patience))


async def pid_of(services: ServicesHouse, name: str) -> int:
    pid: int = await until(f"a process of {name}", lambda: services.pid(name))
    return pid


async def test_a_managed_service_runs_until_the_room_closes(services: ServicesHouse) -> None:
    supervisor = await services.supervise(ServiceSpec("one", command=SLEEP))
    pid = await pid_of(services, "one")
    assert psutil.pid_exists(pid)
    assert os.getpgid(pid) == pid, "a signal to the hub's terminal must not reach it"
    await supervisor.close()
    assert not psutil.pid_exists(pid)
    assert await services.pid("one") is None
    await supervisor.close()


async def test_a_service_gets_its_environment_and_folder(
    services: ServicesHouse, tmp_path: Path
) -> None:
    code = (
        "import os, pathlib, time\n"
        "pathlib.Path('seen').write_text(os.environ['JUPYTERHUB_API_TOKEN'] + os.environ['MINE'])\n"
        "time.sleep(60)"
    )
    spec = ServiceSpec(
        "one",
        command=(sys.executable, "-c", code),
        cwd=str(tmp_path),
        environment={"MINE": "-ü"},
        api_token="the-token-of-one",
    )
    await services.supervise(spec)
    seen = tmp_path / "seen"
    text = await until("the file", lambda: seen.exists() and seen.read_text())
    assert text == "the-token-of-one-ü"


async def test_the_words_of_a_service_are_logged_under_its_name(
    services: ServicesHouse, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    code = (
        "import sys, time\n"
        "print('hello', flush=True)\n"
        "sys.stderr.buffer.write(b'caf\\xe9\\n'); sys.stderr.flush()\n"
        "print('x' * 200000, flush=True)\n"
        "print('after', flush=True)\n"
        "time.sleep(60)"
    )
    await services.supervise(ServiceSpec("one", command=(sys.executable, "-c", code)))

    def words() -> list[str]:
        return [r.getMessage() for r in caplog.records if r.name == "perijove.service.one"]

    await until("the last words", lambda: "after" in words())
    assert words()[:2] == ["hello", "caf\ufffd"]


async def test_a_service_that_ends_is_started_again(
    services: ServicesHouse, caplog: pytest.LogCaptureFixture
) -> None:
    await services.supervise(ServiceSpec("one", command=SLEEP))
    first = await pid_of(services, "one")
    os.kill(first, signal.SIGKILL)

    async def another() -> bool:
        pid = await services.pid("one")
        return pid not in (None, first)

    await until("another process", another)
    assert "'one' ended with status -9" in caplog.text


async def test_a_service_that_keeps_ending_is_started_more_and_more_slowly(
    services: ServicesHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    sleep = module.asyncio.sleep

    async def noting(delay_s: float, *rest: Any) -> None:
        if delay_s in (0.02, 0.04, 0.05):
            pauses.append(delay_s)
        await sleep(delay_s, *rest)

    monkeypatch.setattr(module.asyncio, "sleep", noting)
    await services.supervise(ServiceSpec("one", command=(sys.executable, "-c", "")))
    await until("four starts", lambda: len(pauses) >= 4)
    assert pauses[:4] == [0.02, 0.04, 0.05, 0.05]


async def test_a_service_whose_command_vanished_is_tried_until_it_is_back(
    services: ServicesHouse, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    command = tmp_path / "run"
    text = f"#!/bin/sh\nexec {sys.executable} -c 'import time; time.sleep(60)'\n"
    command.write_text(text)
    command.chmod(0o755)
    await services.supervise(ServiceSpec("one", command=(str(command),)))
    first = await pid_of(services, "one")
    command.unlink()
    os.kill(first, signal.SIGKILL)
    await until("tries", lambda: caplog.text.count("cannot be started") >= 2)
    assert caplog.text.count("ended with status") == 1
    command.write_text(text)
    command.chmod(0o755)
    assert await pid_of(services, "one") != first


async def test_a_database_that_is_away_does_not_keep_a_service_down(
    services: ServicesHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = await services.supervise(ServiceSpec("one", command=SLEEP))
    first = await pid_of(services, "one")

    async def away(name: str, pid: int | None) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(services.tenure, "note_process", away)
    os.kill(first, signal.SIGKILL)
    managed = supervisor._managed["one"]
    await until("another process", lambda: managed.pid not in (None, first))
    second = managed.pid
    assert second is not None
    await supervisor.close()
    assert not psutil.pid_exists(second)


async def test_a_command_that_does_not_exist_stops_the_hub_with_one_sentence(
    services: ServicesHouse,
) -> None:
    with pytest.raises(ConfigError, match=r"'one' cannot be started: No such file.*'/no/such'"):
        await services.supervise(ServiceSpec("one", command=("/no/such",)))


async def test_an_unknown_user_stops_the_hub(
    services: ServicesHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process.os, "geteuid", lambda: 0)
    with pytest.raises(ConfigError, match="'nobody-here', who does not exist"):
        await services.supervise(ServiceSpec("one", command=SLEEP, user="nobody-here"))


async def test_a_service_with_a_url_is_up_when_start_returns(services: ServicesHouse) -> None:
    spec = ServiceSpec("one", command=SERVE, url=url(), timeout_s=20)
    await services.supervise(spec)
    answer = await services.prober.ask(services.environment.url_of(spec), 5)
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize(
    ("command", "timeout_s", "words"),
    [
        (SLEEP, 1, "did not answer"),
        ((sys.executable, "-c", "raise SystemExit(3)"), 30, "ended before"),
    ],
)
async def test_a_service_that_does_not_come_up_stops_the_hub_and_leaves_nothing(
    services: ServicesHouse, command: tuple[str, ...], timeout_s: int, words: str
) -> None:
    spec = ServiceSpec("one", command=command, url=url(), timeout_s=timeout_s)
    with pytest.raises(ConfigError, match=f"'one' did not come up: .*{words}"):
        await services.supervise(spec, ServiceSpec("two", command=SLEEP))
    two = await pid_of(services, "two")
    one = await services.pid("one")
    assert one is None or not psutil.pid_exists(one)
    await services.supervisors[0].close()
    assert not psutil.pid_exists(two)


async def test_a_service_that_ignores_signals_is_killed_in_the_end(
    services: ServicesHouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    steps = [(signal.SIGINT, 0.1), (signal.SIGTERM, 0.1), (signal.SIGKILL, 5.0)]
    monkeypatch.setattr(module, "STOP_STEPS", tuple(steps))
    supervisor = await services.supervise(ServiceSpec("one", command=STUBBORN))
    pid = await pid_of(services, "one")
    await until("its readiness", lambda: "up" in [r.getMessage() for r in caplog.records])
    await supervisor.close()
    assert not psutil.pid_exists(pid)
    assert "ignores SIGINT" in caplog.text
    assert "ignores SIGTERM" in caplog.text


async def test_a_stop_ends_the_reading_of_output_that_a_child_holds_open(
    tmp_path: Path,
) -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " start_new_session=True)\n"
        "open('child', 'w').write(str(child.pid))"
    )
    spec = ServiceSpec("one", command=(sys.executable, "-c", code), cwd=str(tmp_path))
    managed = Managed(spec, {"PATH": os.environ["PATH"]})
    await managed.start()
    assert await managed.ended() == 0
    await managed.stop()
    assert len(managed._readers) == 0
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


async def test_an_external_service_that_is_down_is_only_logged(
    services: ServicesHouse, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = await services.supervise(
        ServiceSpec("ext", url="http://127.0.0.1:1"), ServiceSpec("quiet")
    )
    await until("the warning", lambda: "'ext' does not answer" in caplog.text)
    caplog.clear()
    await supervisor.check()
    assert caplog.text.count("does not answer") == 1


async def test_an_external_service_that_answers_is_not_mentioned(
    services: ServicesHouse, caplog: pytest.LogCaptureFixture
) -> None:
    application = web.Application()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=404)

    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    supervisor = await services.supervise(ServiceSpec("ext", url=f"http://127.0.0.1:{port}"))
    await supervisor.check()
    assert "does not answer" not in caplog.text
    await runner.cleanup()
