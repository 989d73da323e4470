"""Statements about servers: every durable move is one conditional update.

A move names the epoch its author holds and the states it may start from; zero
rows changed means that somebody else owns the server now (LeaseLost).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy import update as sql_update

from perijove.domain.errors import LeaseLost
from perijove.domain.servers import STARTS, Failure, Server, State, Wish
from perijove.domain.users import User
from perijove.store.dialect import is_among, utc_now
from perijove.store.prepared import Prepared
from perijove.store.tables import replicas, servers, users
from perijove.store.users import COLUMNS as USER_COLUMNS
from perijove.store.users import from_row as user_from_row

COLUMNS = (
    servers.c.id,
    servers.c.user_id,
    servers.c.name,
    servers.c.display_name,
    servers.c.wanted,
    servers.c.state,
    servers.c.epoch,
    servers.c.options,
    servers.c.plugin_state,
    servers.c.url,
    servers.c.oauth_client_id,
    servers.c.token_id,
    servers.c.lease_owner,
    servers.c.host,
    servers.c.started,
    servers.c.last_activity,
    servers.c.failure,
    servers.c.removing,
    servers.c.checking,
)
_SELECT: Select[Any] = select(*COLUMNS, users.c.name).join(users, users.c.id == servers.c.user_id)
_BY_ID = Prepared(_SELECT.where(servers.c.id == bindparam("server_id")))
_BY_IDS = Prepared(_SELECT.where(is_among(servers.c.id, "server_ids")).order_by(servers.c.id))
_BY_NAME = Prepared(
    _SELECT.where(users.c.name == bindparam("user"), servers.c.name == bindparam("server"))
)
_WITH_OWNER = Prepared(
    select(*USER_COLUMNS, *COLUMNS)
    .select_from(users)
    .outerjoin(
        servers, and_(servers.c.user_id == users.c.id, servers.c.name == bindparam("server"))
    )
    .where(users.c.name == bindparam("user"))
)
_OF_USER = Prepared(_SELECT.where(servers.c.user_id == bindparam("user_id")).order_by(servers.c.id))
_ACTIVE = Prepared(_SELECT.where(servers.c.state != State.STOPPED.value))

LIMITS_LOCK = 0x7065_7269
"""Key of the PostgreSQL advisory lock under which limits are counted."""


_STATES = {state.value: state for state in State}
_WISHES = {wish.value: wish for wish in Wish}


def from_values(values: Sequence[Any], user_name: str) -> Server:
    """Values of ``COLUMNS``, in that order and perhaps more, as a domain value."""
    return Server(
        id=values[0],
        user_id=values[1],
        user_name=user_name,
        name=values[2],
        display_name=values[3],
        wanted=_WISHES[values[4]],
        state=_STATES[values[5]],
        epoch=values[6],
        options=values[7],
        plugin_state=values[8] or {},
        url=values[9],
        oauth_client_id=values[10],
        token_id=values[11],
        lease_owner=values[12],
        host=values[13],
        started=values[14],
        last_activity=values[15],
        failure=Failure.from_json(values[16]),
        removing=values[17],
        checking=values[18],
    )


def from_row(row: Sequence[Any]) -> Server:
    """A row of ``_SELECT`` as a domain value."""
    return from_values(row, row[-1])


def _one(connection: Connection, statement: Prepared, **values: Any) -> Server | None:
    row = statement.first(connection, **values)
    return from_row(row) if row else None


def get(connection: Connection, server_id: int) -> Server | None:
    """The server with this id."""
    return _one(connection, _BY_ID, server_id=server_id)


def find(connection: Connection, user: str, server: str) -> Server | None:
    """The server of this user with this name (``""``: the default one)."""
    return _one(connection, _BY_NAME, user=user, server=server)


def find_owner(connection: Connection, user: str, server: str) -> tuple[User, Server | None] | None:
    """The person of this name, and their server of this name; None when there is nobody."""
    row = _WITH_OWNER.first(connection, user=user, server=server)
    if row is None:
        return None
    owner, values = user_from_row(row), row[len(USER_COLUMNS) :]
    return owner, from_values(values, owner.name) if values[0] is not None else None


def of_user(connection: Connection, user_id: int) -> list[Server]:
    """All servers of a user, oldest first."""
    return [from_row(row) for row in _OF_USER.all(connection, user_id=user_id)]


def by_ids(connection: Connection, server_ids: Sequence[int]) -> list[Server]:
    """The servers with these ids, in one statement."""
    if not server_ids:
        return []
    return [from_row(row) for row in _BY_IDS.all(connection, server_ids=server_ids)]


def named(connection: Connection) -> list[Server]:
    """Every server that has a name, oldest first."""
    statement = _SELECT.where(servers.c.name != "").order_by(servers.c.id)
    return [from_row(row) for row in connection.execute(statement)]


def active(connection: Connection) -> list[Server]:
    """Every server that is not stopped."""
    return [from_row(row) for row in _ACTIVE.all(connection)]


def held_epochs(connection: Connection, owner: str) -> dict[int, int]:
    """Id and epoch of every active server that this replica holds."""
    rows = connection.execute(
        select(servers.c.id, servers.c.epoch).where(
            servers.c.state != State.STOPPED.value, servers.c.lease_owner == owner
        )
    )
    return {row.id: row.epoch for row in rows}


def unwanted(connection: Connection, owner: str) -> list[Server]:
    """Held servers that somebody wants down and that are not stopping yet."""
    statement = _SELECT.where(
        servers.c.lease_owner == owner,
        servers.c.wanted == Wish.DOWN.value,
        servers.c.state.not_in([State.STOPPED.value, State.STOPPING.value]),
    )
    return [from_row(row) for row in connection.execute(statement)]


def is_leaving(connection: Connection, user_id: int) -> bool:
    """Whether the person is about to be deleted; True as well for somebody who is gone."""
    row = _LEAVING.first(connection, user_id=user_id)
    return row is None or bool(row[0])


_LEAVING = Prepared(select(users.c.deleting).where(users.c.id == bindparam("user_id")))


def removing(connection: Connection) -> list[Server]:
    """Servers that go when they have stopped."""
    return [from_row(row) for row in connection.execute(_SELECT.where(servers.c.removing))]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many servers count against the limits."""

    active: int
    starting: int
    named_of_user: int


