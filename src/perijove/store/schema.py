"""Which schema a database has, and how it gets the one this version needs.

An empty database gets all tables at once and a row that names the newest
revision, so a first start loads no migration machinery. An older one is
migrated on request only, after a copy of a SQLite file was made. A database of
JupyterHub is recognised and left alone.
"""

import os
import sqlite3
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, func, insert, inspect, select

from perijove.domain.errors import SchemaMismatch
from perijove.store.engine import Database
from perijove.store.tables import metadata

REVISIONS = ("0001", "0002")
"""Every revision in ``migrations/versions``, oldest first."""

HEAD = REVISIONS[-1]
VERSION_TABLE = "perijove_version"
MIGRATIONS = Path(__file__).with_name("migrations")

version = Table(
    VERSION_TABLE,
    MetaData(naming_convention={"pk": f"{VERSION_TABLE}_pkc"}),  # Alembic's name for it
    Column("version_num", String(32), primary_key=True),
)

SCHEMA_LOCK = 0x7065_7273
"""Key of the PostgreSQL advisory lock under which tables are made or changed."""


class SchemaState(StrEnum):
    """What a database holds, as seen from this version."""

    EMPTY = "empty"
    """None of our tables."""
    CURRENT = "current"
    """The schema of this version."""
    OLDER = "older"
    """A schema that this version can migrate."""
    UNKNOWN = "unknown"
    """Our tables at a revision that this version does not know: written by a newer one."""
    FOREIGN = "foreign"
    """The tables of JupyterHub."""


def check_schema(database: Database) -> SchemaState:
    """What the database holds. Raises StoreUnavailable."""
    return database.read_now(_state)


def _state(connection: Connection) -> SchemaState:
    names = set(inspect(connection).get_table_names())
    if "spawners" in names and VERSION_TABLE not in names:
        return SchemaState.FOREIGN
    revision = (
        connection.execute(select(version.c.version_num)).scalar()
        if VERSION_TABLE in names
        else None
    )
    if revision is None:
        return SchemaState.UNKNOWN if names & set(metadata.tables) else SchemaState.EMPTY
    if revision == HEAD:
        return SchemaState.CURRENT
    return SchemaState.OLDER if revision in REVISIONS else SchemaState.UNKNOWN


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(SCHEMA_LOCK)))


def create_schema(database: Database) -> None:
    """Make all tables in an empty database; harmless when a rival was faster."""

    def create(connection: Connection) -> None:
        _lock(connection)
        if _state(connection) is SchemaState.EMPTY:
            metadata.create_all(connection, checkfirst=False)
            version.create(connection, checkfirst=True)
            connection.execute(insert(version).values(version_num=HEAD))

    database.write_now(create)


def drop_schema(database: Database) -> None:
    """Delete all of our tables with everything in them."""

    def drop(connection: Connection) -> None:
        _lock(connection)
        metadata.drop_all(connection)
        version.drop(connection, checkfirst=True)

    database.write_now(drop)


def require_schema(database: Database, *, upgrade_older: bool = False) -> Path | None:
    """Make sure that the database has this version's schema.

    An empty one is filled. With ``upgrade_older`` an older one is migrated; the
    path of the copy made before is returned. Raises SchemaMismatch, whose message
    says what to do.
    """
    state = check_schema(database)
    if state is SchemaState.EMPTY:
        create_schema(database)
    elif state is SchemaState.OLDER and upgrade_older:
        return upgrade(database)
    elif state is not SchemaState.CURRENT:
        raise SchemaMismatch(_advice(state, database))
    return None


def _advice(state: SchemaState, database: Database) -> str:
    where = database.engine.url.render_as_string(hide_password=True)
    if state is SchemaState.FOREIGN:
        return (
            f"{where} is a database of JupyterHub. This version of Perijove cannot take it over "
            "yet; let c.JupyterHub.db_url name another one."
        )
    if state is SchemaState.OLDER:
        return (
            f"{where} has the schema of an earlier version of Perijove. Back it up, then run "
            "`perijove upgrade-db` with the same configuration."
        )
    return (
        f"{where} has a schema that this version of Perijove does not know; a newer version has "
        "probably used it. Run that version, or restore the backup made before its upgrade."
    )


def upgrade(database: Database) -> Path | None:
    """Migrate to this version's schema; the path of the copy of a SQLite file made before.

    Nothing is done, and None returned, when the schema is current. An empty
    database is filled. Raises SchemaMismatch for databases that cannot be migrated.
    """
    state = check_schema(database)
    if state is SchemaState.CURRENT:
        return None
    if state is SchemaState.EMPTY:
        create_schema(database)
        return None
    if state is not SchemaState.OLDER:
        raise SchemaMismatch(_advice(state, database))
    copy = back_up(database.path) if database.path is not None else None
    database.write_now(migrate)
    return copy


def migrate(connection: Connection, revision: str = HEAD) -> None:
    """Run the migrations up to ``revision`` inside the caller's transaction."""
    # Alembic is slow to import and needed by upgrades alone.
    from alembic import command
    from alembic.config import Config

    _lock(connection)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def back_up(path: str, now: datetime | None = None) -> Path:
    """Copy a SQLite database to ``PATH.YYYY-MM-DD-HHMMSS`` (local time), readable as before.

    The copy is made by SQLite itself, so what still stands in the write-ahead log
    is in it. Raises OSError or sqlite3.Error.
    """
    stamp = (now or datetime.now()).strftime("%Y-%m-%d-%H%M%S")
    target = Path(f"{path}.{stamp}")
    source = sqlite3.connect(path)
    try:
        # Created first with the original's mode: the copy must not be more open.
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        copy = sqlite3.connect(target)
        try:
            source.backup(copy)
        finally:
            copy.close()
        os.chmod(target, os.stat(path).st_mode & 0o777)
    finally:
        source.close()
    return target
