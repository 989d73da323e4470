"""Paths as the protocols write them, and random names."""

import re
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perijove.kit import ids, urls


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        ((), ""),
        (("", ""), ""),
        (("/",), "/"),
        (("/", "/"), "/"),
        (("/a/", "/b"), "/a/b"),
        (("a", "b/"), "a/b/"),
        (("/hub/", "", "api", "users/"), "/hub/api/users/"),
        (("http://h:1/", "/x"), "http://h:1/x"),
    ],
)
def test_parts_are_joined_with_single_slashes(parts: tuple[str, ...], joined: str) -> None:
    assert urls.join(*parts) == joined


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_name_is_one_path_segment_that_comes_back(name: str) -> None:
    escaped = urls.escape_name(name)
    assert not set(escaped) & set("/?#&\"'<> \n\\")
    assert unquote(escaped) == name


@given(
    user=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    server=st.sampled_from(["", "lab"]),
)
def test_a_servers_path_survives_a_url(user: str, server: str) -> None:
    path = urls.server_path("/base/", user, server)
    assert urlsplit(f"http://host{path}").path == path
    assert path.endswith("/")
    assert path.count("/") == (5 if server else 4)


def test_names_keep_what_the_field_keeps_bare() -> None:
    assert urls.escape_name("a@b~c.d-e_f") == "a@b~c.d-e_f"
    assert urls.escape_name("sp ace/ü+%") == "sp%20ace%2F%C3%BC%2B%25"


@pytest.mark.parametrize(
    ("path", "prefix"), [("", "/"), ("/", "/"), ("hub", "/hub/"), ("//a/b//", "/a/b/")]
)
def test_a_base_url_has_one_slash_at_each_end(path: str, prefix: str) -> None:
    assert urls.prefix_of(path) == prefix


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Hub.Example:8000/x", "hub.example"),
        ("http://[::1]:1/", "::1"),
        ("/path", ""),
        ("", ""),
    ],
)
def test_the_host_of_a_url(url: str, host: str) -> None:
    assert urls.host_of(url) == host


@pytest.mark.parametrize(
    ("host", "written"), [("::1", "[::1]"), ("[::1]", "[::1]"), ("a.b", "a.b"), ("", "")]
)
def test_only_bare_ipv6_addresses_get_brackets(host: str, written: str) -> None:
    assert urls.bracket_ipv6(host) == written


def test_a_path_gets_one_final_slash() -> None:
    assert urls.with_slash("/a") == urls.with_slash("/a/") == "/a/"


def test_random_names_have_their_forms_and_differ() -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", ids.new_token())
    assert re.fullmatch(r"[0-9A-Za-z]{30}", ids.new_code())
    assert re.fullmatch(r"[0-9A-Za-z_-]{43}", ids.new_secret())
    for make in (ids.new_token, ids.new_code, ids.new_secret):
        assert len({make() for _ in range(100)}) == 100
