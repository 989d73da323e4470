"""What the client makes of answers: pages, events, errors; and what it sends."""

from typing import Any

import pytest
from wire_fakes import TOKEN, URL, Answer, FakeTransport, SkippingClock, client_of, problem

from perijove.wire.client import (
    BadAddress,
    BadAnswer,
    Conflict,
    Forbidden,
    HubError,
    HubFailed,
    Invalid,
    NotAuthenticated,
    NotFound,
    Unreachable,
)
from perijove.wire.client_transport import Interrupted
from perijove.wire.requests import (
    OAuthExchange,
    ServerRequest,
    ShareRequest,
    TokenRequest,
    UserChange,
)


def page(*names: str, following: int | None, total: int = 99) -> Answer:
    """A page of users."""
    after = {"offset": following, "limit": 2, "url": "http://elsewhere.test/"}
    place = {"offset": 0, "limit": 2, "total": total, "next": after if following else None}
    return Answer(200, {"items": [{"name": name} for name in names], "_pagination": place})


# -- pages ---------------------------------------------------------------------


async def test_a_list_is_read_to_its_end() -> None:
    transport = FakeTransport(page("a", "b", following=2), page("c", following=None))
    names = [user.name async for user in client_of(transport).users(state="ready", page_size=2)]
    assert names == ["a", "b", "c"]
    first, second = transport.sent
    assert first.url == f"{URL}/users?state=ready&offset=0&limit=2"
    assert second.url == f"{URL}/users?state=ready&offset=2&limit=2", "not the URL in the answer"
    assert first.headers["Accept"] == "application/jupyterhub-pagination+json"


async def test_pages_are_asked_for_only_as_far_as_they_are_read() -> None:
    transport = FakeTransport(page("a", "b", following=2), page("c", following=None))
    async for user in client_of(transport).users():
        if user.name == "b":
            break
    assert len(transport.sent) == 1


async def test_a_bare_list_of_an_old_hub_is_a_list() -> None:
    transport = FakeTransport(Answer(200, [{"name": "a"}, {"name": "b"}]))
    assert [user.name async for user in client_of(transport).users()] == ["a", "b"]


async def test_a_list_that_goes_round_ends() -> None:
    transport = FakeTransport(page("a", following=2), page("b", following=2))
    with pytest.raises(BadAnswer, match="goes round"):
        [user async for user in client_of(transport).users()]


# -- events ----------------------------------------------------------------------


async def events_of(*script: Answer | Exception) -> list[Any]:
    transport = FakeTransport(*script)
    found = client_of(transport).follow_start("ada", "lab")
    return [(event.progress, event.message) async for event in found]


async def test_events_arrive_however_the_stream_is_cut() -> None:
    whole = (
        b'data: {"progress": 0, "message": "Requested"}\n\n\n\n: alive\n\n'
        b'data: {"progress": 50,\r\ndata: "message": "\xc3\xa9"}\r\n\r\n'
        b'data: {"progress": 100, "ready": true, "message": "Ready"}\r\r'
    )
    expected = [(0, "Requested"), (50, "é"), (100, "Ready")]
    for size in (1, 2, 3, 7, len(whole)):
        pieces = tuple(whole[at : at + size] for at in range(0, len(whole), size))
        assert await events_of(Answer(200, pieces=(*pieces, b"\n"))) == expected, size


async def test_a_broken_stream_is_taken_up_again_without_repeating_anything() -> None:
    begun = b'data: {"progress": 0, "message": "Requested"}\n\n'
    ended = b'data: {"progress": 100, "failed": true, "message": "No"}\n\n'
    broken = Answer(200, pieces=(begun, b"data: {"), breaks=Interrupted("broken"))
    found = await events_of(broken, Interrupted("broken"), Answer(200, pieces=(begun, ended)))
    assert found == [(0, "Requested"), (100, "No")]


async def test_a_stream_that_stays_away_is_given_up() -> None:
    with pytest.raises(Unreachable):
        await events_of(*[Interrupted("broken")] * 9)


async def test_following_what_does_not_start_is_an_error() -> None:
    with pytest.raises(Invalid, match="not starting"):
        await events_of(problem(400, "ada:lab is not starting..."))


async def test_an_event_without_an_end_is_refused() -> None:
    with pytest.raises(BadAnswer, match="no end"):
        await events_of(Answer(200, pieces=(b"data: " + b"x" * 2**20, b"x")))


# -- errors ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Invalid), (403, Forbidden), (404, NotFound), (409, Conflict), (500, HubFailed)],
)
async def test_an_error_names_status_request_and_the_hubs_words(
    status: int, kind: type[HubError]
) -> None:
    with pytest.raises(kind) as caught:
        await client_of(FakeTransport(problem(status, "Because."))).edit_user(
            "ada", UserChange(admin=True)
        )
    error = caught.value
    assert (error.status, error.message) == (status, "Because.")
    assert error.operation == "PATCH /users/ada"
    assert str(error).startswith(f"Because ({status} to PATCH /users/ada).")


