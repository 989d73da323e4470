"""Opening a database and running work on it without blocking the event loop.

On SQLite, reads run in the loop itself (microseconds; WAL keeps writers out of
their way) and writes go through one thread (``writer``), so they never wait for each
other inside SQLite. On PostgreSQL both run in a pool of threads. Work is a plain
function of a connection; the same function serves migrations and the cli.

A SQLite database "in memory" is a file of its own in memory where the system
has such files: several connections, with transactions of their own, see it.
"""

import asyncio
import os
import re
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from threading import RLock
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.pool import NullPool, StaticPool

from perijove.domain.errors import ConfigError, StoreUnavailable
from perijove.store.writer import Work, Writer

T = TypeVar("T")
Version = tuple[int, int]
"""What ``Database.version`` gives: to be compared, and nothing else."""

BUSY_TIMEOUT_S = 15
POSTGRESQL_THREADS = 8


class Database:
    """One open database. Safe to use from one event loop.

    Raises StoreUnavailable from ``read`` and ``write`` when the database cannot
    be reached or stays locked; errors of the work itself pass through.
    """

    def __init__(self, url: str, kwargs: Mapping[str, Any] | None = None, *, echo: bool = False):
        self.url = url if "://" in url else f"sqlite:///{url}"
        try:
            parsed = make_url(self.url)
            self.sqlite = parsed.get_backend_name() == "sqlite"
            self.path = _file_of(parsed.database) if self.sqlite else None
            self._private: tempfile.TemporaryDirectory[str] | None = None
            if self.sqlite and self.path is None:
                self._private = tempfile.TemporaryDirectory(prefix="perijove-", dir=_memory())
                self.path = os.path.join(self._private.name, "hub.sqlite")
                self.url = f"sqlite:///{self.path}"
            options = {**(kwargs or {}), "echo": echo}
            self._connect_args: dict[str, Any] = dict(options.get("connect_args", {}))
            if self.sqlite:
                self.engine, self._reader = _sqlite_engines(self.url, options)
            else:
                options.setdefault("pool_pre_ping", True)
                options.setdefault("pool_size", POSTGRESQL_THREADS)
                self.engine = create_engine(self.url, **options)
                self._reader = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        except (ArgumentError, NoSuchModuleError, ImportError, TypeError) as error:
            raise ConfigError(f"c.JupyterHub.db_url cannot be used: {error}") from error
        # SQLite's one writing connection may be wanted by a thread besides the writer's,
        # since plug-ins write synchronously.
        self._writing = RLock()
        self._read_connection: Connection | None = None
        self._readers = 0
        self._write_connection: Connection | None = None
        self._threads = ThreadPoolExecutor(POSTGRESQL_THREADS, thread_name_prefix="perijove-store")
        self._writer = Writer(self._transaction) if self.sqlite else None

    async def read(self, work: Work[T]) -> T:
        """The result of ``work``, which must only read."""
        if self.sqlite:
            return self.read_now(work)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.read_now, work)

    def read_now(self, work: Work[T]) -> T:
        """``read`` for callers without an event loop."""
        try:
            if self.sqlite:
                return work(self._read_connection or self._connect_reader())
            with self._reader.connect() as connection:
                return work(connection)
        except (OperationalError, InterfaceError) as error:
            self._drop_reader()
            raise _unavailable(error) from error

    def _connect_reader(self) -> Connection:
        self._read_connection = self._reader.connect()
        self._readers += 1
        return self._read_connection

    def version(self) -> Version | None:
        """Another one after each commit, by whomever; None where the database cannot tell.

        What was read after this and is to be used later is still true if it is the same
        then. Raises StoreUnavailable.
        """
        if not self.sqlite:
            return None
        # SQLite's own count of what other connections have committed. This one never writes,
        # and another one counts anew.
        version = self.read_now(_data_version)
        return self._readers, version

    async def write(self, work: Work[T]) -> T:
        """The result of ``work``, run as one transaction, committed when this returns.

        On SQLite several may share a commit; none sees another that was undone.
        """
        if self._writer is None:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self.write_now, work)
        with _translated_errors():
            return await self._writer.run(work)

    def write_now(self, work: Work[T]) -> T:
        """``write`` for callers without an event loop."""
        with _translated_errors(), self._transaction() as connection:
            return work(connection)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        if not self.sqlite:
            with self.engine.begin() as connection:
                yield connection
            return
        with self._writing:
            # One connection for good: to get one from the engine costs more than BEGIN does.
            if self._write_connection is None:
                self._write_connection = self.engine.connect()
            connection = self._write_connection
            try:
                with connection.begin():
                    yield connection
            except BaseException:
                self._end_transaction(connection)
                raise

    def _end_transaction(self, connection: Connection) -> None:
        """Roll back what a failed COMMIT leaves open; the pool would have done that."""
        try:
            driver: Any = connection.connection.driver_connection
            if driver.in_transaction:
                driver.rollback()
        except (DBAPIError, sqlite3.Error):
            self._write_connection = None
            connection.invalidate()
            connection.close()

    def _drop_reader(self) -> None:
        connection, self._read_connection = self._read_connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def close(self) -> None:
        """Finish queued writes and close every connection. Safe to call twice."""
        self._threads.shutdown(wait=True)
        if self._writer is not None:
            self._writer.close()
        for connection in (self._read_connection, self._write_connection):
            if connection is not None:
                connection.close()
        self._read_connection = self._write_connection = None
        self.engine.dispose()
        if self._reader is not self.engine:
            self._reader.dispose()
        guests = self.__dict__.pop("guest_engine", None)
        if guests is not None:
            guests.dispose()
        if self._private is not None:
            self._private.cleanup()

    @cached_property
    def guest_engine(self) -> Engine:
        """The engine for code that is synchronous and minds its own transactions.

        Reading takes and holds no lock; the first statement that changes something
        begins a transaction, which waits for the hub's own writes. The caller ends it soon.
        """
        if self.sqlite:
            arguments = {**_SQLITE_CONNECT, **self._connect_args}
            options: dict[str, Any] = {"connect_args": arguments}
        else:
            options = {
                "connect_args": self._connect_args,
                "isolation_level": "AUTOCOMMIT",
                "pool_pre_ping": True,
                "pool_size": 2,
            }
        engine = create_engine(self.engine.url, hide_parameters=True, **options)
        if self.sqlite:
            event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "before_cursor_execute", _begin_before_change)
        return engine


