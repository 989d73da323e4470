"""Statements about replicas and the duties that exactly one of them does.

The database's clock decides; a replica's own clock is never stored.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)

from perijove.store.dialect import utc_in, utc_now
from perijove.store.inserts import insert_missing
from perijove.store.tables import duties, replicas


def announce(connection: Connection, replica: str, host: str, process: str, ttl_s: float) -> None:
    """A new replica with a lease of ``ttl_s`` seconds."""
    connection.execute(
        insert(replicas).values(
            id=replica, host=host, process=process, started=utc_now(), lease_until=utc_in(ttl_s)
        )
    )


def renew(connection: Connection, replica: str, ttl_s: float) -> bool:
    """Prolong the lease; False when it is too late for that.

    One that has run out, say because the machine was asleep, comes to life again
    unless a rival lives who may have taken servers over.
    """
    rival = replicas.alias()
    rivals = exists().where(rival.c.id != replica, rival.c.lease_until > utc_now())
    result = connection.execute(
        update(replicas)
        .where(
            replicas.c.id == replica,
            or_(replicas.c.lease_until > utc_now(), ~rivals),
        )
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
    """Forget replicas whose lease has run out, and the jobs that they left."""
    connection.execute(delete(replicas).where(replicas.c.lease_until <= utc_now()))
    connection.execute(
        delete(duties).where(duties.c.lease_until <= utc_now(), ~_living(duties.c.owner))
    )


def _living(owner: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether this replica lives."""
    return exists().where(replicas.c.id == owner, replicas.c.lease_until > utc_now())


def take_job(connection: Connection, job: str, replica: str) -> bool:
    """Hold ``job`` until ``finish_job``, unless another living replica holds it.

    Unlike a duty it is done once; it needs no time of its own, since it is free when
    the replica dies.
    """
    row = {"name": job, "owner": replica, "lease_until": _NEVER}
    insert_missing(connection, duties, [row])
    free = or_(duties.c.owner == replica, ~_living(duties.c.owner))
    statement = update(duties).where(duties.c.name == job, free).values(owner=replica)
    return connection.execute(statement).rowcount == 1


def finish_job(connection: Connection, job: str, replica: str) -> None:
    """The job is done, or given up by this replica."""
    connection.execute(delete(duties).where(duties.c.name == job, duties.c.owner == replica))


_TAKE = (
    update(duties)
    .where(
        duties.c.name == bindparam("duty"),
        or_(duties.c.owner == bindparam("replica"), duties.c.lease_until <= utc_now()),
    )
    .values(owner=bindparam("replica"))
)


_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def take_duty(connection: Connection, duty: str, replica: str, ttl_s: float) -> bool:
    """Hold ``duty`` for ``ttl_s`` seconds if it is free or ours already."""
    take = _TAKE.values(lease_until=utc_in(ttl_s))
    values = {"duty": duty, "replica": replica}
    if connection.execute(take, values).rowcount:
        return True
    # Perhaps nobody ever did it. Rivals who make the row at once agree on one.
    insert_missing(connection, duties, [{"name": duty, "owner": "", "lease_until": _NEVER}])
    return bool(connection.execute(take, values).rowcount)
