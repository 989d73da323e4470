"""The OpenAPI document: well-formed, complete in itself, and true to the declarations."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web_house import WebHouse

from perijove.web import site  # noqa: F401 - declares every operation
from perijove.web.api.document import document
from perijove.web.api.operations import DECLARED

DOCUMENT = document("/hub/api")
SCHEMAS = DOCUMENT["components"]["schemas"]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, found in methods.items():
            yield path, method, found


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_declared_path_is_documented_once() -> None:
    declared = {(path or "/", d.method.lower()) for d in DECLARED for path in d.paths}
    assert {(path, method) for path, method, _ in operations()} == declared


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    found = {name.removeprefix("#/components/") for name in references(DOCUMENT)}
    components = DOCUMENT["components"]
    there = {
        f"{kind}/{name}"
        for kind in ("schemas", "responses", "headers")
        for name in components[kind]
    }
    assert found == there


def test_operation_ids_are_unique_names() -> None:
    ids = [found["operationId"] for _, _, found in operations()]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in ids)


def test_every_name_in_a_path_is_a_parameter_of_it() -> None:
    for path, _, found in operations():
        named = set(re.findall(r"\{(\w+)\}", path))
        parameters = found.get("parameters", [])
        assert {p["name"] for p in parameters if p["in"] == "path"} == named
        assert all(p["required"] for p in parameters if p["in"] == "path")


@pytest.mark.parametrize("key", ["summary", "tags", "responses", "security", "x-scopes"])
def test_every_operation_says_what_it_does_and_who_may(key: str) -> None:
    missing = [f"{method} {path}" for path, method, found in operations() if key not in found]
    assert missing == []


def test_scopes_come_with_a_way_to_show_them() -> None:
    for path, method, found in operations():
        assert bool(found["security"]) or not found["x-scopes"], f"{method} {path}"


def test_request_models_are_described_as_they_are_checked() -> None:
    assert SCHEMAS["UserChange"]["additionalProperties"] is False
    assert SCHEMAS["ShareCodeRequest"]["properties"]["expires_in"]["minimum"] == 60
    assert "_pagination" in SCHEMAS["UserPage"]["properties"]


async def test_the_document_is_served_to_everybody_and_names_where_it_is_true(
    house: WebHouse,
) -> None:
    answer = await house.api().get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    served = answer.json()
    assert served["servers"] == [{"url": "/hub/api"}]
    assert served["paths"].keys() == DOCUMENT["paths"].keys()


async def test_every_documented_operation_has_a_route_that_knows_its_method(
    house: WebHouse,
) -> None:
    api = house.api()
    for path, method, _ in operations():
        url = re.sub(r"\{\w+\}", "absent", path)
        options = await api.options(url)
        assert options.status_code == 200, path
        answer = await api.request(method.upper(), url)
        assert answer.status_code not in (405, 500), f"{method} {path}"


async def test_breaches_of_the_policy_are_reported_where_the_operator_says(
    tmp_path: Path,
) -> None:
    house = await WebHouse.open(
        tmp_path, "c.JupyterHub.tornado_settings = {'csp_report_uri': '/reports'}\n"
    )
    answer = await house.api().get("/")
    await house.close()
    assert "report-uri /reports;" in answer.headers["content-security-policy"]
