"""What plug-ins import as ``jupyterhub.dbutil``: care for a database of the hub's schema."""

import logging
from collections.abc import Mapping
from typing import Any

from perijove.store import schema
from perijove.store.engine import Database
from perijove.store.schema import SchemaState

__all__ = ["upgrade", "upgrade_if_needed"]


def upgrade(db_url: str) -> None:
    """Bring the database to this version's schema; a SQLite file is copied first.

    Raises SchemaMismatch when it cannot be done.
    """
    upgrade_if_needed(db_url)


def upgrade_if_needed(
    db_url: str, *, db_kwargs: Mapping[str, Any] | None = None, log: logging.Logger | None = None
) -> None:
    """The same, and nothing when the schema is right. Raises SchemaMismatch."""
    database = Database(db_url, db_kwargs)
    try:
        if schema.check_schema(database) is SchemaState.CURRENT:
            return
        copy = schema.require_schema(database, upgrade_older=True)
        if copy is not None and log is not None:
            log.info("The database was upgraded; the copy made before is %s", copy)
    finally:
        database.close()
