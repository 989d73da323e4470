"""What OAuth clients ask the hub directly, without a browser between them.

``exchange`` turns a code into a token (RFC 6749, section 4.1.3); ``introspect``
tells what a token is (RFC 7662) and ``revoke`` ends one (RFC 7009). All three
take a form and the client's credentials, and none raises for what a client
sends: the answer says what is wrong.

A client learns only of tokens that it holds for itself or that open its own
door, so nobody can try out somebody else's.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.endpoints import IntrospectEndpoint, RevocationEndpoint
from oauthlib.oauth2.rfc6749.errors import OAuth2Error
from oauthlib.oauth2.rfc6749.tokens import BearerToken
from sqlalchemy import Connection

from perijove.domain.errors import InvalidInput
from perijove.domain.tokens import Bearer
from perijove.kit.ids import new_code
from perijove.oauth.consent import opens
from perijove.oauth.forms import read_parameters
from perijove.oauth.validator import CodeGrant, CodeUsed, KnownClient, Validator, Validators
from perijove.store import oauth as oauth_store
from perijove.store.engine import Database

TOKEN_LENGTH = 30
CHALLENGE = 'Basic realm="OAuth client"'


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client is answered; ``body`` is JSON, or empty."""

    status: int
    body: str
    headers: Mapping[str, str]


class Backchannel:
    """The token, introspection and revocation endpoints, without their HTTP.

    ``authorization`` is the value of that header; it may hold the client's
    credentials (RFC 6749, section 2.3.1).
    """

    def __init__(self, database: Database, validators: Validators, *, token_life_s: int) -> None:
        """``token_life_s``: life of the tokens issued (seconds)."""
        self._database = database
        self._validators = validators
        self._token_life_s = token_life_s

    # -- codes --------------------------------------------------------------
    async def exchange(self, body: str, authorization: str = "") -> Answer:
        """A token for a code. A code that comes back ends the token it was exchanged for."""
        try:
            request = _request(body, authorization)
        except InvalidInput as error:
            return malformed(error.message)

        def write(connection: Connection) -> Answer:
            grant = CodeGrant(self._validators.new(connection))
            bearer = BearerToken(
                token_generator=lambda _: new_code(TOKEN_LENGTH), expires_in=self._token_life_s
            )
            _, text, status = grant.create_token_response(request, bearer)
            return _answer(status or 400, text)

        try:
            return await self._database.write(write)
        except CodeUsed as used:
            hashed = used.hashed
        ended = await self._database.write(lambda c: oauth_store.remove_token_of_code(c, hashed))
        self._validators.tokens.forget(ended)
        return _answer(400, json.dumps({"error": "invalid_grant"}))

    # -- tokens ---------------------------------------------------------------
    async def introspect(self, body: str, authorization: str = "") -> Answer:
        """What the token of the form is, for a client that it was issued to or that it opens."""
        found = await self._asked(
            lambda v, r: IntrospectEndpoint(v).validate_introspect_request(r), body, authorization
        )
        if isinstance(found, Answer):
            return found
        client, secret = found
        bearer = await self._validators.tokens.resolve(secret)
        if bearer is None or not await self._concerns(client, bearer):
            return _answer(200, json.dumps({"active": False}))
        return _answer(200, json.dumps(_claims(bearer)))

    async def _concerns(self, client: KnownClient, bearer: Bearer) -> bool:
        if bearer.token.client_id == client.client_id:
            return True
        grants = self._validators.grants
        grant = await grants.grant_of(bearer)
        return await self._database.read(lambda c: opens(c, grants, grant, client.owner))

    async def revoke(self, body: str, authorization: str = "") -> Answer:
        """End the token of the form; one that is none is no error (RFC 7009, section 2.2)."""
        found = await self._asked(
            lambda v, r: RevocationEndpoint(v).validate_revocation_request(r), body, authorization
        )
        if isinstance(found, Answer):
            return found
        client, secret = found
        bearer = await self._validators.tokens.resolve(secret)
        if bearer is not None:
            if bearer.token.client_id != client.client_id:
                return _answer(400, json.dumps({"error": "unauthorized_client"}))
            await self._validators.tokens.revoke_ids([bearer.token.id])
        return _answer(200, "")

    async def _asked(
        self, check: Callable[[Validator, Any], None], body: str, authorization: str
    ) -> tuple[KnownClient, str] | Answer:
        """The client and the token it asks about, once oauthlib's ``check`` is content."""
        try:
            request = _request(body, authorization)
        except InvalidInput as error:
            return malformed(error.message)

        try:
            # A slow, imported hash of the secret may be replaced, hence ``write``.
            await self._database.write(lambda c: check(self._validators.new(c), request))
        except OAuth2Error as error:
            return _answer(error.status_code, error.json)
        return request.client, request.token


def malformed(why: str) -> Answer:
    """The answer to a request that is none (RFC 6749, section 5.2)."""
    return _answer(400, json.dumps({"error": "invalid_request", "error_description": why}))


def _request(body: str, authorization: str) -> Any:
    # oauthlib's requests grow attributes as they are checked, hence ``Any``.
    form = urlencode(read_parameters(body))
    request: Any = Request("/", "POST", body=form, headers={"Authorization": authorization})
    request.scopes = None
    return request


def _claims(bearer: Bearer) -> dict[str, Any]:
    """What introspection tells of a living token (RFC 7662, section 2.2)."""
    token = bearer.token
    claims = {
        "active": True,
        "scope": " ".join(token.scopes),
        "client_id": token.client_id,
        "username": bearer.owner.name,
        "sub": bearer.owner.name,
        "token_type": "Bearer",
        "iat": int(token.created.timestamp()),
        "jti": token.public_id,
    }
    if token.expires_at is not None:
        claims["exp"] = int(token.expires_at.timestamp())
    return claims


def _answer(status: int, body: str) -> Answer:
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "Pragma": "no-cache",
    }
    if status == 401:
        headers["WWW-Authenticate"] = CHALLENGE
    return Answer(status, body, headers)
