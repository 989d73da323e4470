"""Which fields a caller may read."""

import pytest
from access_strategies import concrete_scopes, memberships, targets
from hypothesis import given
from hypothesis import strategies as st

from perijove.access.catalogue import CATALOGUE
from perijove.access.decide import Allowed, Grant, Target, decide
from perijove.access.expand import expand
from perijove.access.fields import (
    GROUP_FIELDS,
    SERVICE_FIELDS,
    USER_FIELDS,
    needs_groups_for_fields,
    readable_group_fields,
    readable_servers,
    readable_service_fields,
    readable_user_fields,
)
from perijove.access.grammar import ALL


def grant(*scopes):
    return Grant.of(expand(scopes).scopes)


ADA = Target.of_user("ada", frozenset({"class"}))
NAME = {"kind", "name"}
READ_USERS = NAME | {
    "admin", "roles", "groups", "server", "pending", "created", "last_activity", "user_info",
}  # fmt: skip


@pytest.mark.parametrize(
    ("held", "fields"),
    [
        ("read:users:name", NAME | {"admin", "user_info"}),
        ("read:users:groups", NAME | {"groups"}),
        ("read:users:activity", NAME | {"last_activity"}),
        ("read:roles:users", NAME | {"roles", "admin"}),
        ("read:users", READ_USERS),
        ("read:users!user=ada", READ_USERS),
        ("read:users!group=class", READ_USERS),
        ("read:users!group=staff", set()),
        ("read:users!user=bob", set()),
        ("read:servers", NAME | {"servers", "admin", "user_info"}),
        ("servers!server=ada/lab", NAME | {"servers"}),
        ("servers!server=adam/lab", set()),
        ("admin:auth_state", NAME | {"auth_state"}),
        ("admin:users", READ_USERS | {"auth_state"}),
        ("start:servers", set()),
        ("proxy", set()),
    ],
)
def test_fields_of_a_user(held, fields):
    assert readable_user_fields(grant(held), ADA) == fields


@pytest.mark.parametrize(
    ("held", "servers"),
    [
        (("read:servers",), ALL),
        (("read:servers!user=ada",), ALL),
        (("read:servers!group=class",), ALL),
        (("read:servers!server=ada/", "read:servers!server=ada/lab"), {"", "lab"}),
        (("read:servers!server=bob/",), set()),
        (("start:servers",), set()),
    ],
)
def test_servers_of_a_user_are_readable_one_by_one(held, servers):
    assert readable_servers(grant(*held), ADA) == servers


@pytest.mark.parametrize(
    ("held", "fields"),
    [
        ("read:groups:name", NAME),
        ("read:groups", NAME | {"users", "properties"}),
        ("read:roles:groups", NAME | {"roles"}),
        ("admin:groups", set(GROUP_FIELDS)),
        ("read:groups!group=class", NAME | {"users", "properties"}),
        ("read:groups!group=staff", set()),
    ],
)
def test_fields_of_a_group(held, fields):
    assert readable_group_fields(grant(held), Target.of_group("class")) == fields


@pytest.mark.parametrize(
    ("held", "fields"),
    [
        ("list:services", NAME | {"admin"}),
        ("read:roles:services", NAME | {"admin", "roles"}),
        ("read:services", set(SERVICE_FIELDS) - {"roles"}),
        ("admin:services", set(SERVICE_FIELDS)),
        ("read:services!service=other", set()),
    ],
)
def test_fields_of_a_service(held, fields):
    assert readable_service_fields(grant(held), Target.of_service("grader")) == fields


def test_groups_of_listed_users_are_looked_up_only_when_they_matter():
    assert needs_groups_for_fields(grant("list:users", "read:users!group=class"))
    assert not needs_groups_for_fields(grant("list:users", "read:users!user=ada"))
    assert not needs_groups_for_fields(grant("groups!group=class"))


def test_every_field_names_known_scopes():
    for table in (USER_FIELDS, GROUP_FIELDS, SERVICE_FIELDS):
        for scopes in table.values():
            assert all(scope in CATALOGUE for scope in scopes)


@given(st.frozensets(concrete_scopes(), max_size=5), memberships)
def test_field_is_readable_exactly_if_one_of_its_scopes_reaches_the_user(raws, members):
    held = grant(*raws)
    for target in targets(members):
        if target.kind != "user":
            continue
        expected = {
            name
            for name, scopes in USER_FIELDS.items()
            if scopes and isinstance(decide(held, scopes, target), Allowed)
        }
        if any(s.startswith(f"read:servers!server={target.user}/") for s in held.scopes):
            expected.add("servers")
        assert readable_user_fields(held, target) == (expected | NAME if expected else set())
