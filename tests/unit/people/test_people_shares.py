"""Shares and share codes."""

import hashlib
from typing import Any

import pytest
from people_house import House
from sqlalchemy import update

from perijove.access.decide import Grant
from perijove.domain.errors import Forbidden, InvalidInput, NotFound
from perijove.domain.servers import Server
from perijove.domain.settings import RoleSettings
from perijove.people.shares import Receiver
from perijove.store import purging
from perijove.store import servers as server_store
from perijove.store.tables import share_codes, shares

SHARING = RoleSettings(
    load_roles=(
        {
            "name": "user",
            "scopes": ["self", "shares!user", "read:users:name", "read:groups:name"],
        },
    )
)


async def server_of(house: House, name: str, server: str = "") -> Server:
    found = await house.database.read(lambda c: server_store.find(c, name, server))
    assert found is not None
    return found


async def grant_of(house: House, name: str) -> Grant:
    return await house.grants.grant_of(await house.user(name))


@pytest.fixture
async def owned(house: House) -> Server:
    """The default server of owner; guest, tia (in team) and other are about."""
    await house.prepare(SHARING)
    await house.add("owner", "guest", "tia", "other")
    await house.groups.create(["team"], ["tia"])
    return await server_of(house, "owner")


ACCESS = "access:servers!server=owner/"


async def test_share_opens_the_server_at_once_and_revoking_closes_it(
    house: House, owned: Server
) -> None:
    assert ACCESS not in await house.scopes("guest")
    share = await house.shares.grant(
        owned, Receiver(user="guest"), None, await grant_of(house, "owner")
    )
    assert (share.scopes, share.user, share.group) == ((ACCESS,), "guest", None)
    assert ACCESS in await house.scopes("guest")
    assert ACCESS not in await house.scopes("other")
    assert await house.shares.revoke(owned, Receiver(user="guest")) is None
    assert ACCESS not in await house.scopes("guest")
    assert await house.shares.revoke(owned, Receiver(user="guest")) is None
    assert await house.shares.revoke(owned, Receiver(user="absent")) is None


async def test_share_with_a_group_follows_its_members(house: House, owned: Server) -> None:
    await house.shares.grant(owned, Receiver(group="team"), None, await grant_of(house, "owner"))
    assert ACCESS in await house.scopes("tia")
    await house.groups.add("team", ["other"])
    assert ACCESS in await house.scopes("other")
    await house.groups.remove("team", ["other"])
    assert ACCESS not in await house.scopes("other")
    tia = await house.user("tia")
    assert (await house.shares.find(owned, user=tia)).group == "team"
    assert (await house.shares.received_by(tia, 0, 10))[1] == 1
    with pytest.raises(NotFound):
        await house.shares.leave(owned, user=tia)
    await house.shares.leave(owned, group=await house.groups.get("team"))
    assert ACCESS not in await house.scopes("tia")


async def test_some_scopes_can_be_taken_back(house: House, owned: Server) -> None:
    granter = await grant_of(house, "owner")
    to = Receiver(user="guest")
    await house.shares.grant(owned, to, ["read:servers", ACCESS], granter)
    await house.shares.grant(owned, to, None, granter)
    left = await house.shares.revoke(owned, to, [ACCESS])
    assert left is not None
    assert left.scopes == ("read:servers!server=owner/",)
    assert (await house.shares.of_server(owned, 0, 10))[1] == 1


@pytest.mark.parametrize(
    "scopes",
    [
        ["no:such"],
        ["access:servers!server=other/"],
        ["access:servers!user=owner"],
        ["list:users"],
        ["inherit"],
    ],
)
async def test_scopes_that_cannot_be_shared_are_invalid(
    house: House, owned: Server, scopes: list[str]
) -> None:
    with pytest.raises(InvalidInput):
        await house.shares.grant(
            owned, Receiver(user="guest"), scopes, await grant_of(house, "owner")
        )
    assert (await house.shares.of_server(owned, 0, 10)) == ([], 0)


async def test_nobody_shares_what_they_do_not_hold_or_with_whom_they_may_not_know(
    house: House, owned: Server
) -> None:
    granter = await grant_of(house, "owner")
    with pytest.raises(Forbidden):
        await house.shares.grant(owned, Receiver(user="guest"), ["admin:servers"], granter)
    with pytest.raises(Forbidden):
        await house.shares.grant(
            owned, Receiver(user="guest"), None, await grant_of(house, "other")
        )
    blind = Grant.of({"shares!user=owner", "access:servers!user=owner"})
    for to in (Receiver(user="guest"), Receiver(user="absent"), Receiver(group="team")):
        with pytest.raises(Forbidden):
            await house.shares.grant(owned, to, None, blind)


