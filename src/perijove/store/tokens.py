"""Statements about API and OAuth tokens. The secret itself never gets here.

``hashed`` is the SHA-256 of a token, or an imported salted hash, which also has
a ``prefix`` to be found by.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Text,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    type_coerce,
    update,
)

from perijove.domain.tokens import Bearer, Token, TokenDetail
from perijove.store import services as service_store
from perijove.store.dialect import is_among
from perijove.store.prepared import Prepared
from perijove.store.tables import oauth_clients, servers, services, tokens, users
from perijove.store.users import COLUMNS as USER_COLUMNS
from perijove.store.users import from_row as user_from_row

_COLUMNS = (
    tokens.c.id,
    tokens.c.user_id,
    tokens.c.service_id,
    tokens.c.client_id,
    tokens.c.session_id,
    tokens.c.created,
    tokens.c.expires_at,
    tokens.c.last_activity,
    tokens.c.note,
    tokens.c.scopes,
)
_N = len(_COLUMNS)
_N_USER = len(USER_COLUMNS)
_BEARER: Select[Any] = (
    select(*_COLUMNS, *USER_COLUMNS, *service_store.COLUMNS)
    .select_from(tokens)
    .outerjoin(users, users.c.id == tokens.c.user_id)
    .outerjoin(services, services.c.id == tokens.c.service_id)
)
_BY_HASH = Prepared(_BEARER.where(tokens.c.hashed == bindparam("hashed")))
_BY_ID = Prepared(_BEARER.where(tokens.c.id == bindparam("token_id")))
_SALTED = Prepared(
    select(tokens.c.id, tokens.c.hashed).where(tokens.c.prefix == bindparam("prefix"))
)
_DETAIL: Select[Any] = select(*_COLUMNS, oauth_clients.c.description).join(
    oauth_clients, oauth_clients.c.identifier == tokens.c.client_id
)
_DETAIL_BY_ID = Prepared(_DETAIL.where(tokens.c.id == bindparam("token_id")))
_DETAILS_OF_USER = Prepared(
    _DETAIL.where(
        tokens.c.user_id == bindparam("user_id"),
        or_(
            tokens.c.expires_at.is_(None),
            tokens.c.expires_at > bindparam("now", type_=tokens.c.expires_at.type),
        ),
    ).order_by(func.coalesce(tokens.c.last_activity, tokens.c.created), tokens.c.id)
)
_CREATE = Prepared(
    insert(tokens)
    .values(
        {
            name: bindparam(name)
            for name in (
                *("user_id", "service_id", "hashed", "client_id", "session_id"),
                *("created", "expires_at", "note", "scopes"),
            )
        }
    )
    .returning(*_COLUMNS)
)
_REMOVE = Prepared(delete(tokens).where(is_among(tokens.c.id, "ids")))


def from_row(row: Sequence[Any]) -> Token:
    """The first columns of this module's selects as a domain value."""
    return Token(
        id=row[0],
        user_id=row[1],
        service_id=row[2],
        client_id=row[3],
        session_id=row[4],
        created=row[5],
        expires_at=row[6],
        last_activity=row[7],
        note=row[8],
        scopes=tuple(row[9] or ()),
    )


def _bearer(row: Sequence[Any]) -> Bearer:
    token = from_row(row)
    if token.user_id is not None:
        return Bearer(token, user_from_row(row[_N : _N + _N_USER]))
    return Bearer(token, service_store.from_row(row[_N + _N_USER :]))


def find(connection: Connection, hashed: str) -> Bearer | None:
    """The token with this hash and its owner: one statement. Expired ones are found, too."""
    row = _BY_HASH.first(connection, hashed=hashed)
    return _bearer(row) if row else None


def get(connection: Connection, token_id: int) -> Bearer | None:
    """The token with this id and its owner."""
    row = _BY_ID.first(connection, token_id=token_id)
    return _bearer(row) if row else None


def salted(connection: Connection, prefix: str) -> list[tuple[int, str]]:
    """Ids and imported hashes of tokens that begin with ``prefix``."""
    return [(token_id, hashed) for token_id, hashed in _SALTED.all(connection, prefix=prefix)]


def rehash(connection: Connection, token_id: int, hashed: str) -> None:
    """Put the plain SHA-256 in place of an imported hash."""
    connection.execute(
        update(tokens).where(tokens.c.id == token_id).values(hashed=hashed, prefix=None)
    )


def detail(connection: Connection, token_id: int) -> TokenDetail | None:
    """One token as lists show it."""
    row = _DETAIL_BY_ID.first(connection, token_id=token_id)
    return TokenDetail(from_row(row), row[-1]) if row else None


def of_user(connection: Connection, user_id: int, now: datetime) -> list[TokenDetail]:
    """A person's tokens that are not expired, least recently used first."""
    rows = _DETAILS_OF_USER.all(connection, user_id=user_id, now=now)
    return [TokenDetail(from_row(row), row[-1]) for row in rows]


