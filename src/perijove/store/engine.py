"""Opening a database and running work on it without blocking the event loop.

On SQLite, reads run in the loop itself (microseconds; WAL keeps writers out of
their way) and writes go through one thread, so they never wait for each other
inside SQLite. On PostgreSQL both run in a pool of threads. Work is a plain
function of a connection; the same function serves migrations and the cli.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
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

T = TypeVar("T")
Work = Callable[[Connection], T]

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
            options = {**(kwargs or {}), "echo": echo}
            if self.sqlite:
                self.engine, self._reader = _sqlite_engines(self.url, self.path, options)
            else:
                options.setdefault("pool_pre_ping", True)
                options.setdefault("pool_size", POSTGRESQL_THREADS)
                self.engine = create_engine(self.url, **options)
                self._reader = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        except (ArgumentError, NoSuchModuleError, ImportError, TypeError) as error:
            raise ConfigError(f"c.JupyterHub.db_url cannot be used: {error}") from error
        self._inline = self.sqlite and self.path is not None
        # SQLite's one writing connection may be wanted by a thread besides the writer's,
        # since plug-ins write synchronously.
        self._writing: AbstractContextManager[Any] = RLock() if self.sqlite else nullcontext()
        self._read_connection: Connection | None = None
        self._threads = ThreadPoolExecutor(
            1 if self.sqlite else POSTGRESQL_THREADS, thread_name_prefix="perijove-store"
        )

    async def read(self, work: Work[T]) -> T:
        """The result of ``work``, which must only read."""
        if self._inline:
            return self.read_now(work)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.read_now, work)

    def read_now(self, work: Work[T]) -> T:
        """``read`` for callers without an event loop."""
        try:
            if self._inline:
                if self._read_connection is None:
                    self._read_connection = self._reader.connect()
                return work(self._read_connection)
            with self._reader.connect() as connection:
                return work(connection)
        except (OperationalError, InterfaceError) as error:
            self._drop_reader()
            raise _unavailable(error) from error

    async def write(self, work: Work[T]) -> T:
        """The result of ``work``, run as one transaction, committed when this returns."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.write_now, work)

    def write_now(self, work: Work[T]) -> T:
        """``write`` for callers without an event loop."""
        try:
            with self._writing, self.engine.begin() as connection:
                return work(connection)
        except (OperationalError, InterfaceError) as error:
            raise _unavailable(error) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise _unavailable(error) from error
            raise

    def _drop_reader(self) -> None:
        connection, self._read_connection = self._read_connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def close(self) -> None:
        """Finish queued writes and close every connection. Safe to call twice."""
        self._threads.shutdown(wait=True)
        if self._read_connection is not None:
            self._read_connection.close()
            self._read_connection = None
        self.engine.dispose()
        if self._reader is not self.engine:
            self._reader.dispose()


def _file_of(database: str | None) -> str | None:
    """The path of a SQLite database; None for one in memory."""
    if not database or database == ":memory:" or database.startswith("file::memory:"):
        return None
    return os.path.abspath(database)


def _sqlite_engines(url: str, path: str | None, options: dict[str, Any]) -> tuple[Engine, Engine]:
    connect_args = {
        "timeout": BUSY_TIMEOUT_S,
        "check_same_thread": False,
        **options.pop("connect_args", {}),
    }
    options = {**options, "connect_args": connect_args}
    if path is None:
        options["poolclass"] = StaticPool
    else:
        options.setdefault("poolclass", NullPool)
        options.setdefault("hide_parameters", True)
    writer = create_engine(
        url, **{**options, "poolclass": options["poolclass"] if path is None else StaticPool}
    )
    event.listen(writer, "connect", _on_sqlite_connect)
    event.listen(writer, "begin", _begin_immediate)
    if path is None:
        return writer, writer
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


def _begin_immediate(connection: Connection) -> None:
    # A deferred transaction that turns into a writer half-way fails at once
    # with "database is locked"; an immediate one waits for its turn.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


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
