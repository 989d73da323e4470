"""Paths to handlers: whole segments, decoded one by one."""

import pytest

from perijove.domain.errors import InvalidInput
from perijove.web.routing import Match, Routes, decode_segment


async def _handler(call: object) -> object:
    return call


def routes(*paths: str) -> Routes:
    made = Routes()
    for path in paths:
        made.add("GET", path, _handler)
    return made


def params(table: Routes, path: str) -> dict[str, str] | None:
    found = table.match(path)
    return None if found is None else found.params


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/users/ada", {"name": "ada"}),
        ("/users/a%20b", {"name": "a b"}),
        ("/users/a%2Fb", {"name": "a/b"}),
        ("/users/%C3%BC", {"name": "ü"}),
        ("/users/100%25", {"name": "100%"}),
        ("/users/x+y", {"name": "x+y"}),
        ("/users/..", {"name": ".."}),
    ],
)
def test_a_name_is_one_decoded_segment(path: str, expected: dict[str, str]) -> None:
    assert params(routes("/users/{name}"), path) == expected


def test_bytes_beyond_ascii_that_came_unescaped_are_read_as_utf8() -> None:
    raw = "/users/grün".encode().decode("latin-1")
    assert params(routes("/users/{name}"), raw) == {"name": "grün"}


@pytest.mark.parametrize("path", ["/users", "/users/", "/users/ada/", "/users//ada", "//users/ada"])
def test_a_path_with_a_slash_too_many_or_too_few_is_unknown(path: str) -> None:
    assert routes("/users/{name}").match(path) is None


@pytest.mark.parametrize(
    "text", ["%00", "a%00b", "\0", "%", "%z", "%zz", "a%2", "%C3", "%ff", "\xff"]
)
def test_what_cannot_be_a_name_is_the_callers_fault(text: str) -> None:
    with pytest.raises(InvalidInput):
        routes("/users/{name}").match(f"/users/{text}")


def test_text_that_no_server_hands_on_is_refused_and_not_guessed() -> None:
    with pytest.raises(InvalidInput):
        decode_segment("€")


def test_a_fixed_segment_wins_over_a_name() -> None:
    table = routes("/users/{name}/server", "/users/{name}/{server}")
    assert params(table, "/users/ada/server") == {"name": "ada"}
    assert params(table, "/users/ada/lab") == {"name": "ada", "server": "lab"}


def test_a_fixed_segment_that_leads_nowhere_gives_way_to_a_name() -> None:
    table = routes("/shares/all/recent", "/shares/{user}/{server}")
    assert params(table, "/shares/all/lab") == {"user": "all", "server": "lab"}


def test_the_empty_segment_is_the_default_server_and_no_other_name() -> None:
    table = routes("/shares/{user}/{server}", "/shares/{user}/{server}/log", "/groups/{name}")
    assert params(table, "/shares/ada/") == {"user": "ada", "server": ""}
    assert params(table, "/shares/ada//log") == {"user": "ada", "server": ""}
    assert table.match("/shares//") is None
    assert table.match("/groups/") is None


def test_the_rest_of_a_path_stays_encoded() -> None:
    table = routes("/user/{user}/{rest:path}")
    found = table.match("/user/a%2Fb/x%2Fy//z/")
    assert found == Match({"GET": _handler}, {"user": "a/b", "rest": "x%2Fy//z/"})


def test_the_nearest_route_with_a_rest_is_taken() -> None:
    table = routes("/static/{path:path}", "/static/own/{file}")
    assert params(table, "/static/own/a.css") == {"file": "a.css"}
    assert params(table, "/static/own/a/b.css") == {"path": "own/a/b.css"}


def test_methods_of_one_path_are_kept_apart() -> None:
    async def other(call: object) -> object:
        return call

    table = routes("/users/{name}")
    table.add("POST", "/users/{name}", other)
    found = table.match("/users/ada")
    assert found is not None
    assert found.endpoints == {"GET": _handler, "POST": other}


def test_two_names_for_one_segment_are_refused_when_routes_are_made() -> None:
    table = routes("/users/{name}")
    with pytest.raises(ValueError, match="both"):
        table.add("GET", "/users/{user}/tokens", _handler)
