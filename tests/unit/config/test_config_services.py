"""Services and groups of the configuration: checked, with sentences that teach."""

from typing import Any

import pytest

from perijove.config.services import read_service, read_services, read_tokens
from perijove.config.settings import read_groups
from perijove.domain.errors import ConfigError
from perijove.domain.settings import GroupSpec

TOKEN = "t" * 16


def test_a_service_keeps_all_that_is_said_of_it() -> None:
    service = read_service(
        {
            "name": "svc",
            "url": "http://127.0.0.1:9000",
            "command": "run",
            "api_token": TOKEN,
            "cwd": "/srv",
            "user": "svc",
            "environment": {"A": "b"},
            "timeout": 5,
            "display": False,
            "info": {"a": 1},
            "admin": True,
            "oauth_client_id": "service-x",
            "oauth_redirect_uri": "http://h/cb",
            "oauth_no_confirm": True,
            "oauth_client_allowed_scopes": ["list:users"],
            "oauth_roles": ("a",),
        }
    )
    assert service.managed
    assert service.has_oauth
    assert service.client_id == "service-x"
    assert service.command == ("run",)
    assert service.timeout_s == 5
    assert service.oauth_client_allowed_scopes == ("list:users",)
    assert service.oauth_roles == ("a",)
    assert TOKEN not in repr(service)


def test_a_name_and_a_url_are_enough_for_an_external_service() -> None:
    service = read_service({"name": "ext", "url": "http://127.0.0.1:1"})
    assert not service.managed
    assert service.client_id == "service-ext"


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        (1, "defined by a dictionary"),
        ({"url": "http://h"}, "needs a 'name'"),
        ({"nam": "x"}, "there is no key 'nam'; did you mean 'name'?"),
        ({"name": "x", "comand": ["a"]}, "service 'x': there is no key 'comand'; did you mean"),
        ({"name": "x", "zzz": 1}, "the keys are name, url"),
        ({"name": ""}, "cannot be empty"),
        ({"name": "a/b"}, "slash"),
        ({"name": "a%20b"}, "percent"),
        ({"name": ".."}, "dots"),
        ({"name": " a"}, "space"),
        ({"name": "a\nb"}, "control characters"),
        ({"name": "x", "api_token": "short"}, "8 to 64 characters, and has 5"),
        ({"name": "x", "api_token": "l" * 65}, "has 65"),
        ({"name": "x", "api_token": 5}, "must be text"),
        ({"name": "x", "url": "nope"}, "must be a URL"),
        ({"name": "x", "url": "http://h:99999"}, "must be a URL"),
        ({"name": "x", "admin": "yes"}, "True or False"),
        ({"name": "x", "timeout": "5"}, "number of seconds"),
        ({"name": "x", "timeout": True}, "number of seconds"),
        ({"name": "x", "environment": {"A": 1}}, "texts to texts"),
        ({"name": "x", "environment": []}, "dictionary"),
        ({"name": "x", "command": [1]}, "list of texts"),
        ({"name": "x", "oauth_client_allowed_scopes": "list:users"}, "list of texts"),
        ({"name": "x", "oauth_no_confirm": True}, "service 'x': 'oauth_no_confirm'.*redirect_uri"),
        ({"name": "x", "oauth_client_id": "service-y"}, "'oauth_client_id'.*oauth_redirect_uri"),
        ({"name": "x", "oauth_client_id": "y"}, "must begin with 'service-'"),
        ({"name": "x", "oauth_redirect_uri": "callback"}, "must be a URL such as https://"),
        ({"name": "x", "oauth_redirect_uri": "//evil/cb"}, "must be a URL"),
        ({"name": "x", "oauth_redirect_uri": "https://h/cb#part"}, "without a fragment"),
        ({"name": "x", "oauth_redirect_uri": "javascript:alert(1)"}, "must be a URL"),
    ],
)
def test_a_mistake_in_a_service_is_one_sentence(definition: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        read_service(definition)
    assert "\n" not in caught.value.message
    assert "l" * 65 not in caught.value.message


def test_two_services_cannot_have_one_name_or_one_client_id() -> None:
    with pytest.raises(ConfigError, match="defined twice"):
        read_services([{"name": "a"}, {"name": "a"}])
    twin = {"oauth_client_id": "service-z", "url": "http://127.0.0.1:1"}
    with pytest.raises(ConfigError, match="same oauth_client_id"):
        read_services([{"name": "a", **twin}, {"name": "b", **twin}])


def test_tokens_of_the_configuration_are_checked_and_not_shown() -> None:
    assert read_tokens("service_tokens", {TOKEN: "svc"}) == {TOKEN: "svc"}
    with pytest.raises(ConfigError, match="service_tokens must have 8 to 64") as caught:
        read_tokens("service_tokens", {"sh0rt": "svc"})
    assert "sh0rt" not in caught.value.message
    with pytest.raises(ConfigError, match="must belong to a name"):
        read_tokens("api_tokens", {TOKEN: ""})


def test_groups_are_read_in_both_forms() -> None:
    remarks: list[str] = []
    groups = read_groups(
        {"a": {"users": ["x"], "properties": {"p": 1}}, "b": ["y"], "c": {}}, remarks
    )
    assert groups == (GroupSpec("a", ("x",), {"p": 1}), GroupSpec("b", ("y",)), GroupSpec("c"))
    assert len(remarks) == 1
    assert "deprecated" in remarks[0]


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ({"a": {"user": ["x"]}}, "there is no key 'user'; did you mean 'users'?"),
        ({"a": 1}, "must be a dictionary"),
        ({"a": {"users": "x"}}, "list of texts"),
        ({"a": {"properties": []}}, "'properties' must be a dictionary"),
        ({1: {}}, "must be text"),
        ({"": {}}, "cannot be empty"),
    ],
)
def test_a_mistake_in_a_group_is_one_sentence(definition: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        read_groups(definition, [])
