"""What Alembic runs: the migrations, on a connection handed over by ``store.schema``."""

from alembic import context

from perijove.store.schema import VERSION_TABLE

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    version_table=VERSION_TABLE,
    transactional_ddl=False,  # the caller holds the transaction
)
context.run_migrations()
