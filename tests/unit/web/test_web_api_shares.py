"""Sharing over the API: shares, received shares and codes."""

from typing import Any

import pytest
from web_house import Api, WebHouse

SHARER = ["shares!user=ada", "read:users:name", "read:groups:name", "read:shares!user=ada"]


async def shared(house: WebHouse) -> Api:
    """ada has a default server and ``lab``; bob is in ``team``. ada's client comes back."""
    ada = await house.add_user("ada")
    await house.add_user("bob")
    await house.root.post("/groups/team", json={"users": ["bob"]})
    await house.add_server(ada, "lab")
    await house.root.patch("/users/ada", json={"admin": True})
    return await house.as_user("ada", SHARER)


async def test_a_share_tells_where_the_server_is_and_who_got_what(house: WebHouse) -> None:
    api = await shared(house)
    model = (await api.post("/shares/ada/lab", json={"user": "bob"})).json()
    assert model.pop("created_at").endswith("Z")
    assert model == {
        "server": {
            "user": {"name": "ada"},
            "name": "lab",
            "url": "/user/ada/lab/",
            "full_url": None,
            "ready": False,
        },
        "scopes": ["access:servers!server=ada/lab"],
        "user": {"name": "bob"},
        "group": None,
        "kind": "user",
    }


async def test_the_name_of_a_receiver_is_normalised(house: WebHouse) -> None:
    api = await shared(house)
    assert (await api.post("/shares/ada/", json={"user": "BOB"})).json()["user"] == {"name": "bob"}
    assert (await api.patch("/shares/ada/", json={"user": "Bob"})).json() == {}


async def test_the_default_server_and_a_named_one_are_shared_apart(house: WebHouse) -> None:
    api = await shared(house)
    await api.post("/shares/ada/", json={"user": "bob"})
    await api.post("/shares/ada/lab", json={"group": "team"})
    everything = (await api.get("/shares/ada")).json()
    assert everything["_pagination"]["total"] == 2
    assert [i["server"]["name"] for i in (await api.get("/shares/ada/")).json()["items"]] == [""]
    (item,) = (await api.get("/shares/ada/lab")).json()["items"]
    assert (item["kind"], item["group"]) == ("group", {"name": "team"})


async def test_lists_of_shares_are_pages_whatever_the_client_accepts(house: WebHouse) -> None:
    api = await shared(house)
    await api.post("/shares/ada/", json={"user": "bob"})
    await api.post("/shares/ada/", json={"group": "team"})
    page = (await api.get("/shares/ada?limit=1")).json()
    assert len(page["items"]) == 1
    following = page["_pagination"]["next"]
    assert (following["offset"], following["limit"]) == (1, 1)
    assert (await api.get(following["url"])).json()["items"][0]["kind"] == "group"


