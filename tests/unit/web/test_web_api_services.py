"""Services over the API: seen, added and removed at run time."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from web_house import ROOT, Api, WebHouse

from free_ports import free_ports
from perijove.access.catalogue import DEFAULT_ROLES
from perijove.kit.crypto import hash_token
from perijove.store import oauth, roles, services, users

TOKEN = "token-of-the-new-service"
URL = "http://127.0.0.1:9/"


async def maker(house: WebHouse, *scopes: str) -> Api:
    """A client of an admin, limited to adding services (and ``scopes``)."""
    return await house.as_user("admin", ["admin:services", *scopes])


async def plain_maker(house: WebHouse, *scopes: str) -> Api:
    """A client of somebody who holds these scopes and is no admin."""
    await house.add_user("mia")
    await house.database.write(lambda c: _give(c, "mia", ("admin:services", *scopes)))
    return await house.as_user("mia")


def _give(connection: Any, name: str, scopes: tuple[str, ...]) -> None:
    user = users.find(connection, name)
    assert user is not None
    roles.give(connection, "user", roles.save(connection, "made-up", "", scopes), [user.id])


async def test_an_added_service_is_routed_and_calls_with_its_token(house: WebHouse) -> None:
    api = await maker(house)
    body = {"url": URL, "api_token": TOKEN, "info": {"a": 1}, "display": False}
    made = await api.post("/services/new", json=body)
    assert made.status_code == 201
    model = made.json()
    assert (model["name"], model["prefix"], model["pid"]) == ("new", "/services/new/", 0)
    assert (model["info"], model["display"], model["admin"]) == ({"a": 1}, False, False)
    assert house.proxy.table["/services/new/"].target == "http://127.0.0.1:9"
    own = house.api(TOKEN)
    assert (await own.get("/user")).json()["name"] == "new"
    assert (await own.get("/users")).status_code == 403


async def test_a_removed_service_leaves_nothing_behind(house: WebHouse) -> None:
    api = await maker(house)
    await api.post("/services/new", json={"url": URL, "api_token": TOKEN})
    own = house.api(TOKEN)
    assert (await own.get("/user")).status_code == 200
    gone = await api.delete("/services/new")
    assert (gone.status_code, gone.content) == (200, b"")
    assert (await own.get("/user")).status_code == 403
    assert house.proxy.table == {}
    assert (await api.get("/services/new")).status_code == 404
    assert (await api.delete("/services/new")).status_code == 404
    again = await api.post("/services/new", json={"url": URL, "api_token": TOKEN})
    assert again.status_code == 201


async def test_a_proxy_that_is_down_does_not_undo_the_service(house: WebHouse) -> None:
    house.proxy.down = True
    api = await maker(house)
    assert (await api.post("/services/new", json={"url": URL})).status_code == 201
    assert (await api.delete("/services/new")).status_code == 200


async def test_services_of_the_configuration_stay(house: WebHouse) -> None:
    api = await maker(house)
    assert (await api.delete("/services/root")).status_code == 405
    assert (await api.post("/services/root", json={"display": True})).status_code == 409
    assert (await house.root.get("/info")).status_code == 200


async def test_an_added_service_outlives_a_restart_with_all_it_had(tmp_path: Path) -> None:
    house = await WebHouse.open(tmp_path)
    await (await maker(house)).post("/services/new", json={"url": URL, "api_token": TOKEN})
    await house.close()
    house = await WebHouse.open(tmp_path)
    assert (await house.api(TOKEN).get("/user")).json()["name"] == "new"
    assert (await house.root.get("/services/new")).json()["url"] == URL
    await house.close()


async def test_a_name_belongs_to_the_configuration_and_its_roles_never_reach_a_squatter(
    tmp_path: Path,
) -> None:
    house = await WebHouse.open(tmp_path)
    await house.root.post("/services/cull", json={"url": URL, "api_token": TOKEN})
    await house.close()
    settings = """
c.JupyterHub.services.append({"name": "cull", "api_token": "token-of-the-operator"})
c.JupyterHub.load_roles = [{"name": "culler", "scopes": ["list:users"], "services": ["cull"]}]
"""
    house = await WebHouse.open(tmp_path, settings)
    assert (await house.api(TOKEN).get("/users")).status_code == 403
    assert (await house.api("token-of-the-operator").get("/users")).status_code == 200
    assert (await house.root.get("/services/cull")).json()["url"] == ""
    assert (await house.root.delete("/services/cull")).status_code == 405
    await house.close()


async def test_an_oauth_client_id_belongs_to_the_configuration(tmp_path: Path) -> None:
    house = await WebHouse.open(tmp_path)
    body = {"url": URL, "oauth_client_id": "service-lab", "api_token": TOKEN}
    await house.root.post("/services/first", json=body)
    await house.close()
    settings = f"""
