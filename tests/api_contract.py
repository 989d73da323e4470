"""Holds what the API says against its OpenAPI document, both ways.

Each answer must have a status, a content type, headers and a body that the
document names, without a field that it does not name; each request that the hub
accepted must be one that the document allows. ``CheckedTransport`` does it for
tests in this process, ``recorded_hub.py`` and ``check_exchanges.py`` for others.
"""

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx
import jsonschema_rs

Json = dict[str, Any]
JSON = "application/json"
MAY_BE_EMPTY = {"server", "server_name"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request below the API's prefix, and its answer. Names of headers are lower case."""

    method: str
    path: str
    query: str
    sent: bytes
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def name(self) -> str:
        """What to call it in a message."""
        query = f"?{self.query}" if self.query else ""
        return f"{self.method} {self.path}{query} -> {self.status}"

    @property
    def media_type(self) -> str:
        """The type of the answer without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip()


@dataclass(slots=True)
class Contract:
    """An OpenAPI document, ready to be held against exchanges.

    ``seen``: operation -> statuses of exchanges so far.
    """

    document: Json
    seen: dict[str, set[int]] = field(default_factory=dict)
    _paths: list[tuple[re.Pattern[str], str]] = field(default_factory=list)
    _validators: dict[str, Any] = field(default_factory=dict)
    _strict: Json = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Fixed segments win over names.
        for path in sorted(self.document["paths"], key=lambda path: path.count("{")):
            self._paths.append((_pattern(path), path))
        self._strict = deepcopy(self.document["components"]["schemas"])
        for schema in self._strict.values():
            if "properties" in schema:
                schema.setdefault("additionalProperties", False)

    @property
    def operations(self) -> set[str]:
        """Every operation of the document."""
        return {
            f"{method.upper()} {path}"
            for path, methods in self.document["paths"].items()
            for method in methods
        }

    def faults(self, exchange: Exchange) -> list[str]:
        """What is wrong with an exchange; empty when it is as documented."""
        path = next((path for pattern, path in self._paths if pattern.match(exchange.path)), None)
        if path is None or exchange.method == "OPTIONS":
            return []
        method = "GET" if exchange.method == "HEAD" else exchange.method
        operation = self.document["paths"][path].get(method.lower())
        if operation is None:
            return [] if exchange.status in (400, 405) else [f"{exchange.name}: not documented"]
        self.seen.setdefault(f"{method} {path}", set()).add(exchange.status)
        answer = _answer_of(operation["responses"], exchange.status)
        if answer is None:
            return [f"{exchange.name}: the status is not documented: {exchange.body[:200]!r}"]
        answer = self._resolve(answer)
        found = [*self._header_faults(answer, exchange)]
        if exchange.method != "HEAD":
            found += self._body_faults(answer.get("content"), exchange)
        if exchange.status < 400:
            found += self._request_faults(operation, exchange)
        return [f"{exchange.name}: {fault}" for fault in found]

    def _resolve(self, value: Json) -> Json:
        while "$ref" in value:
            _, *parts = value["$ref"].split("/")
            value = self.document
            for part in parts:
                value = value[part]
        return value

    def _header_faults(self, answer: Json, exchange: Exchange) -> list[str]:
        headers = {name: self._resolve(about) for name, about in answer["headers"].items()}
        return [
            f"no header {name}"
            for name, about in headers.items()
            if about.get("required") and name.lower() not in exchange.headers
        ]

    def _body_faults(self, content: Json | None, exchange: Exchange) -> list[str]:
        if content is None:
            return [f"a body: {exchange.body[:200]!r}"] if exchange.body else []
        about = content.get(exchange.media_type)
        if about is None:
            return [f"the type {exchange.media_type!r} is not documented"]
        schema = about["schema"]
        if exchange.media_type == JSON:
            return self._misfits(schema, exchange.body, strict=True)
        if exchange.media_type == "text/event-stream":
            events = re.findall(rb"^data: (.*)$", exchange.body, re.MULTILINE)
            return [fault for event in events for fault in self._misfits(schema, event, True)]
        empty = schema.get("maxLength") == 0
        return [] if empty is not bool(exchange.body) else [f"body {exchange.body[:200]!r}"]

    def _request_faults(self, operation: Json, exchange: Exchange) -> list[str]:
        found = []
        body = operation.get("requestBody", {"required": False, "content": {}})
        if body["required"] and not exchange.sent:
            found.append("accepted without a body")
        if exchange.sent.strip() and JSON in body["content"]:
            schema = body["content"][JSON]["schema"]
            misfits = self._misfits(schema, exchange.sent, strict=False)
            found += [f"accepted {exchange.sent[:200]!r}: {misfit}" for misfit in misfits]
        schemas = {
            parameter["name"]: parameter["schema"]
            for parameter in operation.get("parameters", [])
            if parameter["in"] == "query"
        }
        for name, value in parse_qsl(exchange.query, keep_blank_values=True):
            if name in schemas and not _fits_query(schemas[name], value):
                found.append(f"accepted {name}={value!r}, which is not {schemas[name]}")
        return found

    def _misfits(self, schema: Json, data: bytes, strict: bool) -> list[str]:
        try:
            value = json.loads(data)
        except ValueError as error:
            return [f"no JSON ({error}): {data[:200]!r}"]
        validator = self._validator(schema, strict)
        return [
            f"/{'/'.join(map(str, error.instance_path))}: {error.message[:300]}"
            for error in validator.iter_errors(value)
        ]

    def _validator(self, schema: Json, strict: bool) -> Any:
        key = f"{strict} {json.dumps(schema, sort_keys=True)}"
        if key not in self._validators:
            schemas = self._strict if strict else self.document["components"]["schemas"]
            whole = {**schema, "components": {"schemas": schemas}}
            # What comes in may be any ISO 8601; what goes out is as precise as promised.
            self._validators[key] = jsonschema_rs.Draft202012Validator(
                whole, validate_formats=strict
            )
        return self._validators[key]


def _pattern(path: str) -> re.Pattern[str]:
    def segment(match: re.Match[str]) -> str:
        return "[^/]*" if match[1] in MAY_BE_EMPTY else "[^/]+"

    escaped = re.sub(r"\{(\w+)\}", segment, path.replace(".", r"\."))
    return re.compile(f"{escaped}\\Z")


def _answer_of(responses: Json, status: int) -> Json | None:
    found: Json | None = responses.get(str(status)) or responses.get(f"{status // 100}XX")
    return found


def _fits_query(schema: Json, value: str) -> bool:
    if schema["type"] == "integer" and not re.fullmatch(r"-?[0-9]+", value):
        return False
    parsed: Any = int(value) if schema["type"] == "integer" else value
    return bool(jsonschema_rs.is_valid(schema, parsed))


class CheckedTransport(httpx.ASGITransport):
    """Asks an application in this process; fails when an answer is not as documented."""

    def __init__(self, application: Any, prefix: str, contract: Contract) -> None:
        super().__init__(app=application)
        self._prefix = prefix
        self._contract = contract

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, held against the document."""
        sent = await request.aread()
        response = await super().handle_async_request(request)
        raw_path, _, query = request.url.raw_path.decode("ascii").partition("?")
        if raw_path.startswith(self._prefix):
            exchange = Exchange(
                request.method,
                raw_path[len(self._prefix) :] or "/",
                query,
                sent,
                response.status_code,
                {name.lower(): value for name, value in response.headers.items()},
                await response.aread(),
            )
            assert self._contract.faults(exchange) == []
        return response
