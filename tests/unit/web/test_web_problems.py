"""Errors as answers: the status, the sentence, and nothing that callers should not see."""

import logging
from typing import Any

import orjson
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from web_requests import make_request

from perijove.access.errors import ScopeNotFound
from perijove.domain import errors
from perijove.web.problems import INTERNAL, Problems, headers_of, message_of, status_of


async def _page(request: Request, status: int, error: Exception) -> Response:
    return PlainTextResponse(f"page {status}", status)


def problems(prefix: str = "/hub/api/") -> Problems:
    return Problems(prefix, _page)


async def answer(error: Exception, path: str = "/hub/api/users") -> tuple[Response, Any]:
    response = await problems().handle(make_request(path=path), error)
    is_json = response.media_type == "application/json"
    return response, orjson.loads(response.body) if is_json else response.body


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidInput("x"), 400),
        (errors.TooLarge(9), 413),
        (errors.NotAuthenticated(), 403),
        (errors.Forbidden("x"), 403),
        (errors.NotFound(), 404),
        (errors.MethodNotAllowed("x"), 405),
        (errors.Conflict("x"), 409),
        (errors.TooMany("x", 30), 429),
        (errors.PluginError("Class", "start", "x"), 500),
        (errors.Refusal("Class", "start", "x", 418), 418),
        (errors.Refusal("Class", "start", "x", 200), 500),
        (errors.StartFailed("x", status=504), 504),
        (errors.LeaseLost("x"), 503),
        (errors.StoreUnavailable("x"), 503),
        (ScopeNotFound("x", "no such scope"), 400),
        (HTTPException(413, "too large"), 413),
        (KeyError("x"), 500),
    ],
)
async def test_each_kind_of_error_has_one_status_and_a_json_body(
    error: Exception, status: int
) -> None:
    response, body = await answer(error)
    assert response.status_code == status == status_of(error) == body["status"]
    assert body.keys() == {"status", "message"}
    assert isinstance(body["message"], str)


def test_every_kind_of_caller_error_is_in_the_table() -> None:
    kinds = errors.CallerError.__subclasses__()
    assert kinds
    for kind in kinds:
        assert 400 <= status_of(kind("x")) < 500


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("password is hunter2"),
        KeyError("/srv/secret/path"),
        errors.PluginError("Spawner", "start", "traceback with hunter2"),
        errors.StartFailed("internal detail hunter2", status=500),
    ],
)
def test_what_nobody_expected_stays_inside(error: Exception) -> None:
    assert message_of(error) == INTERNAL


def test_what_a_plugin_wants_people_to_read_is_passed_on() -> None:
    assert message_of(errors.PluginError("S", "start", "detail", shown="No quota")) == "No quota"
    assert message_of(errors.Refusal("S", "start", "over quota", 400)) == "over quota"
    assert message_of(errors.StartFailed("No quota left", status=400)) == "No quota left"


def test_headers_of_errors_go_along() -> None:
    assert headers_of(errors.TooMany("x", 30)) == {"Retry-After": "30"}
    assert headers_of(errors.TooMany("x")) == {}
    assert headers_of(errors.Refusal("S", "start", "x", 403, headers={"x-why": "y"})) == {
        "x-why": "y"
    }
    assert headers_of(HTTPException(401, headers={"WWW-Authenticate": "Basic"})) == {
        "WWW-Authenticate": "Basic"
    }


async def test_a_wrong_method_is_answered_with_those_that_fit() -> None:
    response, _ = await answer(errors.MethodNotAllowed("x", ("PUT", "OPTIONS")), "/hub/api/x")
    assert response.headers["allow"] == "PUT, OPTIONS"


async def test_pages_answer_errors_with_pages_and_keep_the_headers() -> None:
    response, body = await answer(errors.TooMany("x", 30), "/hub/spawn")
    assert (response.status_code, body) == (429, b"page 429")
    assert response.headers["retry-after"] == "30"


@pytest.mark.parametrize(
    ("path", "is_api"),
    [
        ("/hub/api/users", True),
        ("/hub/api", True),
        ("/hub/apiary", False),
        ("/hub/api/oauth2/authorize", False),
        ("/hub/home", False),
    ],
)
def test_what_counts_as_the_api(path: str, is_api: bool) -> None:
    assert problems().is_api({"path": path}) is is_api


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (errors.InvalidInput("x"), None),
        (errors.Refusal("Class", "start", "over quota", 500), None),
        (errors.StartFailed("x"), None),
        (errors.StoreUnavailable("down"), logging.ERROR),
        (RuntimeError("bug"), logging.ERROR),
    ],
)
async def test_refusals_and_callers_faults_are_not_logged_as_errors(
    error: Exception, level: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    await answer(error)
    assert [record.levelno for record in caplog.records] == ([] if level is None else [level])
    has_traceback = any(record.exc_info for record in caplog.records)
    assert has_traceback is isinstance(error, RuntimeError)


async def test_the_log_shows_what_the_plugin_raised_and_not_our_wrapper(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = errors.PluginError("Spawner", "start", "boom")
    error.__cause__ = cause = OSError("disk is full")
    await answer(error)
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[1] is cause


async def test_a_prefix_with_escapes_has_an_api_too() -> None:
    response = await problems("/a%20b/hub/api/").handle(
        make_request(path="/a b/hub/api/users"), errors.NotFound()
    )
    assert response.media_type == "application/json"
