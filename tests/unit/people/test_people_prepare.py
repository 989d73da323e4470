"""The start of a hub: the database agrees with the configuration."""

import logging
from typing import Any

import pytest
from people_house import House

from perijove.domain.errors import ConfigError
from perijove.domain.ports import AuthRules
from perijove.domain.settings import GroupSpec, RoleSettings
from perijove.store import roles as role_store
from perijove.store import tokens as token_store


def roles(*definitions: dict[str, Any], **more: Any) -> RoleSettings:
    return RoleSettings(load_roles=definitions, **more)


async def test_fresh_hub_has_the_built_in_roles(house: House) -> None:
    known = await house.database.read(role_store.all_roles)
    assert list(known) == ["user", "admin", "server", "token"]
    assert known["token"].scopes == ("inherit",)


async def test_own_definition_of_role_user_keeps_its_members(house: House) -> None:
    await house.prepare(roles({"name": "user", "scopes": ["self", "read:services"]}))
    await house.add("ada")
    for _ in range(2):
        await house.prepare(roles({"name": "user", "scopes": ["self", "read:services"]}))
        assert (await house.users.get("ada")).roles == ("user",)
        assert "read:services" in await house.scopes("ada")
    await house.prepare()
    assert "read:services" not in await house.scopes("ada")
    assert (await house.users.get("ada")).roles == ("user",)


async def test_role_whose_scopes_were_removed_has_none(house: House) -> None:
    await house.prepare(roles({"name": "role-one", "scopes": ["proxy"], "users": ["ada"]}))
    assert "proxy" in await house.scopes("ada")
    await house.prepare(roles({"name": "role-one", "users": ["ada"]}))
    assert (await house.users.get("ada")).roles == ("user", "role-one")
    assert "proxy" not in await house.scopes("ada")


