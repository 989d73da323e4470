"""What users may leave behind in a database, counted."""

from sqlalchemy import create_engine, func, select

from perijove.store.tables import metadata

OF_THE_HUB = {"replicas", "duties"}
"""Tables whose rows come and go with hubs."""


def rows(db_url: str) -> dict[str, int]:
    """How many rows each table has that could hold something of a user."""
    engine = create_engine(db_url)
    try:
        with engine.connect() as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in metadata.sorted_tables
                if table.name not in OF_THE_HUB
            }
    finally:
        engine.dispose()
