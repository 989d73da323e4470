"""Cookies out and in."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perijove.kit.cookies import format_cookie, format_removal, parse_cookies

NAMES = st.text("abcXYZ-_.%", min_size=1, max_size=12)
VALUES = st.text("abcXYZ012|:=+/-_.", max_size=20).filter(lambda text: not text.startswith('"'))


@pytest.mark.parametrize(
    ("attributes", "written"),
    [
        ({"path": "/x/", "httponly": True, "secure": False}, "n=v; Path=/x/; HttpOnly"),
        ({"samesite": "Lax", "Secure": True}, "n=v; SameSite=Lax; Secure"),
        ({"domain": None, "max_age": 5, "partitioned": True}, "n=v; Max-Age=5; Partitioned"),
        ({"expires_days": None}, "n=v"),
    ],
)
def test_attributes_are_spelled_as_browsers_know_them(
    attributes: dict[str, Any], written: str
) -> None:
    assert format_cookie("n", "v", attributes) == written


def test_a_cookie_may_have_an_end() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    written = format_cookie("n", "v", {}, max_age_s=7, expires=moment)
    assert written == "n=v; Max-Age=7; expires=Fri, 02 Jan 2026 03:04:05 GMT"
    assert "expires=" in format_cookie("n", "v", {"expires_days": 1})


def test_a_removal_names_the_same_place_and_lies_in_the_past() -> None:
    written = format_removal("n", {"path": "/x/", "domain": "d.test"})
    assert written.startswith('n=""; expires=')
    assert written.endswith("Path=/x/; Domain=d.test")
    assert str(datetime.now(UTC).year) not in written


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_what_a_browser_sends_is_read_back_in_order(pairs: list[tuple[str, str]]) -> None:
    wanted: dict[str, list[str]] = {}
    for name, value in pairs:
        wanted.setdefault(name, []).append(value)
    header = "; ".join(f"{name}={value}" for name, value in pairs)
    assert parse_cookies([header]) == wanted


@given(st.lists(st.text(max_size=60), max_size=3))
def test_no_header_is_an_error(headers: list[str]) -> None:
    for name, values in parse_cookies(headers).items():
        assert "=" not in name
        assert values


def test_quotes_are_taken_off_and_parts_without_a_value_are_skipped() -> None:
    assert parse_cookies(['a="1"; b; c="', "a=2"]) == {"a": ["1", "2"], "c": ['"']}
