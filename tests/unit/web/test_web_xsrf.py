"""Proof of origin: whose page made this request."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from web_requests import make_request

from perijove.domain.errors import Forbidden
from perijove.web.cookies import CookieJar
from perijove.web.xsrf import Xsrf, needs_proof

ADA = "session-a:cookie-a"
BOB = "session-b:cookie-b"


def xsrf(**values: Any) -> Xsrf:
    jar = CookieJar(secret=b"s" * 32, hub_prefix="/hub/", base_url="/")
    return Xsrf(jar, **{"networks": (), "id_headers": ("User-Agent",), **values})


def post(*cookies: str, header: str = "", method: str = "POST", **headers: str) -> Request:
    sent = {"Cookie": "; ".join(f"_xsrf={value}" for value in cookies)}
    if header:
        sent["X-XSRFToken"] = header
    return make_request(method, headers={**sent, **headers})


def test_the_cookie_sent_back_as_argument_or_header_is_proof() -> None:
    guard = xsrf()
    value = guard.new_value(ADA)
    guard.check(post(value), value, ADA)
    guard.check(post(value, header=value), None, ADA)
    guard.check(
        make_request("POST", headers={"Cookie": f"_xsrf={value}", "X-CSRFToken": value}), None, ADA
    )


def test_an_earlier_cookie_of_the_same_sign_in_stays_good() -> None:
    guard = xsrf()
    first, second = guard.new_value(ADA), guard.new_value(ADA)
    guard.check(post(first), first, ADA)
    guard.check(post(second), second, ADA)


@pytest.mark.parametrize("argument", [None, "", "wrong", "\xff", "\ud800"])
def test_without_the_right_argument_there_is_no_proof(argument: str | None) -> None:
    guard = xsrf()
    with pytest.raises(Forbidden):
        guard.check(post(guard.new_value(ADA)), argument, ADA)


def test_an_argument_without_the_cookie_is_no_proof() -> None:
    guard = xsrf()
    value = guard.new_value(ADA)
    with pytest.raises(Forbidden):
        guard.check(post(), value, ADA)


def test_the_token_of_another_sign_in_is_no_proof_even_with_its_own_cookie() -> None:
    guard = xsrf()
    planted = guard.new_value(BOB)
    with pytest.raises(Forbidden):
        guard.check(post(planted), planted, ADA)


def test_a_planted_cookie_beside_the_own_one_changes_nothing() -> None:
    guard = xsrf()
    own, planted = guard.new_value(ADA), guard.new_value(BOB)
    guard.check(post(planted, own), own, ADA)
    guard.check(post("rubbish", own), own, ADA)
    with pytest.raises(Forbidden):
        guard.check(post(planted, own), planted, ADA)


def test_a_cookie_that_another_key_signed_is_no_proof() -> None:
    other = Xsrf(
        CookieJar(secret=b"t" * 32, hub_prefix="/hub/", base_url="/"),
        networks=(),
        id_headers=(),
    )
    forged = other.new_value(ADA)
    with pytest.raises(Forbidden):
        xsrf().check(post(forged), forged, ADA)


@pytest.mark.parametrize("raw", ["", "=", "AAAA", "%%%", "é", "a" * 5000])
def test_a_garbage_cookie_is_nobodys(raw: str) -> None:
    assert xsrf().own_cookie(post(raw), ADA) is None


def test_strangers_are_told_apart_by_address_and_browser() -> None:
    guard = xsrf()
    first = make_request(client="203.0.113.1", headers={"User-Agent": "one"})
    same = make_request(client="203.0.113.1", headers={"User-Agent": "one"})
    elsewhere = make_request(client="203.0.113.2", headers={"User-Agent": "one"})
    browser = make_request(client="203.0.113.1", headers={"User-Agent": "two"})
    mine = guard.identity(first, None, None)
    assert guard.identity(same, None, None) == mine
    assert mine not in {guard.identity(elsewhere, None, None), guard.identity(browser, None, None)}
    assert guard.identity(first, "session", None) != mine


def test_strangers_of_one_configured_network_count_as_one() -> None:
    guard = xsrf(networks=("203.0.113.0/24",))
    first = guard.identity(make_request(client="203.0.113.1"), None, None)
    assert guard.identity(make_request(client="203.0.113.200"), None, None) == first
    assert guard.identity(make_request(client="198.51.100.1"), None, None) != first
    assert guard.identity(make_request(client="testclient"), None, None) != first


def test_a_person_is_bound_to_the_sign_in_wherever_they_are() -> None:
    guard = xsrf()
    here = guard.identity(make_request(client="203.0.113.1"), "s", "c")
    assert guard.identity(make_request(client="203.0.113.2"), "s", "c") == here == "s:c"


@pytest.mark.parametrize(
    ("method", "mode", "site", "needed"),
    [
        ("GET", None, None, False),
        ("GET", "navigate", "cross-site", False),
        ("GET", "no-cors", "same-origin", False),
        ("GET", "no-cors", "same-site", True),
        ("GET", "no-cors", "cross-site", True),
        ("GET", "cors", "same-origin", True),
        ("GET", "same-origin", "same-origin", True),
        ("HEAD", None, None, False),
        ("POST", None, None, True),
        ("POST", "navigate", "same-origin", True),
        ("POST", "cors", "same-origin", True),
        ("DELETE", "no-cors", "same-origin", True),
        ("GET", "websocket", "same-origin", False),
    ],
)
def test_which_requests_must_prove_their_origin(
    method: str, mode: str | None, site: str | None, needed: bool
) -> None:
    headers = {"Sec-Fetch-Mode": mode, "Sec-Fetch-Site": site}
    sent = {name: value for name, value in headers.items() if value}
    request = make_request(method, headers=sent)
    assert needs_proof(request) is needed
    if needed:
        with pytest.raises(Forbidden):
            xsrf().check(request, None, ADA)
    else:
        xsrf().check(request, None, ADA)


@pytest.mark.parametrize(("destination", "needed"), [("image", False), ("empty", True)])
def test_an_embedded_image_needs_no_proof_but_a_script_that_fetches_as_one_does(
    destination: str, needed: bool
) -> None:
    sent = {
        "Sec-Fetch-Mode": "no-cors",
        "Sec-Fetch-Site": "same-origin",
        "Sec-Fetch-Dest": destination,
    }
    assert needs_proof(make_request("GET", headers=sent)) is needed


def test_scripts_can_read_the_cookie_and_only_below_the_hub() -> None:
    guard = xsrf()
    response = Response()
    guard.set(response, make_request(), guard.new_value(ADA), anonymous=True)
    header = response.headers["set-cookie"]
    assert "Path=/hub/" in header
    assert "HttpOnly" not in header
    assert "Max-Age=3600" in header
