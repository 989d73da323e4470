"""Operation x scope x filter x target: every answer is as ``access-matrix.toml`` says."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from access_matrix import (
    METASCOPES,
    OPERATIONS,
    PLAIN,
    TABLE,
    Expected,
    Operation,
    Token,
    expect,
    tokens,
)
from matrix_hub import Answer, MatrixHub

from perijove.access.catalogue import CATALOGUE
from perijove.web.site import DECLARED

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKENS = tuple(tokens())
SHOWN = 20
"""Wrong cells that a failure lists."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MatrixHub]:
    """One hub for all cells."""
    made = await MatrixHub.open(tmp_path_factory.mktemp("matrix"), TOKENS)
    yield made
    await made.close()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.call)
async def test_every_cell_is_as_the_table_says(hub: MatrixHub, operation: Operation) -> None:
    wrong = []
    places = [(target, hub.urls(operation, target)) for target in operation.targets]
    for token in TOKENS:
        if token.holder != "user" and operation.method != "GET":
            continue
        for target, urls in places:
            expected = expect(operation, token, target)
            for url in urls:
                answer = await _ask(hub, operation, url, target, hub.secrets[token])
                fault = _fault(operation, expected, answer)
                if fault:
                    wrong.append(f"{operation.method} {url} with {token}: {fault}")
    assert wrong[:SHOWN] == []


async def _ask(
    hub: MatrixHub, operation: Operation, url: str, target: str, secret: str | None
) -> Answer:
    body = _filled(operation.body, target)
    answer = await hub.ask(operation.method, url, secret, body)
    if operation.method != "GET" and answer.status < 400:
        await hub.put_back()
    return answer


def _filled(body: Any, target: str) -> Any:
    if isinstance(body, str):
        return body.replace("{name}", target)
    if isinstance(body, list):
        return [_filled(item, target) for item in body]
    if isinstance(body, dict):
        return {key: _filled(value, target) for key, value in body.items()}
    return body


def _fault(operation: Operation, expected: Expected, answer: Answer) -> str:
    """What is wrong with an answer; empty when it is as expected."""
    if answer.status != expected.status:
        return f"{answer.status} {answer.message!r}, not {expected.status}"
    if expected.message is not None and answer.message != expected.message:
        return f"{answer.message!r}, not {expected.message!r}"
    if expected.fields is not None and answer.data.keys() != expected.fields:
        return f"fields {sorted(answer.data)}, not {sorted(expected.fields)}"
    if expected.rows is not None and _rows(operation, answer.data) != expected.rows:
        return f"rows {_rows(operation, answer.data)}, not {expected.rows}"
    if expected.scopes is not None and answer.data["scopes"] != sorted(expected.scopes):
        return f"scopes {answer.data['scopes']}, not {sorted(expected.scopes)}"
    return ""


def _rows(operation: Operation, data: Any) -> dict[str, frozenset[str]]:
    """The names in a list, each with its fields."""
    if operation.rows == "server":
        rows = [(row["server"]["full_name"], row["server"]) for row in data["servers"]]
    else:
        items = data.values() if isinstance(data, dict) else data
        rows = [(row["name"], row) for row in items]
    return {name: frozenset(row) for name, row in rows}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.call)
async def test_a_stranger_gets_nothing_that_is_not_for_everybody(
    hub: MatrixHub, operation: Operation
) -> None:
    for target in operation.targets:
        for url in hub.urls(operation, target):
            answer = await _ask(hub, operation, url, target, None)
            assert answer.status == (operation.status if operation.open else 403), url


@pytest.mark.parametrize("row", TABLE["mixed"], ids=lambda row: row["promise"])
async def test_scopes_together(hub: MatrixHub, row: dict[str, Any]) -> None:
    method, _, url = row["call"].partition(" ")
    secret = await hub.token_of(row.get("owner", "caller"), row["scopes"])
    answer = await hub.ask(method, url, secret, row.get("body"))
    await hub.put_back()
    assert answer.status == row["status"], answer.message
    assert row.get("message", "") in answer.message
    if "fields" in row:
        assert sorted(answer.data) == row["fields"]
    if "servers" in row:
        assert sorted(answer.data["servers"]) == row["servers"]
    if "rows" in row:
        assert [found["name"] for found in answer.data] == row["rows"]


# -- the table is whole -------------------------------------------------------


async def test_every_operation_has_cells() -> None:
    known = {(row.method, path) for row in OPERATIONS for path in row.paths}
    there = {(found.method, path) for found in DECLARED for path in found.paths}
    assert known == there


async def test_every_scope_has_cells_and_contains_what_the_table_says() -> None:
    known = {name for name in PLAIN if not name.startswith("custom:")}
    assert known == CATALOGUE.scopes.keys() - set(METASCOPES)
    for name in known:
        assert CATALOGUE.contained(name) - {name} == set(PLAIN[name]), name


@pytest.mark.parametrize(
    "operation", [row for row in OPERATIONS if row.needs], ids=lambda operation: operation.call
)
async def test_the_cells_of_an_operation_allow_hide_and_refuse(operation: Operation) -> None:
    cells = [(token, target) for token in TOKENS for target in operation.targets]
    found = {expect(operation, *cell).status for cell in cells}
    assert {operation.status, 403} <= found
    assert operation.rows or operation.target == "hub" or operation.hidden in found


async def test_tokens_are_of_every_scope_and_kind_of_filter() -> None:
    kinds = {token.filter.partition("=")[0] for token in TOKENS if token.holder == "user"}
    assert kinds == {"", "!user", "!group", "!server", "!service"}
    assert {token.scope for token in TOKENS} == {*PLAIN, *METASCOPES}
    assert Token("client", "read:servers", "!server") in TOKENS
