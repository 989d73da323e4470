"""The one synchronous session that plug-ins share, beside the hub's own connections.

Reading holds nothing. A transaction that changes something is committed by the
plug-in or, if it forgets, as soon as the event loop turns: left open, it would
keep the hub from writing. Queries give objects as stored now, even those that
somebody holds since long before.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, object_session

from perijove.compat.orm import shares  # noqa: F401 - a class must not be asked before all are known
from perijove.compat.orm.base import HUB_TABLES, guest_metadata
from perijove.domain.events import Message, Topic
from perijove.people.cache import EVERYTHING
from perijove.store.engine import Database
from perijove.work.bus import Bus

log = logging.getLogger("perijove.compat")


class GuestSession(Session):
    """``self.db`` of authenticators, spawners and handlers."""

    def __init__(self, database: Database, on_change: Callable[[], None] = lambda: None) -> None:
        """``on_change`` is told after something of the hub's tables was changed."""
        super().__init__(database.guest_engine, expire_on_commit=False)
        self._database = database  # one in memory lives as long as somebody holds it
        self._on_change = on_change
        self._flushed = False
        self._hub_changed = False

    def settle(self) -> None:
        """Commit what was sent to the database, and let go of the connection.

        Changes that were not sent yet wait for the plug-in's own ``commit``.
        """
        if not self.in_transaction() or (not self._flushed and self._has_changes()):
            return
        try:
            self.commit()
        except Exception:
            log.exception("What a plug-in changed in the database is lost")
            self.rollback()

    def _has_changes(self) -> bool:
        return bool(self.new or self.dirty or self.deleted)

    @property
    def info(self) -> dict[Any, Any]:
        """Room for what plug-ins want to remember with the session."""
        return super().info


@event.listens_for(GuestSession, "do_orm_execute")
def _as_stored_now(state: ORMExecuteState) -> None:
    if state.is_select and not state.is_column_load and not state.is_relationship_load:
        state.update_execution_options(populate_existing=True)
    elif not state.is_select:
        _note_change(state.session, getattr(state.bind_mapper, "local_table", None))


@event.listens_for(GuestSession, "after_begin")
def _settle_soon(session: Session, _transaction: SessionTransaction, _connection: Any) -> None:
    assert isinstance(session, GuestSession)
    try:
        asyncio.get_running_loop().call_soon(session.settle)
    except RuntimeError:
        pass  # no loop: whoever calls minds the transaction


@event.listens_for(GuestSession, "before_flush")
def _what_changes(session: Session, _context: Any, _instances: Any) -> None:
    for changed in (*session.new, *session.dirty, *session.deleted):
        _note_change(session, changed.__table__)


def _note_change(session: Session, table: Any) -> None:
    assert isinstance(session, GuestSession)
    session._flushed = True
    session._hub_changed |= table is None or table.name in HUB_TABLES


@event.listens_for(GuestSession, "after_commit")
def _tell(session: Session) -> None:
    assert isinstance(session, GuestSession)
    changed, session._hub_changed, session._flushed = session._hub_changed, False, False
    if changed:
        session._on_change()


@event.listens_for(GuestSession, "after_rollback")
def _undone(session: Session) -> None:
    assert isinstance(session, GuestSession)
    session._hub_changed = session._flushed = False


def session_of(row: Any) -> Session | None:
    """The session a stored row was loaded in."""
    return object_session(row)


def open_session(database: Database, bus: Bus | None = None) -> GuestSession:
    """The session on the hub's database; ``bus`` is told of changes to the hub's tables.

    Tables that plug-ins have declared by now are made.
    """
    _make_tables(database.guest_engine)

    def on_change() -> None:
        if bus is not None:
            bus.publish(Message(Topic.CREDENTIALS, EVERYTHING))

    return GuestSession(database, on_change)


def _make_tables(engine: Engine) -> None:
    foreign = [t for t in guest_metadata.sorted_tables if t.name not in HUB_TABLES]
    if not foreign:
        return
    try:
        guest_metadata.create_all(engine, tables=foreign)
    except DBAPIError:
        # Another replica was making them at this moment.
        guest_metadata.create_all(engine, tables=foreign)
