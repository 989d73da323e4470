"""Proofs against forged requests."""

import pytest

from perijove.hubauth import xsrf

SECRET = b"s" * 32
BASE = "/user/alice/"


def test_a_token_is_read_back_with_the_same_secret_only() -> None:
    token = xsrf.make_token(SECRET, "session:id")
    assert xsrf.read_token(SECRET, token) == "session:id"
    assert xsrf.read_token(b"t" * 32, token) is None


@pytest.mark.parametrize("value", ["", "x", "====", "ü", "a b", "2|1:0|bad", "A" * 5000])
def test_rubbish_is_no_token(value: str) -> None:
    assert xsrf.read_token(SECRET, value) is None


def test_the_proof_must_be_a_cookie_of_the_same_session_and_login() -> None:
    mine = xsrf.login_id("session", "token")
    token = xsrf.make_token(SECRET, mine)
    assert xsrf.check_proof(SECRET, mine, token, [token], "POST") is None
    for other in (xsrf.login_id("session", "other"), xsrf.login_id("other", "token")):
        assert xsrf.check_proof(SECRET, other, token, [token], "POST")


def test_a_planted_cookie_hides_the_right_one_from_nobody() -> None:
    mine = xsrf.login_id("session", "token")
    token, planted = xsrf.make_token(SECRET, mine), "planted"
    assert xsrf.check_proof(SECRET, mine, token, [planted, token], "POST") is None
    assert xsrf.check_proof(SECRET, mine, planted, [planted, token], "POST")


def test_the_token_of_another_server_is_refused() -> None:
    mine = xsrf.login_id("session", "token")
    foreign = xsrf.make_token(b"t" * 32, mine)
    assert xsrf.check_proof(SECRET, mine, foreign, [foreign], "POST")


def test_the_sentences_are_those_that_clients_know() -> None:
    mine = xsrf.login_id("session", "token")
    assert xsrf.check_proof(SECRET, mine, None, [], "PUT") == "'_xsrf' argument missing from PUT"
    assert xsrf.check_proof(SECRET, mine, "x", ["x"], "PUT") == (
        "XSRF cookie does not match PUT argument"
    )


SAME = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "same-origin"}
IMAGE = SAME | {"Sec-Fetch-Dest": "image"}


@pytest.mark.parametrize(
    ("method", "headers", "needed"),
    [
        ("GET", {}, False),
        ("GET", {"Sec-Fetch-Mode": "navigate"}, False),
        ("GET", {"Sec-Fetch-Mode": "websocket"}, False),
        ("GET", {"Sec-Fetch-Mode": "cors"}, True),
        ("GET", {"Sec-Fetch-Mode": "same-origin"}, True),
        ("GET", SAME, False),
        ("HEAD", SAME, False),
        ("GET", SAME | {"Referer": "http://h/user/alice/lab"}, False),
        ("GET", SAME | {"Referer": "http://h/user/bob/evil.html"}, True),
        ("GET", SAME | {"Referer": "http://h/user/alicex/evil.html"}, True),
        ("GET", SAME | {"Referer": "http://[bad/user/alice/"}, True),
        ("GET", IMAGE | {"Referer": "http://h/user/alice/lab"}, False),
        ("GET", IMAGE | {"Referer": "http://h/user/bob/evil.html"}, True),
        ("GET", IMAGE, True),
        ("GET", SAME | {"Sec-Fetch-Dest": "empty", "Referer": "http://h/user/alice/lab"}, True),
        ("GET", {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "same-site"}, True),
        ("GET", {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "cross-site"}, True),
        ("POST", {}, True),
        ("POST", {"Sec-Fetch-Mode": "navigate"}, True),
        ("DELETE", SAME, True),
        ("PUT", {"Sec-Fetch-Mode": "cors"}, True),
    ],
)
def test_which_requests_need_a_proof(method: str, headers: dict[str, str], needed: bool) -> None:
    assert xsrf.needs_proof(method, headers, BASE) is needed


def test_anonymous_visitors_are_told_apart_by_address_and_headers() -> None:
    def one(ip: str, agent: str = "a", cidrs: tuple[str, ...] = ()) -> str:
        return xsrf.anonymous_id("", ip, {"User-Agent": agent}, cidrs)

    assert one("10.0.0.1") == one("10.0.0.1")
    assert one("10.0.0.1") != one("10.0.0.2")
    assert one("10.0.0.1") != one("10.0.0.1", agent="b")
    nets = ("10.0.0.0/24", "2001:db8::/32")
    assert one("10.0.0.1", cidrs=nets) == one("10.0.0.2", cidrs=nets)
    assert one("2001:db8::1", cidrs=nets) == one("2001:db8:1::2", cidrs=nets)
    assert one("10.0.0.1").startswith("None:")


def test_a_bad_network_is_reported_when_it_is_read() -> None:
    with pytest.raises(ValueError, match="10\\.0\\.0\\.0/99"):
        xsrf.AnonymousRules.from_environment({"JUPYTERHUB_XSRF_ANONYMOUS_IP_CIDRS": "10.0.0.0/99"})


def test_the_headers_that_identify_can_be_changed_or_left_out() -> None:
    name = "JUPYTERHUB_XSRF_ANONYMOUS_ID_HEADERS"
    assert xsrf.AnonymousRules.from_environment({}).id_headers == ("User-Agent",)
    assert xsrf.AnonymousRules.from_environment({name: ""}).id_headers == ()
    assert xsrf.AnonymousRules.from_environment({name: "A; B"}).id_headers == ("A", "B")