def count(connection: Connection, user_id: int) -> Counts:
    """The counts, under a lock that keeps concurrent starts from overshooting.

    SQLite has one writer at a time anyway; on PostgreSQL an advisory lock is
    held until the transaction ends.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(LIMITS_LOCK)))
    row = _COUNTS.first(connection, user_id=user_id)
    assert row is not None
    return Counts(*(value or 0 for value in row))


_STATES_STARTING = sorted(state.value for state in STARTS)
_COUNTS = Prepared(
    select(
        select(func.count())
        .where(servers.c.state != State.STOPPED.value)
        .scalar_subquery()
        .label("active"),
        select(func.count())
        .where(
            servers.c.state != State.STOPPED.value,
            or_(*(servers.c.state == state for state in _STATES_STARTING)),
        )
        .scalar_subquery()
        .label("starting"),
        select(func.count())
        .where(servers.c.user_id == bindparam("user_id"), servers.c.name != "")
        .scalar_subquery()
        .label("named"),
    )
)


def create(connection: Connection, user_id: int, name: str, display_name: str | None = None) -> int:
    """A new, stopped server; its id."""
    result = connection.execute(
        insert(servers).values(user_id=user_id, name=name, display_name=display_name)
    )
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def edit(connection: Connection, server_id: int, **values: Any) -> None:
    """Change columns of a server that is stopped (the caller has checked that)."""
    connection.execute(sql_update(servers).where(servers.c.id == server_id).values(**values))


def remove(connection: Connection, server_id: int) -> bool:
    """Delete the row with all that hangs on it, unless it is active; whether it was deleted."""
    result = connection.execute(
        delete(servers).where(servers.c.id == server_id, servers.c.state == State.STOPPED.value)
    )
    return result.rowcount == 1


def wish_down(connection: Connection, server_id: int) -> None:
    """Somebody wants the server down."""
    connection.execute(
        sql_update(servers)
        .where(servers.c.id == server_id, servers.c.state != State.STOPPED.value)
        .values(wanted=Wish.DOWN.value)
    )


def enqueue(
    connection: Connection,
    server: Server,
    owner: str,
    options: dict[str, Any] | None,
    display_name: str | None,
) -> Server | None:
    """STOPPED to QUEUED, held by ``owner`` from the start; None if it is not stopped."""
    row = _ENQUEUE.first(
        connection,
        _id=server.id,
        lease_owner=owner,
        options=options,
        display_name=display_name,
    )
    return from_values(row, server.user_name) if row else None


_ENQUEUE = Prepared(
    sql_update(servers)
    .where(servers.c.id == bindparam("_id"), servers.c.state == State.STOPPED.value)
    .values(
        state=State.QUEUED.value,
        wanted=Wish.UP.value,
        epoch=servers.c.epoch + 1,
        options=bindparam("options"),
        display_name=bindparam("display_name"),
        lease_owner=bindparam("lease_owner"),
        plugin_state={},
        url=None,
        host=None,
        failure=None,
        removing=False,
        checking=False,
        started=utc_now(),
        last_activity=utc_now(),
    )
    .returning(*COLUMNS)
)


def touch_owner(connection: Connection, user_id: int) -> None:
    """The owner of a server did something just now."""
    _TOUCH_OWNER.run(connection, _id=user_id)


_TOUCH_OWNER = Prepared(
    sql_update(users).where(users.c.id == bindparam("_id")).values(last_activity=utc_now())
)


def move(
    connection: Connection,
    server_id: int,
    epoch: int,
    sources: Collection[State],
    target: State,
    **values: Any,
) -> None:
    """One legal move of a held server, with what else changes. Raises LeaseLost."""
    statement = _move(frozenset(sources), tuple(values))
    if not statement.run(connection, _id=server_id, _epoch=epoch, state=target.value, **values):
        raise LeaseLost(f"server {server_id} is no longer held at epoch {epoch}")


@lru_cache
def _move(sources: frozenset[State], columns: tuple[str, ...]) -> Prepared:
    """The conditional update of these columns; there are only a handful of kinds."""
    return Prepared(
        sql_update(servers)
        .where(
            servers.c.id == bindparam("_id"),
            servers.c.epoch == bindparam("_epoch"),
            or_(*(servers.c.state == state.value for state in sorted(sources))),
        )
        .values({name: bindparam(name) for name in ("state", *columns)})
    )


def amend(connection: Connection, server_id: int, epoch: int, state: State, **values: Any) -> None:
    """Change columns of a held server that stays in ``state``. Raises LeaseLost."""
    move(connection, server_id, epoch, (state,), state, **values)


def reclaim(connection: Connection, owner: str, held: Sequence[tuple[int, int]]) -> list[Server]:
    """Take anew those of these (id, epoch) that their own holder still holds unchanged."""
    found = []
    for server_id, epoch in held:
        result = connection.execute(
            sql_update(servers)
            .where(
                servers.c.id == server_id,
                servers.c.epoch == epoch,
                servers.c.lease_owner == owner,
                servers.c.state != State.STOPPED.value,
            )
            .values(epoch=epoch + 1, checking=servers.c.state == State.READY.value)
        )
        server = get(connection, server_id) if result.rowcount else None
        if server is not None:
            found.append(server)
    return found


def claim_orphans(connection: Connection, owner: str, host: str, limit: int) -> list[Server]:
    """Take up to ``limit`` active servers whose holder is gone and that this host can reach.

    One statement on both databases; on PostgreSQL rows that a rival is taking
    right now are skipped. The epoch grows, so the old holder cannot write.
    """
    alive = exists().where(
        replicas.c.id == servers.c.lease_owner, replicas.c.lease_until > utc_now()
    )
    chosen = (
        select(servers.c.id)
        .where(
            servers.c.state != State.STOPPED.value,
            or_(servers.c.host.is_(None), servers.c.host == host),
            ~alive,
        )
        .order_by(servers.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = connection.execute(
        sql_update(servers)
        .where(servers.c.id.in_(chosen))
        .values(
            lease_owner=owner,
            epoch=servers.c.epoch + 1,
            checking=servers.c.state == State.READY.value,
        )
        .returning(servers.c.id)
    )
    ids = [row[0] for row in taken]
    if not ids:
        return []
    return [from_row(row) for row in connection.execute(_SELECT.where(servers.c.id.in_(ids)))]


def touch(connection: Connection, seen: Sequence[tuple[int, datetime]]) -> None:
    """Move ``last_activity`` forward for these (server id, moment) pairs."""
    if not seen:
        return
    connection.execute(
        sql_update(servers)
        .where(
            servers.c.id == bindparam("_id"),
            or_(
                servers.c.last_activity.is_(None),
                servers.c.last_activity < bindparam("_seen", type_=servers.c.last_activity.type),
            ),
        )
        .values(last_activity=bindparam("_seen", type_=servers.c.last_activity.type)),
        [{"_id": server_id, "_seen": moment} for server_id, moment in seen],
    )
