"""Services over the API: seen, added and removed at run time."""

from pathlib import Path
from typing import Any

import pytest
from web_house import Api, WebHouse

from perijove.access.catalogue import DEFAULT_ROLES
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
