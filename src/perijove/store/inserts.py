"""Inserts that skip rows which are there already, alike on both databases."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")

MAX_PARAMETERS = 500
"""How many values one ``IN`` list takes."""


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose keys do not exist yet; rivals doing the same are no error."""
    if not rows:
        return
    connection.execute(_insert(table, connection.dialect.name), list(rows))


@lru_cache
def _insert(table: Table, dialect_name: str) -> Executable:
    dialect = postgresql if dialect_name == "postgresql" else sqlite
    statement: Executable = dialect.insert(table).on_conflict_do_nothing()
    return statement


def chunks(items: Sequence[T], size: int = MAX_PARAMETERS) -> list[Sequence[T]]:
    """The items in runs of at most ``size``, since statements have bounded parameters."""
    return [items[start : start + size] for start in range(0, len(items), size)]
