"""The OpenAPI document, made from the declared operations and the wire models."""

from inspect import cleandoc
from types import UnionType
from typing import Any, get_args, get_origin

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from perijove import INTERFACE_VERSION, __version__
from perijove.web.api.operations import (
    DECLARED,
    JSON,
    PAGE,
    Auth,
    Declared,
    Parameter,
    Text,
    names_in,
)
from perijove.web.api.schemas import reference, schemas
from perijove.web.call import Call
from perijove.web.routing import MAY_BE_EMPTY
from perijove.wire import models

Json = dict[str, Any]

_PHRASES = {
    200: "Done",
    201: "Made",
    202: "Still going on",
    204: "Done; there is nothing to say",
    302: "Go on there",
    304: "Nothing has changed since the answer with this entity tag",
    400: "The request is malformed or impossible",
    401: "The client's credentials are wrong",
    403: "Not signed in, or not allowed",
    404: "Missing, or not visible to the caller",
    405: "This method does not fit here",
    409: "The state of things forbids it",
    413: "The body is larger than the hub takes",
    429: "A limit is reached; see Retry-After",
    500: "A plug-in failed, or something that nobody expected",
    503: "The database cannot be reached now",
}
_TAGS = {
    "hub": "The hub itself",
    "users": "People and their accounts",
    "servers": "People's servers: start, stop, follow",
    "tokens": "API tokens of people",
    "groups": "Groups of people",
    "services": "Programs that use the API",
    "shares": "Access to one's servers, given to others",
    "proxy": "The proxy's table",
    "authorizations": "Old ways to ask whose credential it is",
    "oauth2": "The OAuth provider (RFC 6749), for servers and services",
}

_NAMES = {
    "name": "name of a {tag}",
    "user": "name of the server's owner",
    "owner": "name of the server's owner",
    "server": "name of the server; empty: the default server",
    "server_name": "name of the server; empty: the default server",
    "token_id": "id of the token, such as a12",
    "token": "the token",
    "cookie_name": "name of the login cookie",
    "cookie_value": "value of the login cookie",
}

_SECURITY: dict[Auth, list[dict[str, list[str]]]] = {
    "none": [],
    "token": [{"token": []}],
    "page": [{"cookie": []}],
    "any": [{"token": []}, {"cookie": []}],
    "optional": [{"token": []}, {"cookie": []}, {}],
}

_HEADERS: Json = {
    "Version": {
        "description": "the version of the interface",
        "schema": {"type": "string"},
        "required": True,
    },
    "ETag": {
        "description": "identifies the body, for If-None-Match",
        "schema": {"type": "string"},
    },
    "RetryAfter": {
        "description": "seconds to wait before asking again",
        "schema": {"type": "integer", "minimum": 0},
    },
    "PreferenceApplied": {
        "description": "the wait that was taken account of (RFC 7240, section 3)",
        "schema": {"type": "string"},
    },
    "Location": {"description": "where to go on", "schema": {"type": "string"}, "required": True},
}

_SECURITY_SCHEMES: Json = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`token TOKEN` or `Bearer TOKEN`",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "jupyterhub-hub-login",
        "description": (
            "The login cookie, with proof of origin: the value of the `_xsrf` cookie as header "
            "`X-XSRFToken` or as argument `_xsrf`"
        ),
    },
}

_made: dict[str, bytes] = {}


async def show_document(call: Call) -> Response:
    """GET /hub/api/openapi.json: for everybody, since it holds nothing secret."""
    prefix = call.rooms.settings.network.hub_prefix
    body = _made.get(prefix)
    if body is None:
        body = _made[prefix] = orjson.dumps(document(f"{prefix}api"))
    return Response(body, media_type=JSON)


def document(server_url: str) -> Json:
    """The document of this API; ``server_url`` is what its paths are relative to."""
    paths: dict[str, Json] = {}
    for declared in DECLARED:
        for path in declared.paths:
            entry = paths.setdefault(path or "/", {})
            entry[declared.method.lower()] = _operation(declared, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Perijove",
            "version": __version__,
            "summary": "The REST API of the hub",
            "description": (
                f"Speaks the REST API of JupyterHub {INTERFACE_VERSION}. An operation needs any "
                "one of its `x-scopes`. GET operations answer HEAD, too."
            ),
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": server_url}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas(_models()),
            "responses": _errors(),
            "headers": _HEADERS,
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _operation(declared: Declared, path: str) -> Json:
    variant = "" if path == declared.path else "_default"
    entry: Json = {
        "operationId": f"{declared.endpoint.__name__}{variant}{'_root' if not path else ''}",
        "summary": declared.summary,
        "description": _description(declared),
        "tags": [declared.tag],
    }
    parameters = [_path_parameter(declared, name) for name in names_in(path)]
    parameters += [_parameter("query", parameter) for parameter in declared.query]
    parameters += [_parameter("header", parameter) for parameter in declared.header]
    if parameters:
        entry["parameters"] = parameters
    if declared.bodies:
        entry["requestBody"] = {
            "required": declared.body_required,
            "content": {declared.body_type: {"schema": _body(declared)}},
        }
    entry["responses"] = _responses(declared)
    entry["security"] = _SECURITY[declared.auth]
    if declared.auth == "page" and declared.method == "GET":
        # Strangers are sent to sign in, and come back.
        entry["security"] = [*entry["security"], {}]
    entry["x-scopes"] = list(declared.scopes)
    if declared.deprecated:
        entry["deprecated"] = True
    return entry


def _description(declared: Declared) -> str:
    text = cleandoc(declared.description)
    if declared.scopes:
        text += f"\n\nNeeds any of: {', '.join(declared.scopes)}."
    return text


def _path_parameter(declared: Declared, name: str) -> Json:
    what = {"users": "user", "groups": "group", "services": "service"}
    kind = what.get(declared.path.split("/")[1], "")
    # NUL is what no database can be asked about.
    pattern = "^[^\\x00]*$" if name in MAY_BE_EMPTY else "^[^\\x00]+$"
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": _NAMES[name].format(tag=kind),
        "schema": {"type": "string", "pattern": pattern},
    }


