"""How long the hub's word about an owner and about a guest counts."""

from collections.abc import Iterator
from typing import Any

import pytest

from perijove.hubauth.client import HubReply, HubRequest, HubUnreachable
from perijove.hubauth.configurable import HubAuth
from perijove.hubauth.identity import Identities, IdentityCache
from perijove.singleuser.identity import OUTAGE_AGE_S, ServerHubOAuth


class World:
    """A clock turned by hand, and a hub that counts its questions."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.down = False

    def answer(self, request: HubRequest) -> HubReply:
        self.asked += 1
        if self.down:
            raise HubUnreachable("down")
        name = request.headers["Authorization"].removeprefix("token ")
        return HubReply(200, {}, f'{{"name": "{name}"}}'.encode())


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def auth(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The identifying object of alice's server."""
    HubAuth.clear_instance()
    monkeypatch.setenv("JUPYTERHUB_USER", "alice")
    made = ServerHubOAuth(api_token="x", oauth_client_id="jupyterhub-user-alice")
    cache = IdentityCache(monotonic=lambda: world.now)
    made.identities = Identities(float(made.cache_max_age), cache, OUTAGE_AGE_S)

    async def fetch(request: HubRequest) -> HubReply:
        return world.answer(request)

    monkeypatch.setattr(made, "fetch", fetch)
    monkeypatch.setattr(made, "fetch_blocking", world.answer)
    yield made
    HubAuth.clear_instance()


@pytest.mark.parametrize(("name", "questions"), [("alice", [1, 1, 1, 2]), ("bob", [1, 1, 2, 3])])
async def test_a_guest_is_asked_about_again_within_seconds_and_the_owner_later(
    auth: Any, world: World, name: str, questions: list[int]
) -> None:
    seen = []
    for world.now in (0.0, 4.0, 6.0, 31.0):
        assert (await auth.identify(name))["name"] == name
        seen.append(world.asked)
    assert seen == questions
    world.asked = 0
    seen = []
    for world.now in (100.0, 104.0, 106.0, 131.0):
        assert auth.identify_blocking(name)["name"] == name
        seen.append(world.asked)
    assert seen == questions


@pytest.mark.parametrize("name", ["alice", "bob"])
async def test_people_go_on_working_for_a_while_when_the_hub_is_gone(
    auth: Any, world: World, name: str
) -> None:
    await auth.identify(name)
    world.down = True
    world.now = OUTAGE_AGE_S - 1
    assert (await auth.identify(name))["name"] == name
    world.now = OUTAGE_AGE_S + 1
    with pytest.raises(HubUnreachable):
        await auth.identify(name)
