"""Inserts that skip rows which are there already, alike on both databases."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, bindparam
from sqlalchemy.dialects import sqlite

from perijove.store.prepared import Prepared

T = TypeVar("T")

MAX_PARAMETERS = 500
"""How many values one ``IN`` list takes."""


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose keys do not exist yet; rivals doing the same are no error."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        # Imported here: a hub on SQLite never needs it.
        from sqlalchemy.dialects import postgresql

        # All in one message: the server is a network away.
        connection.execute(postgresql.insert(table).on_conflict_do_nothing(), list(rows))
        return
    statement = _insert(table, tuple(rows[0]))
    for row in rows:
        statement.run(connection, **row)


@lru_cache
def _insert(table: Table, columns: tuple[str, ...]) -> Prepared:
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    return Prepared(sqlite.insert(table).values(values).on_conflict_do_nothing())


def chunks(items: Sequence[T], size: int = MAX_PARAMETERS) -> list[Sequence[T]]:
    """The items in runs of at most ``size``, since statements have bounded parameters."""
    return [items[start : start + size] for start in range(0, len(items), size)]
