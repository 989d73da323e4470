"""What tokens may do, and what may be asked for when they are made."""

import pytest
from access_strategies import memberships, reach, written_scopes
from hypothesis import given
from hypothesis import strategies as st

from perijove.access.catalogue import CATALOGUE, DEFAULT_ROLES
from perijove.access.decide import NOTHING
from perijove.access.errors import ScopeInvalid, ScopeNotFound, ScopesNotAllowed, ScopesNotHeld
from perijove.access.expand import Client, Owner, expand, scopes_of_service, scopes_of_user
from perijove.access.intersect import names_needed
from perijove.access.tokens import (
    access_scopes,
    cut_to_held,
    identify_scopes,
    scopes_asked_by_client,
    scopes_for_new_token,
    scopes_for_server,
    scopes_granted_to_client,
    scopes_of_token,
    wanted_by_token,
    with_identity,
)

ADA = Owner("user", "ada")
CULLER = Owner("service", "culler")
HELD = scopes_of_user("ada", ["self"]).scopes
ADMIN = scopes_of_user("root", (*DEFAULT_ROLES["admin"].scopes, "self")).scopes
DEFAULT_SERVER = Client("server", "", "ada")
LAB = Client("server", "lab", "ada")
GRADER = Client("service", "grader")
IDENTITY = {"read:users:name!user=ada", "read:users:groups!user=ada"}


def test_identity_and_access_scopes():
    assert identify_scopes(ADA) == IDENTITY
    assert identify_scopes(CULLER) == {"read:services:name!service=culler"}
    assert access_scopes(LAB) == {"access:servers!server=ada/lab"}
    assert access_scopes(GRADER) == {"access:services!service=grader"}


def test_any_credential_may_ask_whose_it_is():
    assert with_identity(NOTHING, ADA).scopes == IDENTITY


# -- use --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("raws", "client", "expected"),
    [
        (["inherit"], None, HELD),
        (["inherit", "proxy"], None, HELD),
        ([], None, IDENTITY),
        (["proxy"], None, IDENTITY),
        (["tokens!user"], None, IDENTITY | {"tokens!user=ada", "read:tokens!user=ada"}),
        ([], LAB, IDENTITY | {"access:servers!server=ada/lab"}),
        ([], GRADER, IDENTITY),
        (["access:servers"], None, IDENTITY | {"access:servers!user=ada"}),
    ],
)
def test_token_may_do_what_it_says_and_its_owner_may(raws, client, expected):
    assert scopes_of_token(raws, ADA, HELD, client).scopes == expected


def test_token_of_a_service_identifies_only_if_the_service_may():
    held = scopes_of_service("culler", ["list:users"]).scopes
    assert scopes_of_token(["inherit"], CULLER, held).scopes == held
    assert scopes_of_token(["list:users"], CULLER, held).scopes == held


def test_what_the_owner_lost_is_gone_and_reported():
    expansion = scopes_of_token(["list:users", "self", "custom:gone"], ADA, HELD)
    assert expansion.scopes == HELD
    reasons = {drop.scope: drop.reason for drop in expansion.dropped}
    assert set(reasons) == {"list:users", "read:users:name", "custom:gone"}
    assert reasons["list:users"] == "the owner does not hold it"


def test_token_for_one_member_of_an_owner_limited_to_a_group():
    held = frozenset({"read:users!group=class"})
    raws = ["read:users!user=bob", "read:users!user=cy"]
    needed = names_needed(wanted_by_token(raws, ADA).scopes, held)
    assert needed >= {"bob", "cy"}
    scopes = scopes_of_token(raws, ADA, held, None, {"bob": {"class"}}).scopes
    assert scopes == {"read:users!user=bob"}


def test_shared_server_reaches_tokens_with_its_subscopes():
    held = scopes_of_user("ada", ["self"], ["servers!server=bob/lab"]).scopes
    scopes = scopes_of_token(["servers!server=bob/lab"], ADA, held).scopes
    assert "start:servers!server=bob/lab" in scopes
    assert "start:servers!server=bob/lab" in scopes_of_token(["inherit"], ADA, held).scopes


# -- making -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("requested", "stored"),
    [
        (None, ("inherit",)),
        (["inherit"], ("inherit",)),
        ([], ()),
        (["self"], ("self",)),
        (["read:users!user", "read:users!user"], ("read:users!user",)),
        (["servers!server=ada/"], ("servers!server=ada/",)),
        (["servers!server", "self"], ("self",)),
    ],
)
def test_new_token_stores_what_was_asked_for(requested, stored):
    assert scopes_for_new_token(requested, ADA, HELD) == stored


@pytest.mark.parametrize(
    "requested",
    [["admin:users"], ["read:users!user=tina"], ["list:users"], ["servers"], ["read:hub", "self"],
     ["tokens!group=minted"], ["access:services"], ["access:servers!server=adam/"]],
)  # fmt: skip
def test_more_than_the_owner_has_is_refused(requested):
    with pytest.raises(ScopesNotHeld, match="not held by User ada") as caught:
        scopes_for_new_token(requested, ADA, HELD)
    assert caught.value.message.startswith("Not assigning requested scopes ")
    assert requested[0] in caught.value.message
    assert requested[0] in caught.value.missing


