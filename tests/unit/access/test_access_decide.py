"""May this caller do this to that?"""

import pytest
from access_strategies import (
    BASES,
    CLOSE_BASES,
    USERS,
    concrete_scopes,
    memberships,
    scope_sets,
    targets,
    texts_that_reach,
)
from hypothesis import given
from hypothesis import strategies as st

from perijove.access.catalogue import CATALOGUE
from perijove.access.decide import (
    NOTHING,
    THE_HUB,
    Allowed,
    Denied,
    Grant,
    RowFilter,
    Target,
    decide,
    decide_each,
    decide_membership,
    guard_admin,
    require,
    row_filter,
)
from perijove.access.expand import expand
from perijove.access.operations import OPERATIONS
from perijove.domain.errors import Forbidden, NotFound

HIDDEN = "No access to resources or resources not found"


def grant(*scopes):
    return Grant.of(expand(scopes).scopes)


def status(answer):
    return answer.status if isinstance(answer, Denied) else 200


ADA = Target.of_user("ada", frozenset({"class"}))
ADAS = Target.of_server("ada", "", frozenset({"class"}))
ADAS_LAB = Target.of_server("ada", "lab", frozenset({"class"}))


@pytest.mark.parametrize(
    ("held", "needed", "target", "expected"),
    [
        ("read:hub", "read:hub", THE_HUB, 200),
        ("read:hub!user=ada", "read:hub", THE_HUB, 403),
        ("proxy", "read:hub", THE_HUB, 403),
        ("users", "read:users", ADA, 200),
        ("users!user=ada", "read:users", ADA, 200),
        ("users!user=bob", "read:users", ADA, 404),
        ("users!group=class", "read:users", ADA, 200),
        ("users!group=staff", "read:users", ADA, 404),
        ("users!group=class", "read:users", Target.of_user("bob"), 404),
        ("servers!server=ada/lab", "read:servers", ADA, 404),
        ("servers!server=ada/lab", "read:servers", ADAS_LAB, 200),
        ("servers!server=ada/lab", "read:servers", ADAS, 404),
        ("servers!server=ada/", "read:servers", ADAS, 200),
        ("servers!user=ada", "read:servers", ADAS_LAB, 200),
        ("servers!user=ad", "read:servers", ADAS_LAB, 404),
        ("servers!group=class", "read:servers", ADAS_LAB, 200),
        ("groups!group=class", "groups", Target.of_group("class"), 200),
        ("groups!group=class", "groups", Target.of_group("staff"), 404),
        ("groups!user=class", "groups", Target.of_group("class"), 404),
        ("read:services!service=s", "read:services", Target.of_service("s"), 200),
        ("read:services!service=s", "read:services", Target.of_service("t"), 404),
        ("read:roles!user=s", "read:roles:services", Target.of_service("s"), 404),
    ],
)
def test_decision(held, needed, target, expected):
    assert status(decide(grant(held), (needed,), target)) == expected


def test_any_of_the_needed_scopes_suffices():
    needed = OPERATIONS["GET /users/{name}"].needs
    assert decide(grant("read:roles:users!user=ada"), needed, ADA) == Allowed("read:roles:users")
    mixed = grant("read:users!user=bob", "read:users:groups!user=ada")
    assert decide(mixed, needed, ADA) == Allowed("read:users:groups")


def test_caller_without_the_scope_is_told_which_would_do():
    answer = decide(grant("proxy"), ("read:users", "read:users:name"), ADA)
    assert answer == Denied(
        reason="missing scope: any of read:users, read:users:name",
        status=403,
        missing=("read:users", "read:users:name"),
        message="Action is not authorized with current scopes; "
        "requires any of [read:users, read:users:name]",
    )


def test_caller_with_the_scope_for_others_is_told_nothing_and_the_log_everything():
    answer = decide(grant("read:servers!user=bob"), ("read:servers",), ADAS_LAB)
    assert isinstance(answer, Denied)
    assert (answer.status, answer.message) == (404, HIDDEN)
    assert answer.missing == ("read:servers!server=ada/lab",)
    assert "read:servers!server=ada/lab" in answer.reason


