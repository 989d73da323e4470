"""Rights: of people, services and tokens, and how soon a change is felt."""

from typing import Any

import pytest
from people_house import House

from perijove.access.catalogue import CATALOGUE
from perijove.access.decide import Allowed, Target, decide
from perijove.domain.errors import Conflict, InvalidInput, NotFound
from perijove.domain.settings import RoleSettings
from perijove.domain.tokens import Bearer, OAuthClient
from perijove.domain.users import Service
from perijove.people.tokens import TokenRequest
from perijove.store import oauth as oauth_store
from perijove.store import servers as server_store


def roles(*definitions: dict[str, Any]) -> RoleSettings:
    return RoleSettings(load_roles=definitions)


async def bearer_with(house: House, name: str, *scopes: str) -> Bearer:
    made = await house.tokens.request(await house.user(name), TokenRequest(scopes=scopes))
    bearer = await house.tokens.resolve(made.secret)
    assert bearer is not None
    return bearer


async def test_rights_come_from_own_roles_and_those_of_groups_and_go_with_them(
    house: House,
) -> None:
    await house.prepare(
        roles(
            {"name": "own-role", "scopes": ["read:hub"], "users": ["ada"]},
            {"name": "band-role", "scopes": ["proxy"], "groups": ["band"]},
        )
    )
    assert "read:hub" in await house.scopes("ada")
    assert "proxy" not in await house.scopes("ada")
    await house.groups.add("band", ["ada"])
    assert "proxy" in await house.scopes("ada")
    await house.groups.remove("band", ["ada"])
    assert "proxy" not in await house.scopes("ada")
    await house.groups.add("band", ["ada"])
    await house.groups.delete("band")
    assert "proxy" not in await house.scopes("ada")


async def test_inherit_follows_the_owner_at_once(house: House) -> None:
    await house.add("ada")
    bearer = await bearer_with(house, "ada", "inherit")
    assert (await house.grants.grant_of(bearer)).scopes == await house.scopes("ada")
    await house.users.edit("ada", by_admin=True, admin=True)
    assert (await house.grants.grant_of(bearer)).holds("admin:users")
    await house.users.edit("ada", by_admin=True, admin=False)
    assert not (await house.grants.grant_of(bearer)).holds("admin:users")


async def test_token_loses_what_its_owner_lost(house: House) -> None:
    await house.prepare(roles({"name": "band-role", "scopes": ["proxy"], "groups": ["band"]}))
    await house.add("ada")
    await house.groups.add("band", ["ada"])
    bearer = await bearer_with(house, "ada", "proxy")
    assert (await house.grants.grant_of(bearer)).holds("proxy")
    await house.groups.remove("band", ["ada"])
    assert not (await house.grants.grant_of(bearer)).holds("proxy")


async def test_every_token_tells_whose_it_is(house: House) -> None:
    await house.add("ada")
    bearer = await bearer_with(house, "ada", "access:servers!user")
    assert (await house.grants.grant_of(bearer)).scopes == {
        "access:servers!user=ada",
        "read:users:name!user=ada",
        "read:users:groups!user=ada",
    }


async def test_group_filter_narrowed_to_a_member_lasts_as_long_as_membership(
    house: House,
) -> None:
    await house.add("chief", "ginny")
    await house.groups.create(["grp"], ["ginny"])
    await house.prepare(
        roles({"name": "chief-role", "scopes": ["read:users!group=grp"], "users": ["chief"]})
    )
    bearer = await bearer_with(house, "chief", "read:users!user=ginny")
    ginny = Target.of_user("ginny", await house.grants.groups_of("ginny"))
    grant = await house.grants.grant_of(bearer)
    assert isinstance(decide(grant, ("read:users",), ginny), Allowed)
    await house.groups.remove("grp", ["ginny"])
    assert await house.grants.groups_of("ginny") == frozenset()
    grant = await house.grants.grant_of(bearer)
    assert not isinstance(decide(grant, ("read:users",), ginny), Allowed)


async def test_oauth_token_opens_its_client_and_short_filters_name_it(house: House) -> None:
    (ada,) = await house.add("ada")
    client = OAuthClient("jupyterhub-user-ada", "Server at /user/ada/", "h", "/cb", ())
    server = (await house.database.read(lambda c: server_store.of_user(c, ada.id)))[0]
    await house.database.write(lambda c: oauth_store.save_client(c, client))
    await house.database.write(
        lambda c: server_store.edit(c, server.id, oauth_client_id=client.identifier)
    )
    made = await house.database.write(
        lambda c: house.tokens.create_now(
            c, ada, ["read:servers!server"], client_id=client.identifier
        )
    )
    bearer = await house.tokens.resolve(made.secret)
    assert bearer is not None
    scopes = (await house.grants.grant_of(bearer)).scopes
    assert {"access:servers!server=ada/", "read:servers!server=ada/"} <= scopes


async def test_service_has_the_rights_of_its_roles_and_no_self(house: House) -> None:
    service: Service = await house.add_service("svc")
    await house.prepare(
        roles({"name": "svc-role", "scopes": ["self", "list:users"], "services": ["svc"]})
    )
    grant = await house.grants.grant_of(service)
    assert grant.scopes == {"list:users", "read:users:name"}


async def test_custom_scopes_of_the_operator_count(tmp_path: Any) -> None:
    catalogue = CATALOGUE.with_custom(
        {
            "custom:lab:read": {"description": "look"},
            "custom:lab:write": {"description": "change", "subscopes": ["custom:lab:read"]},
        }
    )
    house = House(tmp_path / "custom.sqlite", catalogue)
    await house.prepare(
        roles({"name": "lab-role", "scopes": ["custom:lab:write"], "users": ["lab"]})
    )
    assert {"custom:lab:write", "custom:lab:read"} <= await house.scopes("lab")
    await house.close()


async def test_second_question_reads_no_database(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.add("ada")
    bearer = await bearer_with(house, "ada", "self")
    first = await house.grants.grant_of(bearer)

    async def never(work: object) -> object:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(house.database, "read", never)
    assert await house.grants.grant_of(bearer) is first
    assert await house.grants.grant_of(bearer.owner)


# -- groups -------------------------------------------------------------------------
async def test_group_names_and_members_are_checked_before_anything_is_made(house: House) -> None:

    await house.add("ada")
    for names, users in (
        (["ok", "x" * 256], []),
        (["ok", " "], []),
        (["ok"], ["absent"]),
        ([], []),
    ):
        with pytest.raises(InvalidInput):
            await house.groups.create(names, users)
    with pytest.raises(NotFound):
        await house.groups.get("ok")
    (made,) = await house.groups.create(["two words"], ["ADA", "ada"])
    assert made.users == ("ada",)
    with pytest.raises(Conflict):
        await house.groups.create(["new", "two words"], [])
    with pytest.raises(NotFound):
        await house.groups.get("new")


async def test_members_come_and_go_without_fuss(house: House) -> None:

    await house.add("ada", "bob")
    await house.groups.create(["club"], ["ada"])
    assert (await house.groups.add("club", ["ada", "bob"])).users == ("ada", "bob")
    assert (await house.groups.remove("club", ["ada", "ada"])).users == ("bob",)
    assert (await house.groups.remove("club", ["ada"])).users == ("bob",)
    for change in (house.groups.add, house.groups.remove):
        with pytest.raises(InvalidInput):
            await change("club", ["absent"])
        with pytest.raises(NotFound):
            await change("absent", ["ada"])
        with pytest.raises(NotFound):
            await change("nul\0", ["ada"])
    assert (await house.groups.set_properties("club", {"b": [1]})).properties == {"b": [1]}
