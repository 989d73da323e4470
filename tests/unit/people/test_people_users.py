"""Accounts: made, changed, deleted, listed."""

import pytest
from people_house import House
from sqlalchemy import update

from perijove.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from perijove.domain.users import UserQuery
from perijove.people.cache import TTL_S
from perijove.people.shares import Receiver
from perijove.people.tokens import TokenRequest
from perijove.store import servers as server_store
from perijove.store import users as user_store
from perijove.store.tables import servers


async def set_state(house: House, name: str, state: str) -> None:
    user = await house.user(name)
    await house.database.write(
        lambda c: c.execute(update(servers).where(servers.c.user_id == user.id).values(state=state))
    )


async def test_names_are_normalised_at_creation(house: House) -> None:
    (made,) = await house.users.create(["UPPER"], by_admin=False)
    assert made.user.name == "upper"
    assert made.roles == ("user",)
    assert [server.name for server in made.servers] == [""]
    assert house.authenticator.added == ["upper"]


async def test_existing_names_are_skipped_and_all_existing_is_a_conflict(house: House) -> None:
    await house.add("ada")
    made = await house.users.create(["ada", "bob", "BOB"], by_admin=False)
    assert [detail.user.name for detail in made] == ["bob"]
    with pytest.raises(Conflict, match="already exists"):
        await house.users.create(["ada"], by_admin=True)


@pytest.mark.parametrize("bad", ["", "a/b", "no!", " x", "x" * 256, "nul\0", "\ud800", 5, None])
async def test_one_bad_name_makes_no_account(house: House, bad: object) -> None:
    with pytest.raises(InvalidInput):
        await house.users.create(["good", bad], by_admin=True)  # type: ignore[list-item]
    assert await house.users.find("good") is None


async def test_account_refused_by_the_authenticator_goes_and_earlier_ones_stay(
    house: House,
) -> None:
    house.authenticator.refused = {"bad"}
    with pytest.raises(InvalidInput, match="no bad here"):
        await house.users.create(["first", "bad", "last"], by_admin=True)
    assert await house.users.find("first") is not None
    assert await house.users.find("bad") is None
    assert await house.users.find("last") is None


async def test_admin_flag_and_role_are_one(house: House) -> None:
    await house.add("chief", admin=True)
    assert (await house.users.get("chief")).roles == ("user", "admin")
    lowered = await house.users.edit("chief", by_admin=True, admin=False)
    assert (lowered.user.admin, lowered.roles) == (False, ("user",))
    raised = await house.users.edit("chief", by_admin=True, admin=True)
    assert (raised.user.admin, raised.roles) == (True, ("user", "admin"))


async def test_a_non_admin_makes_changes_and_deletes_no_admin(house: House) -> None:
    await house.add("chief", admin=True)
    await house.add("ada")
    with pytest.raises(Forbidden):
        await house.users.create(["sly"], admin=True, by_admin=False)
    with pytest.raises(Forbidden):
        await house.users.edit("ada", admin=True, by_admin=False)
    for change in ({"admin": False}, {"new_name": "boss"}, {"auth_state": {}}):
        with pytest.raises(Forbidden):
            await house.users.edit("chief", by_admin=False, **change)  # type: ignore[arg-type]
    with pytest.raises(Forbidden):
        await house.users.may_delete("chief", by_admin=False)
    assert await house.users.find("sly") is None
    assert (await house.users.get("chief")).user.admin
    assert (await house.users.may_delete("ada", by_admin=False)).user.name == "ada"


async def test_rename_keeps_the_account_and_frees_the_name(house: House) -> None:
    (ada,) = await house.add("ada")
    await house.users.edit("ada", by_admin=True, new_name="EVA")
    assert (await house.user("eva")).id == ada.id
    with pytest.raises(NotFound):
        await house.users.get("ada")
    (again,) = await house.add("ada")
    assert again.id != ada.id


async def test_rename_to_a_taken_or_bad_name_is_refused(house: House) -> None:
    await house.add("ada", "bob")
    for name in ("bob", "BOB", "no/good", ""):
        with pytest.raises(InvalidInput):
            await house.users.edit("ada", by_admin=True, new_name=name)
    await house.users.edit("ada", by_admin=True, new_name="Ada")
    with pytest.raises(NotFound):
        await house.users.edit("absent", by_admin=True, new_name="x")


@pytest.mark.parametrize("state", ["queued", "starting", "ready", "stopping"])
async def test_rename_with_an_active_server_is_a_conflict(house: House, state: str) -> None:
    await house.add("ada")
    await set_state(house, "ada", state)
    with pytest.raises(Conflict):
        await house.users.edit("ada", by_admin=True, new_name="eva")
    assert await house.users.find("ada") is not None


