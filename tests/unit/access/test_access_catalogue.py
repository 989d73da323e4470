"""The table of scopes, and scopes that operators add."""

import pytest

from perijove.access.catalogue import CATALOGUE, DEFAULT_ROLES, SELF_SCOPES
from perijove.access.errors import CustomScopeInvalid, ScopeNotFound
from perijove.access.grammar import read_scope
from perijove.access.operations import OPERATIONS

# Written out on purpose: the table in the code is compared with the protocol, not with itself.
EVERYTHING_BELOW = {
    "admin-ui": set(),
    "admin:users": {
        "admin:auth_state", "delete:users", "list:users", "read:roles:users", "read:users",
        "read:users:activity", "read:users:groups", "read:users:name", "users", "users:activity",
    },
    "users": {
        "list:users", "read:users", "read:users:activity", "read:users:groups", "read:users:name",
        "users:activity",
    },
    "list:users": {"read:users:name"},
    "read:users": {"read:users:activity", "read:users:groups", "read:users:name"},
    "users:activity": {"read:users:activity"},
    "read:roles": {"read:roles:groups", "read:roles:services", "read:roles:users"},
    "admin:servers": {
        "admin:server_state", "delete:servers", "read:servers", "read:users:name", "servers",
        "start:servers",
    },
    "servers": {"delete:servers", "read:servers", "read:users:name", "start:servers"},
    "read:servers": {"read:users:name"},
    "start:servers": set(),
    "tokens": {"read:tokens"},
    "admin:groups": {
        "delete:groups", "groups", "list:groups", "read:groups", "read:groups:name",
        "read:roles:groups",
    },
    "groups": {"list:groups", "read:groups", "read:groups:name"},
    "admin:services": {
        "list:services", "read:roles:services", "read:services", "read:services:name",
    },
    "shares": {
        "access:servers", "groups:shares", "read:groups:shares", "read:shares",
        "read:users:shares", "users:shares",
    },
    "users:shares": {"read:users:shares"},
    "groups:shares": {"read:groups:shares"},
    "proxy": set(),
    "read:metrics": set(),
}  # fmt: skip


@pytest.mark.parametrize("name", EVERYTHING_BELOW)
def test_scope_contains_exactly_these(name):
    assert CATALOGUE.contained(name) == EVERYTHING_BELOW[name] | {name}


def test_there_are_as_many_scopes_as_the_protocol_has():
    assert len(CATALOGUE.scopes) == 47
    assert sorted(name for name, scope in CATALOGUE.scopes.items() if scope.metascope) == [
        "inherit",
        "self",
    ]


def test_every_scope_is_described_and_its_subscopes_exist():
    for scope in CATALOGUE.scopes.values():
        assert scope.description.endswith("."), scope.name
        assert all(inner in CATALOGUE for inner in scope.subscopes), scope.name


def test_admin_role_contains_all_that_the_hub_checks():
    held = set()
    for scope in DEFAULT_ROLES["admin"].scopes:
        held |= CATALOGUE.contained(scope)
    needed = {scope for operation in OPERATIONS.values() for scope in operation.needs}
    assert needed <= held


def test_scopes_in_roles_and_operations_can_be_read():
    for operation in OPERATIONS.values():
        assert operation.needs
        assert all(scope in CATALOGUE for scope in operation.needs), operation.name
    for role in DEFAULT_ROLES.values():
        for scope in role.scopes:
            read_scope(scope)
    assert all(scope in CATALOGUE for scope in SELF_SCOPES)


def test_operation_on_a_named_thing_takes_scopes_that_can_be_limited_to_it():
    for operation in OPERATIONS.values():
        if operation.aim in ("user", "server", "group", "service"):
            for scope in operation.needs:
                filters = CATALOGUE.get(scope).filters
                assert operation.aim in filters, (operation.name, scope)


def test_unknown_scope_is_answered_with_the_nearest_one():
    with pytest.raises(ScopeNotFound, match="did you mean 'read:users'"):
        CATALOGUE.get("read:user")
    with pytest.raises(ScopeNotFound, match="inherit"):
        CATALOGUE.get("all")


LAB = {
    "custom:lab:read": {"description": "look"},
    "custom:lab:write": {"description": "change", "subscopes": ["custom:lab:read"]},
}


def test_custom_scopes_join_a_new_catalogue_and_leave_the_old_one_alone():
    wider = CATALOGUE.with_custom(LAB)
    assert wider.contained("custom:lab:write") == {"custom:lab:write", "custom:lab:read"}
    assert "custom:lab:write" not in CATALOGUE
    assert "users" in wider
    assert not wider.notes


def test_custom_scopes_may_be_defined_again_with_the_same_content_only():
    wider = CATALOGUE.with_custom(LAB)
    assert wider.with_custom(LAB).scopes == wider.scopes
    with pytest.raises(CustomScopeInvalid, match="already defined"):
        wider.with_custom({"custom:lab:read": {"description": "something else"}})


def test_unknown_key_of_a_custom_scope_is_ignored_with_a_note():
    wider = CATALOGUE.with_custom({"custom:abc": {"description": "x", "subscope": []}})
    assert "custom:abc" in wider
    (note,) = wider.notes
    assert "'subscope'" in note
    assert "'subscopes'" in note


@pytest.mark.parametrize(
    "name",
    ["custom:", "custom:a", "custom:ab", "lab:read", "custom:Lab", "custom:lab-", "custom:lab:",
     "custom:-lab", "custom:la b", "custom:lab\n", "custom:lab!user=x", 7],
)  # fmt: skip
def test_custom_scope_with_a_bad_name_is_refused(name):
    with pytest.raises(CustomScopeInvalid, match="custom:"):
        CATALOGUE.with_custom({name: {"description": "x"}})


@pytest.mark.parametrize("name", ["custom:lab", "custom:0_a", "custom:lab:*", "custom:a*b-c:d_"])
def test_custom_scope_with_an_odd_but_legal_name_is_taken(name):
    assert name in CATALOGUE.with_custom({name: {"description": "x"}})


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        ({}, "description"),
        ({"description": ""}, "description"),
        ({"description": 3}, "description"),
        ("text", "dict"),
        ({"description": "x", "subscopes": "custom:other"}, "list"),
        ({"description": "x", "subscopes": ["read:users"]}, "only custom scopes"),
        ({"description": "x", "subscopes": [4]}, "only custom scopes"),
        ({"description": "x", "subscopes": ["custom:labs"]}, "did you mean 'custom:lab'"),
    ],
)
def test_bad_definition_of_a_custom_scope_says_what_is_wrong(definition, says):
    with pytest.raises(CustomScopeInvalid, match=says):
        CATALOGUE.with_custom({"custom:lab": definition})


def test_custom_scopes_that_contain_each_other_come_to_an_end():
    wider = CATALOGUE.with_custom(
        {
            "custom:one": {"description": "1", "subscopes": ["custom:two"]},
            "custom:two": {"description": "2", "subscopes": ["custom:one"]},
        }
    )
    assert wider.contained("custom:one") == wider.contained("custom:two")
