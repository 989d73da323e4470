"""What the API offers to applications with pages of their own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from web_house import WebHouse
from web_requests import make_request

from perijove.domain.errors import TooMany
from perijove.web.preferences import MAX_WAIT_S, preferred_wait_s, prefers_lenient
from perijove.web.rates import MAX_TOKENS, RateLimiter

Open = Callable[[str], Awaitable[WebHouse]]


@pytest.fixture
async def open_house(tmp_path: Path) -> AsyncIterator[Open]:
    """``await open_house(settings)``: a hub with these lines in its configuration."""
    made: list[WebHouse] = []

    async def open_(settings: str) -> WebHouse:
        made.append(await WebHouse.open(tmp_path, settings))
        return made[-1]

    yield open_
    for house in made:
        await house.close()


@pytest.mark.parametrize(
    ("values", "wait_s"),
    [
        ([], None),
        (["wait=5"], 5),
        (["respond-async, WAIT = 10"], 10),
        (["return=minimal", 'wait="7"'], 7),
        (["wait=5, wait=9"], 5),
        (["wait=999999"], MAX_WAIT_S),
        (["wait"], None),
        (["wait=-1"], None),
        (["wait=5x"], None),
        (["await=5"], None),
    ],
)
def test_a_preferred_wait_is_read_and_what_is_odd_is_ignored(
    values: list[str], wait_s: int | None
) -> None:
    request = make_request("POST", headers=[("prefer", value) for value in values])
    assert preferred_wait_s(request) == wait_s


@pytest.mark.parametrize(
    ("values", "lenient"),
    [
        ([], False),
        (["handling=lenient"], True),
        (["wait=3; x=1, Handling = Lenient"], True),
        (["wait=3", 'handling="lenient"'], True),
        (["handling=strict, handling=lenient"], False),
        (["handling=strict"], False),
        (["handling"], False),
        (["mishandling=lenient"], False),
        (["handling=lenient-ish"], False),
    ],
)
def test_lenient_handling_is_read_and_what_is_odd_is_ignored(
    values: list[str], lenient: bool
) -> None:
    request = make_request("POST", headers=[("prefer", value) for value in values])
    assert prefers_lenient(request) is lenient


async def test_pages_of_other_origins_read_nothing_unless_they_are_allowed(
    house: WebHouse, open_house: Open
) -> None:
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
    closed = await house.root.get("/user", headers=asked)
    assert "access-control-allow-origin" not in closed.headers
    allowing = await open_house("c.JupyterHub.api_allowed_origins = ['https://App.example/']")
    answer = await allowing.root.get("/user", headers=asked)
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert "origin" in answer.headers["vary"].lower()
    assert "access-control-allow-credentials" not in answer.headers
    other = await allowing.root.get("/user", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    preflight = await allowing.api().options("/users/ada/server", headers=asked)
    assert preflight.status_code == 204
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "Authorization" in preflight.headers["access-control-allow-headers"]
    refused = await allowing.root.post("/users", headers=asked)
    assert refused.status_code == 400
    assert refused.headers["access-control-allow-origin"] == "https://app.example"


async def test_a_token_that_calls_too_often_is_told_when_to_come_back(open_house: Open) -> None:
    house = await open_house(
        "c.JupyterHub.api_rate_limit = 0.01\nc.JupyterHub.api_rate_burst = 3\n"
    )
    answers = [await house.root.get("/user") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 100
    assert "try again in" in answers[-1].json()["message"]
    await house.add_user("ada")
    assert (await (await house.as_user("ada")).get("/user")).status_code == 200


def test_an_allowance_comes_back_at_the_rate() -> None:
    moment = 0.0
    limiter = RateLimiter(2.0, 4, now=lambda: moment)

    def granted() -> int:
        for count in range(100):
            try:
                limiter.admit(1)
            except TooMany:
                return count
        return 100

    assert granted() == 4
    moment = 1.0
    assert granted() == 2
    moment = 100.0
    assert granted() == 4


def test_idle_tokens_are_forgotten() -> None:
    moment = 0.0
    limiter = RateLimiter(10.0, 1, now=lambda: moment)
    for token in range(MAX_TOKENS):
        limiter.admit(token)
    moment = 1.0
    limiter.admit(MAX_TOKENS)
    assert len(limiter._whole_at) == 1
