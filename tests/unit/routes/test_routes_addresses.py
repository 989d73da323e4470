"""Public paths, hosts and URLs, with and without subdomains."""

from datetime import UTC, datetime

import pytest

from perijove.domain.servers import Server, State, Wish
from perijove.routes.addresses import Addresses

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def server_of(user: str, name: str = "") -> Server:
    return Server(1, 1, user, name, None, Wish.UP, State.READY, 1)


def hook(name: str, domain: str, kind: str) -> str:
    return f"{name.lower()}.{domain}" if kind == "user" else f"{name}-svc.{domain}"


PLAIN = Addresses("/base/")
PUBLIC = Addresses("/", public_url="https://hub.example:8443/base/")
SUBDOMAINS = Addresses("/", subdomain_host="https://hub.example:8443", domain_hook=hook)


def test_without_subdomains_everything_is_a_path() -> None:
    assert PLAIN.domain == ""
    assert PLAIN.user_host("ada") == ""
    assert PLAIN.server_path("ada", "") == "/base/user/ada/"
    assert PLAIN.server_url("ada", "lab") == "/base/user/ada/lab/"
    assert PLAIN.server_spec(server_of("ada", "lab")) == "/base/user/ada/lab/"
    assert PLAIN.service_spec("stats") == "/base/services/stats/"
    assert PLAIN.public_origin == ""
    assert PLAIN.full_server_url("ada", "") is None


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("do.t", "/user/do.t/"),
        ("sp ace", "/user/sp%20ace/"),
        ("q'uote", "/user/q%27uote/"),
        ("per%cent", "/user/per%25cent/"),
        ("ünï", "/user/%C3%BCn%C3%AF/"),
        ("a@b", "/user/a@b/"),
    ],
)
def test_names_are_escaped_as_one_segment(name: str, path: str) -> None:
    assert Addresses("/").server_path(name, "") == path


def test_a_public_url_gives_full_urls() -> None:
    assert PUBLIC.public_origin == "https://hub.example:8443"
    assert PUBLIC.full_server_url("ada", "") == "https://hub.example:8443/user/ada/"
    assert PUBLIC.server_url("ada", "") == "/user/ada/"


def test_with_subdomains_each_user_and_service_has_a_host() -> None:
    assert SUBDOMAINS.domain == "hub.example"
    assert SUBDOMAINS.server_spec(server_of("Ada")) == "ada.hub.example/user/Ada/"
    assert SUBDOMAINS.server_url("Ada", "lab") == "https://ada.hub.example:8443/user/Ada/lab/"
    assert SUBDOMAINS.full_server_url("Ada", "") == "https://ada.hub.example:8443/user/Ada/"
    assert SUBDOMAINS.service_spec("stats") == "stats-svc.hub.example/services/stats/"
    assert SUBDOMAINS.public_origin == "https://hub.example:8443"
    assert SUBDOMAINS.origin_of("") == ""


def test_the_operators_hook_is_asked_once_for_a_name() -> None:
    asked: list[str] = []

    def counting(name: str, domain: str, kind: str) -> str:
        asked.append(name)
        return hook(name, domain, kind)

    addresses = Addresses("/", subdomain_host="http://hub.example", domain_hook=counting)
    assert {addresses.user_host("ada") for _ in range(5)} == {"ada.hub.example"}
    assert asked == ["ada"]