def _parameter(place: str, parameter: Parameter) -> Json:
    schema: Json = {"type": parameter.kind}
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    if parameter.least is not None:
        schema["minimum"] = parameter.least
    if parameter.most is not None:
        schema["maximum"] = parameter.most
    return {
        "name": parameter.name,
        "in": place,
        "required": parameter.required,
        "description": parameter.description,
        "schema": schema,
    }


def _body(declared: Declared) -> Json:
    kinds = [reference(model) for model in declared.bodies]
    if not declared.body_required and declared.body_type == JSON:
        kinds.append({"type": "null"})
    return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}


def _responses(declared: Declared) -> Json:
    responses: Json = {}
    for status, answer in declared.answers.items():
        responses[str(status)] = _response(declared, status, _content(answer))
    if _has_tag(declared, 200):
        responses["304"] = _response(declared, 304, None)
    suffix = "Page" if declared.explained else ""
    for status in declared.errors:
        if status not in declared.answers:
            responses[str(status)] = {"$ref": f"#/components/responses/Error{status}{suffix}"}
    if declared.refusals:
        for family in ("4XX", "5XX"):
            responses[family] = {"$ref": "#/components/responses/Refusal"}
    return responses


def _errors() -> Json:
    """The errors that operations refer to: in JSON, and as pages where people look at them."""
    made: Json = {"Refusal": _error("A plug-in refuses, with a status and a message of its own")}
    for declared in DECLARED:
        for status in declared.errors:
            names = ("Version", "RetryAfter") if status == 429 else ("Version",)
            suffix = "Page" if declared.explained else ""
            made[f"Error{status}{suffix}"] = _error(
                _PHRASES[status], *names, page=declared.explained
            )
    return dict(sorted(made.items()))


def _error(description: str, *headers: str, page: bool = False) -> Json:
    content: Json = {JSON: {"schema": reference(models.Problem)}}
    if page:
        # A hub without pages answers JSON here as well.
        content[PAGE.media_type] = {"schema": {"type": "string"}}
    return {
        "description": description,
        "headers": _headers(*(headers or ("Version",))),
        "content": content,
    }


def _response(declared: Declared, status: int, content: Json | None) -> Json:
    names = ["Version"]
    if status == 302:
        names.append("Location")
    if any(parameter.name == "Prefer" for parameter in declared.header):
        names.append("PreferenceApplied")
    if status in (200, 304) and _has_tag(declared, 200):
        names.append("ETag")
    made: Json = {"description": _PHRASES[status], "headers": _headers(*names)}
    if content is not None:
        made["content"] = content
    return made


def _has_tag(declared: Declared, status: int) -> bool:
    """Whether an answer has an entity tag: JSON that was asked for with GET."""
    answer = declared.answers.get(status)
    return declared.method == "GET" and answer is not None and not isinstance(answer, Text)


def _headers(*names: str) -> Json:
    sent = {
        "Version": "X-JupyterHub-Version",
        "RetryAfter": "Retry-After",
        "PreferenceApplied": "Preference-Applied",
    }
    return {sent.get(name, name): {"$ref": f"#/components/headers/{name}"} for name in names}


def _content(answer: Any) -> Json | None:
    if answer is None:
        return None
    if not isinstance(answer, Text):
        return {JSON: {"schema": _schema_of(answer)}}
    if answer.event is not None:
        return {answer.media_type: {"schema": _schema_of(answer.event)}}
    schema: Json = {"type": "string"}
    return {answer.media_type: {"schema": schema | ({"maxLength": 0} if answer.empty else {})}}


def _schema_of(answer: Any) -> Json:
    if isinstance(answer, UnionType):
        return {"anyOf": [_schema_of(one) for one in get_args(answer)]}
    if get_origin(answer) is list:
        return {"type": "array", "items": _schema_of(get_args(answer)[0])}
    if get_origin(answer) is dict:
        return {"type": "object", "additionalProperties": _schema_of(get_args(answer)[1])}
    return reference(answer)


def _models() -> set[type[BaseModel]]:
    """Every model that an operation takes or answers."""
    found: set[type[BaseModel]] = {models.Problem}
    for declared in DECLARED:
        found.update(declared.bodies)
        for answer in declared.answers.values():
            found |= _models_in(answer)
    return found


def _models_in(answer: Any) -> set[type[BaseModel]]:
    if isinstance(answer, Text):
        return _models_in(answer.event) if answer.event is not None else set()
    if isinstance(answer, type) and issubclass(answer, BaseModel):
        return {answer}
    return set[type[BaseModel]]().union(*(_models_in(part) for part in get_args(answer)))
