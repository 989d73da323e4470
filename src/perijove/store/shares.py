"""Statements about shares of servers and the codes that lead to them.

Scopes are stored without a filter: which server they are for is the row's own
``server_id``, so a renamed owner or server keeps its shares and a new one of the
same name inherits none. Domain values carry the filter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from perijove.domain.servers import State
from perijove.domain.shares import Share, ShareCode
from perijove.store.prepared import Prepared
from perijove.store.tables import groups, memberships, servers, share_codes, shares, users

_owners = users.alias("owners")
_READY = and_(servers.c.state == State.READY.value, servers.c.checking.is_(False)).label("ready")


def _filtered(scopes: Sequence[str] | None, owner: str, server: str) -> tuple[str, ...]:
    return tuple(f"{scope.partition('!')[0]}!server={owner}/{server}" for scope in scopes or ())


def _bare(scopes: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(scope.partition("!")[0] for scope in scopes))


# -- shares -------------------------------------------------------------------
_SHARE: Select[Any] = (
    select(
        shares.c.id,
        _owners.c.name.label("owner"),
        shares.c.server_id,
        servers.c.name.label("server"),
        _READY,
        shares.c.scopes,
        shares.c.created,
        shares.c.expires_at,
        users.c.name.label("user"),
        groups.c.name.label("group"),
    )
    .select_from(shares)
    .join(servers, servers.c.id == shares.c.server_id)
    .join(_owners, _owners.c.id == servers.c.user_id)
    .outerjoin(users, users.c.id == shares.c.user_id)
    .outerjoin(groups, groups.c.id == shares.c.group_id)
)


def _share(row: Sequence[Any]) -> Share:
    share_id, owner, server_id, server, ready, scopes, created, expires_at, user, group = row
    return Share(
        share_id,
        owner,
        server_id,
        server,
        _filtered(scopes, owner, server),
        created,
        expires_at,
        user,
        group,
        ready,
    )


@dataclass(frozen=True, slots=True)
class ShareQuery:
    """Which shares a list shows; exactly one of the first four is set.

    ``received_by`` counts shares received directly and through groups;
    ``server`` narrows to one server, by id.
    """

    owner_id: int | None = None
    server_id: int | None = None
    received_by: int | None = None
    group_id: int | None = None
    server: int | None = None
    offset: int = 0
    limit: int = 50


def _where(query: ShareQuery, now: datetime) -> list[ColumnElement[bool]]:
    where = [_alive(now)]
    if query.owner_id is not None:
        where.append(servers.c.user_id == query.owner_id)
    if query.server_id is not None:
        where.append(shares.c.server_id == query.server_id)
    if query.received_by is not None:
        where.append(received_by(query.received_by))
    if query.group_id is not None:
        where.append(shares.c.group_id == query.group_id)
    if query.server is not None:
        where.append(shares.c.server_id == query.server)
    return where


def received_by(user_id: Any) -> ColumnElement[bool]:
    """Shares with the person, directly or through groups."""
    member_of = select(memberships.c.group_id).where(memberships.c.user_id == user_id)
    return or_(shares.c.user_id == user_id, shares.c.group_id.in_(member_of))


def _alive(now: Any) -> ColumnElement[bool]:
    return or_(shares.c.expires_at.is_(None), shares.c.expires_at > now)


_RECEIVED = Prepared(
    _SHARE.where(
        _alive(bindparam("now", type_=shares.c.expires_at.type)),
        received_by(bindparam("received_by")),
    ).order_by(shares.c.id)
)


def page(connection: Connection, query: ShareQuery, now: datetime) -> tuple[list[Share], int]:
    """Shares that are not over, oldest first, and how many there are."""
    where = _where(query, now)
    statement = _SHARE.where(*where).order_by(shares.c.id)
    rows = connection.execute(statement.offset(query.offset).limit(query.limit)).all()
    counting = (
        select(func.count())
        .select_from(shares)
        .join(servers, servers.c.id == shares.c.server_id)
        .where(*where)
    )
    return [_share(row) for row in rows], int(connection.execute(counting).scalar_one())


def received(connection: Connection, user_id: int, now: datetime) -> list[Share]:
    """All shares that count for a person, direct ones and those of groups."""
    return [_share(row) for row in _RECEIVED.all(connection, received_by=user_id, now=now)]


def find(
    connection: Connection,
    server_id: int,
    *,
    user_id: int | None = None,
    group_id: int | None = None,
    now: datetime,
) -> Share | None:
    """The share of this server with this user or this group."""
    receiver = shares.c.user_id == user_id if user_id is not None else shares.c.group_id == group_id
    statement = _SHARE.where(shares.c.server_id == server_id, receiver, _alive(now))
    row = connection.execute(statement).first()
    return _share(row) if row else None


def grant(
    connection: Connection,
    server_id: int,
    scopes: Sequence[str],
    *,
    user_id: int | None = None,
    group_id: int | None = None,
    now: datetime,
) -> None:
    """Add scopes to the share with this user or group; it is made if missing."""
    receiver = shares.c.user_id == user_id if user_id is not None else shares.c.group_id == group_id
    # A share that is over must not come back to life with what it once held.
    connection.execute(delete(shares).where(shares.c.expires_at <= now))
    row = connection.execute(
        select(shares.c.id, shares.c.scopes).where(shares.c.server_id == server_id, receiver)
    ).first()
    if row is None:
        connection.execute(
            insert(shares).values(
                server_id=server_id,
                user_id=user_id,
                group_id=group_id,
                scopes=_bare(scopes),
                created=now,
            )
        )
    else:
        merged = _bare([*(row.scopes or ()), *scopes])
        connection.execute(update(shares).where(shares.c.id == row.id).values(scopes=merged))


def narrow(connection: Connection, share_id: int, scopes: Sequence[str]) -> None:
    """The share keeps exactly these scopes; none left: it is deleted."""
    if scopes:
        connection.execute(
            update(shares).where(shares.c.id == share_id).values(scopes=_bare(scopes))
        )
    else:
        connection.execute(delete(shares).where(shares.c.id == share_id))


def remove_of_server(connection: Connection, server_id: int) -> int:
    """Delete every share of a server; how many."""
    return connection.execute(delete(shares).where(shares.c.server_id == server_id)).rowcount


# -- codes --------------------------------------------------------------------
_CODE: Select[Any] = (
    select(
        share_codes.c.id,
        _owners.c.name.label("owner"),
        share_codes.c.server_id,
        servers.c.name.label("server"),
        _READY,
        share_codes.c.scopes,
        share_codes.c.created,
        share_codes.c.expires_at,
        share_codes.c.exchange_count,
        share_codes.c.last_exchanged_at,
    )
    .select_from(share_codes)
    .join(servers, servers.c.id == share_codes.c.server_id)
    .join(_owners, _owners.c.id == servers.c.user_id)
)
_CODE_BY_HASH = _CODE.where(share_codes.c.hashed == bindparam("hashed"))


def _code(row: Row[Any]) -> ShareCode:
    return ShareCode(
        row.id,
        row.owner,
        row.server_id,
        row.server,
        _filtered(row.scopes, row.owner, row.server),
        row.created,
        row.expires_at,
        row.exchange_count,
        row.last_exchanged_at,
        row.ready,
    )


def find_code(connection: Connection, hashed: str) -> ShareCode | None:
    """The code with this hash; expired ones are found, too."""
    row = connection.execute(_CODE_BY_HASH, {"hashed": hashed}).first()
    return _code(row) if row else None


def salted_codes(connection: Connection, prefix: str) -> list[tuple[int, str]]:
    """Ids and imported hashes of codes that begin with ``prefix``."""
    statement = select(share_codes.c.id, share_codes.c.hashed).where(share_codes.c.prefix == prefix)
    return [(code_id, hashed) for code_id, hashed in connection.execute(statement)]


def rehash_code(connection: Connection, code_id: int, hashed: str) -> None:
    """Put the plain SHA-256 in place of an imported hash."""
    connection.execute(
        update(share_codes).where(share_codes.c.id == code_id).values(hashed=hashed, prefix=None)
    )


def create_code(
    connection: Connection,
    server_id: int,
    hashed: str,
    scopes: Sequence[str],
    now: datetime,
    expires_at: datetime | None,
) -> None:
    """A new code; ``hashed`` is its SHA-256."""
    connection.execute(
        insert(share_codes).values(
            server_id=server_id,
            hashed=hashed,
            scopes=_bare(scopes),
            created=now,
            expires_at=expires_at,
        )
    )


def page_codes(
    connection: Connection,
    *,
    owner_id: int | None = None,
    server_id: int | None = None,
    offset: int,
    limit: int,
    now: datetime,
) -> tuple[list[ShareCode], int]:
    """Valid codes of an owner or of one server, oldest first, and how many there are."""
    where = [or_(share_codes.c.expires_at.is_(None), share_codes.c.expires_at > now)]
    if owner_id is not None:
        where.append(servers.c.user_id == owner_id)
    if server_id is not None:
        where.append(share_codes.c.server_id == server_id)
    statement = _CODE.where(*where).order_by(share_codes.c.id).offset(offset).limit(limit)
    counting = (
        select(func.count())
        .select_from(share_codes)
        .join(servers, servers.c.id == share_codes.c.server_id)
        .where(*where)
    )
    found = [_code(row) for row in connection.execute(statement)]
    return found, int(connection.execute(counting).scalar_one())


def note_exchange(connection: Connection, code_id: int, now: datetime) -> None:
    """Count one use of a code."""
    connection.execute(
        update(share_codes)
        .where(share_codes.c.id == code_id)
        .values(exchange_count=share_codes.c.exchange_count + 1, last_exchanged_at=now)
    )


def remove_codes(
    connection: Connection,
    server_id: int,
    *,
    code_id: int | None = None,
    hashed: str | None = None,
) -> int:
    """Delete one code of a server, by id or hash, or all of them; how many."""
    where = [share_codes.c.server_id == server_id]
    if code_id is not None:
        where.append(share_codes.c.id == code_id)
    if hashed is not None:
        where.append(share_codes.c.hashed == hashed)
    return connection.execute(delete(share_codes).where(*where)).rowcount