def _file_of(database: str | None) -> str | None:
    """The path of a SQLite database; None for one in memory."""
    if not database or database == ":memory:" or database.startswith("file::memory:"):
        return None
    return os.path.abspath(database)


_SQLITE_CONNECT = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}


def _memory() -> str | None:
    """A folder whose files are in memory, if the system has one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _sqlite_engines(url: str, options: dict[str, Any]) -> tuple[Engine, Engine]:
    connect_args = {**_SQLITE_CONNECT, **options.pop("connect_args", {})}
    options = {**options, "connect_args": connect_args}
    options.setdefault("poolclass", NullPool)
    options.setdefault("hide_parameters", True)
    writer = create_engine(url, **{**options, "poolclass": StaticPool})
    event.listen(writer, "connect", _on_sqlite_connect)
    event.listen(writer, "begin", _begin_immediate)
    reader = create_engine(url, **options, isolation_level="AUTOCOMMIT")
    event.listen(reader, "connect", _on_sqlite_connect)
    return writer, reader


def _on_sqlite_connect(connection: Any, _record: Any) -> None:
    # The driver's own transaction handling is off: "begin" below decides.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_S * 1000}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _data_version(connection: Connection) -> int:
    # Straight on the driver, since this is to be cheaper than the reading it saves.
    driver: Any = connection.connection.driver_connection
    return int(driver.execute("PRAGMA data_version").fetchone()[0])


def _begin_immediate(connection: Connection) -> None:
    # A deferred transaction that turns into a writer half-way fails at once
    # with "database is locked"; an immediate one waits for its turn.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


_ONLY_READS = re.compile(r"\s*(SELECT|PRAGMA|EXPLAIN|SHOW|VALUES|WITH|BEGIN)\b", re.IGNORECASE)


def _begin_before_change(
    connection: Connection,
    cursor: Any,
    statement: str,
    parameters: Any,
    context: Any,
    executemany: bool,
) -> None:
    # The drivers commit each statement; this opens a transaction where one is needed.
    if _ONLY_READS.match(statement):
        return
    raw: Any = connection.connection.dbapi_connection
    sqlite = connection.dialect.name == "sqlite"
    is_open = raw.in_transaction if sqlite else raw.info.transaction_status.value != 0
    if not is_open:
        cursor.execute("BEGIN IMMEDIATE" if sqlite else "BEGIN")


@contextmanager
def _translated_errors() -> Iterator[None]:
    """The database's own failures as StoreUnavailable; what is wrong with a statement stays."""
    try:
        yield
    except (OperationalError, InterfaceError, sqlite3.Error) as error:
        raise _unavailable(error) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _unavailable(error) from error
        raise


def _unavailable(error: Exception) -> StoreUnavailable:
    cause = getattr(error, "orig", None) or error
    return StoreUnavailable(f"The database cannot be used now: {cause}")


def wait_for(database: Database, timeout_s: float) -> None:
    """Return when the database answers. Raises StoreUnavailable after ``timeout_s``."""
    end = time.monotonic() + timeout_s
    while True:
        try:
            database.read_now(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
            return
        except StoreUnavailable:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
