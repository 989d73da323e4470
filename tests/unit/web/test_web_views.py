"""Models on the wire: complete for who may read all, and without a trace of the rest."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from perijove.access.decide import Grant
from perijove.domain.groups import Group
from perijove.domain.servers import Server, State, Wish
from perijove.domain.shares import Share, ShareCode
from perijove.domain.tokens import Token, TokenDetail
from perijove.domain.users import Service, User, UserDetail
from perijove.routes.addresses import Addresses
from perijove.web.views import Views, as_json, empty

NOON = datetime(2026, 11, 25, 12, 0, 0, 5, tzinfo=UTC)
NOON_TEXT = "2026-11-25T12:00:00.000005Z"
ADA = User(7, "ada", False, NOON, None, "cookie", {"name": "Ada"})
LIVE: dict[int, dict[str, Any]] = {}


def views(**addresses: Any) -> Views:
    return Views(Addresses("/pre/", **addresses), "/pre/hub/", LIVE.get)


def server(name: str = "", **values: Any) -> Server:
    made = Server(
        id=1,
        user_id=7,
        user_name="ada",
        name=name,
        display_name=None,
        wanted=Wish.UP,
        state=State.READY,
        epoch=1,
        started=NOON,
        plugin_state={"pid": 5},
    )
    return replace(made, **values)


def detail(*servers: Server) -> UserDetail:
    return UserDetail(ADA, ("class",), ("user",), servers)


def user_model(scopes: tuple[str, ...], *servers: Server, **options: Any) -> dict[str, Any]:
    return views().user(Grant.of(scopes), detail(*servers), **options)


def test_a_user_with_every_field() -> None:
    scopes = ("read:users", "read:servers", "admin:auth_state", "admin:server_state")
    model = user_model(scopes, server(), auth_state={"a": 1})
    servers = model.pop("servers")
    assert model == {
        "kind": "user",
        "name": "ada",
        "admin": False,
        "roles": ["user"],
        "groups": ["class"],
        "server": "/pre/user/ada/",
        "pending": None,
        "created": NOON_TEXT,
        "last_activity": None,
        "user_info": {"name": "Ada"},
        "auth_state": {"a": 1},
    }
    assert servers.keys() == {""}
    assert servers[""]["state"] == {"pid": 5}


@pytest.mark.parametrize(
    ("scopes", "fields"),
    [
        ((), set()),
        (("read:users:name!user=bob",), set()),
        (("read:groups",), set()),
        (("read:users:name",), {"admin", "user_info"}),
        (("read:users:name!group=class",), {"admin", "user_info"}),
        (("read:users:groups!user=ada",), {"groups"}),
        (("read:users:activity",), {"last_activity"}),
        (("read:roles:users",), {"admin", "roles"}),
        (("read:servers!server=ada/lab",), {"servers"}),
        (("admin:auth_state",), {"auth_state"}),
    ],
)
def test_a_user_shows_the_fields_of_the_held_scopes_and_no_others(
    scopes: tuple[str, ...], fields: set[str]
) -> None:
    expected = fields | {"kind", "name"} if fields else set()
    assert user_model(scopes, server("lab")).keys() == expected


def test_servers_are_shown_one_by_one_as_scopes_reach_them() -> None:
    both = (server(), server("lab"))
    model = user_model(("read:servers!server=ada/lab",), *both)
    assert list(model["servers"]) == ["lab"]
    assert "state" not in model["servers"]["lab"]
    mixed = ("read:servers!user=ada", "admin:server_state!server=ada/lab")
    seen = user_model(mixed, *both)["servers"]
    assert ("state" in seen[""], "state" in seen["lab"]) == (False, True)


def test_stopped_servers_appear_only_when_asked_for() -> None:
    stopped = server("old", state=State.STOPPED, wanted=Wish.DOWN)
    assert user_model(("read:servers",), stopped)["servers"] == {}
    shown = user_model(("read:servers",), stopped, stopped_servers=True)["servers"]["old"]
    assert (shown["stopped"], shown["ready"], shown["pending"]) == (True, False, None)


def test_the_default_servers_url_is_there_only_while_it_can_be_used() -> None:
    assert user_model(("read:users",), server("lab"))["server"] is None
    starting = user_model(("read:users",), server(state=State.STARTING))
    assert (starting["server"], starting["pending"]) == (None, "spawn")


def test_a_server_names_all_its_addresses() -> None:
    model = views(public_url="https://hub.test/pre/").server(server("lab"))
    assert model["url"] == "/pre/user/ada/lab/"
    assert model["full_url"] == "https://hub.test/pre/user/ada/lab/"
    assert model["progress_url"] == "/pre/hub/api/users/ada/servers/lab/progress"
    assert model["full_progress_url"] == f"https://hub.test{model['progress_url']}"
    default = views().server(server())
    assert default["progress_url"] == "/pre/hub/api/users/ada/server/progress"
    assert (default["full_url"], default["full_progress_url"]) == (None, None)


def test_names_are_escaped_in_addresses() -> None:
    odd = views().server(server("lab", user_name="a b/ü"))
    assert odd["url"] == "/pre/user/a%20b%2F%C3%BC/lab/"
    assert odd["progress_url"].startswith("/pre/hub/api/users/a%20b%2F%C3%BC/servers/lab/")


def test_the_state_of_a_live_spawner_wins_over_the_stored_one() -> None:
    LIVE[1] = {"pid": 6}
    try:
        assert views().server(server(), state=True)["state"] == {"pid": 6}
    finally:
        LIVE.clear()
    assert views().server(server(), state=True)["state"] == {"pid": 5}


@pytest.mark.parametrize(
    ("scopes", "fields"),
    [
        ((), set()),
        (("read:groups:name",), {"kind", "name"}),
        (("read:groups!group=class",), {"kind", "name", "users", "properties"}),
        (("read:groups!group=other",), set()),
        (("read:roles:groups",), {"kind", "name", "roles"}),
    ],
)
def test_a_group_shows_what_may_be_read(scopes: tuple[str, ...], fields: set[str]) -> None:
    group = Group(1, "class", {"a": 1}, ("ada",), ("teacher",))
    assert Views.group(Grant.of(scopes), group).keys() == fields


def test_a_service_without_a_url_has_no_prefix_and_no_process() -> None:
    grant = Grant.of(("read:services", "read:roles:services"))
    assert views().service(grant, Service(1, "cull"), ("culler",)) == {
        "kind": "service",
        "name": "cull",
        "admin": False,
        "roles": ["culler"],
        "url": "",
        "prefix": "",
        "command": [],
        "pid": 0,
        "info": {},
        "display": True,
    }


def test_a_service_with_a_url_has_a_prefix_and_hides_what_may_not_be_read() -> None:
    service = Service(1, "web", url="http://127.0.0.1:9000", command=("run",), pid=3)
    model = views().service(Grant.of(("read:services",)), service, ())
    assert (model["prefix"], model["pid"], model["command"]) == ("/pre/services/web/", 3, ["run"])
    assert "roles" not in model
    names = views().service(Grant.of(("read:services:name!service=web",)), service, ())
    assert names == {"kind": "service", "name": "web", "admin": False}


@pytest.mark.parametrize(("owner", "key"), [(ADA, "user"), (Service(7, "ada"), "service")])
def test_a_token_names_its_owner_by_kind_and_never_its_secret(
    owner: User | Service, key: str
) -> None:
    token = Token(3, 7, None, "jupyterhub", None, NOON, None, None, "note", ("inherit",))
    model = Views.token(TokenDetail(token, "JupyterHub"), owner, ["a", "b"])
    assert model == {
        key: "ada",
        "id": "a3",
        "kind": "api_token",
        "roles": [],
        "scopes": ["a", "b"],
        "created": NOON_TEXT,
        "last_activity": None,
        "expires_at": None,
        "note": "note",
        "session_id": None,
        "oauth_client": "JupyterHub",
    }


def test_a_share_with_a_group_names_the_group() -> None:
    share = Share(1, "ada", 1, "lab", ("s",), NOON, None, None, "team", True)
    model = views(public_url="https://hub.test/pre/").share(share)
    assert model == {
        "server": {
            "user": {"name": "ada"},
            "name": "lab",
            "url": "/pre/user/ada/lab/",
            "full_url": "https://hub.test/pre/user/ada/lab/",
            "ready": True,
        },
        "scopes": ["s"],
        "user": None,
        "group": {"name": "team"},
        "kind": "group",
        "created_at": NOON_TEXT,
    }


def test_a_new_share_code_carries_the_links_that_hand_it_in() -> None:
    code = ShareCode(4, "ada", 1, "", ("s",), NOON, NOON, 2, None)
    plain = views().new_share_code(code, "se-cret")
    assert plain["accept_url"] == "/pre/hub/accept-share?code=se-cret"
    assert plain["full_accept_url"] is None
    public = views(public_url="https://hub.test/pre/").new_share_code(code, "se-cret")
    assert public["full_accept_url"] == "https://hub.test/pre/hub/accept-share?code=se-cret"
    listed = views().share_code(code)
    assert listed.keys() == plain.keys() - {"code", "accept_url", "full_accept_url"}
    assert (listed["id"], listed["exchange_count"], listed["expires_at"]) == ("sc_4", 2, NOON_TEXT)


def test_empty_answers_have_a_type_only_where_a_body_could_be() -> None:
    assert "content-type" not in empty(204).headers
    assert empty(200).headers["content-type"] == "application/json"
    assert as_json({"a": None}, 201).body == b'{"a":null}'
