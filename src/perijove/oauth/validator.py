"""Answers to oauthlib's questions, from the database, inside one transaction.

One validator serves one request: it carries the connection, and at the
authorization endpoint the person who is signed in. Redirect URIs are compared
as whole strings and may be paths of this hub's own site, which is how servers
register them.
"""

import base64
import binascii
import hmac
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

from oauthlib.oauth2 import RequestValidator
from oauthlib.oauth2.rfc6749 import errors
from oauthlib.oauth2.rfc6749.grant_types import AuthorizationCodeGrant
from sqlalchemy import Connection

from perijove.access.errors import ScopesNotAllowed
from perijove.domain.tokens import ClientOwner, OAuthClient, OAuthCode
from perijove.domain.users import User
from perijove.kit.clock import Clock
from perijove.kit.crypto import hash_token
from perijove.oauth.clients import secret_matches
from perijove.oauth.consent import scopes_asked
from perijove.people.grants import Grants
from perijove.people.sessions import SignedIn
from perijove.people.tokens import Tokens
from perijove.store import oauth as oauth_store
from perijove.store import users as user_store

# At DEBUG oauthlib writes codes, states and tokens into the log, where nothing secret may stand.
logging.getLogger("oauthlib").setLevel(logging.WARNING)

CODE_LIFE_S = 300
"""How long a code can be exchanged (seconds)."""

_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")
"""RFC 7636, section 4.2; both methods give this form."""


class CodeUsed(Exception):
    """The code was exchanged before, or a moment ago; the transaction must be undone.

    ``hashed`` is the code's hash.
    """

    def __init__(self, hashed: str) -> None:
        super().__init__("This code was exchanged before")
        self.hashed = hashed


@dataclass(frozen=True, slots=True)
class KnownClient:
    """A client in the form that oauthlib wants, with whose it is."""

    client_id: str
    client: OAuthClient
    owner: ClientOwner


# oauthlib's requests grow attributes as they are checked, hence ``Any``.
class CodeGrant(AuthorizationCodeGrant):
    """The authorization code flow with whole, possibly path-only redirect URIs and no refresh."""

    def __init__(self, validator: "Validator") -> None:
        super().__init__(validator)
        self.refresh_token = False
        self._validator = validator

    def validate_token_request(self, request: Any) -> None:
        """Whether the code may be exchanged. Raises OAuth2Error."""
        if not request.grant_type:
            raise errors.InvalidRequestError(description="Missing grant_type.", request=request)
        if request.grant_type != "authorization_code":
            raise errors.UnsupportedGrantTypeError(request=request)
        super().validate_token_request(request)
        if request.code_verifier and not self._validator.challenged:
            # Somebody took the challenge out of the authorization request (RFC 9700, 4.8.2).
            raise errors.InvalidGrantError(description="There was no challenge.", request=request)

    def _handle_redirects(self, request: Any) -> None:
        registered = self._validator.get_default_redirect_uri(request.client_id, request)
        request.using_default_redirect_uri = request.redirect_uri is None
        if request.redirect_uri is None:
            request.redirect_uri = registered
        if not request.redirect_uri:
            raise errors.MissingRedirectURIError(request=request)
        if not hmac.compare_digest(request.redirect_uri.encode(), registered.encode()):
            raise errors.MismatchingRedirectURIError(request=request)


@dataclass(frozen=True, slots=True)
class Validators:
    """Makes a validator for each request."""

    grants: Grants
    tokens: Tokens
    clock: Clock
    require_pkce: bool = False

    def new(self, connection: Connection, visitor: SignedIn | None = None) -> "Validator":
        """One for this transaction, and for the person who is signed in."""
        return Validator(
            connection,
            self.grants,
            self.tokens,
            now=self.clock.now(),
            require_pkce=self.require_pkce,
            visitor=visitor.user if visitor else None,
            session_id=visitor.session_id if visitor else None,
        )