async def test_a_missing_scope_is_named() -> None:
    said = "Action is not authorized with current scopes; requires any of [admin:users, x]"
    with pytest.raises(Forbidden) as caught:
        await client_of(FakeTransport(problem(403, said))).create_user("ada")
    assert caught.value.needs == ("admin:users", "x")
    assert "lacks the scope admin:users or x" in str(caught.value)
    assert not isinstance(caught.value, NotAuthenticated)


async def test_a_wrong_token_is_told_from_a_weak_one_and_never_shown() -> None:
    said = "Missing or invalid credentials."
    with pytest.raises(NotAuthenticated) as caught:
        await client_of(FakeTransport(problem(403, said))).who_am_i()
    assert "wrong, expired or revoked" in str(caught.value)
    assert TOKEN not in f"{caught.value} {caught.value!r} {caught.getrepr()}"


async def test_the_words_of_oauth_are_understood() -> None:
    refusal = Answer(400, {"error": "invalid_grant", "error_description": "That code is used up"})
    transport = FakeTransport(refusal)
    exchange = OAuthExchange(
        grant_type="authorization_code", code="a b", client_id="service-x", client_secret="s"
    )
    with pytest.raises(Invalid, match="That code is used up"):
        await client_of(transport).exchange_code(exchange)
    assert transport.sent[0].body == (
        b"grant_type=authorization_code&code=a+b&client_id=service-x&client_secret=s"
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"message": null}', b"\xff"])
async def test_an_error_without_words_still_says_what_failed(body: bytes) -> None:
    with pytest.raises(HubFailed, match=r"Status 500 \(500 to GET /users/ada\)"):
        await client_of(FakeTransport(Answer(500, body))).user("ada")


async def test_a_redirect_is_told_and_not_followed() -> None:
    transport = FakeTransport(Answer(302, b"", {"location": "https://hub.test/hub/api/user"}))
    with pytest.raises(BadAnswer, match=r"https://hub\.test/hub/api/user"):
        await client_of(transport).who_am_i()
    assert len(transport.sent) == 1


@pytest.mark.parametrize("body", [b"<html>a page</html>", b"{}", b"7", b""])
async def test_an_answer_that_is_none_of_this_api_is_no_model(body: bytes) -> None:
    with pytest.raises(BadAnswer, match="address that of a hub"):
        await client_of(FakeTransport(Answer(200, body))).who_am_i()


async def test_fields_of_a_later_hub_do_no_harm() -> None:
    transport = FakeTransport(Answer(200, {"name": "ada", "shoe_size": 38}))
    assert (await client_of(transport).user("ada")).name == "ada"


# -- requests -------------------------------------------------------------------------


async def test_names_are_one_segment_of_the_path_each() -> None:
    transport = FakeTransport(Answer(204), Answer(204))
    hub = client_of(transport)
    await hub.stop_server("a/b?c#d é%", "e f")
    await hub.stop_server("x@y")
    assert [sent.url.removeprefix(URL) for sent in transport.sent] == [
        "/users/a%2Fb%3Fc%23d%20%C3%A9%25/servers/e%20f",
        "/users/x@y/server",
    ]


async def test_the_default_server_is_shared_by_an_empty_name() -> None:
    transport = FakeTransport(Answer(200, {}))
    assert await client_of(transport).revoke_share("ada", "", ShareRequest(user="bob")) is None
    assert transport.sent[0].url == f"{URL}/shares/ada/"


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_a_name_that_would_be_another_path_is_refused(name: str) -> None:
    transport = FakeTransport()
    with pytest.raises(BadAddress):
        await client_of(transport).delete_user(name)
    assert transport.sent == []


async def test_what_is_not_set_is_not_sent() -> None:
    made = dict.fromkeys(("last_activity", "expires_at", "session_id"))
    made |= {"id": "a1", "kind": "api_token", "roles": [], "scopes": [], "note": "n"}
    made |= {"created": "2026-01-01T00:00:00Z", "oauth_client": "", "token": "secret"}
    transport = FakeTransport(Answer(201, made), Answer(202))
    hub = client_of(transport)
    assert (await hub.create_token("ada", TokenRequest(note="n", expires_in=None))).token
    assert not await hub.start_server("ada", "", ServerRequest(user_options={"a": None}))
    assert transport.bodies() == [
        {"note": "n", "expires_in": None},
        {"user_options": {"a": None}},
    ]
    assert transport.sent[0].headers["Authorization"] == f"token {TOKEN}"


async def test_closing_the_client_closes_its_connections() -> None:
    transport = FakeTransport()
    async with client_of(transport, SkippingClock()):
        pass
    assert transport.closed
