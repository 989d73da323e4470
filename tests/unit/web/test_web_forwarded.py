"""Whose address and which scheme count behind proxies."""

from typing import Any

import pytest

from perijove.web.forwarded import LOOPBACK, Forwarded

PROXY = "10.0.0.7"


def seen(headers: list[tuple[str, str]], client: str | None = "127.0.0.1") -> dict[str, Any]:
    scope: dict[str, Any] = {
        "client": (client, 5000) if client else None,
        "scheme": "http",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    }
    Forwarded(frozenset({PROXY}) | LOOPBACK)(scope)
    return scope


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("198.51.100.1, 203.0.113.5", "203.0.113.5"),
        (f"203.0.113.5, {PROXY}", "203.0.113.5"),
        (f"203.0.113.5, {PROXY}, 127.0.0.1", "203.0.113.5"),
        (f"spoofed, 203.0.113.5, {PROXY}", "203.0.113.5"),
        (PROXY, PROXY),
        ("", "127.0.0.1"),
    ],
)
def test_the_last_address_that_is_no_trusted_proxy_counts(header: str, expected: str) -> None:
    assert seen([("x-forwarded-for", header)])["client"][0] == expected


def test_several_headers_read_as_one() -> None:
    headers = [("x-forwarded-for", "spoofed"), ("x-forwarded-for", f"203.0.113.5, {PROXY}")]
    assert seen(headers)["client"][0] == "203.0.113.5"


def test_without_headers_the_peer_counts_and_a_unix_socket_is_this_machine() -> None:
    assert seen([], "192.0.2.1")["client"] == ("192.0.2.1", 5000)
    assert seen([], None)["client"] == ("127.0.0.1", 0)


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ([("x-forwarded-proto", "https")], "https"),
        ([("x-forwarded-proto", "https,http")], "https"),
        ([("x-forwarded-proto", "HTTPS , http")], "https"),
        ([("x-forwarded-proto", "wss")], "https"),
        ([("x-forwarded-proto", "ws")], "http"),
        ([("x-forwarded-proto", "gopher")], "http"),
        ([("x-scheme", "https")], "https"),
        ([("x-scheme", "https"), ("x-forwarded-proto", "http")], "http"),
        ([], "http"),
    ],
)
def test_the_scheme_is_the_one_that_the_browser_used(
    headers: list[tuple[str, str]], scheme: str
) -> None:
    assert seen(headers)["scheme"] == scheme
