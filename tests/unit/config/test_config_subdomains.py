"""Hosts of users and services: as upstream gives them, valid, and never shared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perijove.config.subdomains import MAX_LABEL, idna_host, legacy_host


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("ada", "ada"),
        ("1a", "1a"),
        ("1-2", "1-2"),
        ("ünï", "xn--n-nga1b"),
        ("ß", "xn--zca"),
        ("日本", "xn--wgv71a"),
        ("a_b", "u-ab--648fa9b"),
        ("a.b", "u-ab--2e7336d"),
        ("a--b", "u-ab--90827a2"),
        ("-a", "u-a--c274891"),
        ("xn--a", "u-xna--0c84522"),
        ("x" * 70, "u-xxxxxxxx--c71bd10"),
        ("user@x.org", "u-userxorg--46d7e13"),
        ("12", "u-12--6b51d43"),
        ("", "u-x--e3b0c44"),
        ("日本_", "u-x--ded5797"),
    ],
)
def test_names_get_the_hosts_they_have_always_had(name: str, label: str) -> None:
    assert idna_host(name, "hub.example", "user") == f"{label}.hub.example"
    assert idna_host(name, "hub.example", "service") == f"{label}--service.hub.example"


@pytest.mark.parametrize(
    ("name", "label"), [("Ada", "ada"), ("a_b", "a_5fb"), ("~a", "_7ea"), ("é", "_c3_a9")]
)
def test_legacy_hosts_escape_with_underscores(name: str, label: str) -> None:
    assert legacy_host(name, "hub.example", "user") == f"{label}.hub.example"
    assert legacy_host(name, "hub.example", "service") == "services.hub.example"


@given(st.text(max_size=80), st.sampled_from(["user", "service"]))
def test_every_host_is_a_valid_one(name: str, kind: str) -> None:
    label = idna_host(name, "hub.example", kind).removesuffix(".hub.example")
    assert 0 < len(label) <= MAX_LABEL
    assert label.isascii()
    assert label == label.lower()
    assert all(c.isalnum() or c == "-" for c in label)


@given(st.text(max_size=20), st.text(max_size=20))
def test_two_names_never_share_a_host(one: str, other: str) -> None:
    if one != other:
        hosts = {idna_host(name, "d", "user") for name in (one, other)}
        assert len(hosts) == 2


def test_names_that_differ_in_case_do_not_share_a_host() -> None:
    assert idna_host("Ada", "d", "user").lower() != idna_host("ada", "d", "user")


def test_a_user_never_has_the_host_of_a_service() -> None:
    assert idna_host("a--service", "d", "user") != idna_host("a", "d", "service")