c.JupyterHub.services.append({{"name": "lab", "url": {URL!r}, "api_token": "lab-token-0123456789"}})
"""
    house = await WebHouse.open(tmp_path, settings)
    owner = await house.database.read(lambda c: oauth.client_owner(c, "service-lab"))
    assert owner is not None
    assert owner.service == "lab"
    assert (await house.api(TOKEN).get("/user")).json()["name"] == "first"
    await house.close()


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"odd": 1},
        {"command": ["sleep", "60"]},
        {"url": 5},
        {"url": "no-url"},
        {"url": "ftp://127.0.0.1/"},
        {"url": "http://"},
        {"url": "http://127.0.0.1:99999/"},
        {"url": "http://a b/"},
        {"url": "http://h/" + "x" * 2048},
        {"api_token": "short"},
        {"api_token": "x" * 65},
        {"info": "text"},
        {"display": "yes"},
        {"environment": {"A": 1}},
        {"environment": {str(n): "" for n in range(1001)}},
        {"cwd": "x" * 5000},
        {"user": "a\0b"},
        {"oauth_client_id": "no-prefix", "url": URL},
        {"oauth_client_id": "service-x"},
        {"oauth_no_confirm": True},
        {"oauth_redirect_uri": "javascript:alert(1)"},
        {"oauth_redirect_uri": "//evil.test/"},
        {"oauth_client_allowed_scopes": "self"},
        {"oauth_client_allowed_scopes": ["no:such"]},
        {"oauth_client_allowed_scopes": ["read:users!color=red"]},
    ],
)
async def test_what_no_added_service_can_be_is_refused(house: WebHouse, body: Any) -> None:
    answer = await house.root.request("POST", "/services/new", json=body)
    if body is None:
        answer = await house.root.post("/services/new")
    assert answer.status_code == 400
    assert (await house.root.get("/services/new")).status_code == 404


@pytest.mark.parametrize("name", ["%2E%2E", "%2E", "a%2Fb", "a%2520b", "%20a", "a%0Ab", "x" * 256])
async def test_names_that_are_no_path_segment_are_refused(house: WebHouse, name: str) -> None:
    assert (await house.root.post(f"/services/{name}", json={"display": True})).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"oauth_client_allowed_scopes": ["admin:users"]},
        {"oauth_client_allowed_scopes": ["inherit"]},
        {"oauth_client_allowed_scopes": ["read:users"]},
        {"admin": True},
    ],
)
async def test_a_service_gets_no_more_than_its_maker_holds(
    house: WebHouse, body: dict[str, Any]
) -> None:
    for api in (await maker(house), await plain_maker(house)):
        answer = await api.post("/services/new", json={"url": URL, **body})
        assert answer.status_code == 400
        assert "not held" in answer.json()["message"]
    assert (await house.root.get("/services/new")).status_code == 404


async def test_scopes_without_a_meaning_for_a_service_take_them_over_everybody(
    house: WebHouse,
) -> None:
    body = {"url": URL, "oauth_client_allowed_scopes": ["self", "read:users!user"]}
    await house.root.post("/services/small", json={"api_token": TOKEN})
    await house.database.write(_let_small_add)
    assert (await house.api(TOKEN).post("/services/new", json=body)).status_code == 400
    assert (await house.root.post("/services/new", json=body)).status_code == 201


def _let_small_add(connection: Any) -> None:
    service = services.find(connection, "small")
    assert service is not None
    role = roles.save(connection, "adders", "", ("admin:services",))
    roles.give(connection, "service", role, [service.id])


async def test_only_an_admin_makes_an_admin_whatever_scopes_are_held(house: WebHouse) -> None:
    api = await plain_maker(house, *DEFAULT_ROLES["admin"].scopes)
    body = {"admin": True, "api_token": TOKEN}
    assert (await api.post("/services/boss", json=body)).status_code == 403
    assert (await house.root.post("/services/boss", json=body)).status_code == 201
    assert (await house.api(TOKEN).get("/users")).status_code == 200


async def test_a_token_or_oauth_client_of_another_is_not_taken_over(house: WebHouse) -> None:
    await house.root.post("/services/first", json={"url": URL, "api_token": TOKEN})
    taken = await house.root.post("/services/second", json={"api_token": TOKEN})
    assert taken.status_code == 400
    assert "first" not in taken.text
    body = {"url": URL, "oauth_client_id": "service-first"}
    assert (await house.root.post("/services/second", json=body)).status_code == 409
    assert (await house.root.get("/services/second")).status_code == 404
    assert (await house.api(TOKEN).get("/user")).json()["name"] == "first"


async def test_lists_show_what_the_scope_reaches(house: WebHouse) -> None:
    await house.root.post("/services/seen", json={"display": True})
    scopes = ["list:services!service=seen", "read:services!service=seen"]
    api = await house.as_user("admin", scopes)
    assert list((await api.get("/services")).json()) == ["seen"]
    assert (await api.get("/services/root")).status_code == 404
    names = await house.as_user("admin", ["list:services"])
    models = (await names.get("/services")).json()
    assert models.keys() == {"root", "seen"}
    assert all("url" not in model and "info" not in model for model in models.values())


# -- changing ---------------------------------------------------------------------
CHANGED = {
    "url": "http://127.0.0.1:9001",
    "info": {"floor": 2},
    "api_token": "first-token-of-later",
    "oauth_client_allowed_scopes": ["read:users!user"],
}


async def test_a_change_leaves_what_is_not_named(house: WebHouse) -> None:
    await house.root.post("/services/later", json=CHANGED)
    changed = await house.root.patch("/services/later", json={"display": False, "info": {"a": 1}})
    assert changed.status_code == 200
    model = changed.json()
    assert (model["display"], model["info"], model["url"]) == (False, {"a": 1}, CHANGED["url"])
    assert (await house.api("first-token-of-later").get("/user")).json()["name"] == "later"
    client = await house.built.people.clients.find("service-later")
    assert client is not None
    assert client.secret_hash
    assert client.allowed_scopes == ("read:users!user", "access:services!service=later")


async def test_a_change_of_the_url_moves_the_route(house: WebHouse) -> None:
    await house.root.post("/services/later", json=CHANGED)
    await house.root.patch("/services/later", json={"url": "http://127.0.0.1:9002/"})
    assert house.proxy.table["/services/later/"].target == "http://127.0.0.1:9002"
    await house.root.patch("/services/later", json={"url": ""})
    assert "/services/later/" not in house.proxy.table
    assert await house.built.people.clients.find("service-later") is None


async def test_a_new_token_ends_the_earlier_one_and_is_the_clients_secret(
    house: WebHouse,
) -> None:
    await house.root.post("/services/later", json=CHANGED)
    first = house.api("first-token-of-later")
    assert (await first.get("/user")).status_code == 200
    changed = await house.root.patch("/services/later", json={"api_token": "second-token-of-later"})
    assert changed.status_code == 200
    assert (await first.get("/user")).status_code == 403
    assert (await house.api("second-token-of-later").get("/user")).status_code == 200
    client = await house.built.people.clients.find("service-later")
    assert client is not None
    assert client.secret_hash == hash_token("second-token-of-later")
    taken = await house.root.patch("/services/later", json={"api_token": ROOT})
    assert taken.status_code == 400


async def test_the_admin_flag_is_the_admin_role(house: WebHouse) -> None:
    await house.root.post("/services/later", json=CHANGED)
    later = house.api("first-token-of-later")
    for admin, status in ((True, 200), (False, 403)):
        await house.root.patch("/services/later", json={"admin": admin})
        assert (await later.get("/users")).status_code == status


async def test_nobody_changes_a_service_beyond_what_they_hold(house: WebHouse) -> None:
    await house.root.post("/services/later", json=CHANGED)
    await house.root.post("/services/chief", json={"admin": True})
    limited = await house.as_user("admin", ["admin:services"])
    more = {"oauth_client_allowed_scopes": ["admin:users"]}
    assert (await limited.patch("/services/later", json=more)).status_code == 400
    assert (await limited.patch("/services/later", json={"admin": True})).status_code == 400
    await house.add_user("ada")
    ada = await house.as_user("ada")
    assert (await ada.patch("/services/later", json={"display": False})).status_code == 403


@pytest.mark.parametrize(
    ("name", "fields", "status"),
    [
        ("root", {"display": False}, 405),
        ("absent", {"display": False}, 404),
        ("later", {}, 400),
        ("later", {"command": ["x"]}, 400),
        ("later", {"url": "nope"}, 400),
        ("later", {"api_token": "short"}, 400),
        ("later", {"oauth_client_id": "service-other"}, 409),
    ],
)
async def test_a_change_that_cannot_be_changes_nothing(
    house: WebHouse, name: str, fields: dict[str, Any], status: int
) -> None:
    await house.root.post("/services/later", json=CHANGED)
    await house.root.post("/services/other", json={"url": "http://127.0.0.1:9"})
    before = (await house.root.get("/services/later")).json()
    assert (await house.root.patch(f"/services/{name}", json=fields)).status_code == status
    assert (await house.root.get("/services/later")).json() == before
    assert await house.built.people.clients.find("service-later") is not None


# -- health -----------------------------------------------------------------------
async def test_health_says_whether_a_service_answers(house: WebHouse) -> None:
    (port,) = free_ports(1)
    listening = await asyncio.start_server(_answer_404, "127.0.0.1", port)
    await house.root.post("/services/up", json={"url": f"http://127.0.0.1:{port}"})
    await house.root.post("/services/down", json={"url": "http://127.0.0.1:1"})
    try:
        up = (await house.root.get("/services/up/health")).json()
    finally:
        listening.close()
    assert up == {"name": "up", "managed": False, "answers": True, "status": 404, "pid": None}
    down = (await house.root.get("/services/down/health")).json()
    assert (down["answers"], down["status"]) == (False, None)
    assert (await house.root.get("/services/root/health")).json()["answers"] is None
    assert (await house.root.get("/services/absent/health")).status_code == 404
    await house.add_user("ada")
    ada = await house.as_user("ada")
    assert (await ada.get("/services/up/health")).status_code == 403


async def _answer_404(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    await writer.drain()
    writer.close()
