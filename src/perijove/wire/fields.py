"""What request and answer models are made of.

``X | None`` is a value that may be null; ``Missable[X]`` may be left out and is
never null.
"""

from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError

T = TypeVar("T")
Json = dict[str, Any]


class _NeverNull:
    """Leaves null out of a field's schema."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        made: Json = dict(handler(schema))
        kinds = [kind for kind in made.pop("anyOf", []) if kind != {"type": "null"}]
        made.update(kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})
        return made


def _refuse_null(value: object) -> object:
    if value is None:
        raise PydanticCustomError("null", "Input should not be null; it can be left out")
    return value


Missable = Annotated[T | None, BeforeValidator(_refuse_null), _NeverNull()]
