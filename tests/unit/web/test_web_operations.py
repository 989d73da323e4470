"""Declaring operations, reading bodies, and the limits of both."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from starlette.requests import Request
from starlette.responses import Response

from perijove.access.operations import OPERATIONS
from perijove.domain.errors import InvalidInput, TooLarge
from perijove.web.api.operations import DECLARED, operation, parse_body, read_body
from perijove.web.call import MAX_JSON_BYTES, MAX_JSON_DEPTH, Call
from perijove.wire import requests


def call(*chunks: bytes, left_early: bool = False) -> Call:
    """A request with this body, in pieces."""
    waiting: list[dict[str, Any]] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    last: dict[str, Any] = {"type": "http.request", "body": b"", "more_body": False}
    waiting.append({"type": "http.disconnect"} if left_early else last)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
    rooms: Any = None
    return Call(Request(scope, receive), {}, rooms)


@pytest.fixture
def undone() -> Iterator[None]:
    """Operations declared by a test are gone after it."""
    before = len(DECLARED)
    yield
    del DECLARED[before:]


async def test_an_empty_body_is_none_and_a_body_in_pieces_is_one() -> None:
    assert await call().json() is None
    assert await call(b"  \n").json() is None
    assert await call(b'{"a"', b":1}").json() == {"a": 1}


async def test_a_body_is_read_once_and_remembered() -> None:
    made = call(b"[1]")
    assert await made.json() == [1]
    assert await made.json() == [1]


@pytest.mark.parametrize("body", [b"{", b"nul", b"\xff", b"[NaN]", b"[" * 5000, b'{"a":1}x'])
async def test_what_is_no_json_is_the_callers_fault(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        await call(body).json()


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
async def test_json_is_taken_to_a_depth_that_can_be_sent_out_again(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    deepest = await call(opening * MAX_JSON_DEPTH + b"1" + closing * MAX_JSON_DEPTH).json()
    orjson.dumps({"user": {"servers": [{"user_options": deepest}]}})
    too_deep = MAX_JSON_DEPTH + 1
    with pytest.raises(InvalidInput, match="levels"):
        await call(opening * too_deep + b"1" + closing * too_deep).json()


async def test_wide_json_is_not_deep() -> None:
    body = orjson.dumps([[{"a": [n]}] for n in range(1000)])
    assert len(await call(body).json()) == 1000


async def test_a_body_that_is_too_large_is_refused_before_it_is_whole() -> None:
    piece = b"x" * (MAX_JSON_BYTES // 2 + 1)
    made = call(piece, piece, piece, piece)
    with pytest.raises(TooLarge, match="larger"):
        await made.json()


@pytest.mark.parametrize("length", [None, "9", "999"])
@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("application/x-www-form-urlencoded", b"a="),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n',
        ),
    ],
)
async def test_a_form_is_bounded_whether_or_not_it_tells_its_length(
    monkeypatch: pytest.MonkeyPatch, length: str | None, kind: str, start: bytes
) -> None:
    monkeypatch.setattr("perijove.web.call.MAX_FORM_BYTES", 100)
    made = call(start + b"x" * 40, b"x" * 60)
    headers = [(b"content-type", kind.encode())]
    headers += [(b"content-length", length.encode())] if length else []
    made.request.scope["headers"] = headers
    with pytest.raises(TooLarge):
        await made.form()


async def test_a_form_is_read_once_and_remembered() -> None:
    made = call(b"a=1&b", b"=2")
    made.request.scope["headers"] = [(b"content-type", b"application/x-www-form-urlencoded")]
    assert dict(await made.form()) == {"a": "1", "b": "2"}
    assert dict(await made.form()) == {"a": "1", "b": "2"}


async def test_a_client_that_leaves_early_is_no_fault_of_ours() -> None:
    with pytest.raises(InvalidInput, match="ended before"):
        await call(b'{"a"', left_early=True).json()


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"5", b"true"])
async def test_a_body_must_be_an_object(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="JSON object"):
        await read_body(call(body), requests.GroupRequest, "group")


def test_unknown_keys_are_named() -> None:
    with pytest.raises(InvalidInput, match="Invalid JSON keys: odd, other"):
        parse_body({"odd": 1, "other": 2, "users": []}, requests.GroupRequest, "group")


@pytest.mark.parametrize(
    ("model", "data", "where"),
    [
        (requests.UserChange, {"admin": "yes"}, "user.admin"),
        (requests.UserChange, {"admin": 1}, "user.admin"),
        (requests.GroupRequest, {"users": ["a", 5]}, "user.users.1"),
        (requests.TokenRequest, {"expires_in": "60"}, "user.expires_in"),
        (requests.TokenRequest, {"expires_in": 1.5}, "user.expires_in"),
        (requests.TokenRequest, {"expires_in": True}, "user.expires_in"),
        (requests.MembersRequest, {}, "user.users"),
    ],
)
def test_a_wrong_type_is_named_by_its_place_and_never_converted(
    model: type[requests.Request], data: dict[str, Any], where: str
) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_body(data, model, "user")
    assert raised.value.message.startswith(where)


def test_every_operation_that_takes_scopes_is_declared_and_has_a_handler() -> None:
    declared = {f"{found.method} {found.path}": found for found in DECLARED}
    assert OPERATIONS.keys() <= declared.keys()
    for name, access in OPERATIONS.items():
        assert declared[name].scopes == access.needs
        assert set(access.also) <= set(declared[name].paths)


def test_a_declaration_keeps_the_handlers_name_for_the_metrics(undone: None) -> None:
    @operation("GET", "/made-up", "Made up", auth="none", answers={200: None})
    async def show_made_up(call: Call) -> Response:
        return Response()

    declared = DECLARED[-1]
    assert declared.endpoint.__name__ == "show_made_up"
    assert declared.endpoint.__module__ == __name__
    assert (declared.tag, declared.scopes) == ("test_web_operations", ())
