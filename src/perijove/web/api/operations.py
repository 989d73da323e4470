"""How an operation of the API is declared.

    @operation("GET", "/users/{name}", "One user", answers={200: models.User})
    async def get_user(call: Call) -> Response: ...

The scopes stand in ``access.operations``; an operation that takes scopes and is
missing there cannot be declared.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from perijove.access.operations import OPERATIONS
from perijove.domain.errors import InvalidInput, NotAuthenticated
from perijove.web.call import Call, Handler
from perijove.web.freshness import identify

Auth = Literal["any", "token", "none", "optional", "page"]
"""What a caller must show: a token or the login cookie, a token, nothing.

With the other two the handler asks for itself: ``optional`` can do without, ``page``
wants the cookie and sends strangers to sign in.
"""

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter, or a request header."""

    name: str
    kind: Literal["string", "integer", "boolean"]
    description: str
    required: bool = False


WAIT = Parameter("Prefer", "string", "wait=N: wait up to N seconds for the end (RFC 7240)")


@dataclass(frozen=True, slots=True)
class Declared:
    """One operation: where it is, what it takes, what it answers."""

    method: str
    path: str
    summary: str
    endpoint: Handler
    tag: str
    auth: Auth
    scopes: tuple[str, ...]
    body: type[BaseModel] | None
    query: tuple[Parameter, ...]
    header: tuple[Parameter, ...]
    answers: Mapping[int, Any]
    errors: tuple[int, ...]
    also: tuple[str, ...] = field(default=())
    deprecated: bool = False
    body_type: str = JSON

    @property
    def paths(self) -> tuple[str, ...]:
        """All paths of the operation."""
        return (self.path, *self.also)


DECLARED: list[Declared] = []
"""Every operation, in the order of declaration."""


def operation(
    method: str,
    path: str,
    summary: str,
    *,
    auth: Auth = "any",
    body: type[BaseModel] | None = None,
    query: tuple[Parameter, ...] = (),
    header: tuple[Parameter, ...] = (),
    answers: Mapping[int, Any],
    errors: tuple[int, ...] = (),
    also: tuple[str, ...] = (),
    deprecated: bool = False,
    body_type: str = JSON,
    tag: str = "",
) -> Callable[[Handler], Handler]:
    """Declare a handler. ``answers``: status to model (None: no body; str: a page).

    ``tag`` is the resource, if it is not the name of the handler's module.
    """
    access = OPERATIONS.get(f"{method} {path}")

    def declare(handler: Handler) -> Handler:
        async def endpoint(call: Call) -> Any:
            if auth in ("any", "token"):
                await identify(call, cookies=auth == "any")
                if not call.caller.known:
                    raise NotAuthenticated
            return await handler(call)

        endpoint.__name__ = handler.__name__
        endpoint.__module__ = handler.__module__
        DECLARED.append(
            Declared(
                method=method,
                path=path,
                summary=summary,
                endpoint=endpoint,
                tag=tag or handler.__module__.rpartition(".")[2],
                auth=auth,
                scopes=access.needs if access else (),
                body=body,
                query=query,
                header=header,
                answers=answers,
                errors=errors,
                also=also + (access.also if access else ()),
                deprecated=deprecated,
                body_type=body_type,
            )
        )
        return handler

    return declare


async def read_body(call: Call, model: type[Model], name: str) -> Model | None:
    """The JSON body as a model; None when there is none. Raises InvalidInput.

    ``name`` is what the body is of, for the message.
    """
    data = await call.json()
    return None if data is None else parse_body(data, model, name)


def parse_body(data: Any, model: type[Model], name: str) -> Model:
    """JSON data as a model. Raises InvalidInput that names what is wrong."""
    if not isinstance(data, dict):
        raise InvalidInput(f"The body must be a JSON object, not {_kind(data)}")
    unknown = sorted(set(data) - set(model.model_fields))
    if unknown and model.model_config.get("extra") == "forbid":
        raise InvalidInput(f"Invalid JSON keys: {', '.join(unknown)}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([name, *(str(part) for part in first["loc"])])
        raise InvalidInput(f"{where}: {first['msg']}") from None


def _kind(value: Any) -> str:
    kinds = {list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return kinds.get(type(value), "null")
