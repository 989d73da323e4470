"""A services room for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from services_house import ServicesHouse


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[ServicesHouse]:
    """A room without any service."""
    made = ServicesHouse(tmp_path / "hub.sqlite")
    yield made
    await made.close()
