"""Deleting rows that are over, some at a time.

A delete of a hundred thousand rows would hold up every other write, so each
statement takes at most ``limit`` of them; whoever calls comes again for the rest.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Column, ColumnElement, Connection, delete, or_, select

from perijove.domain.tokens import HUB_CLIENT
from perijove.store import oauth
from perijove.store.tables import (
    oauth_clients,
    oauth_codes,
    servers,
    services,
    sessions,
    share_codes,
    shares,
    tokens,
)


def _some(
    connection: Connection, key: Column[int] | Column[str], over: ColumnElement[bool], limit: int
) -> int:
    chosen = select(key).where(over).limit(limit)
    return connection.execute(delete(key.table).where(key.in_(chosen))).rowcount


def expired_tokens(connection: Connection, now: datetime, limit: int) -> int:
    """Delete tokens past their end, and with them the codes that they came from; how many."""
    return _some(connection, tokens.c.id, tokens.c.expires_at < now, limit)


def expired_sessions(connection: Connection, now: datetime, limit: int) -> int:
    """Delete sign-ins past their end; how many."""
    return _some(connection, sessions.c.id, sessions.c.expires_at < now, limit)


def late_codes(connection: Connection, now: datetime, limit: int) -> int:
    """Delete OAuth codes that nobody exchanged in time; how many."""
    late = oauth_codes.c.token_id.is_(None) & (oauth_codes.c.expires_at < now)
    return _some(connection, oauth_codes.c.id, late, limit)


def expired_shares(connection: Connection, now: datetime, limit: int) -> int:
    """Delete shares past their end; how many."""
    return _some(connection, shares.c.id, shares.c.expires_at < now, limit)


def expired_share_codes(connection: Connection, now: datetime, limit: int) -> int:
    """Delete codes for sharing past their end; how many."""
    return _some(connection, share_codes.c.id, share_codes.c.expires_at < now, limit)


EXPIRED = (
    expired_tokens,
    expired_sessions,
    late_codes,
    expired_shares,
    expired_share_codes,
)
"""Everything that ends by itself. Each takes the connection, now, and how many at most."""


def stray_clients(connection: Connection, limit: int) -> tuple[int, list[int]]:
    """Delete OAuth clients of no server and no service; how many, and their tokens' ids.

    A server that starts meanwhile registers its client anew. It waits for the rows
    that are locked here, and those that it has locked are left alone.
    """
    found = select(oauth_clients.c.identifier).where(_is_stray()).limit(limit)
    names = connection.execute(found.with_for_update(skip_locked=True)).scalars().all()
    # Asked again: only now is it certain that nobody is registering one of them.
    still = select(oauth_clients.c.identifier).where(
        oauth_clients.c.identifier.in_(names), _is_stray()
    )
    strays: Collection[str] = connection.execute(still).scalars().all()
    return len(strays), oauth.remove_clients(connection, strays)


def _is_stray() -> ColumnElement[bool]:
    identifier = oauth_clients.c.identifier
    owned = (
        identifier.in_(select(column).where(column.is_not(None)))
        for column in (servers.c.oauth_client_id, services.c.oauth_client_id)
    )
    return (identifier != HUB_CLIENT) & ~or_(*owned)
