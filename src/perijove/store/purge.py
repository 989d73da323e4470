"""Deleting what has run out: tokens, codes, sessions, shares, leases."""

from datetime import datetime

from sqlalchemy import Connection

from perijove.store import leases, sessions, shares, tokens
from perijove.store import oauth as oauth_rows


def expired(connection: Connection, now: datetime) -> None:
    """Delete everything whose time is over."""
    tokens.purge(connection, now)
    oauth_rows.purge_codes(connection, now)
    sessions.purge(connection, now)
    shares.purge(connection, now)
    leases.expire(connection)
