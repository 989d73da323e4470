"""Column types and time expressions that read alike on both databases.

Leases are judged by the database's clock, never by a replica's, so "now" is an
SQL expression. Times are stored as naive UTC with microseconds.
"""

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import ARRAY, Boolean, ColumnElement, DateTime, Select, Text, bindparam
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


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

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """One step on SQLite, which has times as text and has most of them to read."""
        return (
            _read_time if dialect.name == "sqlite" else super().result_processor(dialect, coltype)
        )


def _read_time(value: str | None) -> datetime | None:
    # Five times as fast as to put the zone on afterwards.
    return datetime.fromisoformat(f"{value}+00:00") if value is not None else None


class JsonText(TypeDecorator[Any]):
    """A JSON value as text. Values that are not JSON raise TypeError."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """The text of the value; None stays NULL."""
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The value again."""
        return _read_json(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """One step, since lists have many to read."""
        return _read_json


def _read_json(value: str | None) -> Any:
    if value is None:
        return None
    # Most stored values are empty.
    return {} if value == "{}" else [] if value == "[]" else json.loads(value)


class Several(TypeDecorator[tuple[Any, ...]]):
    """Several values of one type in one: JSON text on SQLite, an array on PostgreSQL."""

    impl = Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text or an array of it."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(ARRAY(self.item))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """The values, sorted, so that equal sets are equal."""
        values = sorted(value or ())
        return values if dialect.name == "postgresql" else json.dumps(values)

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[Any, ...]:
        """The values in the order of the select."""
        return _read_several(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """One step, since lists have many to read."""
        return _read_several


def _read_several(value: Any) -> tuple[Any, ...]:
    if not value or value == "[]":
        return ()
    return _parse_several(value) if isinstance(value, str) else tuple(value)


@lru_cache(maxsize=1024)
def _parse_several(text: str) -> tuple[Any, ...]:
    # Most people hold the same role, and are in one of few groups.
    return tuple(orjson.loads(text))


class names_of(FunctionElement[tuple[str, ...]]):
    """All values of a correlated select of one column called ``name``, in its order."""

    type = Several(Text())
    inherit_cache = True

    def __init__(self, statement: Select[Any]) -> None:
        super().__init__(statement.scalar_subquery())


@compiles(names_of, "sqlite")
def _sqlite_names(element: names_of, compiler: Any, **kw: Any) -> str:
    return f"(SELECT json_group_array(name) FROM {compiler.process(element.clauses, **kw)})"


@compiles(names_of, "postgresql")
def _postgresql_names(element: names_of, compiler: Any, **kw: Any) -> str:
    return f"ARRAY{compiler.process(element.clauses, **kw)}"


class is_among(FunctionElement[bool]):
    """``column IN (the values of one parameter)``, however many they are."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], parameter: str) -> None:
        super().__init__(column, bindparam(parameter, type_=Several(column.type)))


@compiles(is_among, "sqlite")
def _sqlite_among(element: is_among, compiler: Any, **kw: Any) -> str:
    column, names = (compiler.process(part, **kw) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({names}))"


@compiles(is_among, "postgresql")
def _postgresql_among(element: is_among, compiler: Any, **kw: Any) -> str:
    column, names = (compiler.process(part, **kw) for part in element.clauses)
    return f"{column} = ANY({names})"


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
