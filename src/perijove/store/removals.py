"""Statements about removals that wait for servers to stop."""

from sqlalchemy import Connection, delete, select, update

from perijove.domain.servers import Server
from perijove.domain.users import User
from perijove.store import servers as server_rows
from perijove.store.tables import servers, users


def mark_user(connection: Connection, user_id: int) -> None:
    """The user goes when its servers have stopped."""
    connection.execute(update(users).where(users.c.id == user_id).values(deleting=True))


def delete_user(connection: Connection, user_id: int) -> None:
    """Delete the user with all that hangs on it."""
    connection.execute(delete(users).where(users.c.id == user_id))


def pending(connection: Connection) -> tuple[list[Server], list[User]]:
    """Servers and users whose removal was begun."""
    removing = [
        server
        for row in connection.execute(select(servers.c.id).where(servers.c.removing))
        if (server := server_rows.get(connection, row.id)) is not None
    ]
    rows = connection.execute(
        select(
            users.c.id,
            users.c.name,
            users.c.admin,
            users.c.created,
            users.c.last_activity,
            users.c.cookie_id,
            users.c.user_info,
        ).where(users.c.deleting)
    )
    return removing, [User(*row) for row in rows]
