"""Sessions on any database, for programs and tests that have no running hub."""

from collections.abc import Callable
from typing import Any

from perijove.compat.orm.people import Group, Service, User
from perijove.compat.orm.session import GuestSession, open_session
from perijove.compat.orm.tokens import APIToken
from perijove.domain.errors import SchemaMismatch as DatabaseSchemaMismatch
from perijove.store import oauth, schema
from perijove.store.engine import Database

__all__ = ["DatabaseSchemaMismatch", "get_class", "new_session_factory"]

BY_RESOURCE: dict[str, type[Any]] = {
    "users": User,
    "services": Service,
    "tokens": APIToken,
    "groups": Group,
}


def new_session_factory(
    url: str = "sqlite:///:memory:", reset: bool = False, **options: Any
) -> Callable[[], GuestSession]:
    """Open (and, if empty, set up) the database; what it gives makes sessions.

    Raises DatabaseSchemaMismatch when the database has another schema.
    """
    options.pop("expire_on_commit", None)
    database = Database(url, options)
    if reset:
        schema.drop_schema(database)
    schema.require_schema(database)
    database.write_now(oauth.ensure_hub_client)
    return lambda: open_session(database)


def get_class(resource_name: str) -> type[Any]:
    """The class of ``users``, ``services``, ``tokens`` or ``groups``."""
    try:
        return BY_RESOURCE[resource_name]
    except KeyError:
        known = ", ".join(BY_RESOURCE)
        raise ValueError(f"{resource_name!r} is none of {known}") from None
