"""A people room for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from people_house import House


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A prepared room with the built-in roles and nobody in it."""
    made = House(tmp_path / "hub.sqlite")
    await made.prepare()
    yield made
    await made.close()
