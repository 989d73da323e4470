"""How an operation of the API is declared.

    @operation("GET", "/users/{name}", "One user", answers={200: models.User}, errors=(404,))
    async def get_user(call: Call) -> Response: ...

Route, check of credentials and OpenAPI document come from that. The scopes stand
in ``access.operations``. Statuses that follow from the rest need not be declared:
400 and 413 for input, 403, 404 and 429 for credentials, 500 and 503.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from perijove.access.operations import OPERATIONS, Aim, Operation
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
class Text:
    """An answer that is no JSON. ``event``: what each event of a stream holds."""

    media_type: str
    event: Any = None
    empty: bool = False


PAGE = Text("text/html")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter, or a request header. ``choices``: all values there are."""

    name: str
    kind: Literal["string", "integer"]
    description: str
    required: bool = False
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None


WAIT = Parameter("Prefer", "string", "wait=N: wait up to N seconds for the end (RFC 7240)")
LENIENT = Parameter(
    "Prefer",
    "string",
    "handling=lenient: what exists already is answered 200, as it is (RFC 7240)",
)
WAIT_OR_LENIENT = Parameter(
    "Prefer",
    "string",
    "wait=N: wait up to N seconds until it is ready; handling=lenient, and wait as well: "
    "a server that runs already is answered 200 (RFC 7240)",
)


@dataclass(frozen=True, slots=True)
class Declared:
    """One operation: where it is, what it takes, what it answers.

    ``refusals``: a plug-in may refuse with a status of its own. ``explained``:
    errors are pages, since a person looks at them.
    """

    method: str
    path: str
    summary: str
    description: str
    endpoint: Handler
    tag: str
    auth: Auth
    scopes: tuple[str, ...]
    bodies: tuple[type[BaseModel], ...]
    query: tuple[Parameter, ...]
    header: tuple[Parameter, ...]
    answers: Mapping[int, Any]
    errors: tuple[int, ...]
    also: tuple[str, ...] = field(default=())
    body_required: bool = False
    body_type: str = JSON
    deprecated: bool = False
    refusals: bool = False
    explained: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """All paths of the operation."""
        return (self.path, *self.also)


_NAMED: frozenset[Aim] = frozenset({"user", "server", "group", "service"})
"""What a path names may be hidden from the caller."""

DECLARED: list[Declared] = []
"""Every operation, in the order of declaration."""


def operation(
    method: str,
    path: str,
    summary: str,
    *,
    auth: Auth = "any",
    body: type[BaseModel] | UnionType | None = None,
    body_required: bool = False,
    query: tuple[Parameter, ...] = (),
    header: tuple[Parameter, ...] = (),
    answers: Mapping[int, Any],
    errors: tuple[int, ...] = (),
    also: tuple[str, ...] = (),
    deprecated: bool = False,
    refusals: bool = False,
    explained: bool = False,
    body_type: str = JSON,
    tag: str = "",
) -> Callable[[Handler], Handler]:
    """Declare a handler. ``answers``: status to model, ``Text``, or None for no body.

    ``tag`` is the resource, if it is not the name of the handler's module. The
    handler's docstring is the description.
    """
    access = OPERATIONS.get(f"{method} {path}")
    bodies = () if body is None else get_args(body) or (body,)
    also += access.also if access else ()
    implied = _implied_errors(auth, access, (path, *also), bool(bodies or query))
    if bodies:
        implied.add(413)

    def declare(handler: Handler) -> Handler:
        DECLARED.append(
            Declared(
                method=method,
                path=path,
                summary=summary,
                description=handler.__doc__ or "",
                endpoint=_for_known(handler, auth) if auth in ("any", "token") else handler,
                tag=tag or handler.__module__.rpartition(".")[2],
                auth=auth,
                scopes=access.needs if access else (),
                bodies=bodies,
                body_required=body_required,
                query=query,
                header=header,
                answers=answers,
                errors=tuple(sorted({*errors, *implied})),
                also=also,
                deprecated=deprecated,
                refusals=refusals,
                explained=explained,
                body_type=body_type,
            )
        )
        return handler

    return declare


def _for_known(handler: Handler, auth: Auth) -> Handler:
    """The handler, behind the question who calls."""

    async def endpoint(call: Call) -> Response:
        await identify(call, cookies=auth == "any")
        if not call.caller.known:
            raise NotAuthenticated
        return await handler(call)

    endpoint.__name__ = handler.__name__
    endpoint.__module__ = handler.__module__
    return endpoint


def _implied_errors(
    auth: Auth,
    access: Operation | None,
    paths: tuple[str, ...],
    takes_input: bool,
) -> set[int]:
    """Statuses that follow from what an operation takes, and from whom."""
    found = set()
    if auth != "none" or takes_input or any(map(names_in, paths)):
        # An authenticator that is asked about a person wants a well-formed request.
        found.add(400)
    if auth in ("any", "token"):
        found.add(403)
    if auth in ("any", "token", "optional"):
        # A token may call too often.
        found.add(429)
    if access is not None and access.aim in _NAMED and access.hidden_status == 404:
        found.add(404)
    if auth != "none" or takes_input:
        # It asks the database, and maybe a plug-in.
        found |= {500, 503}
    return found


def names_in(path: str) -> list[str]:
    """The parameters of a path."""
    return re.findall(r"\{(\w+)\}", path)


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
