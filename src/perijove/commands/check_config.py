"""``perijove check-config``: read a configuration and say what is wrong with it."""

from contextlib import ExitStack
from typing import Any

from perijove.compat import alias
from perijove.compat.app import JupyterHub
from perijove.compat.orm.session import open_session
from perijove.config.check import check_config
from perijove.store import schema
from perijove.store.engine import Database


def run(argv: list[str]) -> int:
    """Check; 1 when a hub would not start with it."""
    alias.install()
    with ExitStack() as stack:
        return check_config(argv, JupyterHub, open_session=lambda: _scratch_session(stack))


def _scratch_session(stack: ExitStack) -> Any:
    """A session on an empty database in memory, for authenticators that look into theirs."""
    database = Database("sqlite://")
    stack.callback(database.close)
    schema.create_schema(database)
    return open_session(database)
