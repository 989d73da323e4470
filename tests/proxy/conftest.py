"""Fixtures for the proxy: one in this process, on both event loops, before a scripted server."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvloop
from proxy_kit import Rig, ScriptedServer, running_proxy


@pytest.fixture(params=["uvloop", "asyncio"], scope="session")
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """Run each asynchronous test on uvloop and on the standard loop."""
    if request.param == "uvloop":
        return uvloop.EventLoopPolicy()
    return asyncio.DefaultEventLoopPolicy()


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