@pytest.mark.parametrize("path", ["/shares/{}/absent", "/share-codes/{}/absent"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_absent_server_is_404_and_so_is_one_of_somebody_else(
    house: WebHouse, method: str, path: str
) -> None:
    api = await shared(house)
    for owner in ("ada", "bob", "nobody"):
        url = path.format(owner)
        assert (await api.request(method, url)).status_code == 404
        assert (await house.root.request(method, url)).status_code == 404


async def test_who_may_not_read_a_name_cannot_share_with_it_nor_find_out_that_it_exists(
    house: WebHouse,
) -> None:
    await shared(house)
    api = await house.as_user("ada", ["shares!user=ada", "read:users:name!user=ada"])
    known = await api.post("/shares/ada/", json={"user": "bob"})
    unknown = await api.post("/shares/ada/", json={"user": "nobody"})
    assert known.status_code == unknown.status_code == 403
    assert known.text.replace("bob", "*") == unknown.text.replace("nobody", "*")


async def test_receivers_see_their_shares_and_give_them_up(house: WebHouse) -> None:
    api = await shared(house)
    await api.post("/shares/ada/lab", json={"user": "bob"})
    bob = await house.as_user("bob")
    assert (await bob.get("/users/bob/shared")).json()["_pagination"]["total"] == 1
    assert (await bob.get("/users/bob/shared/ada/lab")).json()["kind"] == "user"
    assert (await bob.get("/users/bob/shared/ada/")).status_code == 404
    assert (await bob.get("/users/ada/shared")).status_code == 404
    assert (await bob.delete("/users/bob/shared/ada/lab")).status_code == 204
    assert (await bob.delete("/users/bob/shared/ada/lab")).status_code == 404


async def test_one_member_cannot_give_up_what_the_group_received(house: WebHouse) -> None:
    api = await shared(house)
    await api.post("/shares/ada/lab", json={"group": "team"})
    bob = await house.as_user("bob")
    assert (await bob.get("/users/bob/shared/ada/lab")).json()["group"] == {"name": "team"}
    assert (await bob.delete("/users/bob/shared/ada/lab")).status_code == 404
    assert (await bob.delete("/groups/team/shared/ada/lab")).status_code == 403
    assert (await house.root.get("/groups/team/shared/ada/lab")).status_code == 200
    assert (await house.root.delete("/groups/team/shared/ada/lab")).status_code == 204
    assert (await house.root.get("/groups/team/shared")).json()["items"] == []


async def test_a_code_is_in_the_answer_that_makes_it_and_nowhere_else(house: WebHouse) -> None:
    api = await shared(house)
    made = (await api.post("/share-codes/ada/lab")).json()
    code = made["code"]
    assert len(code) == 43
    assert made["accept_url"] == f"/hub/accept-share?code={code}"
    assert made["full_accept_url"] is None
    listed = await api.get("/share-codes/ada")
    assert code not in listed.text
    kept = {key: value for key, value in made.items() if "accept" not in key and key != "code"}
    assert listed.json()["items"] == [kept]
    stored = b"".join(file.read_bytes() for file in house.folder.glob("hub.sqlite*"))
    assert stored
    assert code.encode() not in stored


@pytest.mark.parametrize(
    "body", [{"expires_in": 59}, {"expires_in": 31536001}, {"expires_in": True}, {"x": 1}, [], "x"]
)
async def test_a_code_with_a_wrong_life_or_body_is_refused(house: WebHouse, body: Any) -> None:
    api = await shared(house)
    assert (await api.post("/share-codes/ada/", json=body)).status_code == 400


async def test_codes_end_by_code_by_id_or_all_at_once(house: WebHouse) -> None:
    api = await shared(house)
    made = [(await api.post("/share-codes/ada/", json={})).json() for _ in range(4)]
    assert (await api.delete(f"/share-codes/ada/?code={made[0]['code']}")).status_code == 204
    assert (await api.delete(f"/share-codes/ada/?id={made[1]['id']}")).status_code == 204
    left = (await api.get("/share-codes/ada/")).json()["items"]
    assert [item["id"] for item in left] == [made[2]["id"], made[3]["id"]]
    for query in ("code=", "code=x", "id=", "id=sc_", "id=sc_x", f"id={made[0]['id']}"):
        assert (await api.delete(f"/share-codes/ada/?{query}")).status_code == 404
    assert len((await api.get("/share-codes/ada/")).json()["items"]) == 2
    assert (await api.delete("/share-codes/ada/lab")).status_code == 204
    assert len((await api.get("/share-codes/ada/")).json()["items"]) == 2
    assert (await api.delete("/share-codes/ada/")).status_code == 204
    assert (await api.get("/share-codes/ada/")).json()["items"] == []


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_without_the_servers_slash_there_is_only_the_list(
    house: WebHouse, method: str
) -> None:
    api = await shared(house)
    assert (await api.request(method, "/shares/ada")).status_code == 405
    assert (await api.request(method, "/share-codes/ada")).status_code == 405
