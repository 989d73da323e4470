"""The authorization endpoint of the OAuth provider, without its HTTP.

``authorize_request`` looks at a person's arrival: may they enter, must they be
asked? ``create_code`` sends them back to the client with a code, after the very
same examination. Each runs as one transaction in the store's threads. What
clients ask without a browser is ``backchannel``'s.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from oauthlib.common import Request, add_params_to_uri
from oauthlib.oauth2.rfc6749.errors import FatalClientError, InvalidScopeError, OAuth2Error
from sqlalchemy import Connection

from perijove.access.tokens import IDENTIFY
from perijove.domain.errors import InvalidInput
from perijove.oauth.consent import Consent, examine
from perijove.oauth.forms import read_parameters
from perijove.oauth.validator import CodeGrant, Validator, Validators
from perijove.people.sessions import SignedIn
from perijove.store.engine import Database

log = logging.getLogger("perijove.oauth")


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send the browser there: with a code, or with an error for the client."""

    location: str


@dataclass(frozen=True, slots=True)
class _Examined:
    grant: CodeGrant
    validator: Validator
    request: Any
    consent: Consent


class Provider:
    """Hands out codes."""

    def __init__(self, database: Database, validators: Validators) -> None:
        self._database = database
        self._validators = validators

    async def authorize_request(self, query: str, visitor: SignedIn) -> Consent | Redirect:
        """What becomes of a person who arrives with this query string.

        A Consent that needs no confirmation is followed by ``create_code`` at once.
        A Redirect carries an error to the client. Raises InvalidInput when the
        client or its redirect URI cannot be trusted (nothing may be sent there),
        Forbidden when the person may not enter.
        """
        pairs = read_parameters(query)

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
        pairs = read_parameters(query)

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
            self._validators.grants,
            visitor.user,
            examined.consent.client,
            examined.consent.owner,
            kept,
            self._validators.clock.now(),
        )

    def _examine(
        self, connection: Connection, pairs: list[tuple[str, str]], visitor: SignedIn
    ) -> _Examined | Redirect:
        request: Any = Request("/?" + urlencode(pairs), http_method="GET")
        validator = self._validators.new(connection, visitor)
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
            self._validators.grants,
            visitor.user,
            request.client.client,
            request.client.owner,
            request.scopes,
            self._validators.clock.now(),
        )
        return _Examined(grant, validator, request, consent)


def denied(query: str, consent: Consent) -> Redirect:
    """Where a person goes who does not agree (RFC 6749, section 4.1.2.1)."""
    state = dict(read_parameters(query)).get("state")
    params = [("error", "access_denied"), *([("state", state)] if state else [])]
    return Redirect(add_params_to_uri(consent.client.redirect_uri, params))


def _error(request: Any, error: OAuth2Error) -> Redirect:
    """The error, carried to the client's (checked) redirect URI."""
    log.info("OAuth request of client %r refused: %s", request.client_id, error.error)
    params = [(name, value or "") for name, value in error.twotuples]
    return Redirect(add_params_to_uri(request.redirect_uri, params))