def create(
    connection: Connection,
    *,
    hashed: str,
    user_id: int | None = None,
    service_id: int | None = None,
    client_id: str,
    scopes: Sequence[str],
    now: datetime,
    expires_at: datetime | None = None,
    session_id: str | None = None,
    note: str = "",
) -> Token:
    """A new token. Raises sqlalchemy's IntegrityError when the hash is taken."""
    row = _CREATE.first(
        connection,
        user_id=user_id,
        service_id=service_id,
        hashed=hashed,
        client_id=client_id,
        session_id=session_id,
        created=now,
        expires_at=expires_at,
        note=note,
        scopes=list(scopes),
    )
    assert row is not None
    return from_row(row)


def change(connection: Connection, token_id: int, **values: Any) -> None:
    """Set columns of one token."""
    connection.execute(update(tokens).where(tokens.c.id == token_id).values(**values))


def remove(connection: Connection, token_ids: Collection[int]) -> int:
    """Delete these tokens; how many there were."""
    return _REMOVE.run(connection, ids=token_ids)


def remove_of_user(connection: Connection, user_id: int) -> list[int]:
    """Delete a person's tokens, except those that their servers run with; the deleted ids."""
    in_use = select(servers.c.token_id).where(
        servers.c.user_id == user_id, servers.c.token_id.is_not(None)
    )
    statement = delete(tokens).where(tokens.c.user_id == user_id, tokens.c.id.not_in(in_use))
    return list(connection.execute(statement.returning(tokens.c.id)).scalars())


def remove_of_service(connection: Connection, service_id: int) -> list[int]:
    """Delete a service's tokens; their ids."""
    statement = delete(tokens).where(tokens.c.service_id == service_id)
    return list(connection.execute(statement.returning(tokens.c.id)).scalars())


def remove_noted(connection: Connection, service_id: int, note: str) -> list[int]:
    """Delete a service's tokens that carry this note; their ids."""
    statement = delete(tokens).where(tokens.c.service_id == service_id, tokens.c.note == note)
    return list(connection.execute(statement.returning(tokens.c.id)).scalars())


def remove_of_client(connection: Connection, user_id: int, client_id: str) -> list[int]:
    """Delete all tokens that a client holds for a person; their ids."""
    statement = delete(tokens).where(tokens.c.user_id == user_id, tokens.c.client_id == client_id)
    return list(connection.execute(statement.returning(tokens.c.id)).scalars())


def remove_of_session(connection: Connection, session_id: str, user_id: int) -> list[int]:
    """Delete a person's tokens that belong to a sign-in; their ids."""
    statement = delete(tokens).where(tokens.c.session_id == session_id, tokens.c.user_id == user_id)
    return list(connection.execute(statement.returning(tokens.c.id)).scalars())


def scopes_held(connection: Connection, user_id: int, client_id: str, now: datetime) -> list[str]:
    """The raw scopes of a client's valid tokens for a person, all together."""
    statement = select(tokens.c.scopes).where(
        tokens.c.user_id == user_id,
        tokens.c.client_id == client_id,
        or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now),
    )
    return [scope for scopes in connection.execute(statement).scalars() for scope in scopes or ()]


_TOUCH = (
    update(tokens)
    .where(
        tokens.c.id == bindparam("_id"),
        or_(
            tokens.c.last_activity.is_(None),
            tokens.c.last_activity < bindparam("_seen", type_=tokens.c.last_activity.type),
        ),
    )
    .values(last_activity=bindparam("_seen", type_=tokens.c.last_activity.type))
)


def touch(connection: Connection, seen: Sequence[tuple[int, datetime]]) -> None:
    """Move ``last_activity`` forward for these (token id, moment) pairs."""
    if seen:
        connection.execute(
            _TOUCH, [{"_id": token_id, "_seen": moment} for token_id, moment in seen]
        )


def rename_in_scopes(connection: Connection, old: str, new: str) -> None:
    """Filters that name the person ``old`` name ``new`` instead, in every token.

    So what was granted about a person stays about that person, and does not fall
    to whoever gets the old name later.
    """
    statement = select(tokens.c.id, tokens.c.scopes).where(
        or_(*(type_coerce(tokens.c.scopes, Text).contains(mark) for mark in ("!user=", "!server=")))
    )
    changed = []
    for token_id, scopes in connection.execute(statement):
        renamed = [_renamed(scope, old, new) for scope in scopes]
        if renamed != scopes:
            changed.append({"_id": token_id, "_scopes": renamed})
    if changed:
        connection.execute(
            update(tokens)
            .where(tokens.c.id == bindparam("_id"))
            .values(scopes=bindparam("_scopes", type_=tokens.c.scopes.type)),
            changed,
        )


def _renamed(scope: str, old: str, new: str) -> str:
    base, _, condition = scope.partition("!")
    kind, _, value = condition.partition("=")
    if kind == "user" and value == old:
        return f"{base}!user={new}"
    if kind == "server" and value.partition("/")[0] == old and "/" in value:
        return f"{base}!server={new}/{value.partition('/')[2]}"
    return scope
