"""Definitions of roles: what is accepted, what is refused and how it is said."""

import pytest

from perijove.access.catalogue import CATALOGUE, DEFAULT_ROLES
from perijove.access.errors import RoleInvalid, RoleNotFound
from perijove.access.roles import RoleSpec, check_role_name, plan_roles, read_role, scopes_of_roles


def roles(*definitions, **options):
    return {role.name: role for role in plan_roles(definitions, **options).roles}


def test_without_definitions_there_are_the_built_in_roles():
    plan = roles()
    assert list(plan) == ["user", "admin", "server", "token"]
    assert {name: role.scopes for name, role in plan.items()} == {
        name: role.scopes for name, role in DEFAULT_ROLES.items()
    }
    assert all(role.keeps_holders and not role.from_config for role in plan.values())


def test_own_definition_of_role_user_keeps_everybody_in_it():
    user = roles({"name": "user", "scopes": ["self", "read:services"]})["user"]
    assert user.scopes == ("self", "read:services")
    assert user.users is None
    assert user.keeps_holders
    assert user.description == DEFAULT_ROLES["user"].description


def test_role_without_scopes_starts_and_has_none():
    role = roles({"name": "role-one"})["role-one"]
    assert role.scopes == ()
    assert not role.keeps_holders
    assert roles({"name": "role-one", "scopes": None})["role-one"].scopes == ()


@pytest.mark.parametrize("name", ["user", "server", "token"])
def test_built_in_role_keeps_what_the_definition_leaves_out(name):
    described = roles({"name": name, "description": "mine"})[name]
    assert (described.description, described.scopes) == ("mine", DEFAULT_ROLES[name].scopes)
    emptied = roles({"name": name, "scopes": []})[name]
    assert emptied.scopes == ()


def test_admin_gets_holders_and_keeps_its_scopes():
    admin = roles({"name": "admin", "users": ["ada"]})["admin"]
    assert admin.users == ("ada",)
    assert admin.scopes == DEFAULT_ROLES["admin"].scopes
    assert admin.keeps_holders
    same = [*DEFAULT_ROLES["admin"].scopes]
    assert roles({"name": "admin", "scopes": same})["admin"].scopes == tuple(same)


@pytest.mark.parametrize("change", [{"scopes": ["self"]}, {"scopes": []}, {"description": "x"}])
def test_scopes_and_description_of_admin_cannot_be_changed(change):
    with pytest.raises(RoleInvalid, match="cannot be changed"):
        roles({"name": "admin", **change})


def test_extra_scopes_join_the_role_user_unless_it_is_redefined():
    extra = ["read:hub", "self"]
    assert roles(extra_user_scopes=extra)["user"].scopes == ("self", "read:hub")
    described = roles({"name": "user", "description": "d"}, extra_user_scopes=extra)
    assert described["user"].scopes == ("self", "read:hub")
    redefined = roles({"name": "user", "scopes": ["self"]}, extra_user_scopes=extra)
    assert redefined["user"].scopes == ("self",)
    with pytest.raises(RoleInvalid, match="did you mean"):
        roles(extra_user_scopes=["read:hubs"])


def test_holders_are_lists_without_repetition():
    role = read_role(
        {"name": "staff", "users": ["a", "b", "a"], "groups": {"g2", "g1"}, "services": ()}
    )
    assert role == RoleSpec("staff", "", (), users=("a", "b"), groups=("g1", "g2"), services=())


@pytest.mark.parametrize("name", ["abc", "a-b_c~d.e", "r2d2", "a" + "b" * 254])
def test_good_role_name(name):
    assert check_role_name(name) == name


@pytest.mark.parametrize(
    "name", ["ab", "Upper", "1st", "ends-", "", "with space", "a" * 256, "abc\n", None, 3]
)
def test_bad_role_name_is_refused(name):
    with pytest.raises(RoleInvalid, match="a name has 3 to 255"):
        read_role({"name": name})


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        ({"scopes": ["self"]}, "needs a 'name'"),
        ("reader", "defined by a dict"),
        ({"name": "reader", "scope": []}, "no key 'scope' .did you mean 'scopes'"),
        ({"name": "reader", "user": []}, "no key 'user' .did you mean 'users'"),
        ({"name": "reader", "xyz": []}, "no key 'xyz'; the keys are name, description"),
        ({"name": "reader", "scopes": "self"}, "'scopes' is a list"),
        ({"name": "reader", "scopes": [1]}, "'scopes' is a list"),
        ({"name": "reader", "users": "ada"}, "'users' is a list"),
        ({"name": "reader", "users": [""]}, "'users' is a list"),
        ({"name": "reader", "description": 1}, "'description' is a text"),
        ({"name": "reader", "scopes": ["read:user"]}, "'reader'.*did you mean 'read:users'"),
        ({"name": "reader", "scopes": ["all"]}, "inherit"),
        ({"name": "reader", "scopes": ["users!group="]}, "needs a value"),
    ],
)
def test_mistake_is_named_with_the_nearest_right_word(definition, says):
    with pytest.raises(RoleInvalid, match=says):
        read_role(definition)


def test_role_defined_twice_is_refused():
    with pytest.raises(RoleInvalid, match="twice"):
        roles({"name": "reader"}, {"name": "reader"})


def test_unknown_service_is_refused_with_the_nearest_one():
    definition = {"name": "reader", "services": ["culer"]}
    with pytest.raises(RoleInvalid, match="did you mean 'culler'"):
        roles(definition, known_services={"culler"})
    assert roles(definition)["reader"].services == ("culer",)


@pytest.mark.parametrize("key", ["users", "groups"])
def test_holders_cannot_be_given_when_the_authenticator_manages_roles(key):
    with pytest.raises(RoleInvalid, match="manage_roles"):
        roles({"name": "reader", key: ["x"]}, managed_by_auth=True)
    assert "reader" in roles({"name": "reader", "services": ["x"]}, managed_by_auth=True)


def test_self_for_a_service_is_remarked():
    plan = plan_roles([{"name": "odd-one", "scopes": ["self"], "services": ["culler"]}])
    (note,) = plan.notes
    assert "odd-one" in note
    assert "culler" in note


def test_roles_may_use_custom_scopes_of_their_catalogue():
    wider = CATALOGUE.with_custom({"custom:lab": {"description": "x"}})
    assert read_role({"name": "lab-user", "scopes": ["custom:lab"]}, wider).scopes == (
        "custom:lab",
    )
    with pytest.raises(RoleInvalid):
        read_role({"name": "lab-user", "scopes": ["custom:lab"]})


def test_names_of_roles_become_their_scopes():
    known = {"reader": ["read:users", "list:users"], "lister": ["list:users"]}
    assert scopes_of_roles(["lister", "reader"], known) == ("list:users", "read:users")
    with pytest.raises(RoleNotFound, match="did you mean 'reader'"):
        scopes_of_roles(["readers"], known)
