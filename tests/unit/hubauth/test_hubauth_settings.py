"""Reading the hub's environment."""

import pytest

from perijove.hubauth.settings import BadEnvironment, HubAuthSettings, callback_route, read_flag


def test_without_variables_the_defaults_are_those_of_a_local_hub() -> None:
    settings = HubAuthSettings.from_environment({})
    assert settings.api_url == "http://127.0.0.1:8081/hub/api"
    assert (settings.base_url, settings.hub_prefix) == ("/", "/hub/")
    assert settings.access_scopes == frozenset()
    assert not settings.allow_token_in_url
    assert settings.allow_websocket_cookie_auth


def test_a_base_url_moves_the_hub_prefix_and_the_default_api_url() -> None:
    settings = HubAuthSettings.from_environment({"JUPYTERHUB_BASE_URL": "/pre/"})
    assert settings.hub_prefix == "/pre/hub/"
    assert settings.api_url == "http://127.0.0.1:8081/pre/hub/api"


def test_access_scopes_fall_back_to_the_old_variable_and_then_to_the_service() -> None:
    new = {"JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["a"]', "JUPYTERHUB_OAUTH_SCOPES": '["b"]'}
    assert HubAuthSettings.from_environment(new).access_scopes == {"a"}
    assert HubAuthSettings.from_environment({"JUPYTERHUB_OAUTH_SCOPES": '["b"]'}).access_scopes == {
        "b"
    }
    service = HubAuthSettings.from_environment({"JUPYTERHUB_SERVICE_NAME": "svc"})
    assert service.access_scopes == {"access:services!service=svc"}


@pytest.mark.parametrize("text", ["nonsense", '{"a": 1}', '"text"'])
def test_unreadable_json_is_named_with_its_variable(text: str) -> None:
    with pytest.raises(BadEnvironment, match="JUPYTERHUB_OAUTH_ACCESS_SCOPES"):
        HubAuthSettings.from_environment({"JUPYTERHUB_OAUTH_ACCESS_SCOPES": text})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", True), ("0", False), ("false", False), ("FALSE", False), ("1", True), ("yes", True)],
)
def test_flags_follow_the_protocol(text: str, expected: bool) -> None:
    assert read_flag({"X": text}, "X", default=True) is expected


def test_the_token_is_not_shown_by_repr() -> None:
    settings = HubAuthSettings.from_environment({"JUPYTERHUB_API_TOKEN": "very-secret"})
    assert "very-secret" not in repr(settings)


def test_the_callback_is_served_where_the_redirect_uri_says_if_that_is_below_the_prefix() -> None:
    assert callback_route("/user/a/", "/user/a/oauth_callback") == "oauth_callback"
    assert callback_route("/user/a/", "https://a.hub/user/a/back") == "back"
    assert callback_route("/user/a/", "/elsewhere/back") == "oauth_callback"
