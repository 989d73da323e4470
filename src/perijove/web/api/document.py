"""The OpenAPI document, made from the declared operations and the wire models."""

import re
from types import UnionType
from typing import Any, get_args, get_origin

import orjson
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from perijove import INTERFACE_VERSION, __version__
from perijove.web.api.operations import DECLARED, JSON, Auth, Declared
from perijove.web.call import Call
from perijove.wire import models

REF = "#/components/schemas/{model}"
_PHRASES = {
    200: "Done",
    201: "Made",
    202: "Still going on",
    204: "Done; there is nothing to say",
    302: "Go on there",
    400: "The request is malformed or impossible",
    401: "The client's credentials are wrong",
    403: "Not signed in, or not allowed",
    404: "Missing, or not visible to the caller",
    405: "This method does not fit here",
    409: "The state of things forbids it",
    429: "A limit is reached; see Retry-After",
    500: "A plug-in failed",
}

_SECURITY: dict[Auth, list[dict[str, list[str]]]] = {
    "none": [],
    "token": [{"token": []}],
    "page": [{"cookie": []}],
    "any": [{"token": []}, {"cookie": []}],
    "optional": [{"token": []}, {"cookie": []}, {}],
}

_made: dict[str, bytes] = {}


async def show_document(call: Call) -> Response:
    """GET /hub/api/openapi.json: for everybody, since it holds nothing secret."""
    prefix = call.rooms.settings.network.hub_prefix
    body = _made.get(prefix)
    if body is None:
        body = _made[prefix] = orjson.dumps(document(f"{prefix}api"))
    return Response(body, media_type="application/json")


def document(server_url: str) -> dict[str, Any]:
    """The document of this API; ``server_url`` is what its paths are relative to."""
    paths: dict[str, dict[str, Any]] = {}
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
            "description": f"Speaks the REST API of JupyterHub {INTERFACE_VERSION}.",
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": server_url}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "token TOKEN",
                },
                "cookie": {"type": "apiKey", "in": "cookie", "name": "jupyterhub-hub-login"},
            },
        },
    }


def _operation(declared: Declared, path: str) -> dict[str, Any]:
    variant = "" if path == declared.path else "_default"
    entry: dict[str, Any] = {
        "operationId": f"{declared.endpoint.__name__}{variant}{'_root' if not path else ''}",
        "summary": declared.summary,
        "tags": [declared.tag],
        "responses": _responses(declared),
        "x-scopes": list(declared.scopes),
    }
    if declared.scopes:
        entry["description"] = f"Needs any of: {', '.join(declared.scopes)}."
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    parameters += [
        {
            "name": parameter.name,
            "in": place,
            "required": parameter.required,
            "description": parameter.description,
            "schema": {"type": parameter.kind},
        }
        for place, of_place in (("query", declared.query), ("header", declared.header))
        for parameter in of_place
    ]
    if parameters:
        entry["parameters"] = parameters
    if declared.body is not None:
        schema = {"$ref": REF.format(model=declared.body.__name__)}
        entry["requestBody"] = {"content": {declared.body_type: {"schema": schema}}}
    entry["security"] = _SECURITY[declared.auth]
    if declared.deprecated:
        entry["deprecated"] = True
    return entry


def _responses(declared: Declared) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, answer in declared.answers.items():
        response: dict[str, Any] = {"description": _PHRASES.get(status, "Done")}
        if answer is not None:
            response["content"] = {_type_of(declared, answer): {"schema": _schema_of(answer)}}
        responses[str(status)] = response
    for status in declared.errors:
        responses[str(status)] = {
            "description": _PHRASES[status],
            "content": {"application/json": {"schema": {"$ref": REF.format(model="Problem")}}},
        }
    return responses


def _type_of(declared: Declared, answer: Any) -> str:
    if answer is str:
        return "text/html"
    return "text/event-stream" if declared.path.endswith(("/progress", "/events")) else JSON


def _schema_of(answer: Any) -> dict[str, Any]:
    if answer is str:
        return {"type": "string"}
    if isinstance(answer, UnionType):
        return {"anyOf": [_schema_of(one) for one in get_args(answer)]}
    if get_origin(answer) is list:
        return {"type": "array", "items": _schema_of(get_args(answer)[0])}
    if get_origin(answer) is dict:
        return {"type": "object", "additionalProperties": _schema_of(get_args(answer)[1])}
    return {"$ref": REF.format(model=answer.__name__)}


def _schemas() -> dict[str, Any]:
    kinds = [
        value
        for value in vars(models).values()
        if isinstance(value, type)
        and issubclass(value, BaseModel)
        and value not in (BaseModel, models.Request, models.Answer)
    ]
    modes: list[Any] = [
        (kind, "validation" if issubclass(kind, models.Request) else "serialization")
        for kind in kinds
    ]
    _, definitions = models_json_schema(modes, ref_template=REF)
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas
