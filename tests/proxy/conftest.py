"""Fixtures for the proxy: one in this process, on both event loops, before a scripted server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop
from proxy_kit import Rig, ScriptedServer, running_proxy


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
