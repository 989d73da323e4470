"""A hub application for each test that asks for one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from web_house import WebHouse


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[WebHouse]:
    """A hub without people, with the service ``root`` as admin."""
    made = await WebHouse.open(tmp_path)
    yield made
    await made.close()
