"""The wire models as the JSON schemas of the OpenAPI document."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from perijove.wire.requests import Request

REF = "#/components/schemas/{model}"


class _Schemas(GenerateJsonSchema):
    """Without what says nothing: titles that repeat names, and null for what is left out."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """No field has a title."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Defaults, if they are values."""
        if schema.get("default") is None and "default_factory" not in schema:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def reference(model: type[BaseModel]) -> dict[str, Any]:
    """A reference to the schema of a model."""
    return {"$ref": REF.format(model=model.__name__)}


def schemas(kinds: Iterable[type[BaseModel]]) -> dict[str, Any]:
    """Name to schema, of these models and of what they consist of.

    Requests are described as they are checked, answers as they are sent.
    """
    modes: list[Any] = [
        (kind, "validation" if issubclass(kind, Request) else "serialization")
        for kind in sorted(kinds, key=lambda kind: kind.__name__)
    ]
    _, definitions = models_json_schema(modes, ref_template=REF, schema_generator=_Schemas)
    found: dict[str, Any] = definitions["$defs"]
    return found