async def test_nothing_of_a_renamed_identity_reaches_the_next_of_that_name(house: House) -> None:
    ada, _ = await house.add("ada", "bob")
    server = (await house.database.read(lambda c: server_store.of_user(c, ada.id)))[0]
    await house.add("chief", admin=True)
    chief = await house.grants.grant_of(await house.user("chief"))
    await house.shares.grant(server, Receiver(user="bob"), None, chief)
    assert "access:servers!server=ada/" in await house.scopes("bob")
    await house.users.edit("ada", by_admin=True, new_name="eva")
    await house.add("ada")
    scopes = await house.scopes("bob")
    assert "access:servers!server=eva/" in scopes
    assert not [scope for scope in scopes if "=ada" in scope]


async def test_auth_state_is_replaced_only_when_given(house: House) -> None:
    (ada,) = await house.add("ada")
    await house.users.edit("ada", by_admin=True, auth_state={"k": [1]})
    await house.users.edit("ada", by_admin=True, admin=True)
    assert await house.auth_states.get(ada) == {"k": [1]}
    await house.users.edit("ada", by_admin=True, auth_state=None)
    assert await house.auth_states.get(ada) is None


async def test_retired_account_has_no_sign_ins_and_tokens_left(house: House) -> None:
    (ada,) = await house.add("ada")
    token = await house.tokens.request(ada, TokenRequest())
    cookie = house.sessions.cookie_value(await house.sessions.open(ada))
    assert await house.tokens.resolve(token.secret) is not None
    assert await house.sessions.resolve_login_cookie(cookie) is not None
    await house.users.retire(ada)
    assert await house.tokens.resolve(token.secret) is None
    assert await house.sessions.resolve_login_cookie(cookie) is None
    await house.users.remove(ada)
    await house.users.remove(ada)
    assert await house.users.find("ada") is None


async def test_account_with_an_active_server_is_not_removed(house: House) -> None:
    (ada,) = await house.add("ada")
    await set_state(house, "ada", "stopping")
    with pytest.raises(Conflict):
        await house.users.remove(ada)
    await set_state(house, "ada", "stopped")
    await house.users.remove(ada)


@pytest.mark.parametrize(
    "query", [UserQuery(state="asleep"), UserQuery(sort="created"), UserQuery(sort="-")]
)
async def test_nonsense_in_a_list_query_is_invalid_input(house: House, query: UserQuery) -> None:
    with pytest.raises(InvalidInput):
        await house.users.page(query)


async def test_page_shows_activity_that_is_not_written_yet(house: House) -> None:
    ada, bob = await house.add("ada", "bob")
    house.activity.note_user(bob.id)
    listed, _ = await house.users.page(UserQuery())
    assert [detail.user.last_activity for detail in listed] == [None, house.clock.now()]
    ordered, _ = await house.users.page(UserQuery(sort="-last_activity"))
    assert [detail.user.name for detail in ordered] == ["bob", "ada"]
    assert ada.last_activity is None


@pytest.mark.parametrize("name", ["nul\0", "\ud800", "", "x" * 5000])
async def test_name_that_cannot_exist_is_not_found(house: House, name: str) -> None:
    assert await house.users.find(name) is None
    with pytest.raises(NotFound):
        await house.users.get(name)
    with pytest.raises(NotFound):
        await house.users.edit(name, by_admin=True, admin=True)
    assert (await house.users.page(UserQuery(name_filter=name or "zzz"))) == ([], 0)


async def test_a_deep_page_is_exact_when_people_have_come_and_gone(house: House) -> None:
    names = [f"u{number:04d}" for number in range(1100)]
    await house.users.create(names, by_admin=True)

    async def page(offset: int) -> list[str]:
        found, _ = await house.users.page(UserQuery(offset=offset, limit=5))
        return [detail.user.name for detail in found]

    for offset in (1000, 1098, 1100, 2000):
        assert await page(offset) == names[offset : offset + 5]
    for gone in ("u0001", "u0700", "u1099"):
        await house.users.remove((await house.users.get(gone)).user)
        names.remove(gone)
        assert await page(1000) == names[1000:1005]
    (late,) = await house.users.create(["late"], by_admin=True)
    assert await page(len(names)) == [late.user.name]
    # Another process says nothing; what is remembered ends by itself.
    first = await house.user("u0000")
    await house.database.write(lambda c: user_store.remove(c, first.id))
    await house.clock.advance(TTL_S + 1)
    assert await page(1000) == [*names, "late"][1001:1006]
