"""What ``tests/data/access-matrix.toml`` says of a cell: operation, token, target.

Nothing of this is the hub's code: the table and these few lines are what the hub's
decisions are held against.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

TABLE: dict[str, Any] = tomllib.loads(
    (Path(__file__).parents[2] / "data" / "access-matrix.toml").read_text()
)
SCOPES: dict[str, list[str]] = TABLE["scopes"]
METASCOPES = ("self", "inherit")
PLAIN = {name: below for name, below in SCOPES.items() if name not in METASCOPES}
OWNERS = {"user": "caller", "service": "robot", "client": "caller"}
HIDDEN = "No access to resources or resources not found"

Holder = Literal["user", "service", "client"]
"""Whose token: a person's, a service's, a person's that was issued to their server."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token with one scope. ``filter``: as written behind it, maybe nothing."""

    holder: Holder
    scope: str
    filter: str = ""

    def __str__(self) -> str:
        return f"{self.scope}{self.filter} of {self.holder}"


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the table. ``target``: the kind of thing that it is about."""

    call: str
    also: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    target: str = "hub"
    targets: tuple[str, ...] = ("",)
    rows: str = ""
    body: Any = None
    status: int = 200
    special: Mapping[str, int] | None = None
    hidden: int = 404
    fields: str = ""
    open: bool = False
    identity: bool = False

    @property
    def method(self) -> str:
        return self.call.partition(" ")[0]

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.call.partition(" ")[2], *self.also)

    def paths_for(self, target: str) -> tuple[str, ...]:
        """The templates of all paths that lead to this target."""
        named = self.target == "server" and not target.endswith("/")
        return self.paths[:1] if named else self.paths


@dataclass(frozen=True, slots=True)
class Expected:
    """What the answer must be; None: anything will do."""

    status: int
    message: str | None = None
    fields: frozenset[str] | None = None
    rows: Mapping[str, frozenset[str]] | None = None
    scopes: frozenset[str] | None = None


OPERATIONS = tuple(
    Operation(**{key: tuple(v) if isinstance(v, list) else v for key, v in row.items()})
    for row in TABLE["operation"]
)


def tokens() -> Iterator[Token]:
    """Every scope with every filter, for each kind of holder."""
    filters = ("", *TABLE["reach"], *TABLE["short"]["user"])
    for scope in PLAIN:
        yield from (Token("user", scope, text) for text in filters)
        yield from (Token("service", scope, text) for text in TABLE["short"]["service"])
        yield Token("client", scope, "!server")
    for scope in METASCOPES:
        yield from (Token("user", scope), Token("service", scope))


@cache
def held(token: Token) -> list[tuple[str, str]]:
    """What a token means: pairs of scope and filter."""
    kind = "service" if token.holder == "service" else "user"
    own = f"!{kind}={OWNERS[token.holder]}"
    pairs = [(name, own) for name in TABLE["identity"][kind]]
    if token.holder == "client":
        pairs.append(("access:servers", TABLE["short"]["client"]["!server"]))
    if token.scope == "inherit":
        return pairs + [(name, "") for name in PLAIN]
    if token.scope == "self":
        return pairs + ([(name, own) for name in SCOPES["self"]] if kind == "user" else [])
    text = TABLE["short"][token.holder].get(token.filter, token.filter)
    if token.filter and not text:
        return pairs
    below = [
        name
        for name in SCOPES[token.scope]
        if not (text.startswith("!server") and name.startswith(TABLE["hidden_below_server"]))
    ]
    return pairs + [(name, text) for name in (token.scope, *below)]


def reaches(text: str, kind: str, name: str) -> bool:
    """Whether a filter covers the thing."""
    return not text or name in TABLE["reach"][text].get(kind, ())


def expect(operation: Operation, token: Token, target: str) -> Expected:
    """What the table says of a cell."""
    pairs = held(token)
    if operation.identity:
        return Expected(operation.status, scopes=_shown(pairs))
    if not operation.needs:
        return Expected(operation.status)
    filters = [text for name, text in pairs if name in operation.needs]
    if operation.rows:
        fit = [text for text in filters if not text or _kind(text) in TABLE["fits"][operation.rows]]
        if not fit:
            return _refused(operation)
        return Expected(operation.status, rows=_rows(operation.rows, fit, pairs))
    if not filters:
        return _refused(operation)
    if operation.target == "hub" and "" not in filters:
        return _refused(operation)
    if not any(reaches(text, operation.target, target) for text in filters):
        message = HIDDEN if operation.hidden == 404 else _names(operation)
        return Expected(operation.hidden, message)
    status = (operation.special or {}).get(target, operation.status)
    fields = None
    if operation.fields and status < 300:
        fields = fields_of(operation.fields, target, pairs)
    return Expected(status, fields=fields)


def _refused(operation: Operation) -> Expected:
    return Expected(403, _names(operation))


def _names(operation: Operation) -> str:
    """The message of a refusal names each scope that would have done."""
    needs = ", ".join(operation.needs)
    return f"Action is not authorized with current scopes; requires any of [{needs}]"


def _kind(text: str) -> str:
    return text.partition("=")[0]


def fields_of(kind: str, name: str, pairs: list[tuple[str, str]]) -> frozenset[str]:
    """The fields that these scopes show of a thing."""
    table = TABLE["fields"][kind]
    found = set(table.get("always", ()))
    for scope, text in pairs:
        if scope in table and reaches(text, kind, name):
            found |= {*table[scope], *table.get("any", ())}
    if found and kind == "user" and any(_reaches_server_of(name, *pair) for pair in pairs):
        found.add("servers")
    return frozenset(found)


def _reaches_server_of(user: str, scope: str, text: str) -> bool:
    servers = [name for name in TABLE["setup"]["running"] if name.startswith(f"{user}/")]
    return scope == "read:servers" and any(reaches(text, "server", name) for name in servers)


def _rows(kind: str, filters: list[str], pairs: list[tuple[str, str]]) -> dict[str, frozenset[str]]:
    setup = TABLE["setup"]
    names = setup["running"] if kind == "server" else setup[f"{kind}s"]
    shown = [name for name in names if any(reaches(text, kind, name) for text in filters)]
    return {name: fields_of(kind, name, pairs) for name in shown}


def _shown(pairs: list[tuple[str, str]]) -> frozenset[str]:
    """Scopes as who-am-I lists them: what a wider one says already is left out."""
    unlimited = {name for name, text in pairs if not text}
    return frozenset(name + text for name, text in pairs if not text or name not in unlimited)
