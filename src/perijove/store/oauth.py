"""Statements about OAuth clients and the codes they exchange.

A code is stored as its SHA-256, so the database file holds nothing to exchange.
One that was exchanged stays for as long as its token lives.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, insert, select, update

from perijove.domain.tokens import HUB_CLIENT, HUB_CLIENT_NAME, ClientOwner, OAuthClient, OAuthCode
from perijove.store.dialect import is_among
from perijove.store.inserts import chunks, insert_missing
from perijove.store.prepared import Prepared
from perijove.store.tables import oauth_clients, oauth_codes, servers, services, tokens, users

_CLIENT: Select[Any] = select(
    oauth_clients.c.identifier,
    oauth_clients.c.description,
    oauth_clients.c.secret_hash,
    oauth_clients.c.redirect_uri,
    oauth_clients.c.allowed_scopes,
)
_BY_IDENTIFIER = Prepared(_CLIENT.where(oauth_clients.c.identifier == bindparam("identifier")))
_SERVERS_OF = Prepared(
    select(servers.c.oauth_client_id, users.c.name, servers.c.name)
    .join(users, users.c.id == servers.c.user_id)
    .where(is_among(servers.c.oauth_client_id, "identifiers"))
)
_SERVICES_OF = Prepared(
    select(services.c.oauth_client_id, services.c.name, services.c.oauth_no_confirm).where(
        is_among(services.c.oauth_client_id, "identifiers")
    )
)
_CODE = Prepared(
    select(
        oauth_codes.c.client_id,
        oauth_codes.c.code,
        oauth_codes.c.expires_at,
        oauth_codes.c.redirect_uri,
        oauth_codes.c.session_id,
        oauth_codes.c.user_id,
        oauth_codes.c.scopes,
        oauth_codes.c.code_challenge,
        oauth_codes.c.code_challenge_method,
        oauth_codes.c.token_id,
    ).where(oauth_codes.c.code == bindparam("code"))
)


def _client(row: Sequence[Any]) -> OAuthClient:
    identifier, description, secret_hash, redirect_uri, scopes = row
    return OAuthClient(identifier, description, secret_hash, redirect_uri, tuple(scopes or ()))


def find_client(connection: Connection, identifier: str) -> OAuthClient | None:
    """The client of this id."""
    row = _BY_IDENTIFIER.first(connection, identifier=identifier)
    return _client(row) if row else None


def save_client(connection: Connection, client: OAuthClient) -> None:
    """Create the client, or overwrite the one with the same id (its tokens stay)."""
    values = {
        "description": client.description,
        "secret_hash": client.secret_hash,
        "redirect_uri": client.redirect_uri,
        "allowed_scopes": list(client.allowed_scopes),
    }
    if not _CHANGE_CLIENT.run(connection, _identifier=client.identifier, **values):
        _ADD_CLIENT.run(connection, identifier=client.identifier, **values)


_CLIENT_FIELDS = ("description", "secret_hash", "redirect_uri", "allowed_scopes")
_CHANGE_CLIENT = Prepared(
    update(oauth_clients)
    .where(oauth_clients.c.identifier == bindparam("_identifier"))
    .values({name: bindparam(name) for name in _CLIENT_FIELDS})
)
_ADD_CLIENT = Prepared(
    insert(oauth_clients).values(
        {name: bindparam(name) for name in ("identifier", *_CLIENT_FIELDS)}
    )
)


def set_secret_hash(connection: Connection, identifier: str, hashed: str) -> None:
    """Another hash of the same client's secret."""
    connection.execute(
        update(oauth_clients)
        .where(oauth_clients.c.identifier == identifier)
        .values(secret_hash=hashed)
    )


def ensure_hub_client(connection: Connection) -> None:
    """The client that ordinary tokens belong to; it has no secret, so it cannot sign in."""
    row = {"identifier": HUB_CLIENT, "description": HUB_CLIENT_NAME, "allowed_scopes": []}
    insert_missing(connection, oauth_clients, [row])


def remove_clients(connection: Connection, identifiers: Collection[str]) -> list[int]:
    """Delete clients with their codes and tokens; the tokens' ids. The hub's own client stays."""
    ended: list[int] = []
    for part in chunks(sorted(set(identifiers) - {HUB_CLIENT})):
        issued = delete(tokens).where(tokens.c.client_id.in_(part)).returning(tokens.c.id)
        ended.extend(connection.execute(issued).scalars())
        connection.execute(delete(oauth_clients).where(oauth_clients.c.identifier.in_(part)))
    return ended


def client_owner(connection: Connection, identifier: str) -> ClientOwner | None:
    """The server or service that a client belongs to."""
    return client_owners(connection, [identifier]).get(identifier)


def client_owners(connection: Connection, identifiers: Collection[str]) -> dict[str, ClientOwner]:
    """The servers and services that these clients belong to: two statements at most."""
    wanted = set(identifiers) - {HUB_CLIENT}
    found: dict[str, ClientOwner] = {}
    if wanted:
        for identifier, user, server in _SERVERS_OF.all(connection, identifiers=wanted):
            found[identifier] = ClientOwner(server=(user, server))
    if wanted - found.keys():
        rows = _SERVICES_OF.all(connection, identifiers=wanted - found.keys())
        for identifier, name, no_confirm in rows:
            found[identifier] = ClientOwner(service=name, no_confirm=no_confirm)
    return found


def find_code(connection: Connection, hashed: str) -> OAuthCode | None:
    """The code with this hash; expired and used ones are found, too. ``code`` holds the hash."""
    row = _CODE.first(connection, code=hashed)
    if row is None:
        return None
    client, stored, expires_at, uri, session, user, scopes, challenge, method, token_id = row
    granted = tuple(scopes or ())
    return OAuthCode(
        client, stored, expires_at, uri, session, user, granted, challenge, method, token_id
    )


def create_code(connection: Connection, code: OAuthCode) -> None:
    """A new code; ``code.code`` is its hash."""
    connection.execute(
        insert(oauth_codes).values(
            client_id=code.client_id,
            code=code.code,
            expires_at=code.expires_at,
            redirect_uri=code.redirect_uri,
            session_id=code.session_id,
            user_id=code.user_id,
            scopes=list(code.scopes),
            code_challenge=code.code_challenge,
            code_challenge_method=code.code_challenge_method,
        )
    )


def use_code(connection: Connection, hashed: str, token_id: int) -> bool:
    """Note which token a code was exchanged for; False if somebody else used it meanwhile."""
    statement = (
        update(oauth_codes)
        .where(oauth_codes.c.code == hashed, oauth_codes.c.token_id.is_(None))
        .values(token_id=token_id)
    )
    return connection.execute(statement).rowcount == 1


def remove_token_of_code(connection: Connection, hashed: str) -> list[int]:
    """Delete the token that a code was exchanged for, and with it the code; the token's id."""
    issued = select(oauth_codes.c.token_id).where(oauth_codes.c.code == hashed)
    statement = delete(tokens).where(tokens.c.id.in_(issued)).returning(tokens.c.id)
    return list(connection.execute(statement).scalars())


def remove_codes_of_session(connection: Connection, session_id: str, user_id: int) -> None:
    """Delete the codes that a person's sign-in gave out and nobody exchanged yet."""
    connection.execute(
        delete(oauth_codes).where(
            oauth_codes.c.session_id == session_id, oauth_codes.c.user_id == user_id
        )
    )
