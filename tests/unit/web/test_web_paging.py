"""Pages of lists: what is asked for, what is given, and where it goes on."""

from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from perijove.domain.errors import InvalidInput
from perijove.web.api.paging import MAX_OFFSET, PAGINATED, Page, flag, page_of
from perijove.web.call import Call

DEFAULT, LARGEST = 50, 200


def call(query: str = "", accept: str = "") -> Call:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/hub/api/users",
        "scheme": "http",
        "server": ("hub.test", 80),
        "query_string": query.encode(),
        "headers": [(b"accept", accept.encode()), (b"host", b"hub.test")],
    }
    limits = SimpleNamespace(api_page_default_limit=DEFAULT, api_page_max_limit=LARGEST)
    rooms: Any = SimpleNamespace(
        settings=SimpleNamespace(limits=limits), public_url=lambda request: "https://hub.test"
    )
    return Call(Request(scope), {}, rooms)


@pytest.mark.parametrize(
    ("query", "offset", "limit"),
    [
        ("", 0, LARGEST),
        ("limit=7&offset=3", 3, 7),
        ("limit=0", 0, 1),
        ("limit=-5", 0, 5),
        ("offset=-5", 5, LARGEST),
        ("limit=100000", 0, LARGEST),
        (f"offset={MAX_OFFSET}", MAX_OFFSET, LARGEST),
        ("limit=" + "9" * 4000, 0, LARGEST),
        ("limit=1&limit=2", 0, 2),
    ],
)
def test_limits_are_clamped(query: str, offset: int, limit: int) -> None:
    assert page_of(call(query)) == Page(offset, limit, wrapped=False)


@pytest.mark.parametrize(
    "query", ["limit=abc", "offset=1.5", "limit=", "offset=0x10", "offset=" + "9" * 20]
)
def test_what_is_no_number_is_refused(query: str) -> None:
    with pytest.raises(InvalidInput):
        page_of(call(query))


@pytest.mark.parametrize(
    ("accept", "wrapped"),
    [
        (PAGINATED, True),
        (f"text/html, {PAGINATED}", True),
        ("application/json", False),
        (f"{PAGINATED};q=1", False),
        ("", False),
        (",,,;;", False),
    ],
)
def test_the_accept_header_decides_about_the_wrapping_and_the_default_limit(
    accept: str, wrapped: bool
) -> None:
    page = page_of(call(accept=accept))
    assert page == Page(0, DEFAULT if wrapped else LARGEST, wrapped)


def test_lists_that_are_always_pages_need_no_header() -> None:
    assert page_of(call(), always=True) == Page(0, LARGEST, wrapped=True)
    assert page_of(call(accept=PAGINATED), always=True) == Page(0, DEFAULT, wrapped=True)


def test_a_bare_list_is_the_items_alone() -> None:
    assert Page(0, 2, wrapped=False).answer(call(), [1, 2], 5) == [1, 2]


def test_a_page_says_where_the_list_goes_on_and_keeps_the_other_arguments() -> None:
    answer = Page(2, 2, wrapped=True).answer(call("offset=2&limit=2&state=ready"), [3, 4], 5)
    assert answer["items"] == [3, 4]
    place = answer["_pagination"]
    assert (place["offset"], place["limit"], place["total"]) == (2, 2, 5)
    assert place["next"] == {
        "offset": 4,
        "limit": 2,
        "url": "https://hub.test/hub/api/users?offset=4&limit=2&state=ready",
    }


def test_the_last_page_has_none_after_it() -> None:
    assert Page(4, 2, wrapped=True).answer(call(), [5], 6)["_pagination"]["next"] is None
    assert Page(90, 2, wrapped=True).answer(call(), [], 6)["_pagination"]["next"] is None


@pytest.mark.parametrize(
    ("query", "on"),
    [
        ("", False),
        ("x", True),
        ("x=", True),
        ("x=1", True),
        ("x=true", True),
        ("x=0", False),
        ("x=False", False),
    ],
)
def test_a_switch_is_on_when_it_is_there_and_not_denied(query: str, on: bool) -> None:
    assert flag(call(query), "x") is on
