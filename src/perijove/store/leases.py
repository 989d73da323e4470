"""Statements about replicas and the duties that exactly one of them does.

The database's clock decides; a replica's own clock is never stored.
"""

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from perijove.store.dialect import utc_in, utc_now
from perijove.store.tables import duties, replicas


def announce(connection: Connection, replica: str, host: str, process: str, ttl_s: float) -> None:
    """A new replica with a lease of ``ttl_s`` seconds."""
    connection.execute(
        insert(replicas).values(
            id=replica, host=host, process=process, started=utc_now(), lease_until=utc_in(ttl_s)
        )
    )


def renew(connection: Connection, replica: str, ttl_s: float) -> bool:
    """Prolong the lease; False when somebody has declared the replica dead."""
    result = connection.execute(
        update(replicas)
        .where(replicas.c.id == replica, replicas.c.lease_until > utc_now())
        .values(lease_until=utc_in(ttl_s))
    )
    return bool(result.rowcount)


def resign(connection: Connection, replica: str) -> None:
    """The replica leaves in good order; its duties are free at once."""
    connection.execute(delete(duties).where(duties.c.owner == replica))
    connection.execute(delete(replicas).where(replicas.c.id == replica))


def processes_on(connection: Connection, host: str) -> dict[str, str]:
    """Replica id to process mark, of all replicas of this host."""
    rows = connection.execute(
        select(replicas.c.id, replicas.c.process).where(replicas.c.host == host)
    )
    return {row.id: row.process for row in rows}


def expire(connection: Connection) -> None:
    """Forget replicas whose lease has run out."""
    connection.execute(delete(replicas).where(replicas.c.lease_until <= utc_now()))


_TAKE = (
    update(duties)
    .where(
        duties.c.name == bindparam("duty"),
        or_(duties.c.owner == bindparam("replica"), duties.c.lease_until <= utc_now()),
    )
    .values(owner=bindparam("replica"))
)


def take_duty(connection: Connection, duty: str, replica: str, ttl_s: float) -> bool:
    """Hold ``duty`` for ``ttl_s`` seconds if it is free or ours already."""
    result = connection.execute(
        _TAKE.values(lease_until=utc_in(ttl_s)), {"duty": duty, "replica": replica}
    )
    if result.rowcount:
        return True
    known = connection.execute(select(duties.c.name).where(duties.c.name == duty)).first()
    if known:
        return False
    connection.execute(insert(duties).values(name=duty, owner=replica, lease_until=utc_in(ttl_s)))
    return True
