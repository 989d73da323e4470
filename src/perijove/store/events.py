"""Statements about the progress events of a server's current start."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, delete, select

from perijove.domain.events import ProgressEvent
from perijove.store.inserts import insert_missing
from perijove.store.prepared import Prepared
from perijove.store.tables import server_events

_AFTER = Prepared(
    select(server_events.c.seq, server_events.c.data)
    .where(
        server_events.c.server_id == bindparam("server_id"),
        server_events.c.seq > bindparam("seq"),
    )
    .order_by(server_events.c.seq)
)
_CLEAR = Prepared(delete(server_events).where(server_events.c.server_id == bindparam("server_id")))


def clear(connection: Connection, server_id: int) -> None:
    """Forget the events of the last start."""
    _CLEAR.run(connection, server_id=server_id)


def append(connection: Connection, server_id: int, events: Sequence[ProgressEvent]) -> None:
    """Store events; those that are stored already are left as they are.

    So a write whose outcome was never heard of can be repeated.
    """
    now = datetime.now(UTC)
    insert_missing(
        connection,
        server_events,
        [
            {"server_id": server_id, "seq": event.seq, "data": event.data, "created": now}
            for event in events
        ],
    )


def after(connection: Connection, server_id: int, seq: int) -> list[ProgressEvent]:
    """The events with a number above ``seq``, in order."""
    rows = _AFTER.all(connection, server_id=server_id, seq=seq)
    return [ProgressEvent(number, data) for number, data in rows]
