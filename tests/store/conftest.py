"""One contract, both databases: every test here runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator

import pytest

from perijove.store.engine import Database
from perijove.store.schema import create_schema


@pytest.fixture
def empty_database(database_url: str) -> Iterator[Database]:
    """A database without any table."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def database(empty_database: Database) -> Database:
    """A database with this version's schema."""
    create_schema(empty_database)
    return empty_database
