"""Sign-ins: cookies, logout, and what a cache may and may not remember."""

import pytest
from people_house import COOKIE, House

from perijove.domain.events import Message, Topic
from perijove.kit.crypto import sign_value
from perijove.people.cache import Cache
from perijove.people.sessions import Sessions


def signed(house: House, value: str) -> str:
    return sign_value(b"s" * 32, COOKIE, value.encode(), house.clock.now().timestamp())


async def test_copied_cookie_is_dead_after_sign_out_and_other_sign_ins_live(house: House) -> None:
    (ada,) = await house.add("ada")
    here, elsewhere = await house.sessions.open(ada), await house.sessions.open(ada)
    mine, other = house.sessions.cookie_value(here), house.sessions.cookie_value(elsewhere)
    assert here.session_id != elsewhere.session_id
    found = await house.sessions.resolve_login_cookie(mine)
    assert found is not None
    assert (found.user, found.session_id) == (ada, here.session_id)
    await house.sessions.close(found)
    assert await house.sessions.resolve_login_cookie(mine) is None
    assert await house.sessions.resolve_login_cookie(other) is not None


async def test_session_id_of_the_unsigned_cookie_counts_for_nothing(house: House) -> None:
    (ada,) = await house.add("ada")
    opened = await house.sessions.open(ada)
    cookie = house.sessions.cookie_value(opened)
    found = await house.sessions.resolve_login_cookie(cookie, "tossed")
    assert found is not None
    assert found.session_id == opened.session_id


async def test_session_of_one_person_does_not_open_another(house: House) -> None:
    ada, bob = await house.add("ada", "bob")
    opened = await house.sessions.open(bob)
    forged = signed(house, f"{ada.cookie_id}:{opened.session_id}")
    assert await house.sessions.resolve_login_cookie(forged) is None


@pytest.mark.parametrize(
    "value",
    ["", "2|1:0|bad", "x" * 2000, "2|1:0|10:1|3:abc|", "\ud800", "ä\0", "a|b|c"],
)
async def test_garbage_is_nobody(house: House, value: str) -> None:
    assert await house.sessions.resolve_login_cookie(value) is None


async def test_cookie_signed_with_another_secret_is_nobody(house: House) -> None:
    (ada,) = await house.add("ada")
    cookie = house.sessions.cookie_value(await house.sessions.open(ada))
    other = Sessions(
        house.database,
        house.bus,
        house.clock,
        secret=b"o" * 32,
        cookie_name=COOKIE,
        max_age_days=14,
    )
    assert await other.resolve_login_cookie(cookie) is None


async def test_sign_in_ends_after_its_days_unless_extended(house: House) -> None:
    (ada,) = await house.add("ada")
    opened = await house.sessions.open(ada)
    await house.clock.advance(13 * 86400)
    assert await house.sessions.extend(opened) == opened
    renewed = house.sessions.cookie_value(opened)
    await house.clock.advance(13 * 86400)
    assert await house.sessions.resolve_login_cookie(renewed) is not None
    await house.clock.advance(2 * 86400)
    assert await house.sessions.resolve_login_cookie(renewed) is None


async def test_imported_cookie_signs_in_and_signing_out_with_it_ends_it(house: House) -> None:
    (ada,) = await house.add("ada")
    cookie = signed(house, ada.cookie_id)
    found = await house.sessions.resolve_login_cookie(cookie, "their-session")
    assert found is not None
    assert (found.user, found.session_id, found.imported) == (ada, "their-session", True)
    assert house.sessions.cookie_value(found) == cookie
    await house.sessions.close(found)
    assert await house.sessions.resolve_login_cookie(cookie, "their-session") is None


async def test_imported_sign_in_becomes_one_of_ours_when_extended(house: House) -> None:
    (ada,) = await house.add("ada")
    found = await house.sessions.resolve_login_cookie(signed(house, ada.cookie_id))
    assert found is not None
    renewed = await house.sessions.extend(found)
    assert not renewed.imported
    again = await house.sessions.resolve_login_cookie(house.sessions.cookie_value(renewed))
    assert again is not None
    assert again.session_id == renewed.session_id


async def test_sign_out_ends_the_tokens_of_that_sign_in_only(house: House) -> None:
    (ada,) = await house.add("ada")
    here, elsewhere = await house.sessions.open(ada), await house.sessions.open(ada)

    async def token(session_id: str | None) -> str:
        made = await house.database.write(
            lambda c: house.tokens.create_now(c, ada, ["self"], session_id=session_id)
        )
        assert await house.tokens.resolve(made.secret) is not None
        return made.secret

    mine, other, plain = [
        await token(session) for session in (here.session_id, elsewhere.session_id, None)
    ]
    await house.sessions.close(here)
    assert await house.tokens.resolve(mine) is None
    assert await house.tokens.resolve(other) is not None
    assert await house.tokens.resolve(plain) is not None


# -- the cache --------------------------------------------------------------------
def test_entry_goes_with_any_of_its_tags(house: House) -> None:
    cache: Cache[str] = Cache(house.bus, house.clock)
    cache.put("k1", "one", ["user:1", "token:7"], cache.generation)
    cache.put("k2", "two", ["user:2"], cache.generation)
    house.bus.publish(Message(Topic.CREDENTIALS, "token:7"))
    assert (cache.get("k1"), cache.get("k2")) == (None, "two")
    house.bus.publish(Message(Topic.CREDENTIALS, "*"))
    assert cache.get("k2") is None


def test_fact_looked_up_before_a_change_is_not_kept(house: House) -> None:
    cache: Cache[str] = Cache(house.bus, house.clock)
    generation = cache.generation
    house.bus.publish(Message(Topic.CREDENTIALS, "user:1"))
    cache.put("k", "stale", ["user:1"], generation)
    assert cache.get("k") is None


async def test_fact_is_forgotten_after_its_time_and_not_trusted_without_a_bus(
    house: House,
) -> None:
    cache: Cache[str] = Cache(house.bus, house.clock, ttl_s=4)
    cache.put("k", "v", [], cache.generation)
    house.bus.connected = False  # type: ignore[misc]
    assert cache.get("k") is None
    house.bus.connected = True  # type: ignore[misc]
    assert cache.get("k") == "v"
    await house.clock.advance(4.1)
    assert cache.get("k") is None
    assert len(cache) == 0


async def test_what_is_too_old_takes_no_room(house: House) -> None:
    cache: Cache[int] = Cache(house.bus, house.clock, ttl_s=4)
    for number in range(100):
        cache.put(number, number, ["t"], cache.generation)
    await house.clock.advance(4.1)
    cache.put("new", 1, ["t"], cache.generation)
    assert len(cache) == 1
    assert cache._tagged == {"t": {"new"}}


def test_cache_is_bounded_and_keeps_what_is_used(house: House) -> None:
    cache: Cache[int] = Cache(house.bus, house.clock, size=3)
    for number in range(3):
        cache.put(number, number, ["t"], cache.generation)
    assert cache.get(0) == 0
    cache.put(3, 3, ["t"], cache.generation)
    assert [cache.get(number) for number in range(4)] == [0, None, 2, 3]
    house.bus.publish(Message(Topic.CREDENTIALS, "t"))
    assert len(cache) == 0
    assert not cache._tagged
