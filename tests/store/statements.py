"""What really goes to the database, however it gets there."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import psycopg
from sqlalchemy import Connection

from perijove.store.engine import Database


def statements(database: Database, work: Callable[[Connection], object]) -> list[str]:
    """The statements of ``work``, run as a read."""
    seen: list[str] = []
    if database.sqlite:

        def traced(connection: Connection) -> None:
            driver: Any = connection.connection.driver_connection
            driver.set_trace_callback(seen.append)
            try:
                work(connection)
            finally:
                driver.set_trace_callback(None)

        database.read_now(traced)
        return [text for text in seen if not text.startswith("--")]
    execute = psycopg.Cursor.execute

    def noted(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(str(query))
        return execute(cursor, query, *args, **kwargs)

    def patched(connection: Connection) -> None:
        with patch.object(psycopg.Cursor, "execute", noted):
            work(connection)

    database.read_now(patched)
    return seen


def plan(database: Database, work: Callable[[Connection], object]) -> list[str]:
    """How the database does ``work``, which is one read: the lines of its explanation."""
    if database.sqlite:
        (statement,) = statements(database, work)
        rows = database.read_now(
            lambda c: c.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").all()
        )
        return [row[-1] for row in rows]
    lines: list[str] = []
    execute = psycopg.Cursor.execute

    def explained(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        lines.extend(row[0] for row in execute(cursor, f"EXPLAIN {query}", *args, **kwargs))
        return execute(cursor, query, *args, **kwargs)

    def patched(connection: Connection) -> None:
        with patch.object(psycopg.Cursor, "execute", explained):
            work(connection)

    database.read_now(patched)
    return [line.strip(" ->") for line in lines]
