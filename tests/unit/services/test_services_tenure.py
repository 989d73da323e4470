"""Two replicas and one managed service: it runs once, and somebody takes it over."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator

import psutil
import pytest
from services_house import ServicesHouse, until

from perijove.domain.errors import ConfigError
from perijove.domain.settings import ServiceSpec
from perijove.services import process, supervisor
from perijove.work.lease import process_mark

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")
SPEC = ServiceSpec("one", command=SLEEP)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "WATCH_S", 0.1)


@pytest.fixture
async def replicas(postgresql_url: str) -> AsyncIterator[tuple[ServicesHouse, ServicesHouse]]:
    """Two replicas on one PostgreSQL."""
    first = ServicesHouse(postgresql_url)
    second = ServicesHouse(postgresql_url)
    first.lease.host, second.lease.host = "machine-1", "machine-2"
    yield first, second
    await first.close()
    await second.close()


def stray_of(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """A process that leads a group of its own, as services do."""
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)


@pytest.mark.postgresql
async def test_a_service_runs_at_one_replica_and_the_other_takes_it_over(
    replicas: tuple[ServicesHouse, ServicesHouse],
) -> None:
    first, second = replicas
    running = await first.supervise(ServiceSpec("one", command=SLEEP, url=""))
    pid = await until("a process", lambda: first.pid("one"))
    await second.supervise(SPEC)
    assert await second.pid("one") == pid
    await asyncio.sleep(supervisor.WATCH_S * 3)
    assert await second.pid("one") == pid, "a living replica keeps its service"
    assert second.route_checks == 0
    await running.close()
    assert not psutil.pid_exists(pid)

    async def another() -> bool:
        return await second.pid("one") not in (None, pid)

    await until("the service at the other replica", another)
    assert second.route_checks == 1


@pytest.mark.postgresql
async def test_the_route_leads_to_where_the_running_replica_says(
    replicas: tuple[ServicesHouse, ServicesHouse],
) -> None:
    first, second = replicas
    here = ServiceSpec("one", command=SLEEP, url="http://10.0.0.1:9")
    there = ServiceSpec("one", command=SLEEP, url="http://10.0.0.2:9")
    await first.load(here)
    await first.lease.start()
    assert await first.tenure.take(here) is not None
    await second.load(there)
    await second.lease.start()
    assert await second.tenure.take(there) is None
    for expected, act in (("http://10.0.0.1:9", None), ("http://10.0.0.2:9", first)):
        if act is not None:
            await act.tenure.release("one")
            assert await second.tenure.take(there) is not None
        found = await second.registry.find("one")
        assert found is not None
        route = second.registry.route_of(found)
        assert route is not None
        assert route.target == expected


@pytest.mark.postgresql
async def test_the_other_replica_does_not_end_the_token_of_a_running_service(
    replicas: tuple[ServicesHouse, ServicesHouse],
) -> None:
    first, second = replicas
    spec = ServiceSpec("one", command=SLEEP, url="http://10.0.0.1:9")
    await first.load(spec)
    await first.lease.start()
    taken = await first.tenure.take(spec)
    assert taken is not None
    await second.load(spec)
    assert await second.tokens.resolve(taken.secret) is not None


@pytest.mark.postgresql
async def test_a_replica_that_cannot_run_the_service_leaves_it_to_others(
    replicas: tuple[ServicesHouse, ServicesHouse],
) -> None:
    first, second = replicas
    with pytest.raises(ConfigError):
        await first.supervise(ServiceSpec("one", command=("/no/such",)))
    await second.supervise(SPEC)
    assert await until("the service", lambda: second.pid("one"))


async def test_the_process_of_a_killed_hub_is_ended_before_a_new_one_starts(
    services: ServicesHouse, caplog: pytest.LogCaptureFixture
) -> None:
    stray = stray_of(SLEEP)
    try:
        await services.load(SPEC)
        assert await services.tenure.take(SPEC) is not None
        await services.tenure.note_process("one", stray.pid)
        await services.supervise(SPEC)
        assert stray.poll() == -signal.SIGTERM
        assert "still runs from an earlier hub" in caplog.text
        assert await services.pid("one") != stray.pid
    finally:
        stray.kill()
        assert stray.stdout is not None
        stray.stdout.close()


async def test_a_process_is_not_ended_for_having_the_same_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process.os, "killpg", lambda *_: pytest.fail("something was signalled"))
    boot, pid, start = process_mark().split(":")
    for mark in ("", pid, f"other-boot:{pid}:{start}", f"{boot}:{pid}:{int(start) + 1}"):
        await process.end_stray("one", mark)


async def test_a_stray_that_ignores_signals_is_killed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(process, "STRAY_STEPS", ((signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0)))
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True)\n"
    stray = stray_of((sys.executable, "-c", f"{code}time.sleep(60)"))
    assert stray.stdout is not None
    assert stray.stdout.readline() == b"up\n"
    ending = asyncio.create_task(process.end_stray("one", process_mark(stray.pid)))
    try:
        assert await asyncio.to_thread(stray.wait, 10) == -signal.SIGKILL
        await ending
    finally:
        stray.kill()
        stray.stdout.close()


async def test_a_replica_that_lost_its_lease_stops_its_services_in_haste(
    services: ServicesHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    stop = process.Managed.stop

    async def noting(managed: process.Managed, steps: object = process.STOP_STEPS) -> None:
        seen.append(steps)
        await stop(managed, process.HURRIED_STEPS)

    monkeypatch.setattr(process.Managed, "stop", noting)
    running = await services.supervise(SPEC)
    services.lease._trusted_until = 0.0
    await running.close()
    assert seen == [process.HURRIED_STEPS]
