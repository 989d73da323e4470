"""The cache in front of the hub."""

import asyncio

import pytest

from perijove.hubauth.client import HubUnreachable
from perijove.hubauth.identity import Identities, IdentityCache, UserModel, cache_key

ALICE: UserModel = {"name": "alice"}


class Hub:
    """Answers, counts, and can be down."""

    def __init__(self, model: UserModel | None = None) -> None:
        self.model = model
        self.asked = 0
        self.down = False

    async def ask(self) -> UserModel | None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise HubUnreachable("down")
        return self.model


class Hand:
    """A clock turned by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def make(max_age_s: float = 300.0) -> tuple[Identities, Hand]:
    hand = Hand()
    return Identities(max_age_s, IdentityCache(monotonic=hand)), hand


async def test_an_answer_counts_until_it_is_too_old() -> None:
    identities, hand = make()
    hub = Hub(ALICE)
    for now in (0.0, 299.0):
        hand.now = now
        assert await identities.identify("t", "s", hub.ask) == ALICE
    assert hub.asked == 1
    hand.now = 300.0
    await identities.identify("t", "s", hub.ask)
    assert hub.asked == 2


async def test_that_a_token_is_unknown_is_cached_too() -> None:
    identities, _ = make()
    hub = Hub(None)
    assert await identities.identify("t", "s", hub.ask) is None
    assert await identities.identify("t", "s", hub.ask) is None
    assert hub.asked == 1


async def test_another_browser_session_is_asked_for_anew() -> None:
    identities, _ = make()
    hub = Hub(ALICE)
    await identities.identify("t", "before", hub.ask)
    hub.model = None
    assert await identities.identify("t", "after", hub.ask) is None


async def test_callers_at_the_same_time_share_one_request() -> None:
    identities, _ = make()
    hub = Hub(ALICE)
    answers = await asyncio.gather(*(identities.identify("t", "s", hub.ask) for _ in range(30)))
    assert answers == [ALICE] * 30
    assert hub.asked == 1


async def test_a_caller_may_want_a_fresher_answer() -> None:
    identities, hand = make()
    hub = Hub(ALICE)
    await identities.identify("t", "s", hub.ask)
    hand.now = 10.0
    await identities.identify("t", "s", hub.ask, max_age_s=10.0)
    assert hub.asked == 2


async def test_while_the_hub_is_down_a_recent_answer_stands_in_for_a_while() -> None:
    identities, hand = make()
    hub = Hub(ALICE)
    await identities.identify("t", "s", hub.ask)
    hub.down = True
    hand.now = 599.0
    assert await identities.identify("t", "s", hub.ask) == ALICE
    hand.now = 600.0
    with pytest.raises(HubUnreachable):
        await identities.identify("t", "s", hub.ask)


async def test_while_the_hub_is_down_unknown_tokens_are_an_error_not_a_stranger() -> None:
    identities, _ = make()
    hub = Hub(ALICE)
    hub.down = True
    with pytest.raises(HubUnreachable):
        await identities.identify("t", "s", hub.ask)


def test_a_flood_of_tokens_does_not_grow_the_cache_and_drops_the_oldest() -> None:
    cache = IdentityCache(max_entries=100)
    for number in range(10_000):
        cache.put(cache_key("s", str(number)), None)
    assert len(cache) == 100
    assert cache.get(cache_key("s", "9999")) is not None
    assert cache.get(cache_key("s", "0")) is None


def test_the_key_holds_no_token() -> None:
    assert "sesame" not in cache_key("s", "sesame")


async def test_a_token_that_has_ended_is_forgotten_in_every_browser_session() -> None:
    """So that whoever asks about an open socket of an earlier session asks the hub anew."""
    identities = Identities(300.0)
    identities.remember("t", "before", {"name": "alice"})
    identities.remember("other", "before", {"name": "alice"})
    identities.remember("t", "after", None)
    assert identities.recall("t", "before") is None
    assert identities.recall("other", "before") is not None
