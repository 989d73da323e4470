"""Who makes a request, and what they may do.

A token in the Authorization header comes first, then the login cookie. A token
that nobody knows counts as absent. The grant is worked out once per credential
and cached by the people room.
"""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from starlette.requests import Request

from perijove.access.decide import NOTHING, Grant
from perijove.domain.tokens import Token
from perijove.domain.users import Service, User
from perijove.people.grants import Grants
from perijove.people.sessions import Sessions, SignedIn
from perijove.people.tokens import Tokens
from perijove.web.cookies import SESSION, CookieJar, cookies_of

_AUTHORIZATION = re.compile(r"(?:token|bearer)\s+([^\s]+)\Z", re.IGNORECASE)


class Caller(NamedTuple):
    """Who calls. ``signed_in`` is set for cookies, ``token`` for tokens, neither for strangers."""

    grant: Grant = NOTHING
    user: User | None = None
    service: Service | None = None
    token: Token | None = None
    signed_in: SignedIn | None = None

    @property
    def known(self) -> bool:
        """Whether any credential was accepted."""
        return self.user is not None or self.service is not None

    @property
    def kind(self) -> Literal["user", "service"]:
        """What the caller is."""
        return "service" if self.service is not None else "user"

    @property
    def name(self) -> str:
        """The caller's name; empty for strangers."""
        owner = self.user or self.service
        return owner.name if owner is not None else ""

    @property
    def admin(self) -> bool:
        """Whether the caller is an administrator."""
        owner = self.user or self.service
        return owner is not None and owner.admin

    @property
    def session_id(self) -> str | None:
        """The browser's sign-in behind the credential, if any."""
        if self.token is not None:
            return self.token.session_id
        return self.signed_in.session_id if self.signed_in is not None else None


STRANGER = Caller()


def header_of(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> str:
    """The first header of this name (lower case) in raw headers; empty if there is none."""
    for name, value in headers:
        if name == wanted:
            return value.decode("latin-1")
    return ""


def token_of(request: Request) -> str | None:
    """The token in the Authorization header."""
    return token_in(header_of(request.scope["headers"], b"authorization"))


def token_in(header: str | None) -> str | None:
    """The token in the value of an Authorization header."""
    match = _AUTHORIZATION.match(header.strip()) if header else None
    return match.group(1) if match else None


class Callers:
    """Finds out who calls."""

    def __init__(self, tokens: Tokens, sessions: Sessions, grants: Grants, jar: CookieJar) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._grants = grants
        self._jar = jar

    async def by_token(self, request: Request) -> Caller:
        """The owner of the request's token, or a stranger."""
        secret = token_of(request)
        return await self.of_token(secret) if secret else STRANGER

    async def of_token(self, secret: str) -> Caller:
        """The owner of a token, or a stranger."""
        bearer = await self._tokens.resolve(secret)
        if bearer is None:
            return STRANGER
        grant = await self._grants.grant_of(bearer)
        if isinstance(bearer.owner, User):
            return Caller(grant, user=bearer.owner, token=bearer.token)
        return Caller(grant, service=bearer.owner, token=bearer.token)

    async def by_cookie(self, request: Request) -> Caller:
        """The person of the login cookie, or a stranger."""
        cookies = cookies_of(request)
        session_id = next(iter(cookies.get(SESSION, [])), None)
        for value in cookies.get(self._jar.login_name, []):
            signed_in = await self._sessions.resolve_login_cookie(value, session_id)
            if signed_in is not None:
                grant = await self._grants.grant_of(signed_in.user)
                return Caller(grant, user=signed_in.user, signed_in=signed_in)
        return STRANGER

    def login_cookies(self, request: Request) -> list[str]:
        """The login cookies that came along, valid or not."""
        return cookies_of(request).get(self._jar.login_name, [])
