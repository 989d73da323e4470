"""The models of the OpenAPI document have the fields and types that clients know."""

import json
from pathlib import Path
from typing import Any

import pytest

from perijove.web import site  # noqa: F401 - declares every operation
from perijove.web.api.document import document

FACTS = json.loads((Path(__file__).parents[1] / "data" / "rest-models.json").read_text())
MODELS: dict[str, dict[str, str]] = FACTS["models"]
DOCUMENT = document("/hub/api")
SCHEMAS: dict[str, dict[str, Any]] = DOCUMENT["components"]["schemas"]

PLAIN = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "dict": {"type": "object", "additionalProperties": True},
    "null": {"type": "null"},
}

OWN = {
    *("InfoDetail", "OAuthProblem", "NoShare", "Message", "TokenList"),
    *("ServerEvent", "ServerSnapshot", "OAuthMetadata", "OAuthTokenState"),
    "ServiceHealth",
}
"""Models of answers whose fields the facts do not list, or that are tested by name elsewhere."""


def schema_of(word: str) -> dict[str, Any]:
    """The schema that a word of the facts stands for."""
    if word in PLAIN:
        return PLAIN[word]
    if word.startswith("="):
        return {"const": True if word == "=true" else word[1:]}
    kind, _, inner = word.rpartition(" ")
    if kind == "list":
        return {"type": "array", "items": schema_of(inner)}
    if kind == "map":
        return {"type": "object", "additionalProperties": schema_of(inner)}
    return {"$ref": f"#/components/schemas/{word}"}


def in_order(schema: dict[str, Any]) -> str:
    """What alternatives are sorted by."""
    return json.dumps(schema, sort_keys=True)


def alternatives(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What a value may be, without descriptions and limits, in a fixed order."""
    found = []
    for one in schema.get("anyOf", [schema]):
        if "enum" in one:
            found += [{"const": value} for value in one["enum"]]
        elif "const" in one:
            found.append({"const": one["const"]})
        else:
            about = ("description", "default", "minimum", "maximum")
            found.append({key: value for key, value in one.items() if key not in about})
    return sorted(found, key=in_order)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_the_fields_and_types_that_clients_know(name: str) -> None:
    properties = SCHEMAS[name]["properties"]
    assert properties.keys() == MODELS[name].keys()
    for key, words in MODELS[name].items():
        wanted = sorted((schema_of(word) for word in words.split("|")), key=in_order)
        assert alternatives(properties[key]) == wanted, key


def test_every_model_of_an_answer_is_known() -> None:
    answers = {
        name
        for name, schema in SCHEMAS.items()
        if not name.endswith(("Request", "Change", "Removal", "Fields", "Properties"))
    }
    requests = {"OAuthConsent", "OAuthExchange", "ServerActivity", "StartOptions"}
    requests |= {"OAuthIntrospection", "OAuthRevocation"}
    assert answers - requests - MODELS.keys() == OWN - MODELS.keys()