@pytest.mark.parametrize("requested", [["nonsense"], ["users:"], [""], ["all"]])
def test_scope_that_does_not_exist_is_refused(requested):
    with pytest.raises(ScopeNotFound):
        scopes_for_new_token(requested, ADA, ADMIN)
    with pytest.raises(ScopeInvalid):
        scopes_for_new_token(["read:users!planet=mars"], ADA, ADMIN)


def test_default_scopes_are_cut_down_to_the_owner():
    default = ("read:users!user", "list:users")
    assert scopes_for_new_token(None, ADA, HELD, default=default) == (
        "read:users!user",
        "read:users:name!user=ada",
    )


def test_limited_token_makes_no_stronger_token_for_its_owner():
    within = scopes_of_token(["tokens!user"], ADA, HELD).scopes
    assert scopes_for_new_token(["tokens!user"], ADA, HELD, within=within) == ("tokens!user",)
    with pytest.raises(ScopesNotHeld):
        scopes_for_new_token(["servers!user"], ADA, HELD, within=within)
    inherited = scopes_for_new_token(None, ADA, HELD, within=within)
    assert expand(inherited, ADA).scopes == within
    assert "inherit" not in inherited


def test_full_token_may_pass_on_everything():
    assert scopes_for_new_token(None, ADA, HELD, within=HELD) == ("inherit",)


@given(st.frozensets(written_scopes(), max_size=5), st.frozensets(written_scopes(), max_size=6),
       memberships)  # fmt: skip
def test_no_token_exceeds_its_owner(raws, role_scopes, members):
    held = scopes_of_user("ada", role_scopes).scopes
    for client in (None, LAB, GRADER):
        scopes = scopes_of_token(raws, ADA, held, client, members).scopes
        assert reach(scopes, members) <= reach(held, members)


@given(st.frozensets(written_scopes(), max_size=3), st.frozensets(written_scopes(), max_size=6),
       st.frozensets(written_scopes(), max_size=4), memberships)  # fmt: skip
def test_no_new_token_exceeds_the_one_that_asked_for_it(requested, role_scopes, own, members):
    held = scopes_of_user("ada", role_scopes).scopes
    within = scopes_of_token(own, ADA, held, None, members).scopes
    try:
        stored = scopes_for_new_token(requested, ADA, held, within=within, members=members)
    except ScopesNotHeld:
        return
    made = scopes_of_token(stored, ADA, held, None, members).scopes
    identity = identify_scopes(ADA)
    assert reach(made, members) <= reach(within | identity, members)


@given(st.lists(written_scopes(), max_size=5), st.frozensets(written_scopes(), max_size=6),
       memberships)  # fmt: skip
def test_cutting_leaves_what_is_held_and_loses_nothing_of_it(raws, role_scopes, members):
    held = scopes_of_user("ada", role_scopes).scopes
    kept = cut_to_held(raws, ADA, held, LAB, members)
    before = scopes_of_token(raws, ADA, held, LAB, members).scopes
    after = scopes_of_token(kept, ADA, held, LAB, members).scopes
    assert reach(after, members) == reach(before, members)
    plain = [raw for raw in kept if raw != "inherit"]
    assert reach(expand(plain, ADA, LAB).scopes, members) <= reach(held, members)


@given(st.frozensets(written_scopes(), max_size=6), st.frozensets(written_scopes(), max_size=4),
       st.frozensets(written_scopes(), max_size=4), memberships)  # fmt: skip
def test_a_right_that_the_owner_loses_is_gone_from_every_token(kept, lost, raws, members):
    before = scopes_of_user("ada", kept | lost).scopes
    after = scopes_of_user("ada", kept).scopes
    stored = cut_to_held(raws, ADA, before, None, members)
    now = scopes_of_token(stored, ADA, after, None, members).scopes
    assert reach(now, members) <= reach(after, members)


@given(st.frozensets(written_scopes(), max_size=4), st.frozensets(written_scopes(), max_size=6),
       memberships)  # fmt: skip
def test_no_token_of_a_server_exceeds_its_owner(wanted, role_scopes, members):
    held = scopes_of_user("ada", role_scopes).scopes
    readable = [raw for raw in wanted if not raw.startswith(("self!", "inherit!"))]
    stored = scopes_for_server(readable, LAB, held, members=members)
    scopes = scopes_of_token(stored, ADA, held, LAB, members).scopes
    assert reach(scopes, members) <= reach(held, members)


@given(st.frozensets(written_scopes(), max_size=4), st.frozensets(written_scopes(), max_size=4),
       st.frozensets(written_scopes(), max_size=6), memberships)  # fmt: skip
def test_no_client_gets_more_than_it_may_or_the_person_has(asks, allowed, role_scopes, members):
    held = scopes_of_user("ada", role_scopes).scopes
    try:
        asked = scopes_asked_by_client(asks, allowed, GRADER, ADA, roles={}, members=members)
    except ScopesNotAllowed:
        return
    granted = scopes_granted_to_client(asked, GRADER, ADA, held, members=members)
    scopes = scopes_of_token(granted, ADA, held, GRADER, members).scopes
    assert reach(scopes, members) <= reach(held, members)
    if "inherit" not in allowed:
        basic = identify_scopes(ADA) | access_scopes(GRADER)
        within = expand(allowed, ADA, GRADER).scopes | basic
        assert reach(scopes, members) <= reach(within, members)


