"""What scopes mean for one owner."""

import pytest
from access_strategies import BASES, concrete_scopes, memberships, reach, written_scopes
from hypothesis import given
from hypothesis import strategies as st

from perijove.access.catalogue import CATALOGUE
from perijove.access.expand import Client, Owner, expand, scopes_of_service, scopes_of_user
from perijove.access.grammar import LARGEST_CACHED

ADA = Owner("user", "ada")
CULLER = Owner("service", "culler")
ADAS_LAB = Client("server", "lab", "ada")
GRADER = Client("service", "grader")

SELF_OF_ADA = {
    f"{base}!user=ada"
    for base in (
        "read:users", "read:users:name", "read:users:groups", "read:users:activity",
        "users:shares", "read:users:shares", "read:shares", "users:activity", "servers",
        "read:servers", "start:servers", "delete:servers", "tokens", "read:tokens",
        "access:servers",
    )
}  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "owner", "client", "expected"),
    [
        ({"self"}, ADA, None, SELF_OF_ADA),
        ({"self"}, CULLER, None, set()),
        ({"tokens!user"}, ADA, None, {"tokens!user=ada", "read:tokens!user=ada"}),
        ({"tokens!user"}, CULLER, None, set()),
        ({"tokens!user=bob"}, ADA, None, {"tokens!user=bob", "read:tokens!user=bob"}),
        ({"access:servers!server"}, ADA, ADAS_LAB, {"access:servers!server=ada/lab"}),
        ({"access:servers!server"}, ADA, None, set()),
        ({"access:servers!server"}, ADA, GRADER, set()),
        ({"access:services!service"}, ADA, GRADER, {"access:services!service=grader"}),
        ({"access:services!service"}, CULLER, None, {"access:services!service=culler"}),
        ({"access:services!service"}, ADA, ADAS_LAB, set()),
        ({"list:groups!group=g"}, ADA, None, {"list:groups!group=g", "read:groups:name!group=g"}),
        ({"proxy", "inherit"}, ADA, None, {"proxy"}),
    ],
)
def test_expansion_fills_in_names_and_subscopes(raw, owner, client, expected):
    assert expand(raw, owner, client).scopes == expected


@pytest.mark.parametrize(
    ("raw", "owner", "says"),
    [
        ("self", CULLER, "users only"),
        ("inherit", ADA, "tokens only"),
        ("users!user", CULLER, "no user here"),
        ("servers!server", ADA, "no server here"),
        ("custom:gone", ADA, "no such scope"),
        ("users!planet=mars", ADA, "malformed"),
        ("self!user=bob", ADA, "takes no filter"),
    ],
)
def test_scope_without_meaning_is_left_out_with_the_reason(raw, owner, says):
    expansion = expand((raw, "proxy"), owner)
    assert expansion.scopes == {"proxy"}
    (dropped,) = expansion.dropped
    assert dropped.scope == raw
    assert says in dropped.reason


def test_who_was_given_a_server_learns_nothing_about_its_owner():
    assert expand({"servers!server=ada/lab"}).scopes == {
        f"{base}!server=ada/lab"
        for base in ("servers", "read:servers", "start:servers", "delete:servers")
    }
    assert expand({"shares!server=ada/lab"}).scopes == {
        f"{base}!server=ada/lab"
        for base in (
            "shares", "access:servers", "read:shares", "users:shares", "groups:shares",
            "read:groups:shares",
        )
    }  # fmt: skip
    assert "read:users:name!user=ada" in expand({"servers!user=ada"}).scopes


def test_scope_that_was_written_with_a_server_filter_stays_itself():
    assert expand({"read:users!server=ada/lab"}).scopes == {"read:users!server=ada/lab"}


def test_unfiltered_scope_removes_what_it_covers():
    assert expand({"read:tokens", "tokens!user=ada"}).scopes == {"read:tokens", "tokens!user=ada"}


def test_custom_scopes_expand_with_their_filter():
    wider = CATALOGUE.with_custom(
        {
            "custom:lab:read": {"description": "look"},
            "custom:lab:write": {"description": "change", "subscopes": ["custom:lab:read"]},
        }
    )
    assert expand({"custom:lab:write!user"}, ADA, None, wider).scopes == {
        "custom:lab:write!user=ada",
        "custom:lab:read!user=ada",
    }
    assert expand({"custom:lab:write"}, ADA).scopes == set()


def test_user_holds_roles_and_shares_together():
    held = scopes_of_user("ada", ["self"], ["servers!server=bob/lab"]).scopes
    assert held == SELF_OF_ADA | expand({"servers!server=bob/lab"}).scopes


def test_service_holds_its_roles_and_no_self():
    expansion = scopes_of_service("culler", ["self", "list:users", "read:services!service"])
    assert expansion.scopes == {
        "list:users",
        "read:users:name",
        "read:services!service=culler",
        "read:services:name!service=culler",
    }
    assert [drop.scope for drop in expansion.dropped] == ["self"]


def test_same_question_is_answered_from_the_cache():
    assert expand(["self", "proxy"], ADA) is expand(("proxy", "self"), ADA)


def test_very_large_set_is_expanded_too():
    many = {f"read:tokens!user=u{i}" for i in range(LARGEST_CACHED + 5)}
    assert expand(many, ADA).scopes == many


many_scopes = st.frozensets(written_scopes(), max_size=6)


@given(many_scopes)
def test_expanding_twice_changes_nothing(raws):
    once = expand(raws, ADA, ADAS_LAB).scopes
    again = expand(once, ADA, ADAS_LAB)
    assert again.scopes == once
    assert not again.dropped


@given(many_scopes, many_scopes, memberships)
def test_more_scopes_never_reach_less(some, more, members):
    assert reach(expand(some, ADA).scopes, members) <= reach(
        expand(some | more, ADA).scopes, members
    )


@given(many_scopes, many_scopes, memberships)
def test_scopes_together_reach_what_each_does_and_no_more(some, more, members):
    apart = reach(expand(some, ADA).scopes, members) | reach(expand(more, ADA).scopes, members)
    assert reach(expand(some | more, ADA).scopes, members) == apart


@given(st.frozensets(concrete_scopes(BASES), max_size=6), memberships)
def test_expansion_takes_nothing_away(raws, members):
    assert reach(raws, members) <= reach(expand(raws, ADA).scopes, members)


@given(many_scopes)
def test_every_scope_is_either_expanded_or_reported(raws):
    expansion = expand(raws, ADA)
    dropped = {drop.scope for drop in expansion.dropped}
    alone = set().union(*(expand({raw}, ADA).scopes for raw in raws - dropped))
    bases = {text.partition("!")[0] for text in expansion.scopes}
    assert bases == {text.partition("!")[0] for text in alone}
    assert all(not expand({raw}, ADA).scopes for raw in dropped)


@given(many_scopes)
def test_expanded_scopes_name_everything(raws):
    for text in expand(raws, ADA, ADAS_LAB).scopes:
        base, bang, rest = text.partition("!")
        assert base in CATALOGUE
        assert not bang or rest.partition("=")[2]
