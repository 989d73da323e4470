"""The client against the declared operations: none is missing, and none has drifted away."""

import inspect
from typing import Any, get_args, get_type_hints

import pytest

from perijove.web import site  # noqa: F401 - declares every operation
from perijove.web.api.operations import (
    DECLARED,
    LENIENT,
    WAIT,
    WAIT_OR_LENIENT,
    Declared,
    Text,
)
from perijove.wire import models
from perijove.wire.calls.call import Asks, Lists, Operation
from perijove.wire.client import HubClient, SyncHubClient

METHODS: dict[str, Operation] = {
    found.name: found
    for name, found in inspect.getmembers_static(HubClient)
    if isinstance(found, Operation)
}

WANTED = {
    f"{declared.method} {declared.path}": declared
    for declared in DECLARED
    # Pages are for browsers; an operation without answers only refuses.
    if declared.auth != "page" and declared.answers
}

HANDLED_BY_THE_CLIENT = {"offset", "limit", "_xsrf"}

PREFERENCES = {WAIT: "wait_s", WAIT_OR_LENIENT: "wait_s", LENIENT: "exist_ok"}
"""What the client calls a preference."""

TURNED = {
    "GET /users/{name}/tokens": list[models.Token],
    "PATCH /shares/{user}/{server}": models.Share | None,
    "GET /metrics": str,
    "GET /health": type(None),
    "GET /proxy": models.Route,
}
"""Answers that the client gives in a handier form than the wire's."""


def test_every_operation_of_the_api_has_a_method_and_every_method_an_operation() -> None:
    assert METHODS.keys() == WANTED.keys()


def test_both_faces_have_the_same_methods() -> None:
    sync = {found for _, found in inspect.getmembers_static(SyncHubClient)}
    assert set(METHODS.values()) == {found for found in sync if isinstance(found, Operation)}


@pytest.mark.parametrize("name", sorted(WANTED))
def test_a_method_takes_what_the_operation_takes(name: str) -> None:
    parameters = inspect.signature(METHODS[name].build).parameters
    wanted = {parameter.name for parameter in WANTED[name].query} - HANDLED_BY_THE_CLIENT
    wanted |= {PREFERENCES[header] for header in WANTED[name].header if header in PREFERENCES}
    assert wanted <= parameters.keys()


@pytest.mark.parametrize("name", sorted(WANTED))
def test_a_method_gives_what_the_operation_answers(name: str) -> None:
    method, declared = METHODS[name], WANTED[name]
    if not isinstance(method, (Asks, Lists)):
        (event,) = get_args(get_type_hints(method.build)["return"])
        assert declared.answers == {200: Text("text/event-stream", event)}
        return
    (given,) = get_args(get_type_hints(method.build)["return"])
    assert given in answers_of(declared, listed=isinstance(method, Lists))


def answers_of(declared: Declared, *, listed: bool) -> list[Any]:
    """The types that a method may give for the operation."""
    name = f"{declared.method} {declared.path}"
    if name in TURNED:
        return [TURNED[name]]
    good = [answer for status, answer in declared.answers.items() if status < 300]
    if listed:
        return [item_of(answer) for answer in good]
    if set(good) == {None}:
        return [bool if 202 in declared.answers else type(None)]
    return good


def item_of(answer: Any) -> Any:
    """The model in a page, or in either form of a list."""
    page = next(
        (
            kind
            for kind in get_args(answer)
            if inspect.isclass(kind) and issubclass(kind, models.Answer)
        ),
        answer,
    )
    (item,) = get_args(page.model_fields["items"].annotation)
    return item
