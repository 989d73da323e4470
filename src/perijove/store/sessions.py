"""Statements about sign-ins of browsers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from perijove.domain.users import Session, User
from perijove.store.prepared import Prepared
from perijove.store.tables import sessions, users
from perijove.store.users import COLUMNS
from perijove.store.users import from_row as user_from_row

_WITH_USER = Prepared(
    select(*COLUMNS, sessions.c.id, sessions.c.user_id, sessions.c.created, sessions.c.expires_at)
    .join(users, users.c.id == sessions.c.user_id)
    .where(sessions.c.id == bindparam("session_id"))
)


def _from_row(row: Sequence[Any]) -> Session:
    session_id, user_id, created, expires_at = row[-4:]
    return Session(session_id, user_id, created, expires_at)


def find(connection: Connection, session_id: str) -> tuple[Session, User] | None:
    """The session and whose it is, in one statement."""
    row = _WITH_USER.first(connection, session_id=session_id)
    return (_from_row(row), user_from_row(row)) if row else None


def create(connection: Connection, session: Session) -> None:
    """A new sign-in."""
    connection.execute(
        insert(sessions).values(
            id=session.id,
            user_id=session.user_id,
            created=session.created,
            expires_at=session.expires_at,
        )
    )


def extend(connection: Connection, session_id: str, expires_at: datetime) -> None:
    """The session lasts until this moment."""
    connection.execute(
        update(sessions).where(sessions.c.id == session_id).values(expires_at=expires_at)
    )


def remove(connection: Connection, session_id: str) -> bool:
    """End a session; False if there was none."""
    return connection.execute(delete(sessions).where(sessions.c.id == session_id)).rowcount > 0


def remove_of_user(connection: Connection, user_id: int) -> None:
    """End all sessions of a person."""
    connection.execute(delete(sessions).where(sessions.c.user_id == user_id))
