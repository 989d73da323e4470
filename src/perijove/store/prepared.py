"""Selects of hot paths, compiled once and run on the driver itself.

SQLAlchemy works out anew for each execution what is the same every time: a read
by key took 19 us through Core and takes 5 this way. Statements are still built
with Core, so both databases and all types are served, and whenever anything is
out of the ordinary (the driver reports an error, statements are to be logged)
Core runs the statement after all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select
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
    """A select that runs often.

    It must not hold ``IN`` lists, whose text depends on their length (``dialect.is_among``).
    """

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def all(self, connection: Connection, **values: Any) -> list[Sequence[Any]]:
        """Every row, in the order of the selected columns. Raises sqlalchemy's DBAPIError."""
        if connection.engine.echo:
            return list(connection.execute(self.statement, values))
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name) or self._compile(dialect)
        given = {**compiled.constants, **values}
        for name, convert in compiled.binds:
            given[name] = convert(given[name])
        parameters = given if compiled.names is None else [given[name] for name in compiled.names]
        driver: Any = connection.connection.driver_connection
        try:
            rows = driver.execute(compiled.text, parameters).fetchall()
        except compiled.driver_error:
            # Core knows what the error means, and whether the connection is dead.
            return list(connection.execute(self.statement, values))
        return _converted(rows, compiled.converts)

    def first(self, connection: Connection, **values: Any) -> Sequence[Any] | None:
        """The first row, if there is any."""
        rows = self.all(connection, **values)
        return rows[0] if rows else None

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
                for position, column in enumerate(self.statement.selected_columns)
                if (convert := column.type.dialect_impl(dialect).result_processor(dialect, None))
            ),
            driver_error=dialect.loaded_dbapi.Error,
        )
        self._compiled[dialect.name] = made
        return made


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
