"""Column types and time expressions that read alike on both databases.

Leases are judged by the database's clock, never by a replica's, so "now" is an
SQL expression. Times are stored as naive UTC with microseconds.
"""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """Aware UTC in Python, naive UTC in the database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Drop the zone after turning to UTC."""
        return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Put the zone back."""
        return value.replace(tzinfo=UTC) if value is not None else None


class JsonText(TypeDecorator[Any]):
    """A JSON value as text. Values that are not JSON raise TypeError."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """The text of the value; None stays NULL."""
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The value again."""
        return None if value is None else json.loads(value)


class utc_now(FunctionElement[datetime]):
    """The database's own clock."""

    type = UtcTime()
    inherit_cache = True


class utc_in(FunctionElement[datetime]):
    """The database's own clock, plus ``offset_s`` seconds."""

    type = UtcTime()
    inherit_cache = False  # the offset is part of the text, so compiled forms differ

    def __init__(self, offset_s: float) -> None:
        super().__init__()
        self.offset_s = float(offset_s)


# SQLite's clock has milliseconds; the zeros make its text sort with ours.
@compiles(utc_now, "sqlite")
def _sqlite_now(element: utc_now, compiler: Any, **kw: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


@compiles(utc_in, "sqlite")
def _sqlite_in(element: utc_in, compiler: Any, **kw: Any) -> str:
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', '{element.offset_s:+.3f} seconds')"


@compiles(utc_now, "postgresql")
def _postgresql_now(element: utc_now, compiler: Any, **kw: Any) -> str:
    return "timezone('utc', clock_timestamp())"


@compiles(utc_in, "postgresql")
def _postgresql_in(element: utc_in, compiler: Any, **kw: Any) -> str:
    return f"(timezone('utc', clock_timestamp()) + make_interval(secs => {element.offset_s:.3f}))"
