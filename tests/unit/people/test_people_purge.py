"""Housekeeping: what is over goes, and nothing else."""

from people_house import House

from perijove.people.purge import purge_expired
from perijove.people.tokens import TokenRequest
from perijove.store import sessions as session_store
from perijove.store import tokens as token_store


async def test_only_what_is_over_is_deleted(house: House) -> None:
    (ada,) = await house.add("ada")
    short = await house.tokens.request(ada, TokenRequest(expires_in_s=60))
    endless = await house.tokens.request(ada, TokenRequest())
    signed_in = await house.sessions.open(ada)
    assert await purge_expired(house.database, house.clock) == 0
    await house.clock.advance(61)
    assert await purge_expired(house.database, house.clock) == 1
    ids = (short.detail.token.id, endless.detail.token.id)
    found = [await house.database.read(lambda c, i=i: token_store.get(c, i)) for i in ids]
    assert [bearer is not None for bearer in found] == [False, True]
    await house.clock.advance(15 * 86400)
    assert await purge_expired(house.database, house.clock) == 1
    session_id = signed_in.session_id or ""
    assert await house.database.read(lambda c: session_store.find(c, session_id)) is None