async def test_listed_holders_are_exact_and_missing_people_are_made(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await house.add_service("svc")
    definition = {"name": "helpers", "scopes": ["read:hub"]}
    await house.prepare(
        roles({**definition, "users": ["ADA", "bob"], "groups": ["red"], "services": ["svc"]})
    )
    assert "'ada'" in caplog.text
    assert "red" in caplog.text
    assert (await house.groups.get("red")).roles == ("helpers",)
    await house.prepare(roles({**definition, "users": ["bob"]}))
    assert (await house.users.get("ada")).roles == ("user",)
    assert (await house.users.get("bob")).roles == ("user", "helpers")
    assert (await house.groups.get("red")).roles == ()
    await house.prepare(roles(definition))
    assert (await house.users.get("bob")).roles == ("user",)


async def test_role_that_is_gone_from_the_configuration_is_deleted(house: House) -> None:
    await house.prepare(roles({"name": "helpers", "scopes": [], "users": ["ada"]}))
    await house.prepare()
    assert (await house.users.get("ada")).roles == ("user",)
    assert await house.database.read(lambda c: role_store.find(c, "helpers")) is None


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ({"name": "helpers", "scopse": []}, "scopes"),
        ({"name": "helpers", "scopes": ["reed:hub"]}, "read:hub"),
        ({"name": "helpers", "services": ["absent"]}, "absent"),
        ({"name": "ab"}, "ab"),
        ({"scopes": []}, "name"),
        ({"name": "admin", "scopes": ["self"]}, "admin"),
        ({"name": "helpers", "users": ["a/b"]}, "a/b"),
    ],
)
async def test_definition_that_cannot_be_used_stops_the_start_and_says_why(
    house: House, definition: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        await house.prepare(roles(definition))


async def test_failed_start_changes_nothing(house: House) -> None:
    good = {"name": "helpers", "scopes": ["proxy"], "users": ["ada"]}
    with pytest.raises(ConfigError):
        await house.prepare(roles(good), api_tokens={"a-good-long-token": "ada", "short": "ada"})
    assert await house.users.find("ada") is None
    assert await house.database.read(lambda c: role_store.find(c, "helpers")) is None


# -- admins -----------------------------------------------------------------------
async def test_admins_of_the_configuration_come_and_those_of_before_stay_with_a_word(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    house.authenticator.rules = AuthRules(admin_users=frozenset({"anna"}))
    await house.prepare()
    assert (await house.user("anna")).admin
    assert "anna is an admin now" in caplog.text
    caplog.clear()
    house.authenticator.rules = AuthRules(admin_users=frozenset({"bert"}))
    await house.prepare()
    assert (await house.user("bert")).admin
    assert (await house.user("anna")).admin
    assert "Still admins" in caplog.text
    assert "anna" in caplog.text


async def test_listed_users_of_the_admin_role_are_the_only_admins(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await house.add("anna", admin=True)
    house.authenticator.rules = AuthRules(admin_users=frozenset({"bert"}))
    await house.prepare(roles({"name": "admin", "users": ["cleo"]}))
    flags = {name: (await house.user(name)).admin for name in ("anna", "bert", "cleo")}
    assert flags == {"anna": False, "bert": True, "cleo": True}
    assert "anna is no longer an admin" in caplog.text


async def test_admin_flag_and_role_of_services_are_made_equal(house: House) -> None:
    flagged = await house.add_service("flagged", admin=True)
    listed = await house.add_service("listed")
    await house.prepare(roles({"name": "admin", "services": ["listed"]}))
    for service in (flagged, listed):
        assert (await house.grants.grant_of(service)).holds("admin:users")


async def test_blocked_user_loses_everything(house: House) -> None:
    await house.add("eve", admin=True)
    await house.groups.create(["red"], ["eve"])
    house.authenticator.rules = AuthRules(blocked_users=frozenset({"eve", "absent"}))
    await house.prepare()
    detail = await house.users.get("eve")
    assert (detail.user.admin, detail.groups, detail.roles) == (False, (), ())
    assert await house.users.find("absent") is None


# -- groups and people --------------------------------------------------------------
async def test_groups_of_the_configuration_gain_members_and_properties(house: House) -> None:
    await house.groups.create(["red"], [])
    await house.prepare(
        RoleSettings(
            load_groups=(
                GroupSpec("red", ("ada",), {"tier": 2}),
                GroupSpec("blue"),
            )
        )
    )
    red = await house.groups.get("red")
    assert (red.users, red.properties) == (("ada",), {"tier": 2})
    assert (await house.groups.get("blue")).users == ()
    await house.groups.add("red", ["ada"])
    await house.prepare(RoleSettings(load_groups=(GroupSpec("red", ()),)))
    assert (await house.groups.get("red")).users == ("ada",)
    assert (await house.groups.get("red")).properties == {"tier": 2}


async def test_groups_cannot_come_from_both_sides(house: House) -> None:
    house.authenticator.rules = AuthRules(manage_groups=True)
    with pytest.raises(ConfigError, match="manage_groups"):
        await house.prepare(RoleSettings(load_groups=(GroupSpec("red"),)))


async def test_allowed_users_exist_from_the_start_and_everybody_is_introduced(
    house: House,
) -> None:
    await house.add("old")
    house.authenticator.added.clear()
    house.authenticator.rules = AuthRules(allowed_users=frozenset({"alma"}))
    await house.prepare()
    assert sorted(house.authenticator.added) == ["alma", "old"]


@pytest.mark.parametrize("delete", [False, True])
async def test_account_refused_at_the_start_goes_only_if_the_operator_says_so(
    house: House, delete: bool
) -> None:
    await house.add("old")
    house.authenticator.refused = {"old"}
    house.authenticator.rules = AuthRules(delete_invalid_users=delete)
    await house.prepare()
    assert (await house.users.find("old") is None) is delete


# -- tokens -----------------------------------------------------------------------
async def test_tokens_of_the_configuration_work_after_every_start(house: House) -> None:
    service = await house.add_service("svc")
    for _ in range(2):
        await house.prepare(
            api_tokens={"token-of-ada-0123": "Ada"}, service_tokens={"token-of-svc-0123": "svc"}
        )
        mine = await house.tokens.resolve("token-of-ada-0123")
        its = await house.tokens.resolve("token-of-svc-0123")
        assert mine is not None
        assert its is not None
        assert (mine.owner.name, its.owner) == ("ada", service)
    ada = await house.user("ada")
    now = house.clock.now()
    assert len(await house.database.read(lambda c: token_store.of_user(c, ada.id, now))) == 1


# -- roles of the authenticator -------------------------------------------------------
async def test_managed_roles_are_loaded_and_reset_when_told(house: House) -> None:
    house.authenticator.rules = AuthRules(manage_roles=True)
    house.authenticator.roles = [
        {"name": "teachers", "scopes": ["proxy"], "users": ["tina"], "groups": ["staff"]}
    ]
    await house.prepare()
    assert "proxy" in await house.scopes("tina")
    house.authenticator.roles = []
    await house.prepare()
    assert "proxy" in await house.scopes("tina")
    house.authenticator.rules = AuthRules(manage_roles=True, reset_managed_roles_on_startup=True)
    await house.prepare()
    assert (await house.users.get("tina")).roles == ("user",)
    assert await house.database.read(lambda c: role_store.find(c, "teachers")) is None


async def test_definitions_cannot_list_people_when_the_authenticator_does(house: House) -> None:
    house.authenticator.rules = AuthRules(manage_roles=True)
    with pytest.raises(ConfigError, match="manage_roles"):
        await house.prepare(roles({"name": "helpers", "users": ["ada"]}))


async def test_extra_user_scopes_join_the_role_user(house: House) -> None:
    await house.prepare(RoleSettings(extra_user_scopes=frozenset({"read:hub"})))
    await house.add("ada")
    assert "read:hub" in await house.scopes("ada")