class Validator(RequestValidator):
    """One request's view of clients, codes and tokens."""

    def __init__(
        self,
        connection: Connection,
        grants: Grants,
        tokens: Tokens,
        *,
        now: datetime,
        require_pkce: bool,
        visitor: User | None = None,
        session_id: str | None = None,
    ) -> None:
        super().__init__()
        self._connection = connection
        self._grants = grants
        self._tokens = tokens
        self._now = now
        self._require_pkce = require_pkce
        self._visitor = visitor
        self._session_id = session_id
        self._code: OAuthCode | None = None

    @property
    def challenged(self) -> bool:
        """Whether the code that was looked at came with a challenge (RFC 7636)."""
        return self._code is not None and self._code.code_challenge is not None

    # -- clients ------------------------------------------------------------
    def _known(self, client_id: str) -> KnownClient | None:
        client = oauth_store.find_client(self._connection, client_id)
        if client is None or not client.secret_hash:
            return None
        owner = oauth_store.client_owner(self._connection, client_id)
        return KnownClient(client_id, client, owner) if owner is not None else None

    def validate_client_id(self, client_id: str, request: Any, *_: Any, **__: Any) -> bool:
        """Whether there is such a client, with a secret, of a living server or service."""
        request.client = self._known(client_id)
        return request.client is not None

    def client_authentication_required(self, request: Any, *_: Any, **__: Any) -> bool:
        """Always: there are no public clients."""
        return True

    def authenticate_client(self, request: Any, *_: Any, **__: Any) -> bool:
        """Id and secret in the body, or in the header (RFC 6749, section 2.3.1)."""
        client_id, secret = request.client_id, request.client_secret
        if client_id is None or secret is None:
            client_id, secret = _basic(request.headers)
        if not client_id or not secret:
            return False
        known = self._known(client_id)
        if known is None or not secret_matches(self._connection, known.client, secret):
            return False
        request.client = known
        return True

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: object, request: Any, *_: Any, **__: Any
    ) -> bool:
        """Every client may exchange codes, and there is nothing else."""
        return True

    def validate_response_type(
        self,
        client_id: str,
        response_type: str,
        client: object,
        request: Any,
        *_: Any,
        **__: Any,
    ) -> bool:
        """Codes only. Raises UnsupportedResponseTypeError, as for any other word."""
        if response_type != "code":
            raise errors.UnsupportedResponseTypeError(request=request)
        return True

    def get_default_redirect_uri(self, client_id: str, request: Any, *_: Any, **__: Any) -> str:
        """The client's one redirect URI."""
        uri: str = request.client.client.redirect_uri
        return uri

    # -- scopes -------------------------------------------------------------
    def get_default_scopes(self, client_id: str, request: Any, *_: Any, **__: Any) -> list[str]:
        """All that the client may have; ``validate_scopes`` reads nothing as that."""
        return []

    def validate_scopes(
        self,
        client_id: str,
        scopes: list[str],
        client: Any,
        request: Any,
        *_: Any,
        **__: Any,
    ) -> bool:
        """Whether the client may ask for these; resolved, they take the place of the words."""
        assert self._visitor is not None
        try:
            request.scopes = list(
                scopes_asked(
                    self._connection,
                    self._grants,
                    self._visitor,
                    client.client,
                    client.owner,
                    scopes,
                )
            )
        except ScopesNotAllowed:
            return False
        return True

    # -- codes --------------------------------------------------------------
    def is_pkce_required(self, client_id: str, request: Any) -> bool:
        """As the operator decided, for all clients. A challenge must be well-formed.

        Where PKCE is required only S256 will do: a plain challenge shows the verifier to
        whoever sees the authorization request.
        """
        challenge = request.code_challenge
        if challenge is not None and not _CHALLENGE.fullmatch(challenge):
            raise errors.InvalidRequestError(
                description="code_challenge must be 43 to 128 of A-Z a-z 0-9 - . _ ~",
                request=request,
            )
        if challenge is not None and self._require_pkce and request.code_challenge_method != "S256":
            raise errors.InvalidRequestError(
                description="code_challenge_method must be S256", request=request
            )
        return self._require_pkce

    def save_authorization_code(
        self, client_id: str, code: Any, request: Any, *_: Any, **__: Any
    ) -> None:
        """Store the code for the person who is signed in."""
        assert self._visitor is not None
        oauth_store.create_code(
            self._connection,
            OAuthCode(
                client_id=client_id,
                code=hash_token(code["code"]),
                expires_at=self._now + timedelta(seconds=CODE_LIFE_S),
                redirect_uri=request.redirect_uri,
                session_id=self._session_id,
                user_id=self._visitor.id,
                scopes=tuple(request.scopes),
                code_challenge=request.code_challenge,
                code_challenge_method=request.code_challenge_method,
            ),
        )

    def validate_code(
        self, client_id: str, code: str, client: Any, request: Any, *_: Any, **__: Any
    ) -> bool:
        """Whether this client may exchange the code now; who it stands for goes along.

        Raises CodeUsed.
        """
        found = oauth_store.find_code(self._connection, hash_token(code))
        if found is None or found.client_id != client.client_id:
            return False
        if found.token_id is not None:
            raise CodeUsed(found.code)
        if found.expires_at <= self._now:
            return False
        user = user_store.get(self._connection, found.user_id)
        if user is None:
            return False
        self._code = found
        request.user = user
        request.scopes = list(found.scopes)
        return True

    def get_code_challenge(self, code: str, request: Any) -> Any:
        """The challenge that came with the authorization request."""
        return self._code.code_challenge if self._code else None

    def get_code_challenge_method(self, code: str, request: Any) -> Any:
        """How the challenge was made."""
        return self._code.code_challenge_method if self._code else None

    def confirm_redirect_uri(
        self,
        client_id: str,
        code: str,
        redirect_uri: str,
        client: object,
        request: Any,
        *_: Any,
        **__: Any,
    ) -> bool:
        """The URI must be the one of the authorization request (RFC 6749, section 5.2)."""
        if self._code is None or redirect_uri != self._code.redirect_uri:
            raise errors.InvalidGrantError(request=request)
        return True

    def save_token(self, token: Mapping[str, Any], request: Any, *_: Any, **__: Any) -> None:
        """Store the access token as an API token of the person."""
        assert self._code is not None
        made = self._tokens.create_now(
            self._connection,
            request.user,
            request.scopes,
            client_id=request.client_id,
            session_id=self._code.session_id,
            expires_at=self._now + timedelta(seconds=token["expires_in"]),
            secret=token["access_token"],
        )
        if not oauth_store.use_code(self._connection, self._code.code, made.detail.token.id):
            raise CodeUsed(self._code.code)

    def invalidate_authorization_code(
        self, client_id: str, code: str, request: Any, *_: Any, **__: Any
    ) -> None:
        """Nothing is left to do: ``save_token`` marks the code as used with its token."""


def _basic(headers: Mapping[str, str]) -> tuple[str, str]:
    """Client id and secret of a Basic header; empty when there is none."""
    scheme, _, value = str(headers.get("Authorization", "")).partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    client_id, _, secret = text.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)
