"""The two endpoints of the OAuth provider, without their HTTP.

``authorize_request`` looks at a person's arrival: may they enter, must they be
asked? ``create_code`` sends them back to the client with a code, after the very
same examination. ``exchange`` turns the code into a token. Each runs as one
transaction in the store's threads.
"""

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from oauthlib.common import Request, add_params_to_uri
from oauthlib.oauth2.rfc6749.errors import FatalClientError, InvalidScopeError, OAuth2Error
from oauthlib.oauth2.rfc6749.tokens import BearerToken
from sqlalchemy import Connection

from perijove.access.tokens import IDENTIFY
from perijove.domain.errors import InvalidInput
from perijove.kit.clock import Clock
from perijove.kit.ids import new_code
from perijove.oauth.consent import Consent, examine
from perijove.oauth.validator import CodeGrant, CodeUsed, Validator
from perijove.people.grants import Grants
from perijove.people.sessions import SignedIn
from perijove.people.tokens import Tokens
from perijove.store.engine import Database

CODE_LENGTH = 30
MAX_QUERY_LENGTH = 16_384
MAX_FORM_FIELDS = 50

# At DEBUG oauthlib writes codes, states and tokens into the log, where nothing secret may stand.
logging.getLogger("oauthlib").setLevel(logging.WARNING)

log = logging.getLogger("perijove.oauth")


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send the browser there: with a code, or with an error for the client."""

    location: str


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What the token endpoint answers; ``body`` is JSON."""

    status: int
    body: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Examined:
    grant: CodeGrant
    validator: Validator
    request: Any
    consent: Consent


class Provider:
    """Hands out codes and tokens."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        grants: Grants,
        tokens: Tokens,
        *,
        token_life_s: int,
        require_pkce: bool = False,
    ) -> None:
        """``token_life_s``: life of the tokens issued (seconds)."""
        self._database = database
        self._clock = clock
        self._grants = grants
        self._tokens = tokens
        self._token_life_s = token_life_s
        self._require_pkce = require_pkce

    async def authorize_request(self, query: str, visitor: SignedIn) -> Consent | Redirect:
        """What becomes of a person who arrives with this query string.

        A Consent that needs no confirmation is followed by ``create_code`` at once.
        A Redirect carries an error to the client. Raises InvalidInput when the
        client or its redirect URI cannot be trusted (nothing may be sent there),
        Forbidden when the person may not enter.
        """
        pairs = _pairs(query)

        def look(connection: Connection) -> Consent | Redirect:
            examined = self._examine(connection, pairs, visitor)
            return examined if isinstance(examined, Redirect) else examined.consent

        return await self._database.read(look)

    async def create_code(
        self, query: str, visitor: SignedIn, scopes: Collection[str] | None = None
    ) -> Redirect:
        """Send the person back to the client with a code.

        ``scopes`` are those that the person agreed to, out of what was shown; none
        of them, or only ``identify``: just the identity. None: no question was
        asked, which is possible only where none is needed. Raises as
        ``authorize_request`` does, and InvalidInput when a needed question was
        left out.
        """
        pairs = _pairs(query)

        def write(connection: Connection) -> Redirect:
            examined = self._examine(connection, pairs, visitor)
            if isinstance(examined, Redirect):
                return examined
            request, consent = examined.request, examined.consent
            if scopes is None:
                if consent.needs_confirmation:
                    raise InvalidInput("This client needs the person's consent first")
            elif not set(scopes) - {IDENTIFY} <= set(consent.scopes):
                return _error(request, InvalidScopeError(request=request))
            elif chosen := self._agreed(connection, examined, visitor, scopes):
                consent = chosen
            request.scopes = list(consent.scopes)
            code = examined.grant.create_authorization_code(request)
            examined.validator.save_authorization_code(request.client_id, code, request)
            return Redirect(add_params_to_uri(request.redirect_uri, list(code.items())))

        return await self._database.write(write)

    def _agreed(
        self,
        connection: Connection,
        examined: _Examined,
        visitor: SignedIn,
        scopes: Collection[str],
    ) -> Consent:
        """The consent narrowed to what the person agreed to; identity and access stay."""
        kept = [scope for scope in examined.consent.scopes if scope in scopes]
        return examine(
            connection,
            self._grants,
            visitor.user,
            examined.consent.client,
            examined.consent.owner,
            kept,
            self._clock.now(),
        )

    def _examine(
        self, connection: Connection, pairs: list[tuple[str, str]], visitor: SignedIn
    ) -> _Examined | Redirect:
        request: Any = Request("/?" + urlencode(pairs), http_method="GET")
        validator = self._validator(connection, visitor)
        grant = CodeGrant(validator)
        request.scopes = (request.scope or "").split()
        try:
            grant.validate_authorization_request(request)
        except FatalClientError as error:
            raise InvalidInput(error.description or "The OAuth request is not valid") from error
        except OAuth2Error as error:
            return _error(request, error)
        consent = examine(
            connection,
            self._grants,
            visitor.user,
            request.client.client,
            request.client.owner,
            request.scopes,
            self._clock.now(),
        )
        return _Examined(grant, validator, request, consent)

    def _validator(self, connection: Connection, visitor: SignedIn | None) -> Validator:
        return Validator(
            connection,
            self._grants,
            self._tokens,
            now=self._clock.now(),
            require_pkce=self._require_pkce,
            visitor=visitor.user if visitor else None,
            session_id=visitor.session_id if visitor else None,
        )

    async def exchange(self, body: str, headers: Mapping[str, str] | None = None) -> TokenAnswer:
        """Answer the token endpoint for a form-encoded ``body``.

        ``headers`` may hold ``Authorization: Basic`` with the client's credentials.
        Never raises for what a client sends; the answer says what is wrong.
        """
        try:
            pairs = _pairs(body)
        except InvalidInput as error:
            return _answer(400, {"error": "invalid_request", "error_description": error.message})
        auth = {"Authorization": (headers or {}).get("Authorization", "")}

        def write(connection: Connection) -> TokenAnswer:
            request: Any = Request("/", http_method="POST", body=urlencode(pairs), headers=auth)
            request.scopes = None
            grant = CodeGrant(self._validator(connection, None))
            bearer = BearerToken(
                token_generator=lambda _: new_code(CODE_LENGTH), expires_in=self._token_life_s
            )
            answer_headers, text, status = grant.create_token_response(request, bearer)
            return TokenAnswer(status or 400, text, dict(answer_headers))

        try:
            return await self._database.write(write)
        except CodeUsed:
            return _answer(400, {"error": "invalid_grant"})


def _error(request: Any, error: OAuth2Error) -> Redirect:
    """The error, carried to the client's (checked) redirect URI."""
    log.info("OAuth request of client %r refused: %s", request.client_id, error.error)
    params = [(name, value or "") for name, value in error.twotuples]
    return Redirect(add_params_to_uri(request.redirect_uri, params))


def _answer(status: int, body: Mapping[str, str]) -> TokenAnswer:
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "Pragma": "no-cache",
    }
    return TokenAnswer(status, json.dumps(body), headers)


def _pairs(text: str) -> list[tuple[str, str]]:
    """The parameters of a query or form. Raises InvalidInput for what cannot be one."""
    if len(text) > MAX_QUERY_LENGTH or "\0" in text:
        raise InvalidInput("The request is too long or malformed")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS)
    except ValueError as error:
        raise InvalidInput("The request has too many parameters") from error
    if any("\0" in part for pair in pairs for part in pair):
        raise InvalidInput("The request holds characters that cannot be")
    return pairs
