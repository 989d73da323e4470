"""Sign-in: everything the authenticator says is stored, or nothing."""

import asyncio
from typing import Any

import pytest
from people_house import House

from perijove.domain.errors import Conflict, InvalidInput, NotFound, PluginError
from perijove.domain.ports import AuthModel, AuthRules
from perijove.people.refresh import Freshness
from perijove.store import roles as role_store


async def test_first_sign_in_makes_account_server_role_and_session(house: House) -> None:
    signed_in = await house.login.sign_in(AuthModel("ada", user_info={"display_name": "Ada"}))
    detail = await house.users.get("ada")
    assert detail.user.user_info == {"display_name": "Ada"}
    assert detail.user.last_activity == house.clock.now()
    assert (detail.roles, [s.name for s in detail.servers]) == (("user",), [""])
    assert house.authenticator.added == ["ada"]
    cookie = house.sessions.cookie_value(signed_in)
    found = await house.sessions.resolve_login_cookie(cookie)
    assert found is not None
    assert found.user.name == "ada"


async def test_each_sign_in_is_a_session_of_its_own(house: House) -> None:
    first = await house.login.sign_in(AuthModel("ada"))
    second = await house.login.sign_in(AuthModel("ada"))
    assert first.session_id != second.session_id
    assert house.authenticator.added == ["ada"]


async def test_many_first_sign_ins_at_once_make_one_account(house: House) -> None:
    models = [AuthModel("ada", user_info={"n": n}) for n in range(8)]
    signed_in = await asyncio.gather(*(house.login.sign_in(model) for model in models))
    assert len({one.user.id for one in signed_in}) == 1
    assert len({one.session_id for one in signed_in}) == 8


async def test_refused_newcomer_leaves_nothing(house: House) -> None:
    house.authenticator.refused = {"ada"}
    with pytest.raises(PluginError):
        await house.login.sign_in(AuthModel("ada"))
    assert await house.users.find("ada") is None


@pytest.mark.parametrize("name", ["", "a/b", "x" * 300, "nul\0"])
async def test_name_that_nobody_may_have_is_invalid(house: House, name: str) -> None:
    with pytest.raises(InvalidInput):
        await house.login.sign_in(AuthModel(name))


@pytest.mark.parametrize(
    ("before", "says", "after"),
    [(False, True, True), (True, False, False), (True, None, True), (False, None, False)],
)
async def test_admin_follows_the_answer_and_none_changes_nothing(
    house: House, before: bool, says: bool | None, after: bool
) -> None:
    await house.add("ada", admin=before)
    await house.login.sign_in(AuthModel("ada", admin=says))
    detail = await house.users.get("ada")
    assert detail.user.admin is after
    assert ("admin" in detail.roles) is after
    assert ("admin:users" in await house.scopes("ada")) is after


# -- groups -----------------------------------------------------------------------
async def test_groups_given_twice_count_once(house: House) -> None:
    house.authenticator.rules = AuthRules(manage_groups=True)
    await house.login.sign_in(AuthModel("ada", groups=("ga", "ga", "gb")))
    assert (await house.users.get("ada")).groups == ("ga", "gb")
    await house.login.sign_in(AuthModel("ada", groups=None))
    assert (await house.users.get("ada")).groups == ("ga", "gb")
    await house.login.sign_in(AuthModel("ada", groups=()))
    assert (await house.users.get("ada")).groups == ()


async def test_groups_are_ignored_unless_the_authenticator_manages_them(house: House) -> None:
    await house.login.sign_in(AuthModel("ada", groups=("ga",)))
    assert (await house.users.get("ada")).groups == ()


async def test_a_group_that_cannot_exist_is_left_out_and_keeps_nobody_out(house: House) -> None:
    house.authenticator.rules = AuthRules(manage_groups=True)
    odd: Any = ("lab", "x" * 256, "", "a\nb", 5, None, "no-break\xa0space")
    await house.login.sign_in(AuthModel("ada", groups=odd))
    assert (await house.users.get("ada")).groups == ("lab", "no-break\xa0space")