@pytest.mark.parametrize(
    "names", [{}, {"user": "a", "group": "b"}, {"user": 5}, {"user": "nul\0"}, {"group": "x" * 256}]
)
def test_receiver_is_exactly_one_name(names: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Receiver(**names)


async def test_unknown_receiver_is_invalid_input(house: House, owned: Server) -> None:
    granter = await grant_of(house, "owner")
    for to in (Receiver(user="absent"), Receiver(group="absent")):
        with pytest.raises(InvalidInput, match="absent"):
            await house.shares.grant(owned, to, None, granter)


# -- codes ------------------------------------------------------------------------
async def test_code_is_shown_once_and_serves_several(house: House, owned: Server) -> None:
    made = await house.share_codes.create(owned, None, None, await grant_of(house, "owner"))
    assert len(made.secret) == 43
    for name in ("guest", "other"):
        await house.share_codes.accept(made.secret, await house.user(name))
        assert ACCESS in await house.scopes(name)
    (code,), total = await house.share_codes.page(server=owned, offset=0, limit=10)
    assert (total, code.exchange_count, code.last_exchanged_at) == (1, 2, house.clock.now())
    await house.share_codes.revoke(owned)
    assert ACCESS in await house.scopes("guest")


@pytest.mark.parametrize("life", [1, 59, 31536001, "x", 1.5, True, 10**20])
async def test_life_of_a_code_is_checked(house: House, owned: Server, life: object) -> None:
    with pytest.raises(InvalidInput):
        await house.share_codes.create(owned, None, life, await grant_of(house, "owner"))


async def test_late_unknown_and_own_codes_are_refused(house: House, owned: Server) -> None:
    owner, guest = await house.user("owner"), await house.user("guest")
    made = await house.share_codes.create(owned, None, 60, await grant_of(house, "owner"))
    with pytest.raises(Forbidden):
        await house.share_codes.accept(made.secret, owner)
    for secret in ("unknown", "", "x" * 65, "nul\0"):
        with pytest.raises(NotFound):
            await house.share_codes.accept(secret, guest)
    assert (await house.share_codes.look_at(made.secret, guest)).scopes == (ACCESS,)
    await house.clock.advance(60)
    with pytest.raises(NotFound):
        await house.share_codes.accept(made.secret, guest)


@pytest.mark.parametrize("by", ["code", "public_id", "all"])
async def test_revoked_code_is_dead(house: House, owned: Server, by: str) -> None:
    made = await house.share_codes.create(owned, None, None, await grant_of(house, "owner"))
    named = {"code": {"code": made.secret}, "public_id": {"public_id": f"sc_{made.code.id}"}}
    await house.share_codes.revoke(owned, **named.get(by, {}))
    with pytest.raises(NotFound):
        await house.share_codes.accept(made.secret, await house.user("guest"))


@pytest.mark.parametrize(
    "named",
    [
        {"code": "unknown"},
        {"public_id": "sc_999999"},
        {"public_id": "nonsense"},
        {"public_id": "sc_"},
    ],
)
async def test_revoking_an_unknown_code_is_not_found(
    house: House, owned: Server, named: dict[str, str]
) -> None:
    with pytest.raises(NotFound):
        await house.share_codes.revoke(owned, **named)


async def test_imported_code_works(house: House, owned: Server) -> None:

    made = await house.share_codes.create(owned, None, None, await grant_of(house, "owner"))
    digest = hashlib.sha512(b"0011223344556677" + made.secret.encode()).hexdigest()
    await house.database.write(
        lambda c: c.execute(
            update(share_codes).values(
                hashed=f"sha512:1:0011223344556677:{digest}", prefix=made.secret[:4]
            )
        )
    )
    guest = await house.user("guest")
    with pytest.raises(NotFound):
        await house.share_codes.accept(made.secret[:4] + "x" * 39, guest)
    await house.share_codes.accept(made.secret, guest)
    assert ACCESS in await house.scopes("guest")


async def test_share_that_is_over_counts_no_more(house: House, owned: Server) -> None:

    await house.shares.grant(owned, Receiver(user="guest"), None, await grant_of(house, "owner"))
    await house.database.write(
        lambda c: c.execute(update(shares).values(expires_at=house.clock.now()))
    )
    await house.clock.advance(5)
    assert ACCESS not in await house.scopes("guest")
    now = house.clock.now()
    assert await house.database.write(lambda c: purging.expired_shares(c, now, 9)) == 1
