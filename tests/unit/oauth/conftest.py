"""An OAuth provider over a people room, with a server and some services as clients."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

# The people room of the neighbouring tests is the ground floor of these.
sys.path.insert(0, str(Path(__file__).parents[1] / "people"))

from oauth_house import OAuthHouse


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[OAuthHouse]:
    """A provider with clients; see ``OAuthHouse.furnish``."""
    made = OAuthHouse(tmp_path / "hub.sqlite")
    await made.furnish()
    yield made
    await made.close()
