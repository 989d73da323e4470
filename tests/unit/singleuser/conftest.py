"""A fake hub and a real single-user server, shared by the slow tests of this room."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "singleuser_harness"))

from fake_hub import Browser, FakeHub, ServerProcess, wait_until
from singleuser_ports import HUB_PORT, SERVER_PORT


@pytest.fixture(scope="session")
def fake_hub() -> Iterator[FakeHub]:
    """A hub that knows alice's server."""
    hub = FakeHub(HUB_PORT).start()
    yield hub
    hub.stop()


@pytest.fixture(scope="session")
def server(fake_hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Alice's server, up. Activity is reported every second, at the debug log level."""
    pytest.importorskip("jupyter_server", reason="jupyter_server is not installed")
    process = ServerProcess(
        SERVER_PORT,
        HUB_PORT,
        tmp_path_factory.mktemp("alice"),
        {"JUPYTERHUB_ACTIVITY_INTERVAL": "1", "JUPYTERHUB_DEBUG": "1"},
    ).start()
    try:
        wait_until(process.is_up, 60, "the server to come up")
        yield process
    finally:
        process.stop()


@pytest.fixture
def browser(server: ServerProcess) -> Browser:
    """A browser nobody has used."""
    return Browser(HUB_PORT, SERVER_PORT)
