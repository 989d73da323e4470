"""Where paths lead: the longest prefix by segment, read in one way only."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perijove.proxy.paths import SIMPLE
from perijove.proxy.refusals import Refused
from perijove.proxy.table import Route, Table, clean_key
from perijove.proxy.targets import parse_target


def table_of(*keys: str, by_host: bool = False) -> Table:
    """A table with these routes."""
    table = Table(by_host)
    for key in keys:
        table.add(Route(key, parse_target("http://server"), {}, 0.0))
    return table


def found(table: Table, path: bytes, host: bytes | None = None) -> str | None:
    """The key of the route that a path leads to."""
    route = table.find(path, host)
    if re.fullmatch(SIMPLE, path):
        assert table.find(path, host, simple=True) is route
    return route.key if route else None


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (b"/user/alice", "/user/alice"),
        (b"/user/alice/", "/user/alice"),
        (b"/user/alice/lab/tree", "/user/alice"),
        (b"/user/alice/work", "/user/alice/work"),
        (b"/user/alice/work/x", "/user/alice/work"),
        (b"/user/alice/workshop", "/user/alice"),
        (b"/user/alicex", "/"),
        (b"/user/ali", "/"),
        (b"/user/ALICE", "/"),
        (b"/user", "/"),
        (b"/", "/"),
        (b"/user/alice;p/x", "/"),
        (b"/user/%61lice/x", "/user/alice"),
        (b"/user/al%69ce/w%6Frk/x", "/user/alice/work"),
        (b"/user/d%C3%BC/x", "/user/dü"),
        (b"/user/two%20words/", "/user/two words"),
        (b"/user/a@b.c/x", "/user/a@b.c"),
        (b"/user/a%40b.c/x", "/user/a@b.c"),
        (b"/user/%2561lice/x", "/"),
        (b"/user/alice/a%2Fb%20c", "/user/alice"),
        (b"/user/alice/a//b", "/user/alice"),
        (b"/user/alice/.config", "/user/alice"),
        (b"/user/alice/%FF%FE", "/user/alice"),
        (b"/user/alice/a%5Cb", "/user/alice"),
        (b"/a..b/x", "/"),
        (b"/user/alice/...", "/user/alice"),
    ],
)
def test_the_longest_prefix_by_segment_wins(path: bytes, key: str) -> None:
    table = table_of(
        "/", "/user/alice", "/user/alice/work", "/user/dü", "/user/two words", "/user/a@b.c"
    )
    assert found(table, path) == key


@pytest.mark.parametrize("path", [b"/user/LAB%5Cada/x", b"/user/LAB%5cada/x", b"/user/LAB%5Cada"])
def test_a_name_with_a_backslash_is_reached_and_no_other_is(path: bytes) -> None:
    table = table_of("/", "/user/LAB\\ada", "/user/LAB")
    assert found(table, path) == "/user/LAB\\ada"
    for other in (b"/user/LAB%5Ceve/x", b"/user%5CLAB%5Cada/x", b"/user/LAB%5Cada/..%5Ceve"):
        with pytest.raises(Refused):
            table.find(other)


@pytest.mark.parametrize(
    "path",
    [
        b"//user/alice/x",
        b"/user//alice/x",
        b"/user%2Falice/x",
        b"/%2Fuser/alice",
        b"/user\\alice/x",
        b"/user%5Calice/x",
        b"/user/alice//work",
        b"/user/alice/%2Fwork",
        b"/user/alice%2Fwork/x",
        b"/./user/alice",
        b"/x/../user/alice/",
        b"/user/alice/../bob/",
        b"/user/alice/..",
        b"/user/alice/%2e%2e/bob",
        b"/user/alice/.%2E/bob",
        b"/user/alice/..%2Fbob",
        b"/user/alice/..\\bob",
        b"/user/alice/..%5cbob",
        b"/user/alice/a/./b",
        b"/user/alice/%zz",
        b"/user/alice/%",
        b"/user/alice/%4",
        b"/user/alice/%00",
        b"/user/alice#x",
        b"/user/d\xc3\xbc/x",
    ],
)
def test_a_path_that_could_be_taken_for_another_is_refused(path: bytes) -> None:
    with pytest.raises(Refused) as refused:
        table_of("/", "/user/alice", "/user/alice/work", "/user/bob").find(path)
    assert refused.value.status == 400


def test_without_a_fitting_route_there_is_none() -> None:
    table = table_of("/pre", "/pre/user/a")
    assert found(table, b"/") is None
    assert found(table, b"/other") is None
    assert found(table, b"/prefix") is None
    assert found(table, b"/pre/") == "/pre"


def test_removing_a_route_leaves_those_above_and_below() -> None:
    table = table_of("/", "/a", "/a/b", "/a/b/c")
    assert table.remove("/a/b") is not None
    assert table.remove("/a/b") is None
    assert found(table, b"/a/b/x") == "/a"
    assert found(table, b"/a/b/c/x") == "/a/b/c"
    table.remove("/a/b/c")
    table.remove("/a")
    assert found(table, b"/a/b/c/x") == "/"
    assert not table._root.children


def test_adding_a_route_again_replaces_it() -> None:
    table = table_of("/a")
    first = table.get("/a")
    assert table.add(Route("/a", parse_target("http://other"), {}, 0.0)) is first
    assert len(table) == 1


@pytest.mark.parametrize(
    ("host", "path", "key"),
    [
        (b"alice.hub.test", b"/user/alice/x", "/alice.hub.test/user/alice"),
        (b"alice.hub.test:8000", b"/user/alice/x", "/alice.hub.test/user/alice"),
        (b"bob.hub.test", b"/user/alice/x", "/"),
        (b"hub.test", b"/alice.hub.test/user/alice/x", "/"),
        (b"other.test", b"/any", "/other.test"),
        (b"[::1]:80", b"/x", "/[::1]"),
        (b"", b"/user/alice", "/"),
        (b"unknown", b"/", "/"),
    ],
)
def test_with_host_routing_the_host_comes_first(host: bytes, path: bytes, key: str) -> None:
    table = table_of("/", "/alice.hub.test/user/alice", "/Other.test", "/[::1]", by_host=True)
    assert found(table, path, host) == key.replace("other", "Other")


def test_keys_have_one_form() -> None:
    assert clean_key("") == clean_key("/") == clean_key("//") == "/"
    assert clean_key("/user/a/") == clean_key("user//a") == "/user/a"


NAMES = st.sampled_from(["a", "b", "ab", "user"])
KEYS = st.lists(NAMES, min_size=1, max_size=4).map(lambda names: "/" + "/".join(names))


@given(st.lists(KEYS, max_size=12), st.lists(KEYS, max_size=12), KEYS)
def test_the_table_agrees_with_a_list_of_prefixes(
    keys: list[str], removed: list[str], path: str
) -> None:
    table = table_of(*keys)
    for key in removed:
        table.remove(key)
    left = set(keys) - set(removed)
    fitting = [key for key in left if (path + "/").startswith(key + "/")]
    assert found(table, path.encode()) == max(fitting, key=len, default=None)


@given(st.binary(max_size=40))
def test_any_path_leads_somewhere_or_is_refused(tail: bytes) -> None:
    table = table_of("/", "/user/alice", "/user/bob")
    try:
        route = table.find(b"/user/alice/" + tail)
    except Refused:
        return
    assert route is not None
    assert route.key == "/user/alice"
