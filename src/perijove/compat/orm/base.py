"""``Base``, its column types, and copies of the hub's tables to map classes to.

Plug-ins declare tables beside the hub's with foreign keys to them, so both are
in one ``MetaData``; it is not the hub's own. Times are naive UTC here, which is
what plug-ins compare them with.
"""

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, MetaData, Table, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from perijove.kit.jsons import pack, unpack
from perijove.store import tables
from perijove.store.dialect import JsonText, UtcTime

LISTS = frozenset({"scopes", "allowed_scopes", "oauth_client_allowed_scopes", "command"})
"""Columns whose JSON value is a list."""


class JSONDict(TypeDecorator[Any]):
    """A JSON value as text; it may hold bytes. What cannot be stored becomes null."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """The text of the value; None stays NULL."""
        return None if value is None else json.dumps(value, default=pack)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The value again."""
        return None if value is None else json.loads(value, object_hook=unpack)


class JSONList(JSONDict):
    """A list as JSON; sets are stored sorted, NULL is an empty list."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """The text of the list."""
        if isinstance(value, (set, frozenset)):
            value = sorted(value)
        return None if value is None else json.dumps(list(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The list again."""
        return [] if value is None else json.loads(value)


class NaiveTime(TypeDecorator[datetime]):
    """UTC without a zone on both sides; times with one are turned to UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The naive time."""
        if value is None or value.tzinfo is None:
            return value
        return value.astimezone(UTC).replace(tzinfo=None)


def naive_now() -> datetime:
    """Now, in UTC without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


guest_metadata = MetaData(naming_convention=tables.metadata.naming_convention)


class Base(DeclarativeBase):
    """What plug-ins derive classes for tables of their own from."""

    # Their annotations are none of SQLAlchemy's.
    __allow_unmapped__ = True

    metadata = guest_metadata
    log = logging.getLogger("JupyterHub")

    if TYPE_CHECKING:  # mapped columns, which only SQLAlchemy knows

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...


def copied(table: Table) -> Table:
    """A copy of one of the hub's tables, with the types that plug-ins expect."""
    copy = table.to_metadata(guest_metadata)
    for column in copy.columns:
        if isinstance(column.type, UtcTime):
            column.type = NaiveTime()
        elif isinstance(column.type, JsonText):
            column.type = JSONList() if column.name in LISTS else JSONDict()
    return copy


users = copied(tables.users)
groups = copied(tables.groups)
memberships = copied(tables.memberships)
services = copied(tables.services)
roles = copied(tables.roles)
user_roles = copied(tables.user_roles)
group_roles = copied(tables.group_roles)
service_roles = copied(tables.service_roles)
servers = copied(tables.servers)
oauth_clients = copied(tables.oauth_clients)
oauth_codes = copied(tables.oauth_codes)
tokens = copied(tables.tokens)
shares = copied(tables.shares)
share_codes = copied(tables.share_codes)

HUB_TABLES = frozenset(guest_metadata.tables)
"""Names of the hub's own tables among those of plug-ins."""
