"""Fixtures for the proxy: one in this process, on both event loops, before a scripted server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest
import uvloop
from proxy_kit import Rig, ScriptedServer, running_proxy
from proxy_process import Process
from proxy_tls import Authority, make_authority


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each asynchronous test on uvloop and on the standard loop."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server whose answers are chosen by the last segment of the path."""
    scripted = ScriptedServer()
    await scripted.start()
    yield scripted
    await scripted.stop()


@pytest.fixture
async def rig(server: ScriptedServer) -> AsyncIterator[Rig]:
    """A proxy with default options and routes ``/t`` to the server, ``/down`` to nobody."""
    async with running_proxy(server) as rig:
        yield rig


@pytest.fixture
def start() -> Iterator[Any]:
    """Starts processes, and ends those that the test left running."""
    started: list[Process] = []

    def start(*words: str, **options: Any) -> Process:
        process = Process(*words, **options)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.popen.poll() is None:
            process.popen.kill()
            process.popen.communicate()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority and what it has signed."""
    return make_authority(tmp_path_factory.mktemp("tls"))
