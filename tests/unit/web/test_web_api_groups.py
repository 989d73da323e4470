"""Groups over the API: who may do what, and what is refused."""

from typing import Any

import pytest
from web_house import WebHouse


async def grouped(house: WebHouse) -> None:
    for name in ("ada", "bob", "eve"):
        await house.add_user(name)
    await house.root.post("/groups/class", json={"users": ["ada"]})
    await house.root.post("/groups/other")


async def members(house: WebHouse, group: str) -> list[str]:
    return (await house.root.get(f"/groups/{group}")).json()["users"]  # type: ignore[no-any-return]


async def test_a_filtered_scope_lists_its_group_only_and_the_total_says_so(
    house: WebHouse,
) -> None:
    await grouped(house)
    api = await house.as_user("admin", ["list:groups!group=class", "read:groups!group=class"])
    assert [group["name"] for group in (await api.get("/groups")).json()] == ["class"]
    accept = {"Accept": "application/jupyterhub-pagination+json"}
    page = (await api.get("/groups", headers=accept)).json()
    assert page["_pagination"]["total"] == 1


async def test_a_scope_for_users_opens_no_list_of_groups(house: WebHouse) -> None:
    await grouped(house)
    api = await house.as_user("admin", ["list:users"])
    assert (await api.get("/groups")).status_code == 403


@pytest.mark.parametrize("path", ["/groups/new", "/groups"])
async def test_creating_with_members_takes_a_right_over_each_of_them(
    house: WebHouse, path: str
) -> None:
    await grouped(house)
    body: dict[str, Any] = {"users": ["eve"]}
    if path == "/groups":
        body["groups"] = ["new"]
    api = await house.as_user("admin", ["admin:groups"])
    assert (await api.post(path, json=body)).status_code == 403
    assert (await house.root.get("/groups/new")).status_code == 404
    api = await house.as_user("admin", ["admin:groups", "users!user=eve"])
    assert (await api.post(path, json=body)).status_code == 201


async def test_who_runs_a_group_cannot_pull_in_strangers(house: WebHouse) -> None:
    await grouped(house)
    api = await house.as_user("admin", ["groups!group=class", "users!group=class"])
    refused = await api.post("/groups/class/users", json={"users": ["eve"]})
    assert refused.status_code == 403
    assert await members(house, "class") == ["ada"]
    again = await api.post("/groups/class/users", json={"users": ["ada"]})
    assert again.status_code == 200
    assert (await api.post("/groups/other/users", json={"users": ["ada"]})).status_code == 404


async def test_who_runs_a_group_may_put_themselves_in_and_take_people_out(
    house: WebHouse,
) -> None:
    await grouped(house)
    api = await house.as_user("admin", ["groups!group=class"])
    assert (await api.post("/groups/class/users", json={"users": ["admin"]})).status_code == 200
    gone = await api.request("DELETE", "/groups/class/users", json={"users": ["ada"]})
    assert gone.json()["users"] == ["admin"]


async def test_names_of_members_are_normalised(house: WebHouse) -> None:
    await grouped(house)
    added = await house.root.post("/groups/class/users", json={"users": ["BOB"]})
    assert added.json()["users"] == ["ada", "bob"]


async def test_several_groups_are_made_all_or_none(house: WebHouse) -> None:
    await grouped(house)
    refused = await house.root.post("/groups", json={"groups": ["fresh", "class"]})
    assert refused.status_code == 409
    assert (await house.root.get("/groups/fresh")).status_code == 404


async def test_a_caller_without_the_scope_learns_nothing_from_a_bad_body(house: WebHouse) -> None:
    await grouped(house)
    api = await house.as_user("ada")
    assert (await api.post("/groups", json=["odd"])).status_code == 403
    assert (await api.post("/groups/new", content=b"{")).status_code == 403


@pytest.mark.parametrize("body", [[], "x", 5, None])
async def test_properties_are_an_object(house: WebHouse, body: Any) -> None:
    await grouped(house)
    answer = await house.root.put("/groups/class/properties", json=body)
    assert answer.status_code == 400


async def test_properties_too_deep_to_be_sent_out_again_are_refused(house: WebHouse) -> None:
    await grouped(house)
    body = b'{"a":' * 300 + b"1" + b"}" * 300
    answer = await house.root.put("/groups/class/properties", content=body)
    assert answer.status_code == 400
    assert (await house.root.get("/groups")).status_code == 200


@pytest.mark.parametrize(
    "path", ["/groups/", "/groups/%zz", "/groups/a%00b", "/groups/" + "x" * 256]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_names_that_no_group_can_have_are_the_callers_fault(
    house: WebHouse, method: str, path: str
) -> None:
    assert (await house.root.request(method, path)).status_code in (400, 404)


async def test_the_link_to_the_next_page_keeps_odd_names_as_they_were_sent(
    house: WebHouse,
) -> None:
    for name in ("ada", "bob"):
        await house.add_user(name)
    await house.root.post("/groups/a%2Fb%20c")
    for name in ("ada", "bob"):
        share = {"group": "a/b c"}
        assert (await house.root.post(f"/shares/{name}/", json=share)).status_code == 200
    first = (await house.root.get("/groups/a%2Fb%20c/shared?limit=1")).json()
    second = await house.root.get(first["_pagination"]["next"]["url"])
    assert second.json()["items"][0]["server"]["user"] == {"name": "bob"}
