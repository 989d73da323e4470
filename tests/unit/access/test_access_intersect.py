"""What two sets of scopes have in common, and what one lacks."""

import pytest
from access_strategies import USERS, memberships, reach, scope_sets, texts_that_reach
from hypothesis import given

from perijove.access.intersect import intersect, is_subset, missing, names_needed

CLASS = {"ada": {"class"}, "bob": {"class", "staff"}}


@pytest.mark.parametrize(
    ("left", "right", "common"),
    [
        ("users", "users", {"users"}),
        ("users", "users!user=ada", {"users!user=ada"}),
        ("users", "proxy", set()),
        ("users!user=ada", "users!user=ada", {"users!user=ada"}),
        ("users!user=ada", "users!user=bob", set()),
        ("servers!server=ada/lab", "servers!user=ada", {"servers!server=ada/lab"}),
        ("servers!server=ada/", "servers!user=ada", {"servers!server=ada/"}),
        ("servers!server=adam/", "servers!user=ada", set()),
        ("servers!server=ada/lab", "servers!server=ada/", set()),
        ("servers!server=ada/lab", "servers!group=class", {"servers!server=ada/lab"}),
        ("servers!server=cy/lab", "servers!group=class", set()),
        ("users!user=ada", "users!group=class", {"users!user=ada"}),
        ("users!user=ada", "users!group=staff", set()),
        ("users!group=class", "users!group=class", {"users!group=class"}),
        ("users!group=class", "users!group=staff", set()),
        ("read:services!service=s", "read:services!service=s", {"read:services!service=s"}),
        ("read:services!service=s", "read:services!user=s", set()),
        ("groups!group=class", "groups!user=ada", {"groups!user=ada"}),
    ],
)
def test_common_part(left, right, common):
    assert intersect(frozenset({left}), frozenset({right}), CLASS) == common
    assert intersect(frozenset({right}), frozenset({left}), CLASS) == common


def test_filters_of_one_scope_are_alternatives():
    left = frozenset({"users!user=ada", "users!user=cy", "users!group=staff"})
    right = frozenset({"users!group=class", "users!group=staff"})
    assert intersect(left, right, CLASS) == {"users!user=ada", "users!group=staff"}


def test_membership_may_be_a_function():
    def everybody_in_class(name):
        return frozenset({"class"})

    left, right = frozenset({"users!user=zoe"}), frozenset({"users!group=class"})
    assert intersect(left, right, everybody_in_class) == left
    assert intersect(left, right) == frozenset()


def test_membership_is_asked_for_the_named_users_only():
    left = frozenset({"users!user=ada", "servers!server=bob/", "tokens!user=cy", "proxy"})
    right = frozenset({"users!group=class", "servers!group=class", "tokens", "users!user=zoe"})
    assert names_needed(left, right) == {"ada", "bob"}
    asked = []

    def groups_of(name):
        asked.append(name)
        return frozenset()

    intersect(left, right, groups_of)
    assert set(asked) <= {"ada", "bob"}


@given(scope_sets(), scope_sets(), memberships)
def test_membership_of_others_does_not_matter(left, right, members):
    needed = names_needed(left, right)
    known = {name: members[name] for name in needed}
    assert needed <= set(USERS)
    assert intersect(left, right, known) == intersect(left, right, members)
    assert missing(left, right, known) == missing(left, right, members)


@given(scope_sets(), scope_sets(), memberships)
def test_intersection_grants_nothing_that_a_side_lacks(left, right, members):
    common = reach(intersect(left, right, members), members)
    assert common <= reach(left, members) & reach(right, members)


@given(scope_sets(), scope_sets(kinds=("user", "server", "service")), memberships)
def test_intersection_loses_nothing_that_both_have(left, right, members):
    """With groups on one side only; two groups may share members without being the same."""
    common = reach(intersect(left, right, members), members)
    assert common == reach(left, members) & reach(right, members)


@given(scope_sets(), scope_sets(), memberships)
def test_intersection_loses_nothing_but_what_two_different_groups_share(left, right, members):
    common = reach(intersect(left, right, members), members)
    for base, target in reach(left, members) & reach(right, members) - common:
        by_left, by_right = (texts_that_reach(base, target) & side for side in (left, right))
        assert all("!group=" in text for text in by_left | by_right), (base, target)
        assert not by_left & by_right


@given(scope_sets(), scope_sets(), scope_sets(), memberships)
def test_more_on_one_side_never_leaves_less_in_common(left, more, right, members):
    before = reach(intersect(left, right, members), members)
    assert before <= reach(intersect(left | more, right, members), members)


@given(scope_sets(), scope_sets(), memberships)
def test_cutting_down_twice_changes_nothing(scopes, held, members):
    once = intersect(scopes, held, members)
    assert intersect(once, held, members) == once


@given(scope_sets(), scope_sets(), memberships)
def test_intersection_is_commutative(left, right, members):
    assert intersect(left, right, members) == intersect(right, left, members)


@given(scope_sets(), memberships)
def test_intersection_with_itself_changes_no_reach(scopes, members):
    assert reach(intersect(scopes, frozenset(scopes), members), members) == reach(scopes, members)


@given(scope_sets(), scope_sets(), memberships)
def test_intersection_is_a_subset_of_both_sides(left, right, members):
    common = intersect(left, right, members)
    assert is_subset(common, left, members)
    assert is_subset(common, right, members)


@given(scope_sets(), scope_sets(), memberships)
def test_subset_never_reaches_further(wanted, held, members):
    if not is_subset(wanted, held, members):
        wanted = intersect(wanted, held, members)
    assert reach(wanted, members) <= reach(held, members)


@given(scope_sets(), scope_sets(), memberships)
def test_without_what_is_missing_the_rest_is_a_subset(wanted, held, members):
    lacking = frozenset(missing(wanted, held, members))
    assert is_subset(wanted - lacking, held, members) or any(
        scope.partition("!")[0] in lacking for scope in wanted
    )
    assert lacking <= wanted


def test_missing_names_the_scopes_in_order():
    wanted = frozenset({"users!user=ada", "proxy", "users!user=cy", "read:hub"})
    held = frozenset({"users!group=class", "read:hub"})
    assert missing(wanted, held, CLASS) == ("proxy", "users!user=cy")


def test_wide_scope_is_missing_where_only_a_part_is_held():
    assert missing(frozenset({"users"}), frozenset({"users!user=ada"})) == ("users",)
