"""Which URLs lead to a hub's API, and what the environment says."""

import pytest

from perijove.wire.client import BadAddress, HubClient, SyncHubClient
from perijove.wire.client_address import parse_hub_url, read_environment


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://h:8000", "http://h:8000/hub/api"),
        ("http://h:8000/", "http://h:8000/hub/api"),
        (" https://h/hub ", "https://h/hub/api"),
        ("https://h/hub/api", "https://h/hub/api"),
        ("https://h/hub/api/", "https://h/hub/api"),
        ("https://h/hub/home", "https://h/hub/api"),
        ("https://h/hub/admin?sort=name#/", "https://h/hub/api"),
        ("https://h//jhub", "https://h/jhub/hub/api"),
        ("https://h/jhub/hub/api", "https://h/jhub/hub/api"),
        ("https://h/hub/hub/token", "https://h/hub/hub/api"),
        ("http://[::1]:8081/hub/api", "http://[::1]:8081/hub/api"),
    ],
)
def test_what_people_have_at_hand_leads_to_the_api(given: str, meant: str) -> None:
    assert HubClient(given).url == meant
    assert SyncHubClient(given).url == meant


def test_a_socket_is_named_in_the_place_of_the_host() -> None:
    address = parse_hub_url("http+unix://%2Frun%2Fhub.sock/base/hub/")
    assert address.socket == "/run/hub.sock"
    assert address.base == "http://localhost/base/hub/api"


@pytest.mark.parametrize(
    "url",
    [
        *("", "hub.example.org", "localhost:8000", "ftp://h/", "http://", "http:///hub/api"),
        *("http://h:0/", "http://h:99999/", "http://h/a b", "http://h\n/", "http://[::1/"),
        *("http+unix://run/hub", "http+unix://", "file:///hub/api", "https://:443/"),
    ],
)
def test_other_urls_are_refused_with_an_example(url: str) -> None:
    with pytest.raises(BadAddress, match=r"Write it like http"):
        HubClient(url)


def test_a_password_in_the_url_is_not_repeated() -> None:
    with pytest.raises(BadAddress) as caught:
        HubClient("https://ada:geheim@h/")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("token", ["a b", "a\nX-Evil: 1", "é", "a\x00"])
def test_a_token_that_would_change_the_header_is_refused(token: str) -> None:
    with pytest.raises(BadAddress) as caught:
        HubClient("http://h", token)
    assert token not in str(caught.value)


def test_the_environment_of_a_service_is_enough() -> None:
    env = {"JUPYTERHUB_API_URL": "http://10.0.0.1:8081/b/hub/api", "JUPYTERHUB_API_TOKEN": "t"}
    assert HubClient.from_environment(env).url == "http://10.0.0.1:8081/b/hub/api"
    assert read_environment(env).token == "t"
    assert "'t'" not in repr(read_environment(env))


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("", "http://127.0.0.1:8081/hub/api"),
        ("/b/", "http://127.0.0.1:8081/b/hub/api"),
        ("b", "http://127.0.0.1:8081/b/hub/api"),
    ],
)
def test_without_a_url_it_is_the_hub_of_this_machine(base: str, url: str) -> None:
    assert SyncHubClient.from_environment({"JUPYTERHUB_BASE_URL": base}).url == url


def test_files_that_cannot_be_read_are_named() -> None:
    with pytest.raises(BadAddress, match=r"/nowhere/ca\.crt"):
        read_environment({"JUPYTERHUB_SSL_CLIENT_CA": "/nowhere/ca.crt"})
