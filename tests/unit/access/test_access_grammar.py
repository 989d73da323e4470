"""Reading and writing scopes as text."""

import pytest
from access_strategies import concrete_scopes, scope_sets
from hypothesis import given
from hypothesis import strategies as st

from perijove.access.catalogue import CATALOGUE
from perijove.access.errors import ScopeInvalid, ScopeNotFound
from perijove.access.grammar import (
    ALL,
    LARGEST_CACHED,
    LONGEST_SCOPE,
    ScopeExpr,
    format_scope,
    parse_scopes,
    read_scope,
    unparse,
)


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        ("users", ScopeExpr("users")),
        ("self", ScopeExpr("self")),
        ("inherit", ScopeExpr("inherit")),
        ("read:users!user=ada", ScopeExpr("read:users", "user", "ada")),
        ("read:users!group=a class", ScopeExpr("read:users", "group", "a class")),
        ("servers!server=ada/", ScopeExpr("servers", "server", "ada/")),
        ("servers!server=ada/lab", ScopeExpr("servers", "server", "ada/lab")),
        ("access:services!service=s", ScopeExpr("access:services", "service", "s")),
        ("users!user", ScopeExpr("users", "user")),
        ("servers!server", ScopeExpr("servers", "server")),
        ("access:services!service", ScopeExpr("access:services", "service")),
        ("users!user=a!b=c", ScopeExpr("users", "user", "a!b=c")),
        # meaningless, but refused only where it is used
        ("list:users!server=ada/", ScopeExpr("list:users", "server", "ada/")),
    ],
)
def test_scope_is_read_into_its_parts_and_written_back(raw, parts):
    assert read_scope(raw) == parts
    assert str(parts) == raw


@pytest.mark.parametrize("raw", ["nonsense", "", "users:", "all", "Users", " users", "!user=ada"])
def test_unknown_scope_is_not_found(raw):
    with pytest.raises(ScopeNotFound):
        read_scope(raw)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("read:users!planet=mars", "one of !user !server !group !service"),
        ("read:users!users=ada", "did you mean 'user'"),
        ("read:users!", "one of"),
        ("read:users!=x", "one of"),
        ("read:users!user=", "needs a value"),
        ("read:users!group", "needs a value"),
        ("read:users!group=", "needs a value"),
        ("servers!server=ada", "USERNAME/SERVERNAME"),
        ("servers!server=/lab", "USERNAME/SERVERNAME"),
        ("servers!server=ada/lab/x", "USERNAME/SERVERNAME"),
        ("self!user=ada", "takes no filter"),
        ("inherit!user", "takes no filter"),
    ],
)
def test_impossible_filter_is_refused_with_what_would_be_right(raw, says):
    with pytest.raises(ScopeInvalid, match=says):
        read_scope(raw)


def test_overlong_scope_is_refused_with_a_short_message():
    with pytest.raises(ScopeInvalid) as caught:
        read_scope("read:users!user=" + "a" * LONGEST_SCOPE)
    assert len(caught.value.message) < 200
    with pytest.raises(ScopeNotFound) as caught:
        read_scope("x" * LONGEST_SCOPE)
    assert len(caught.value.message) < 200


def test_custom_scope_is_known_only_to_its_catalogue():
    wider = CATALOGUE.with_custom({"custom:lab": {"description": "x"}})
    assert read_scope("custom:lab!user=ada", wider) == ScopeExpr("custom:lab", "user", "ada")
    with pytest.raises(ScopeNotFound):
        read_scope("custom:lab!user=ada")


@given(st.sampled_from(["user", "group", "service"]), st.text(min_size=1, max_size=50))
def test_any_name_survives_writing_and_reading(kind, name):
    raw = format_scope("read:roles", kind, name)
    assert read_scope(raw) == ScopeExpr("read:roles", kind, name)


@given(concrete_scopes())
def test_concrete_scope_is_read_and_written_unchanged(raw):
    assert str(read_scope(raw)) == raw


def test_parsed_scopes_gather_the_names_of_each_kind():
    parsed = parse_scopes({"users!user=a", "users!user=b", "users!group=g", "proxy"})
    assert parsed == {
        "users": {"user": frozenset("ab"), "group": frozenset("g")},
        "proxy": ALL,
    }


def test_unfiltered_scope_swallows_its_filtered_twins_in_any_order():
    for order in (["users", "users!user=a"], ["users!user=a", "users"]):
        assert parse_scopes(order) == {"users": ALL}


def test_short_and_malformed_forms_reach_nothing():
    assert parse_scopes({"users!user", "users!planet=mars", "servers!server=ada"}) == {}


@given(scope_sets())
def test_unparsing_reduces_and_parsing_again_changes_nothing(scopes):
    reduced = unparse(parse_scopes(scopes))
    assert reduced <= scopes
    assert parse_scopes(reduced) == parse_scopes(scopes)


def test_parsed_scopes_cannot_be_changed():
    parsed = parse_scopes({"users!user=a"})
    with pytest.raises(TypeError):
        parsed["users"] = ALL
    with pytest.raises(TypeError):
        parsed["users"]["user"] = frozenset()


def test_a_very_large_set_is_parsed_too():
    scopes = frozenset(f"users!user=u{i}" for i in range(LARGEST_CACHED + 5))
    assert len(parse_scopes(scopes)["users"]["user"]) == LARGEST_CACHED + 5