def test_operation_on_the_hub_takes_an_unfiltered_scope():
    answer = decide(grant("proxy!user=ada"), ("proxy",), THE_HUB)
    assert isinstance(answer, Denied)
    assert answer.missing == ("proxy",)
    assert "without a filter" in answer.reason
    assert (answer.status, "requires any of [proxy]" in answer.message) == (403, True)


def test_operation_may_answer_403_for_what_is_held_for_others():
    operation = OPERATIONS["POST /users/{name}/tokens"]
    answer = decide(
        grant("tokens!user=bob"), operation.needs, ADA, hidden_status=operation.hidden_status
    )
    assert isinstance(answer, Denied)
    assert answer.status == 403
    assert "requires any of [tokens]" in answer.message


def test_decision_about_no_scope_is_a_mistake():
    with pytest.raises(ValueError, match="at least one scope"):
        decide(grant("users"), (), ADA)


def test_nothing_is_allowed_with_an_empty_grant():
    for operation in OPERATIONS.values():
        assert status(decide(NOTHING, operation.needs, THE_HUB)) == 403


@given(scope_sets(bases=CLOSE_BASES), st.sampled_from(CLOSE_BASES), memberships)
def test_decision_agrees_with_the_spelled_out_meaning(scopes, needed, members):
    held = Grant.of(scopes)
    for target in targets(members):
        allowed = isinstance(decide(held, (needed,), target), Allowed)
        assert allowed == bool(scopes & texts_that_reach(needed, target))


@given(st.frozensets(concrete_scopes(BASES), max_size=4), memberships)
def test_decision_agrees_with_expansion(raws, members):
    held = grant(*raws)
    for target in targets(members):
        for needed in ("read:users:name", "read:servers", "read:groups", "access:servers"):
            texts = texts_that_reach(needed, target)
            assert (status(decide(held, (needed,), target)) == 200) == bool(held.scopes & texts)


@given(scope_sets(), st.lists(st.sampled_from(CLOSE_BASES), min_size=1, max_size=3), memberships)
def test_groups_matter_only_where_the_grant_says_so(scopes, needed, members):
    held = Grant.of(scopes)
    if held.uses_groups(needed):
        return
    for target in targets(members):
        bare = Target(target.kind, target.user, target.server, target.group, target.service)
        with_groups, without = decide(held, needed, target), decide(held, needed, bare)
        assert status(with_groups) == status(without)


def test_grant_knows_when_groups_matter():
    assert grant("users!group=class").uses_groups(("read:users",))
    assert not grant("users!group=class").uses_groups(("read:hub",))
    assert not grant("users!group=class", "read:users").uses_groups(("read:users",))
    assert not grant("users!user=ada").uses_groups(("read:users",))


def test_grants_of_equal_scopes_are_equal_and_hash_alike():
    one, two = grant("users", "proxy"), grant("proxy", "users")
    assert one == two
    assert len({one, two}) == 1


def test_require_raises_what_the_status_says():
    require(grant("users"), ("users",), ADA)
    with pytest.raises(Forbidden, match="requires any of"):
        require(grant("proxy"), ("users",), ADA)
    with pytest.raises(NotFound, match=HIDDEN):
        require(grant("users!user=bob"), ("users",), ADA)


# -- several things at once -------------------------------------------------
def test_limited_admin_creates_only_within_the_limit():
    needed = OPERATIONS["POST /users"].needs
    limited = grant("admin:users!user=ada", "admin:users!group=class")
    assert status(decide_each(limited, needed, [Target.of_user("ada")])) == 200
    both = [Target.of_user("ada"), Target.of_user("newcomer")]
    assert status(decide_each(limited, needed, both)) == 403
    assert status(decide_each(grant("admin:users"), needed, both)) == 200


def test_empty_list_needs_the_scope_in_some_form():
    needed = OPERATIONS["POST /users"].needs
    assert status(decide_each(grant("admin:users!user=ada"), needed, [])) == 200
    assert status(decide_each(grant("users"), needed, [])) == 403


