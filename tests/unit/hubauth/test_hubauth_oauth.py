"""Sign-in rounds: states, next addresses, and what a callback leads to."""

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from perijove.hubauth import oauth
from perijove.hubauth.oauth import (
    Exchange,
    Proceed,
    Refuse,
    RememberedRound,
    Restart,
    Round,
    StateStore,
    decide_callback,
    safe_next,
)

BASE = "/user/alice/"
COOKIE = "jupyterhub-user-alice-oauth-state"
ROUND = Round(next_url="/user/alice/lab", cookie_name=COOKIE, verifier="v")


def decide(**changes: Any) -> oauth.CallbackStep:
    given: dict[str, Any] = {
        "error": "",
        "code": "c",
        "state": "s",
        "known": RememberedRound(ROUND, fresh=True),
        "cookies": {COOKIE: "s"},
        "signed_in": False,
        "base_url": BASE,
    }
    return decide_callback(**(given | changes))


def test_a_genuine_callback_is_exchanged() -> None:
    assert decide() == Exchange("c", ROUND)


@pytest.mark.parametrize("change", [{"error": "access_denied"}, {"code": ""}, {"state": ""}])
def test_an_error_or_a_missing_part_is_a_bad_request(change: dict[str, str]) -> None:
    step = decide(**change)
    assert isinstance(step, Refuse)
    assert step.status == 400


def test_a_state_that_is_not_the_cookies_is_refused() -> None:
    step = decide(cookies={COOKIE: "other"})
    assert isinstance(step, Refuse)
    assert step.status == 403


def test_an_unknown_state_beside_a_round_of_this_browser_is_refused() -> None:
    step = decide(known=None, cookies={COOKIE: "other"})
    assert isinstance(step, Refuse)
    assert step.status == 403


def test_a_missing_cookie_restarts_once_and_keeps_the_page() -> None:
    step = decide(cookies={})
    assert step == Restart("/user/alice/lab", 1)
    again = Round(next_url="/user/alice/lab", cookie_name=COOKIE, tries=1)
    second = decide(cookies={}, known=RememberedRound(again, fresh=True))
    assert isinstance(second, Refuse)
    assert second.status == 403
    assert "cookie" in second.message


def test_a_sign_in_that_took_too_long_restarts_and_keeps_the_page() -> None:
    stale = RememberedRound(ROUND, fresh=False)
    assert decide(known=stale, cookies={}) == Restart("/user/alice/lab", 1)
    assert decide(known=stale) == Restart("/user/alice/lab", 1)


def test_a_state_of_an_earlier_process_restarts_at_the_start_page() -> None:
    assert decide(known=None, cookies={}) == Restart(BASE, 1)


def test_the_slower_of_two_tabs_goes_on_to_its_own_page() -> None:
    slower = Round(next_url="/user/alice/lab/tree/x", cookie_name=f"{COOKIE}-0123abcd")
    step = decide(known=RememberedRound(slower, fresh=True), cookies={}, signed_in=True)
    assert step == Proceed("/user/alice/lab/tree/x")


def test_somebody_signed_in_with_an_unknown_state_goes_to_the_start_page() -> None:
    assert decide(known=None, cookies={}, signed_in=True) == Proceed(BASE)


EVIL = [
    "//evil.example",
    "///evil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "http://evil.example",
    "https:evil.example",
    "http:/evil.example",
    "javascript:alert(1)",
    "/user/alice/\\evil",
    "\t/user/alice/x",
    "/user/alice/\r\nLocation: http://evil",
    "/user/alice/\x00",
    "/user/alice/../bob/",
    "/user/alice/%2e%2e/bob/",
    "/user/alice/.%2E/bob/",
    "/user/alicex/",
    "/user/bob/",
    "/hub/logout",
    "user/alice/",
    "",
    "/user/alice/" + "x" * 5000,
    "http://[bad/user/alice/",
]


@pytest.mark.parametrize("next_url", EVIL)
def test_an_address_outside_the_server_is_replaced_by_its_start(next_url: str) -> None:
    assert safe_next(next_url, BASE) == BASE


@pytest.mark.parametrize(
    "next_url",
    [
        "/user/alice/",
        "/user/alice",
        "/user/alice/lab?a=1&url=http://x/y",
        "/user/alice/git-pull?repo=https%3A%2F%2Fexample.org%2Fa&urlpath=lab%2Ftree%2Fx",
        "/user/alice/lab/tree/a..b/.hidden",
    ],
)
def test_an_address_within_the_server_is_kept_byte_for_byte(next_url: str) -> None:
    assert safe_next(next_url, BASE) == next_url


def test_states_are_bounded_and_the_oldest_goes_first() -> None:
    store = StateStore(600, max_rounds=100)
    states = [store.add(ROUND) for _ in range(10_000)]
    assert len(store) == 100
    assert store.get(states[0]) is None
    assert store.get(states[-1]) is not None


def test_an_old_state_is_still_known_but_not_fresh() -> None:
    now = [0.0]
    store = StateStore(600, monotonic=lambda: now[0])
    state = store.add(ROUND)
    now[0] = 599.0
    assert store.get(state) == RememberedRound(ROUND, fresh=True)
    now[0] = 600.0
    assert store.get(state) == RememberedRound(ROUND, fresh=False)


def test_a_finished_round_is_no_longer_fresh() -> None:
    store = StateStore(600)
    state = store.add(ROUND)
    store.finish(state)
    assert store.get(state) == RememberedRound(ROUND, fresh=False)
    store.finish("never begun")
    assert store.get("never begun") is None


def test_each_round_in_a_browser_gets_a_cookie_of_its_own() -> None:
    first = oauth.pick_state_cookie(COOKIE, [])
    second = oauth.pick_state_cookie(COOKIE, [first])
    assert first == COOKIE
    assert second != first
    assert oauth.is_state_cookie(second, COOKIE)
    assert not oauth.is_state_cookie("jupyterhub-user-alice-oauth-stateful", COOKIE)
    assert not oauth.is_state_cookie("jupyterhub-user-alice", COOKIE)


def test_the_authorize_address_carries_an_s256_challenge() -> None:
    verifier = oauth.new_verifier()
    url = oauth.authorize_url("/hub/api/oauth2/authorize", "id", "/cb", verifier, "st")
    query = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
    digest = hashlib.sha256(verifier.encode()).digest()
    assert query == {
        "client_id": "id",
        "redirect_uri": "/cb",
        "response_type": "code",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
        "state": "st",
    }


def test_cookie_names_stay_valid_for_odd_client_ids() -> None:
    assert oauth.cookie_name("jupyterhub-user-%C3%BCser%40x.org", False) == (
        "jupyterhub-user-%C3%BCser%40x.org"
    )
    assert oauth.cookie_name("jupyterhub-user-a/b;c", False) == "jupyterhub-user-a%2Fb%3Bc"
    assert oauth.cookie_name("x", True) == "__Host-x"
