"""How an operation becomes a method of both faces of the client.

    class UserCalls:
        @asks("GET /users/{name}")
        def user(self, name: str) -> Call[User]:
            return Call(one(User), names={"name": name})

The method is written once, as a pure function that describes the request. Its
type follows from the face that it is looked up on: ``HubClient().user`` gives
``Coroutine[..., User]``, ``SyncHubClient().user`` gives ``User``.
"""

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from pydantic import BaseModel, TypeAdapter, ValidationError

from perijove.kit.urls import escape_name
from perijove.wire.client_errors import BadAddress, BadAnswer
from perijove.wire.models import NextPage, Pagination

P = ParamSpec("P")
T = TypeVar("T")

PAGE_SIZE = 200
"""How many entries of a list are asked for at a time; hubs may give fewer."""

REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
"""Methods that may be sent again when the answer was lost (RFC 9110, section 9.2.2)."""


# -- what a method gives back ------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, headers with lower-case names, the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request with one answer.

    ``wait_s``: how long the hub should wait for the end of what it begins, ``lenient``:
    that something exists is no error (RFC 7240), so it may be said twice.
    ``repeatable`` overrides what the method says about sending it again.
    """

    read: Callable[[Reply], T]
    names: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: BaseModel | None = field(default=None, repr=False)
    wait_s: int | None = None
    lenient: bool = False
    form: bool = False
    repeatable: bool | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; ``next_offset`` is None for the last one."""

    items: Sequence[T]
    next_offset: int | None


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list that is read page by page."""

    read: Callable[[Reply], Page[T]]
    names: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    page_size: int = PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Following(Generic[T]):
    """A stream of events, up to the one that ``is_last``."""

    read: Callable[[str], T]
    names: Mapping[str, str] = field(default_factory=dict)
    is_last: Callable[[T], bool] = lambda _: False


# -- the faces ----------------------------------------------------------------


class Awaiting(ABC):
    """A face whose methods are awaited."""

    @abstractmethod
    async def _ask(self, to: "Operation", call: Call[T]) -> T: ...

    @abstractmethod
    def _walk(self, to: "Operation", listing: Listing[T]) -> AsyncIterator[T]: ...

    @abstractmethod
    def _follow(self, to: "Operation", following: Following[T]) -> AsyncIterator[T]: ...


class Blocking(ABC):
    """A face whose methods return when the answer is there."""

    @abstractmethod
    def _ask(self, to: "Operation", call: Call[T]) -> T: ...

    @abstractmethod
    def _walk(self, to: "Operation", listing: Listing[T]) -> Iterator[T]: ...

    @abstractmethod
    def _follow(self, to: "Operation", following: Following[T]) -> Iterator[T]: ...


# -- descriptors ----------------------------------------------------------------


class Operation:
    """``METHOD /path`` of the API, and the function that describes a request to it."""

    def __init__(self, name: str, build: Callable[..., Any]) -> None:
        self.name = name
        self.method, self.template = name.split(" ", 1)
        self.build = build
        self.__doc__ = build.__doc__

    def path(self, names: Mapping[str, str]) -> str:
        """The path with these names in it, percent-encoded. Raises BadAddress.

        An empty server name means the default server.
        """
        template = self.template
        if names.get("server_name") == "":
            template = template.replace("/servers/{server_name}", "/server")
        return re.sub(r"\{(\w+)\}", lambda found: _segment(found[1], names), template)

    def bound(self, send: Callable[..., Any], face: object) -> Any:
        """The method of one face; looks like the function for ``help()``."""

        def method(*args: Any, **kwargs: Any) -> Any:
            return send(self, self.build(face, *args, **kwargs))

        method.__name__, method.__qualname__ = self.build.__name__, self.build.__qualname__
        method.__doc__, method.__module__ = self.build.__doc__, self.build.__module__
        signature = inspect.signature(self.build)
        own = list(signature.parameters.values())[1:]
        method.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]
        return method


def _segment(key: str, names: Mapping[str, str]) -> str:
    name = names[key]
    # "." and ".." would be taken for a way through the path by what is in between.
    if (not name and key != "server") or name in {".", ".."}:
        raise BadAddress(f"{name!r} cannot be the {key.replace('_', ' ')} of a request")
    return escape_name(name)


class Asks(Operation, Generic[P, T]):
    """A method with one answer."""

    def __init__(self, name: str, build: Callable[Concatenate[Any, P], Call[T]]) -> None:
        super().__init__(name, build)

    @overload
    def __get__(self, face: None, owner: type) -> Self: ...
    @overload
    def __get__(self, face: Awaiting, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, face: Blocking, owner: type) -> Callable[P, T]: ...
    def __get__(self, face: Awaiting | Blocking | None, owner: type) -> Any:
        return self if face is None else self.bound(face._ask, face)


class Lists(Operation, Generic[P, T]):
    """A method that gives an iterator over a whole list."""

    def __init__(self, name: str, build: Callable[Concatenate[Any, P], Listing[T]]) -> None:
        super().__init__(name, build)

    @overload
    def __get__(self, face: None, owner: type) -> Self: ...
    @overload
    def __get__(self, face: Awaiting, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    @overload
    def __get__(self, face: Blocking, owner: type) -> Callable[P, Iterator[T]]: ...
    def __get__(self, face: Awaiting | Blocking | None, owner: type) -> Any:
        return self if face is None else self.bound(face._walk, face)


class Follows(Operation, Generic[P, T]):
    """A method that gives an iterator over events as they happen."""

    def __init__(self, name: str, build: Callable[Concatenate[Any, P], Following[T]]) -> None:
        super().__init__(name, build)

    @overload
    def __get__(self, face: None, owner: type) -> Self: ...
    @overload
    def __get__(self, face: Awaiting, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    @overload
    def __get__(self, face: Blocking, owner: type) -> Callable[P, Iterator[T]]: ...
    def __get__(self, face: Awaiting | Blocking | None, owner: type) -> Any:
        return self if face is None else self.bound(face._follow, face)


def asks(name: str) -> Callable[[Callable[Concatenate[Any, P], Call[T]]], Asks[P, T]]:
    """Make a method for the operation ``name`` of a function that describes a request."""
    return lambda build: Asks(name, build)


def lists(name: str) -> Callable[[Callable[Concatenate[Any, P], Listing[T]]], Lists[P, T]]:
    """The same for an operation that answers pages."""
    return lambda build: Lists(name, build)


def follows(name: str) -> Callable[[Callable[Concatenate[Any, P], Following[T]]], Follows[P, T]]:
    """The same for an operation that streams."""
    return lambda build: Follows(name, build)


# -- reading answers ----------------------------------------------------------------


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def parse(kind: Any, body: bytes | str) -> Any:
    """JSON text as ``kind``. Raises BadAnswer, naming what does not fit."""
    try:
        return _adapter(kind).validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadAnswer(
            f"The answer is not what this API gives: {where + ': ' if where else ''}{first['msg']}",
            advice="Is the address that of a hub?",
        ) from None


def one(kind: type[T]) -> Callable[[Reply], T]:
    """Reads an answer as a model, or as a container of models."""
    return lambda reply: parse(kind, reply.body)


def nothing(_: Reply) -> None:
    """Reads an answer whose arrival is all there is to know."""


def done(reply: Reply) -> bool:
    """Whether what was asked for has been done; False: it goes on (202)."""
    return reply.status != 202


def text(reply: Reply) -> str:
    """Reads an answer that is plain text."""
    return reply.body.decode("utf-8", "replace")


def pages(page: type[Any], item: type[T]) -> Callable[[Reply], Page[T]]:
    """Reads a page: ``page`` has items and pagination; old hubs answer a bare list of ``item``."""

    def read(reply: Reply) -> Page[T]:
        if reply.body.lstrip()[:1] == b"[":
            return Page(parse(list[item], reply.body), None)  # type: ignore[valid-type]
        found = parse(page, reply.body)
        place: Pagination = found.pagination
        items = found.items
        following: NextPage | None = place.next
        return Page(
            list(items.values()) if isinstance(items, dict) else items,
            following.offset if following is not None else None,
        )

    return read


def query(**values: str | int | bool | None) -> Mapping[str, str]:
    """Query parameters: None and False are left out, True is ``1``."""
    return {
        name: "1" if value is True else str(value)
        for name, value in values.items()
        if value is not None and value is not False
    }