# -- servers ----------------------------------------------------------------
def test_server_gets_the_scopes_of_its_role():
    stored = scopes_for_server([], LAB, HELD)
    assert stored == ("users:activity!user", "access:servers!server=ada/lab")


def test_server_can_always_report_activity():
    stored = scopes_for_server(["access:servers!user"], LAB, HELD)
    assert stored == ("access:servers!user", "users:activity!user")
    assert scopes_for_server(["self"], LAB, HELD) == ("self",)
    assert scopes_for_server(["inherit"], LAB, HELD) == ("inherit",)


def test_server_gets_no_more_than_its_owner_has():
    stored = scopes_for_server(["users:activity!user", "read:users", "proxy"], LAB, HELD)
    assert stored[0] == "users:activity!user"
    assert "proxy" not in stored
    assert "read:users!user=ada" in stored
    assert "read:users" not in stored
    with pytest.raises(ScopeNotFound):
        scopes_for_server(["nonsense"], LAB, HELD)


def test_server_may_have_custom_scopes():
    wider = CATALOGUE.with_custom({"custom:lab": {"description": "x"}})
    held = scopes_of_user("ada", ["self", "custom:lab"], (), wider).scopes
    assert "custom:lab" in scopes_for_server(["custom:lab"], LAB, held, catalogue=wider)


# -- OAuth ------------------------------------------------------------------
ROLES = {"reader": ["read:users!user"], "ruler": ["admin:users"], "empty": []}
BASIC = (
    "read:users:name!user",
    "read:users:groups!user",
    "access:services!service=grader",
)


def ask(requested, allowed=(), client=GRADER):
    return scopes_asked_by_client(requested, allowed, client, ADA, roles=ROLES)


@pytest.mark.parametrize(
    ("requested", "allowed", "asked"),
    [
        ([], [], BASIC),
        ([], ["servers!user", "list:users"], ("servers!user", "list:users", *BASIC)),
        ([], ["inherit"], ("inherit",)),
        (["identify"], ["servers!user"], ()),
        (["identify", "servers!user"], ["servers!user"], ("servers!user",)),
        (["servers!user"], ["servers!user", "tokens!user"], ("servers!user",)),
        (["start:servers!user"], ["servers!user"], ("start:servers!user",)),
        (["servers!server=ada/lab"], ["servers!user"], ("servers!server=ada/lab",)),
        (["access:services!service"], [], ("access:services!service",)),
        (["access:servers!server"], ["access:servers!server"], ("access:servers!server",)),
        (["read:users:name!user"], [], ("read:users:name!user",)),
        (["reader"], ["read:users!user"], ("read:users!user",)),
        (["empty"], [], ()),
        (["tokens!user"], ["inherit"], ("tokens!user",)),
        (["inherit"], ["inherit"], ("inherit",)),
    ],
)
def test_client_asks_within_what_it_may(requested, allowed, asked):
    assert ask(requested, allowed) == asked


@pytest.mark.parametrize(
    ("requested", "allowed", "refused"),
    [
        (["admin:users"], ["read:users!user"], "admin:users"),
        (["servers"], ["servers!user"], "servers"),
        (["servers!user=bob"], ["servers!user"], "servers!user=bob"),
        (["inherit"], ["servers!user"], "inherit"),
        (["ruler"], ["servers!user"], "admin:users"),
        (["nonsense"], ["inherit"], "nonsense"),
        (["servers!planet=mars"], ["servers"], "servers!planet=mars"),
        (["servers!server"], ["servers"], "servers!server"),
    ],
)
def test_client_that_asks_for_more_is_refused(requested, allowed, refused):
    with pytest.raises(ScopesNotAllowed) as caught:
        ask([*requested, "identify"], allowed)
    assert caught.value.scopes == (refused,)


def test_person_grants_the_part_that_the_person_holds():
    granted = scopes_granted_to_client(
        ("read:users!user", "servers", "list:users", "proxy"), GRADER, ADA, HELD
    )
    assert granted[0] == "read:users!user"
    assert "start:servers!user=ada" in granted
    assert not {"servers", "list:users", "proxy"} & set(granted)
    assert granted[-1] == "access:services!service=grader"
    assert set(BASIC) <= set(granted)


def test_inheriting_client_gets_it_all():
    granted = scopes_granted_to_client(("inherit",), GRADER, ADA, HELD)
    assert granted == ("inherit", *BASIC)


def test_asking_and_granting_end_in_a_token_with_access():
    held = HELD | {"access:services!service=grader"}
    raws = scopes_granted_to_client(ask([], ["servers!user"]), GRADER, ADA, held)
    scopes = scopes_of_token(raws, ADA, held, GRADER).scopes
    assert "access:services!service=grader" in scopes
    assert "servers!user=ada" in scopes
    assert "tokens!user=ada" not in scopes
