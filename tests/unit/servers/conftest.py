"""A servers room for each test, with short waits."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from servers_house import House, Replica

from perijove.routes import probe
from perijove.servers import commands, progress, runner, sweep


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CANCEL_GRACE_S", 0.1)
    monkeypatch.setattr(runner, "STORE_EVENTS_S", 0.02)
    monkeypatch.setattr(sweep, "TICK_S", 0.02)
    monkeypatch.setattr(sweep, "WISH_POLL_S", 0.04)
    monkeypatch.setattr(commands, "POLL_S", 0.02)
    monkeypatch.setattr(progress, "POLL_S", 0.02)
    monkeypatch.setattr(probe, "POLL_EVERY_S", 0.02)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An installation without any hub yet."""
    made = House(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    yield made
    await made.close()


@pytest.fixture
async def hub(house: House) -> Replica:
    """A hub that does not sweep unless the test asks for it."""
    return await house.replica()


@pytest.fixture
async def any_house(database_url: str) -> AsyncIterator[House]:
    """An installation, once on SQLite and once on PostgreSQL."""
    made = House(database_url)
    yield made
    await made.close()
