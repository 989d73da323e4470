"""The check of answers against the OpenAPI document sees what is wrong."""

import json
from dataclasses import replace
from typing import Any

import pytest

from api_contract import Contract, Exchange
from perijove.web import site  # noqa: F401 - declares every operation
from perijove.web.api.document import document

CONTRACT = Contract(document("/hub/api"))
HEADERS = {"content-type": "application/json", "x-jupyterhub-version": "6.1.1"}
GROUP = {"kind": "group", "name": "g", "users": [], "roles": [], "properties": {}}
GOOD = Exchange("GET", "/groups/g", "", b"", 200, HEADERS, json.dumps(GROUP).encode())
POSTED = Exchange(
    "POST", "/groups/g", "", b'{"users": ["ada"]}', 201, HEADERS, json.dumps(GROUP).encode()
)
PAGE = replace(GOOD, path="/groups", query="limit=5&other=x", body=b"[]")
EVENTS = replace(
    GOOD,
    path="/users/ada/server/progress",
    headers={**HEADERS, "content-type": "text/event-stream"},
    body=b'\n\ndata: {"progress": 5, "of": "the spawner"}\n\ndata: {"ready": true}\n\n',
)


def body(**changes: Any) -> bytes:
    return json.dumps({**GROUP, **changes}).encode()


@pytest.mark.parametrize("exchange", [GOOD, POSTED, PAGE, EVENTS])
def test_what_is_as_documented_passes(exchange: Exchange) -> None:
    assert CONTRACT.faults(exchange) == []


@pytest.mark.parametrize(
    ("exchange", "fault"),
    [
        (replace(GOOD, status=409), "the status is not documented"),
        (replace(GOOD, method="PATCH"), "not documented"),
        (replace(GOOD, headers={"content-type": "application/json"}), "no header"),
        (replace(GOOD, headers={**HEADERS, "content-type": "text/plain"}), "the type"),
        (replace(GOOD, body=b"{"), "no JSON"),
        (replace(GOOD, body=body(users=None)), "/users"),
        (replace(GOOD, body=body(color="red")), "color"),
        (replace(GOOD, status=404, body=b'{"status": 404}'), "required"),
        (replace(GOOD, path="/users/ada/tokens/a1", status=304, body=b"x"), "a body"),
        (replace(POSTED, sent=b'{"users": "ada"}'), "accepted"),
        (replace(POSTED, sent=b'{"color": "red"}'), "accepted"),
        (replace(POSTED, path="/groups", body=b"[]", sent=b""), "accepted without a body"),
        (replace(PAGE, query="limit=1.5"), "accepted limit"),
        (replace(EVENTS, body=b'data: {"ready": false}\n\n'), "/ready"),
    ],
)
def test_what_is_not_as_documented_is_named(exchange: Exchange, fault: str) -> None:
    (found,) = CONTRACT.faults(exchange)
    assert fault in found


def test_a_refused_request_may_be_anything() -> None:
    refused = replace(POSTED, status=400, sent=b"{", body=b'{"status": 400, "message": "no"}')
    assert CONTRACT.faults(refused) == []


def test_fixed_paths_win_over_names() -> None:
    contract = Contract(document("/hub/api"))
    contract.faults(replace(GOOD, path="/users/ada/server", body=b"{}"))
    contract.faults(replace(GOOD, path="/users/ada/servers/", body=b"{}"))
    assert set(contract.seen) == {
        "GET /users/{name}/server",
        "GET /users/{name}/servers/{server_name}",
    }
