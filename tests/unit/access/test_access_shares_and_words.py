"""Sharing a server, and scopes in words."""

import pytest
from access_strategies import memberships, reach, written_scopes
from hypothesis import given
from hypothesis import strategies as st

from perijove.access.catalogue import CATALOGUE
from perijove.access.decide import Grant
from perijove.access.describe import ScopeText, describe_scopes
from perijove.access.errors import ScopeInvalid, ScopeNotFound
from perijove.access.expand import Client, Owner, scopes_of_user
from perijove.access.shares import missing_to_share, scopes_to_share

SHAREABLE = sorted(name for name, scope in CATALOGUE.scopes.items() if "server" in scope.filters)
LAB = Client("server", "lab", "ada")
ADA = Owner("user", "ada")


@pytest.mark.parametrize("requested", [None, []])
def test_share_gives_access_unless_more_is_asked_for(requested):
    assert scopes_to_share(requested, LAB) == ("access:servers!server=ada/lab",)


def test_everything_shared_is_limited_to_the_server():
    requested = ["servers", "servers!server=ada/lab", "access:servers!server=ada/lab"]
    assert scopes_to_share(requested, LAB) == (
        "servers!server=ada/lab",
        "access:servers!server=ada/lab",
    )


@pytest.mark.parametrize(
    "scope",
    ["access:servers!server=ada/", "access:servers!user=ada", "access:servers!group=g",
     "access:servers!server", "list:users", "list:users!server=ada/lab", "self", "inherit",
     "proxy"],
)  # fmt: skip
def test_scope_about_anything_else_cannot_be_shared(scope):
    with pytest.raises(ScopeInvalid, match="cannot be shared"):
        scopes_to_share([scope], LAB)


def test_unknown_scope_cannot_be_shared():
    with pytest.raises(ScopeNotFound):
        scopes_to_share(["no:such"], LAB)


def test_custom_scope_can_be_shared():
    wider = CATALOGUE.with_custom({"custom:lab": {"description": "x"}})
    assert scopes_to_share(["custom:lab"], LAB, wider) == ("custom:lab!server=ada/lab",)


def test_nobody_shares_what_is_not_held():
    owner = Grant.of(scopes_of_user("ada", ["self", "shares!user"]).scopes)
    assert missing_to_share(scopes_to_share(["servers"], LAB), owner) == ()
    lacking = missing_to_share(scopes_to_share(["admin:servers"], LAB), owner)
    assert "admin:servers!server=ada/lab" in lacking
    guest = Grant.of(scopes_of_user("bob", ["self"]).scopes)
    assert missing_to_share(scopes_to_share(None, LAB), guest)


@given(st.lists(st.sampled_from(SHAREABLE), max_size=3),
       st.frozensets(written_scopes(), max_size=5), memberships)  # fmt: skip
def test_no_share_gives_more_than_its_giver_has(requested, role_scopes, members):
    held = Grant.of(scopes_of_user("ada", role_scopes).scopes)
    shared = scopes_to_share(requested, LAB)
    if missing_to_share(shared, held, members):
        return
    received = scopes_of_user("bob", (), shared).scopes
    assert reach(received, members) <= reach(held.scopes, members)


# -- in words -----------------------------------------------------------------
def test_scopes_are_described_without_what_another_one_contains():
    texts = describe_scopes(["servers!user", "read:servers!user", "read:hub"], ADA)
    assert [(text.scope, text.filter) for text in texts] == [
        ("read:hub", ""),
        ("servers", "your own only"),
    ]
    assert texts[1].description == CATALOGUE.get("servers").description


def test_narrower_scope_is_described_besides_a_differently_limited_one():
    texts = describe_scopes(["servers!server=bob/", "read:servers!group=class"], ADA)
    assert [(text.scope, text.filter) for text in texts] == [
        ("read:servers", "only members of groups class; servers bob/"),
        ("read:users:name", "only members of groups class"),
        ("servers", "only servers bob/"),
    ]


def test_inherit_and_nothing_are_described():
    assert [text.scope for text in describe_scopes(["inherit"], ADA)] == ["inherit"]
    (nothing,) = describe_scopes([], ADA)
    assert isinstance(nothing, ScopeText)
    assert nothing.scope == "(no_scope)"


def test_groups_and_services_are_named_as_such():
    (groups,) = describe_scopes(["delete:groups!group=class"], ADA)
    assert groups.filter == "only groups class"
    (services,) = describe_scopes(["access:services!service=grader"], ADA)
    assert services.filter == "only services grader"


def test_custom_scopes_that_contain_each_other_are_described_once():
    wider = CATALOGUE.with_custom(
        {
            "custom:one": {"description": "1", "subscopes": ["custom:two"]},
            "custom:two": {"description": "2", "subscopes": ["custom:one"]},
        }
    )
    assert [text.scope for text in describe_scopes(["custom:two"], ADA, None, wider)] == [
        "custom:one"
    ]
