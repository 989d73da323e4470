"""One request, as handlers see it: who calls, what was sent, which rooms there are."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs

import orjson
from starlette.datastructures import FormData
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message

from perijove.access.catalogue import Kind
from perijove.access.decide import (
    Denied,
    RowFilter,
    Target,
    decide,
    raise_if_denied,
    row_filter,
)
from perijove.access.operations import OPERATIONS
from perijove.domain.errors import Forbidden, InvalidInput, NotAuthenticated, TooLarge
from perijove.domain.tokens import Bearer
from perijove.web.caller import STRANGER, Caller
from perijove.web.rooms import Rooms
from perijove.web.xsrf import needs_proof

log = logging.getLogger("perijove.web")

MAX_JSON_BYTES = 10 * 1024 * 1024
MAX_JSON_DEPTH = 100
"""Levels of lists and objects in a body; what is much deeper cannot be sent out again."""
MAX_FORM_BYTES = 100 * 1024 * 1024
CALLER_NAME = "caller_name"
"""Where the state of a request holds the caller's name, for the log."""

_UNREAD: Any = object()


@dataclass(slots=True)
class Call:
    """One request. ``params`` are the decoded names of the path."""

    request: Request
    params: dict[str, str]
    rooms: Rooms
    caller: Caller = STRANGER
    fresh_xsrf: str = ""
    """The XSRF token of a sign-in that this request began, of somebody who had none before."""
    _json: Any = field(default=_UNREAD)
    _form: FormData | None = None
    _query: dict[str, list[str]] | None = None

    # -- what was sent ----------------------------------------------------

    @property
    def query(self) -> dict[str, list[str]]:
        """The query's arguments, blank ones included."""
        if self._query is None:
            text = self.request.scope.get("query_string", b"").decode("latin-1")
            self._query = parse_qs(text, keep_blank_values=True, errors="surrogateescape")
        return self._query

    @property
    def raw_path(self) -> str:
        """The path as it was sent, names still percent-encoded."""
        raw: bytes = self.request.scope.get("raw_path") or self.request.url.path.encode()
        return raw.partition(b"?")[0].decode("latin-1")

    def argument(self, name: str, default: str | None = None) -> str | None:
        """The last query argument of that name. Raises InvalidInput when it is not UTF-8."""
        values = self.arguments(name)
        return values[-1] if values else default

    def arguments(self, name: str) -> list[str]:
        """All query arguments of that name. Raises InvalidInput when one is not UTF-8."""
        values = self.query.get(name, [])
        for text in (name, *values):
            if not text.isascii() and any("\udc80" <= char <= "\udcff" for char in text):
                raise InvalidInput(f"{name!a} is not percent-encoded UTF-8")
        return values

    async def json(self) -> Any:
        """The JSON body; None when it is empty. Raises InvalidInput."""
        if self._json is _UNREAD:
            body = await self.body(MAX_JSON_BYTES)
            try:
                self._json = orjson.loads(body) if body.strip() else None
            except (orjson.JSONDecodeError, RecursionError):
                raise InvalidInput("Invalid JSON in body of request") from None
            if _is_deeper(self._json, MAX_JSON_DEPTH):
                self._json = _UNREAD
                raise InvalidInput(f"The JSON is nested more than {MAX_JSON_DEPTH} levels deep")
        return self._json

    async def body(self, limit: int) -> bytes:
        """The whole body. Raises TooLarge beyond ``limit`` bytes, and InvalidInput."""
        try:
            return await self._limited(limit).body()
        except ClientDisconnect:
            raise InvalidInput("The request ended before its body was complete") from None

    def _limited(self, limit: int) -> Request:
        """The request once more, which raises TooLarge when its body goes beyond ``limit``."""
        length = self.request.headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > limit:
            raise TooLarge(limit)
        left = limit

        async def receive() -> Message:
            nonlocal left
            message = await self.request.receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise TooLarge(limit)
            return message

        return Request(self.request.scope, receive)

    async def form(self) -> FormData:
        """The submitted form. Raises InvalidInput when it is malformed, TooLarge."""
        if self._form is None:
            self._form = await self._read_form()
        return self._form

    async def _read_form(self) -> FormData:
        kind = self.request.headers.get("content-type", "")
        if kind.startswith("multipart/form-data") and "boundary=" not in kind:
            raise InvalidInput("The form is malformed: its parts have no boundary")
        try:
            return await self._limited(MAX_FORM_BYTES).form()
        except TooLarge:
            raise
        except Exception as error:
            raise InvalidInput(f"The form is malformed: {error}") from None

    # -- who calls --------------------------------------------------------

    async def identify(self, *, cookies: bool = True) -> Caller:
        """Find out who calls: a token, else (with proof of origin) a cookie."""
        callers = self.rooms.callers
        caller = await callers.by_token(self.request)
        if not caller.known and cookies:
            caller = await callers.by_cookie(self.request)
            if caller.known:
                self._check_origin(caller)
        self.remember(caller)
        return caller

    def remember(self, caller: Caller) -> None:
        """Note who calls: for the log, and as activity."""
        self.caller = caller
        self.request.scope.setdefault("state", {})[CALLER_NAME] = caller.name
        if caller.token is not None:
            self.rooms.rates.admit(caller.token.id)
            owner = caller.user or caller.service
            assert owner is not None
            self.rooms.activity.note_bearer(Bearer(caller.token, owner))
        elif caller.user is not None:
            self.rooms.activity.note_user(caller.user.id)

    def _check_origin(self, caller: Caller) -> None:
        """Cookie requests to the API prove their origin, all but HEAD and OPTIONS."""
        if self.request.method in ("HEAD", "OPTIONS") or not needs_proof(self.request):
            return
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip()
        if self.request.method == "POST" and kind and kind != "application/json":
            # A form on a foreign page can send anything but this type.
            raise NotAuthenticated
        self.check_xsrf(caller, self.argument("_xsrf"))

    def check_xsrf(self, caller: Caller, argument: str | None) -> None:
        """Raises Forbidden unless the request proves that one of our pages made it."""
        xsrf = self.rooms.xsrf
        cookie_id = caller.user.cookie_id if caller.user is not None else None
        session_id = self.session_id(caller)
        xsrf.check(self.request, argument, xsrf.identity(self.request, session_id, cookie_id))

    def is_read_by_script(self, caller: Caller) -> bool:
        """Whether a script asks with a person's cookie, and not one of the person's own pages.

        On one domain pages of other people's servers could read the answer.
        """
        if caller.signed_in is None or not needs_proof(self.request):
            return False
        try:
            self.check_xsrf(caller, self.argument("_xsrf"))
        except Forbidden:
            return True
        return False

    def session_id(self, caller: Caller) -> str | None:
        """The session that the browser's pages belong to."""
        return caller.session_id or self.rooms.session_cookie(self.request)

    async def require(
        self, needed: Sequence[str], target: Target, *, hidden_status: Literal[403, 404] = 404
    ) -> None:
        """Raises Forbidden or NotFound unless the caller may do this to the target."""
        seen = await self.with_groups(needed, target)
        raise_if_denied(decide(self.caller.grant, needed, seen, hidden_status=hidden_status))

    async def require_for(self, operation: str, target: Target) -> None:
        """``require`` with the scopes of an operation (``METHOD /path``) of ``access``."""
        asked = OPERATIONS[operation]
        await self.require(asked.needs, target, hidden_status=asked.hidden_status)

    def visible(self, needed: Sequence[str], kind: Kind) -> RowFilter:
        """Which rows of a list of ``kind`` the caller may see. Raises Forbidden for none."""
        rows = row_filter(self.caller.grant, needed, kind)
        if isinstance(rows, Denied):
            raise Forbidden(rows.message)
        return rows

    async def with_groups(self, needed: Sequence[str], target: Target) -> Target:
        """The target with its user's groups, where the decision depends on them."""
        if target.user and self.caller.grant.uses_groups(needed):
            groups = await self.rooms.groups_of(target.user)
            return Target(target.kind, target.user, target.server, groups=groups)
        return target


def _is_deeper(value: Any, most: int) -> bool:
    """Whether lists and objects are nested more than ``most`` levels."""
    level: list[Any] = [value]
    for _ in range(most):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return False
        level = below
    return any(isinstance(item, (dict, list)) for item in level)


Handler = Callable[[Call], Awaitable[Response]]
