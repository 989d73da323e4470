"""Who may enter, by scopes."""

import pytest

from perijove.hubauth.scopes import covers, granted

SERVER = "access:servers!server=alice/"


@pytest.mark.parametrize(
    "held",
    ["access:servers", "access:servers!user=alice", "access:servers!server=alice/"],
)
def test_the_scope_itself_its_user_and_the_unfiltered_scope_open_a_server(held: str) -> None:
    assert covers(held, SERVER)


@pytest.mark.parametrize(
    "held",
    [
        "access:servers!user=bob",
        "access:servers!server=alice/named",
        "access:servers!server=alice",
        "access:servers!user=",
        "access:servers!group=class",
        "access:services",
        "servers!user=alice",
        "read:servers",
        "",
    ],
)
def test_other_scopes_do_not_open_a_server(held: str) -> None:
    assert not covers(held, SERVER)


def test_a_filtered_scope_does_not_grant_the_unfiltered_one() -> None:
    assert not covers("access:servers!user=alice", "access:servers")


def test_a_user_whose_name_begins_another_name_with_a_slash_gets_nothing_of_it() -> None:
    assert not covers("access:servers!user=x", "access:servers!server=x/y/")
    assert covers("access:servers!user=x/y", "access:servers!server=x/y/")


def test_granted_names_the_needed_scopes_that_are_held() -> None:
    needed = {SERVER, "access:servers!user=alice"}
    assert granted(needed, ["access:servers!server=alice/"]) == {SERVER}
    assert granted(needed, ["access:servers"]) == needed
    assert granted(needed, []) == frozenset()
