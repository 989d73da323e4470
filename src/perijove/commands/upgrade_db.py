"""``perijove upgrade-db``: bring the database to this version's schema."""

import sys

from perijove.compat import alias
from perijove.config.load import load_hub
from perijove.config.settings import build_settings
from perijove.domain.errors import ConfigError, SchemaMismatch, StoreUnavailable
from perijove.store import schema
from perijove.store.engine import Database


def run(argv: list[str]) -> int:
    """Upgrade, after copying a SQLite file; the exit code."""
    alias.install()
    try:
        wanted = build_settings(load_hub(argv).hub, read_only=True).database
        database = Database(wanted.url, wanted.kwargs)
        try:
            copy = schema.upgrade(database)
        finally:
            database.close()
    except (ConfigError, SchemaMismatch, StoreUnavailable) as error:
        print(error.message, file=sys.stderr)
        return 1
    if copy is not None:
        print(f"The database as it was before is kept in {copy}.")
    print("The database has the schema of this version.")
    return 0
