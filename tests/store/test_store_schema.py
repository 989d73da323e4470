"""The schema: fresh, migrated, older, newer, and somebody else's."""

import sqlite3
from datetime import datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from perijove.domain.errors import SchemaMismatch
from perijove.store import schema
from perijove.store.engine import Database
from perijove.store.schema import (
    MIGRATIONS,
    REVISIONS,
    VERSION_TABLE,
    SchemaState,
    back_up,
    check_schema,
    create_schema,
    migrate,
    require_schema,
    upgrade,
)
from perijove.store.tables import metadata


def portrait(connection: Connection) -> dict[str, object]:
    """Everything about the tables that could differ, as plain values."""
    look = inspect(connection)
    found: dict[str, object] = {}
    for table in sorted(look.get_table_names()):
        columns = [
            (c["name"], repr(c["type"]), c["nullable"], str(c["default"]))
            for c in look.get_columns(table)
        ]
        keys = sorted(
            (k["name"], k["constrained_columns"], k["referred_table"], sorted(k["options"].items()))
            for k in look.get_foreign_keys(table)
        )
        indexes = sorted(
            (i["name"], i["column_names"], i["unique"]) for i in look.get_indexes(table)
        )
        unique = sorted((u["name"], u["column_names"]) for u in look.get_unique_constraints(table))
        checks = sorted((c["name"], c["sqltext"]) for c in look.get_check_constraints(table))
        found[table] = (columns, look.get_pk_constraint(table), keys, indexes, unique, checks)
    return found


def test_migrations_make_exactly_the_tables_of_a_fresh_start(empty_database: Database) -> None:
    empty_database.write_now(migrate)
    assert check_schema(empty_database) is SchemaState.CURRENT
    migrated = empty_database.read_now(portrait)
    empty_database.write_now(metadata.drop_all)
    empty_database.write_now(schema.version.drop)
    create_schema(empty_database)
    assert migrated == empty_database.read_now(portrait)


def test_fresh_tables_are_those_of_the_metadata(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        options = {"include_name": lambda name, kind, _: name != VERSION_TABLE}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata))

    assert database.read_now(differences) == []


def test_sqlite_keeps_numbers_of_deleted_rows_unused_in_migrated_databases(
    empty_database: Database,
) -> None:
    if not empty_database.sqlite:
        pytest.skip("PostgreSQL's sequences never go back")
    empty_database.write_now(migrate)
    statement = text("SELECT sql FROM sqlite_master WHERE name = 'users'")
    assert "AUTOINCREMENT" in empty_database.read_now(lambda c: c.execute(statement).scalar_one())


def test_listed_revisions_are_the_files() -> None:
    files = sorted(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    assert tuple(files) == REVISIONS


def test_empty_database_is_filled_and_then_current(empty_database: Database) -> None:
    assert check_schema(empty_database) is SchemaState.EMPTY
    assert require_schema(empty_database) is None
    assert check_schema(empty_database) is SchemaState.CURRENT
    create_schema(empty_database)  # a slower rival does no harm
    assert require_schema(empty_database) is None


def older(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that this version has one revision more than the database."""
    database.write_now(migrate)
    monkeypatch.setattr(schema, "REVISIONS", (*REVISIONS, "9999"))
    monkeypatch.setattr(schema, "HEAD", "9999")


def test_older_schema_stops_the_start_and_names_the_way_out(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    older(empty_database, monkeypatch)
    assert check_schema(empty_database) is SchemaState.OLDER
    with pytest.raises(SchemaMismatch, match=r"Back it up, then run `perijove upgrade-db`"):
        require_schema(empty_database)


def test_newer_schema_is_refused(database: Database) -> None:
    database.write_now(
        lambda c: c.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = 'later'"))
    )
    assert check_schema(database) is SchemaState.UNKNOWN
    for act in (require_schema, upgrade):
        with pytest.raises(SchemaMismatch, match="does not know"):
            act(database)


def test_database_of_jupyterhub_is_recognised_and_left_alone(empty_database: Database) -> None:

    def pretend(connection: Connection) -> None:
        for table in ("users", "spawners", "alembic_version"):
            connection.execute(text(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY)"))

    empty_database.write_now(pretend)
    assert check_schema(empty_database) is SchemaState.FOREIGN
    for act in (require_schema, upgrade):
        with pytest.raises(
            SchemaMismatch, match=r"is a database of JupyterHub.*cannot take it over"
        ):
            act(empty_database)
    assert empty_database.read_now(lambda c: len(inspect(c).get_table_names())) == 3


def test_messages_hide_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database("postgresql+psycopg://ada:hunter2@127.0.0.1:1/none")
    monkeypatch.setattr(schema, "check_schema", lambda _: SchemaState.OLDER)
    with pytest.raises(SchemaMismatch) as caught:
        require_schema(database)
    assert "hunter2" not in str(caught.value)
    database.close()


def test_upgrade_copies_a_sqlite_file_first_and_migrates(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "check_schema", lambda _: SchemaState.OLDER)
    done: list[str] = []
    monkeypatch.setattr(schema, "migrate", lambda connection: done.append("migrated"))
    if empty_database.path is not None:
        sqlite3.connect(empty_database.path).close()
    copy = upgrade(empty_database)
    assert done == ["migrated"]
    if empty_database.path is None:
        assert copy is None
    else:
        assert copy is not None
        assert copy.is_file()
        assert copy.name.startswith(Path(empty_database.path).name + ".20")


def test_upgrade_of_a_current_database_does_nothing(database: Database) -> None:
    assert upgrade(database) is None
    assert check_schema(database) is SchemaState.CURRENT


def test_backup_holds_what_is_still_in_the_log_and_is_no_more_open(tmp_path: Path) -> None:
    path = tmp_path / "hub.sqlite"
    database = Database(str(path))
    create_schema(database)
    database.write_now(
        lambda c: c.execute(text("INSERT INTO roles (name) VALUES ('written-a-moment-ago')"))
    )
    path.chmod(0o600)
    copy = back_up(str(path), datetime(2026, 11, 25, 3, 4, 5))
    assert copy == tmp_path / "hub.sqlite.2026-11-25-030405"
    assert copy.stat().st_mode & 0o777 == 0o600
    names = sqlite3.connect(copy).execute("SELECT name FROM roles").fetchall()
    assert names == [("written-a-moment-ago",)]
    with pytest.raises(FileExistsError):
        back_up(str(path), datetime(2026, 11, 25, 3, 4, 5))
    database.close()


def test_failed_migration_leaves_the_old_schema(empty_database: Database) -> None:

    def half(connection: Connection) -> None:
        migrate(connection)
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        empty_database.write_now(half)
    assert check_schema(empty_database) is SchemaState.EMPTY
