"""What Alembic runs: the migrations, on a connection handed over by ``store.schema``."""

from alembic import context

from perijove.store.schema import VERSION_TABLE
from perijove.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=False,  # the caller holds the transaction
)
context.run_migrations()