# -- roles ------------------------------------------------------------------------
async def test_managed_roles_become_exactly_the_given_ones(house: House) -> None:
    house.authenticator.rules = AuthRules(manage_roles=True)
    first = {"name": "lab-reader", "scopes": ["read:hub"], "description": "reads"}
    await house.login.sign_in(AuthModel("ada", roles=(first,)))
    assert (await house.users.get("ada")).roles == ("user", "lab-reader")
    assert "read:hub" in await house.scopes("ada")
    await house.login.sign_in(
        AuthModel("ada", roles=({"name": "lab-writer", "scopes": ["proxy"]},))
    )
    assert (await house.users.get("ada")).roles == ("user", "lab-writer")
    scopes = await house.scopes("ada")
    assert "proxy" in scopes
    assert "read:hub" not in scopes
    assert await house.database.read(lambda c: role_store.find(c, "lab-reader")) is None
    await house.login.sign_in(AuthModel("ada", roles=None))
    assert (await house.users.get("ada")).roles == ("user", "lab-writer")


async def test_managed_role_admin_makes_and_unmakes_an_admin(house: House) -> None:
    house.authenticator.rules = AuthRules(manage_roles=True)
    await house.login.sign_in(AuthModel("ada", roles=({"name": "admin"},)))
    assert (await house.user("ada")).admin
    await house.login.sign_in(AuthModel("ada", roles=()))
    assert not (await house.user("ada")).admin
    assert "admin:users" not in await house.scopes("ada")


async def test_authenticator_cannot_redefine_a_built_in_role(house: House) -> None:
    house.authenticator.rules = AuthRules(manage_roles=True)
    await house.login.sign_in(AuthModel("ada", roles=({"name": "user", "scopes": ["proxy"]},)))
    role = await house.database.read(lambda c: role_store.find(c, "user"))
    assert role is not None
    assert role.scopes == ("self",)


@pytest.mark.parametrize(
    "role",
    [
        {"scopes": []},
        {"name": "UPPER"},
        {"name": "good-name", "scopes": ["nonsense"]},
        {"name": "abc", "scope": []},
    ],
)
async def test_role_that_cannot_be_used_is_a_conflict_and_stores_nothing(
    house: House, role: dict[str, object]
) -> None:
    house.authenticator.rules = AuthRules(manage_roles=True)
    with pytest.raises(Conflict):
        await house.login.sign_in(AuthModel("ada", roles=(role,)))
    assert await house.users.find("ada") is None


# -- auth_state -------------------------------------------------------------------
async def test_auth_state_is_stored_encrypted_and_merged_by_the_hook(house: House) -> None:
    house.authenticator.rules = AuthRules(enable_auth_state=True)
    await house.login.sign_in(AuthModel("ada", auth_state={"token": "first"}))
    ada = await house.user("ada")
    assert await house.auth_states.get(ada) == {"token": "first"}
    house.authenticator.merges_auth_state = True
    await house.login.sign_in(AuthModel("ada", auth_state={"more": 2}))
    assert await house.auth_states.get(ada) == {"token": "first", "more": 2}
    await house.login.sign_in(AuthModel("ada", has_auth_state=False))
    assert await house.auth_states.get(ada) == {"token": "first", "more": 2}


async def test_auth_state_is_wiped_once_the_option_is_off(house: House) -> None:
    house.authenticator.rules = AuthRules(enable_auth_state=True)
    await house.login.sign_in(AuthModel("ada", auth_state={"token": "first"}))
    house.authenticator.rules = AuthRules()
    await house.login.sign_in(AuthModel("ada", auth_state={"token": "second"}))
    assert await house.auth_states.get(await house.user("ada")) is None


