"""Statements of hot paths, compiled once and run on the driver itself.

SQLAlchemy works out anew for each execution what is the same every time: a read
by key took 19 us through Core and takes 5 this way. Statements are still built
with Core, so both databases and all types are served, and whenever anything is
out of the ordinary (the driver reports an error, statements are to be logged)
Core runs the statement after all.

On PostgreSQL that second attempt would find a transaction that the first has spoilt,
and say so instead of what was wrong. Statements that write go through Core there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Delete, Insert, Select, Update
from sqlalchemy.engine import Dialect

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """The statement for one database.

    ``names`` are the parameters in order where the driver wants it so; ``binds`` and
    ``converts`` say which parameters and columns need work, and which.
    """

    text: str
    names: tuple[str, ...] | None
    constants: dict[str, Any]
    binds: tuple[tuple[str, Convert], ...]
    converts: tuple[tuple[int, Convert], ...]
    driver_error: type[Exception]


class Prepared:
    """A statement that runs often.

    It must not hold ``IN`` lists, whose text depends on their length (``dialect.is_among``),
    and must name every value that is to be given (``bindparam``).
    """

    def __init__(self, statement: Select[Any] | Insert | Update | Delete) -> None:
        self.statement = statement
        self._reads = isinstance(statement, Select)
        self._compiled: dict[str, _Compiled] = {}

    def all(self, connection: Connection, **values: Any) -> list[Sequence[Any]]:
        """Every row that is selected or returned. Raises sqlalchemy's DBAPIError."""
        compiled = self._for(connection)
        if compiled is not None:
            try:
                rows = _cursor(connection, compiled, values).fetchall()
            except compiled.driver_error:
                pass  # Core knows what the error means, and whether the connection is dead.
            else:
                return _converted(rows, compiled.converts)
        return list(connection.execute(self.statement, values))

    def first(self, connection: Connection, **values: Any) -> Sequence[Any] | None:
        """The first row, if there is any."""
        rows = self.all(connection, **values)
        return rows[0] if rows else None

    def run(self, connection: Connection, **values: Any) -> int:
        """Write; how many rows that concerned. Raises sqlalchemy's DBAPIError."""
        compiled = self._for(connection)
        if compiled is not None:
            try:
                return int(_cursor(connection, compiled, values).rowcount)
            except compiled.driver_error:
                pass  # as above
        return connection.execute(self.statement, values).rowcount

    def _for(self, connection: Connection) -> _Compiled | None:
        """The compiled statement; None if Core is to run it."""
        dialect = connection.dialect
        if connection.engine.echo or not (self._reads or dialect.name == "sqlite"):
            return None
        return self._compiled.get(dialect.name) or self._compile(dialect)

    def _compile(self, dialect: Dialect) -> _Compiled:
        compiled = self.statement.compile(dialect=dialect)
        assert dialect.loaded_dbapi is not None
        converts = {
            name: convert
            for name, bind in compiled.binds.items()
            if (convert := bind.type.dialect_impl(dialect).bind_processor(dialect))
        }
        made = _Compiled(
            text=str(compiled),
            names=tuple(compiled.positiontup or ()) if dialect.positional else None,
            constants={
                name: converts[name](value) if name in converts else value
                for name, value in compiled.params.items()
                if not compiled.binds[name].required
            },
            binds=tuple(item for item in converts.items() if compiled.binds[item[0]].required),
            converts=tuple(
                (position, convert)
                for position, column in enumerate(self.statement.exported_columns)
                if (convert := column.type.dialect_impl(dialect).result_processor(dialect, None))
            ),
            driver_error=dialect.loaded_dbapi.Error,
        )
        self._compiled[dialect.name] = made
        return made


def _cursor(connection: Connection, compiled: _Compiled, values: dict[str, Any]) -> Any:
    """The statement executed on the driver. Raises the driver's own errors."""
    given = {**compiled.constants, **values}
    for name, convert in compiled.binds:
        given[name] = convert(given[name])
    parameters = given if compiled.names is None else [given[name] for name in compiled.names]
    driver: Any = connection.connection.driver_connection
    return driver.execute(compiled.text, parameters)


def _converted(
    rows: list[Sequence[Any]], converts: tuple[tuple[int, Convert], ...]
) -> list[Sequence[Any]]:
    if not converts:
        return rows
    made: list[Sequence[Any]] = []
    for row in rows:
        values = list(row)
        for position, convert in converts:
            if values[position] is not None:
                values[position] = convert(values[position])
        made.append(values)
    return made
