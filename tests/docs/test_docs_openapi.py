"""The OpenAPI document holds every operation of the interface that we match."""

import json
from pathlib import Path
from typing import Any

import pytest

from perijove.web import site  # noqa: F401 - declares every operation
from perijove.web.api.document import document

FACTS = json.loads((Path(__file__).parents[1] / "data" / "rest-operations.json").read_text())
OPERATIONS: list[dict[str, Any]] = FACTS["operations"]
DOCUMENT = document("/hub/api")
PATHS: dict[str, dict[str, Any]] = DOCUMENT["paths"]
SCHEMAS: dict[str, dict[str, Any]] = DOCUMENT["components"]["schemas"]

ANY = "*"
"""Stands for keys that clients choose themselves."""

IGNORED_KEYS = {"PATCH /proxy": {"ip", "port", "protocol"}}
"""Keys of old clients that are accepted and mean nothing."""

OTHER_STATUSES = {
    # A client without a server or service is refused like any client that does not exist.
    "GET /oauth2/authorize": {500},
    # The paths without a server's name, which are documented without these methods.
    "POST /shares/{user}/{server}": {405},
    "PATCH /shares/{user}/{server}": {405},
    "DELETE /shares/{user}/{server}": {405},
    "POST /share-codes/{user}/{server}": {405},
    "DELETE /share-codes/{user}/{server}": {405},
}

OURS = {
    ("get", "/events"),
    ("get", "/.well-known/oauth-authorization-server"),
    ("post", "/oauth2/introspect"),
    ("post", "/oauth2/revoke"),
    ("patch", "/services/{name}"),
    ("get", "/services/{name}/health"),
}
"""What we offer besides."""

SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "none": [],
    "token only": [{"token": []}],
    "token or cookie": [{"token": []}, {"cookie": []}],
    "cookie": [{"cookie": []}],
    "cookie + xsrf": [{"cookie": []}],
    "client credentials in body": [],
}


def name_of(facts: dict[str, Any]) -> str:
    return f"{facts['method']} {facts['path']}"


def documented(facts: dict[str, Any], path: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = PATHS[path or facts["path"]][facts["method"].lower()]
    return found


each = pytest.mark.parametrize("facts", OPERATIONS, ids=name_of)


@each
def test_the_operation_is_documented_with_all_its_paths(facts: dict[str, Any]) -> None:
    for path in [facts["path"], *facts["also"]]:
        assert facts["method"].lower() in PATHS.get(path or "/", {}), path


@each
def test_its_scopes_are_the_ones_that_clients_know(facts: dict[str, Any]) -> None:
    assert sorted(documented(facts)["x-scopes"]) == sorted(facts["scopes"])


@each
def test_its_credentials_are_the_ones_that_clients_know(facts: dict[str, Any]) -> None:
    optional = [entry for entry in documented(facts)["security"] if entry]
    assert optional == SECURITY[facts["auth"]]


@each
def test_its_query_parameters_are_all_there(facts: dict[str, Any]) -> None:
    parameters = documented(facts).get("parameters", [])
    found = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
    assert set(facts["query"]) <= found


@each
def test_its_body_has_every_key_and_no_others(facts: dict[str, Any]) -> None:
    body = documented(facts).get("requestBody")
    wanted = set(facts["body"]) - IGNORED_KEYS.get(name_of(facts), set())
    if body is None:
        assert wanted == set()
        return
    (content,) = body["content"].values()
    kinds = content["schema"].get("anyOf", [content["schema"]])
    models = [SCHEMAS[kind["$ref"].rpartition("/")[2]] for kind in kinds if "$ref" in kind]
    assert {key for model in models for key in model.get("properties", {})} == wanted - {ANY}
    if ANY in wanted:
        assert any(model.get("additionalProperties") is not False for model in models)


@each
def test_its_statuses_are_all_there(facts: dict[str, Any]) -> None:
    found = {int(status) for status in documented(facts)["responses"] if status.isdigit()}
    wanted = set(facts["statuses"]) - OTHER_STATUSES.get(name_of(facts), set())
    assert wanted <= found
    assert facts["scopes"] == [] or 403 in found


@each
def test_it_is_deprecated_exactly_if_it_is_old(facts: dict[str, Any]) -> None:
    assert documented(facts).get("deprecated", False) is facts["deprecated"]


def test_what_we_offer_besides_is_listed() -> None:
    known = {
        (facts["method"].lower(), path or "/")
        for facts in OPERATIONS
        for path in [facts["path"], *facts["also"]]
    }
    found = {(method, path) for path, methods in PATHS.items() for method in methods}
    assert found - known == OURS


def test_the_exceptions_are_about_operations_that_exist() -> None:
    names = {name_of(facts) for facts in OPERATIONS}
    assert IGNORED_KEYS.keys() | OTHER_STATUSES.keys() <= names