async def test_auth_state_that_no_key_opens_reads_as_nothing(house: House) -> None:
    (ada,) = await house.add("ada")
    assert house.auth_states.unseal("ada", b"not a token") is None
    with pytest.raises(InvalidInput, match="auth_state"):
        await house.auth_states.put(ada, {"bytes": b"no JSON"})


# -- refresh ----------------------------------------------------------------------
async def test_refresh_is_asked_when_due_and_once_for_many_requests(house: House) -> None:
    signed_in = await house.login.sign_in(AuthModel("ada"))
    ada = signed_in.user
    house.refresher.note_sign_in(ada)
    assert await house.refresher.refresh(ada, None) == (Freshness.FRESH, ada)
    assert house.authenticator.asked == []
    await house.clock.advance(301)
    house.authenticator.answers = [True]
    results = await asyncio.gather(*(house.refresher.refresh(ada, None) for _ in range(5)))
    assert {freshness for freshness, _ in results} == {Freshness.FRESH}
    assert house.authenticator.asked == ["ada"]
    assert not house.refresher.due(ada)


async def test_stale_sign_in_stays_stale_until_the_person_signs_in(house: House) -> None:
    (ada,) = await house.add("ada")
    house.authenticator.answers = [False, False]
    assert (await house.refresher.refresh(ada, None))[0] is Freshness.STALE
    assert (await house.refresher.refresh(ada, None))[0] is Freshness.STALE
    house.refresher.note_sign_in(ada)
    assert (await house.refresher.refresh(ada, None))[0] is Freshness.FRESH


async def test_refresh_brings_new_facts_and_keeps_an_absent_auth_state(house: House) -> None:
    house.authenticator.rules = AuthRules(enable_auth_state=True, manage_groups=True)
    signed_in = await house.login.sign_in(AuthModel("ada", auth_state={"k": 1}))
    house.authenticator.answers = [
        AuthModel("ada", admin=True, groups=("ga",), has_auth_state=False)
    ]
    freshness, user = await house.refresher.refresh(signed_in.user, None, force=True)
    assert (freshness, user.admin) == (Freshness.FRESH, True)
    assert (await house.users.get("ada")).groups == ("ga",)
    assert await house.auth_states.get(user) == {"k": 1}


async def test_refresh_that_names_somebody_else_is_stale_and_changes_nothing(house: House) -> None:
    ada, _ = await house.add("ada", "bob")
    house.authenticator.answers = [AuthModel("bob", admin=True)]
    assert (await house.refresher.refresh(ada, None))[0] is Freshness.STALE
    assert not (await house.user("bob")).admin


async def test_refresh_that_fails_is_stale(house: House) -> None:
    (ada,) = await house.add("ada")
    house.authenticator.answers = ["boom"]  # type: ignore[list-item]
    assert (await house.refresher.refresh(ada, None))[0] is Freshness.STALE


async def test_refresh_by_age_can_be_off(house: House) -> None:
    (ada,) = await house.add("ada")
    house.authenticator.refresh_age_s = 0
    assert not house.refresher.due(ada)


async def test_facts_about_a_deleted_account_do_not_bring_it_back(house: House) -> None:
    (ada,) = await house.add("ada")
    await house.users.remove(ada)
    with pytest.raises(NotFound):
        await house.login.apply(AuthModel("ada"))
    assert await house.users.find("ada") is None


async def test_auth_state_that_is_no_json_is_the_plugins_fault(house: House) -> None:
    house.authenticator.rules = AuthRules(enable_auth_state=True)
    with pytest.raises(PluginError, match=r"FakeAuthenticator\.authenticate"):
        await house.login.sign_in(AuthModel("ada", auth_state={"b": b""}))
    assert await house.users.find("ada") is None


async def test_a_profile_keeps_what_json_can_hold(house: House) -> None:
    profile = {"mail": "ada@lab.example", "since": object()}
    await house.login.sign_in(AuthModel("ada", user_info=profile))
    kept = (await house.users.get("ada")).user.user_info
    assert kept == {"mail": "ada@lab.example", "since": None}
