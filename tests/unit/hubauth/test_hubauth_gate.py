"""The gate by itself: what it makes of hostile requests, its key, its paths."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from hubauth_faces import BASE, SCOPE, gate_for, settings_for
from hypothesis import given
from hypothesis import strategies as st

from perijove.hubauth.gate import HubGate
from perijove.hubauth.headers import Headers, is_https, same_origin, wants_page
from perijove.hubauth.identity import UserModel
from perijove.hubauth.settings import BadEnvironment, HubAuthSettings
from perijove.hubauth.visits import Answer, Redeem, Steps, WhoIs
from perijove.hubauth.web_request import WebRequest
from perijove.kit import crypto

GATE = gate_for(1)
NAMES = st.sampled_from(
    ["Cookie", "Authorization", "Origin", "Host", "Accept", "Sec-Fetch-Mode", "X-XSRFToken"]
)
TEXT = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=60)
PIECES = st.sampled_from(["service-svc=", "_xsrf=", "2|1:0|", ";", "=", '"', "token ", "%", "a"])
VALUES = TEXT | st.lists(PIECES, max_size=8).map("".join)
ADDRESS_PIECES = st.sampled_from(["/", "\\", "..", "evil", "%2e", ":", "@", BASE])
REQUESTS = st.builds(
    WebRequest,
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE"]),
    path=st.text(max_size=40) | st.just(BASE),
    query=TEXT | st.lists(st.sampled_from(["code=a", "state=0.b", "&", "error=x"])).map("".join),
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=6).map(Headers),
    scheme=st.sampled_from(["http", "https", "ws"]),
    websocket=st.booleans(),
)


def answer_all(steps: Steps[Any], model: UserModel | None = None) -> Any:
    """Run the steps with a hub that knows ``model`` by every token."""
    try:
        question = next(steps)
        for _ in range(20):
            question = steps.send("token" if isinstance(question, Redeem) else model)
            assert isinstance(question, WhoIs | Redeem)
    except StopIteration as end:
        return end.value
    raise AssertionError("the gate asks without end")


@given(REQUESTS)
def test_nobody_enters_whom_the_hub_does_not_know_whatever_they_send(request: WebRequest) -> None:
    visitor = answer_all(GATE.admit(request))
    assert visitor.user is None
    answer = GATE.refuse(request, visitor)
    assert answer.status in {302, 403}
    for name, value in answer.header_pairs():
        assert "\n" not in f"{name}{value}"
        assert "\r" not in f"{name}{value}"


@given(REQUESTS)
def test_the_callback_signs_nobody_in_without_a_round_of_this_browser(request: WebRequest) -> None:
    model = {"name": "bob", "scopes": [SCOPE]}
    answer = answer_all(GATE.finish(request), model)
    assert isinstance(answer, Answer)
    assert not any(cookie.startswith("service-svc=2|") for cookie in answer.cookies)


@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from(["/", "\\", "..", "evil", "%2e", ":", "@", BASE])).map("".join)
)
def test_a_sign_in_ends_below_the_prefix_whatever_page_was_asked_for(next_url: str) -> None:
    begun = GATE.begin(WebRequest("GET", BASE), next_url)
    cookie = begun.cookies[0].partition(";")[0]
    state = dict(part.split("=", 1) for part in urlsplit(begun.location).query.split("&"))["state"]
    back = WebRequest(
        "GET",
        f"{BASE}oauth_callback",
        query=f"code=c&state={state}",
        headers=Headers([("Cookie", cookie)]),
    )
    answer = answer_all(GATE.finish(back), {"name": "bob", "scopes": [SCOPE]})
    assert answer.status == 302
    assert answer.location.startswith(BASE) or answer.location == BASE.rstrip("/")
    assert "/../" not in answer.location


def test_the_key_is_the_same_in_all_workers_and_another_for_another_token_or_client() -> None:
    secrets = {
        HubGate(settings_for(1, **changes)).cookie_secret
        for changes in ({}, {}, {"api_token": "other"}, {"client_id": "service-other"})
    }
    assert len(secrets) == 3


def test_a_sign_in_begun_in_one_worker_ends_in_another() -> None:
    first, second = (HubGate(settings_for(1)) for _ in range(2))
    begun = first.begin(WebRequest("GET", BASE), f"{BASE}deep")
    state = begun.location.partition("&state=")[2]
    headers = Headers([("Cookie", begun.cookies[0].partition(";")[0])])
    back = WebRequest("GET", f"{BASE}oauth_callback", f"code=c&state={state}", headers)
    answer = answer_all(second.finish(back), {"name": "bob", "scopes": [SCOPE]})
    assert answer.location == f"{BASE}deep"


def test_a_round_of_yesterday_is_begun_anew_and_still_knows_its_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = GATE.begin(WebRequest("GET", BASE), f"{BASE}deep")
    state = begun.location.partition("&state=")[2]
    headers = Headers([("Cookie", begun.cookies[0].partition(";")[0])])
    back = WebRequest("GET", f"{BASE}oauth_callback", f"code=c&state={state}", headers)
    now = crypto.time.time()
    monkeypatch.setattr(crypto.time, "time", lambda: now + 700)
    again = answer_all(GATE.finish(back))
    assert again.location.startswith("/hub/api/oauth2/authorize")
    assert "state=1." in again.location


@pytest.mark.parametrize(
    ("path", "public"),
    [
        (f"{BASE}open", True),
        (f"{BASE}openly", False),
        (f"{BASE}static/a.css", True),
        (f"{BASE}static/../admin", False),
        (f"{BASE}static", False),
        ("/open", False),
        (BASE, False),
    ],
)
def test_only_the_named_paths_are_public(path: str, public: bool) -> None:
    assert GATE.is_public(WebRequest("GET", path)) is public


@pytest.mark.parametrize("missing", ["api_token", "client_id", "access_scopes"])
def test_a_gate_that_could_not_decide_is_not_made(missing: str) -> None:
    empty = frozenset() if missing == "access_scopes" else ""
    with pytest.raises(BadEnvironment, match="JUPYTERHUB_"):
        HubGate(settings_for(1, **{missing: empty}))


def test_a_bare_environment_is_named_as_the_fault() -> None:
    with pytest.raises(BadEnvironment, match="JUPYTERHUB_API_TOKEN"):
        HubGate(HubAuthSettings.from_environment({}))


def test_nothing_secret_is_in_what_is_printed() -> None:
    request = WebRequest("GET", BASE, "token=secret", Headers([("Authorization", "token secret")]))
    begun = GATE.begin(request, BASE)
    visitor = answer_all(GATE.admit(request), {"name": "bob", "scopes": [SCOPE]})
    shown = f"{request!r} {WhoIs('secret', 'secret')!r} {Redeem('secret', 'secret')!r} {visitor!r}"
    assert "secret" not in shown
    assert "oauth-state" not in repr(begun)


@pytest.mark.parametrize(
    ("headers", "https"),
    [
        ({"X-Forwarded-Proto": "https,http"}, True),
        ({"Forwarded": 'for=1.2.3.4;proto="https", for=5'}, True),
        ({"Forwarded": "proto=http", "X-Forwarded-Proto": "https"}, False),
        ({"X-Scheme": "https"}, True),
        ({}, False),
    ],
)
def test_the_browsers_scheme_is_read_from_the_nearest_words(
    headers: dict[str, str], https: bool
) -> None:
    assert is_https(Headers(headers.items()), "http") is https


def test_odd_headers_are_read_without_an_error() -> None:
    odd = Headers([("Origin", "http://["), ("Host", "[::1"), ("Accept", ";;;q=")])
    assert not same_origin(odd)
    assert not wants_page(odd)