# -- lists ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("held", "kind", "expected"),
    [
        (("list:users",), "user", RowFilter(all=True)),
        (("list:users", "list:users!user=ada"), "user", RowFilter(all=True)),
        (
            ("list:users!user=ada", "list:users!group=class", "list:users!user=bob"),
            "user",
            RowFilter(all=False, users=frozenset({"ada", "bob"}), groups=frozenset({"class"})),
        ),
        (
            ("list:users!user=ada", "list:users!server=bob/"),
            "user",
            RowFilter(all=False, users=frozenset({"ada"})),
        ),
        (
            ("list:groups!group=class", "list:groups!user=ada"),
            "group",
            RowFilter(all=False, groups=frozenset({"class"})),
        ),
        (
            ("list:services!service=s",),
            "service",
            RowFilter(all=False, services=frozenset({"s"})),
        ),
        (
            ("read:servers!server=ada/lab", "read:servers!user=bob"),
            "server",
            RowFilter(all=False, users=frozenset({"bob"}), servers=frozenset({"ada/lab"})),
        ),
    ],
)
def test_list_is_limited_to_what_the_filters_name(held, kind, expected):
    needed = [held[0].partition("!")[0]]
    assert row_filter(grant(*held), needed, kind) == expected


@pytest.mark.parametrize(
    ("held", "kind"),
    [
        ("list:users!server=ada/", "user"),
        ("list:users!service=s", "user"),
        ("list:groups!user=ada", "group"),
        ("list:services!user=s", "service"),
        ("proxy", "user"),
    ],
)
def test_list_behind_a_filter_that_cannot_apply_is_403(held, kind):
    needed = (f"list:{kind}s",)
    answer = row_filter(grant(held), needed, kind)
    assert isinstance(answer, Denied)
    assert answer.status == 403
    assert needed[0] in answer.message


@given(scope_sets(bases=("list:users", "users", "read:users")), memberships)
def test_list_shows_exactly_whom_a_single_request_would(raws, members):
    held = grant(*raws)
    rows = row_filter(held, ("list:users",), "user")
    for name in USERS:
        listed = not isinstance(rows, Denied) and (
            rows.all or name in rows.users or not rows.groups.isdisjoint(members[name])
        )
        single = decide(held, ("list:users",), Target.of_user(name, members[name]))
        assert listed == isinstance(single, Allowed)


# -- beyond scopes ----------------------------------------------------------
@pytest.mark.parametrize(
    ("caller", "target", "allowed"),
    [(True, True, True), (True, False, True), (False, False, True), (False, True, False)],
)
def test_only_an_admin_touches_an_admin(caller, target, allowed):
    answer = guard_admin(caller_is_admin=caller, target_is_admin=target)
    assert (answer is None) == allowed
    assert answer is None or answer.status == 403


BOB = Target.of_user("bob", frozenset({"staff"}))


@pytest.mark.parametrize(
    ("held", "people", "expected"),
    [
        (("groups", "users"), [ADA, BOB], 200),
        (("groups!group=class", "users!group=staff"), [BOB], 200),
        (("groups!group=class", "users!group=staff"), [BOB, Target.of_user("cy")], 403),
        (("groups!group=class",), [BOB], 403),
        (("groups!group=class", "servers!group=class", "list:users"), [BOB], 403),
        (("groups!group=class",), [], 200),
        (("groups!group=staff", "users"), [BOB], 404),
        (("users",), [BOB], 403),
        (("groups!group=class",), [Target.of_user("cora")], 200),
    ],
)
def test_putting_people_into_a_group_takes_a_right_over_both(held, people, expected):
    assert status(decide_membership(grant(*held), "class", people, caller="cora")) == expected


def test_service_without_a_user_name_is_nobody_in_particular():
    """A caller without a name must not match a target without one."""
    assert status(decide_membership(grant("groups"), "class", [Target.of_user("")])) == 403


def test_scope_matrix_each_operation_answers_for_exactly_the_scopes_that_contain_it():
    by_aim = {
        "user": ADA,
        "server": ADAS,
        "group": Target.of_group("class"),
        "service": Target.of_service("s"),
    }
    for operation in OPERATIONS.values():
        for scope in BASES:
            contains = bool(CATALOGUE.contained(scope) & set(operation.needs))
            answer = decide(grant(scope), operation.needs, by_aim.get(operation.aim, THE_HUB))
            assert status(answer) == (200 if contains else 403), (operation.name, scope)
