"""The schema: every table, its keys and its indexes.

A change here needs a migration in ``migrations/versions`` (the store tests
compare the two). Names follow the field's terms; times are UTC.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex

from perijove.store.dialect import JsonText, UtcTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

BigId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite gives automatic ids to INTEGER keys only."""


@compiles(CreateIndex, "postgresql")
def _create_index(element: CreateIndex, compiler: Any, **kw: Any) -> str:
    # The option of that name would load the dialect, also where SQLite is all that is used.
    where = element.element.info.get("postgresql_where")
    made: str = compiler.visit_create_index(element, **kw)
    return f"{made} WHERE {where}" if where else made


NAME = String(255)
FALSE = text("false")


def _id() -> Column[int]:
    return Column("id", BigId, primary_key=True, autoincrement=True)


def _ref(
    name: str, target: str, *, nullable: bool = False, primary_key: bool = False
) -> Column[int]:
    return Column(
        name,
        BigId,
        ForeignKey(target, ondelete="CASCADE"),
        nullable=nullable,
        primary_key=primary_key,
        index=not primary_key,
    )


users = Table(
    "users",
    metadata,
    _id(),
    Column("name", NAME, nullable=False, unique=True),
    Column("admin", Boolean, nullable=False, server_default=FALSE),
    Column("created", UtcTime, nullable=False),
    Column("last_activity", UtcTime, index=True),
    Column("cookie_id", NAME, nullable=False, unique=True),
    Column("user_info", JsonText),
    Column("encrypted_auth_state", LargeBinary),
    Column("deleting", Boolean, nullable=False, server_default=FALSE),
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    _ref("user_id", "users.id"),
    Column("created", UtcTime, nullable=False),
    Column("expires_at", UtcTime, index=True),
)

groups = Table(
    "groups",
    metadata,
    _id(),
    Column("name", NAME, nullable=False, unique=True),
    Column("properties", JsonText, nullable=False, server_default="{}"),
    sqlite_autoincrement=True,
)

memberships = Table(
    "memberships",
    metadata,
    _ref("user_id", "users.id", primary_key=True),
    _ref("group_id", "groups.id", primary_key=True),
    Index("ix_memberships_group_id", "group_id"),
)

services = Table(
    "services",
    metadata,
    _id(),
    Column("name", NAME, nullable=False, unique=True),
    Column("admin", Boolean, nullable=False, server_default=FALSE),
    Column("url", String(2047), nullable=False, server_default=""),
    Column("command", JsonText, nullable=False, server_default="[]"),
    Column("info", JsonText, nullable=False, server_default="{}"),
    Column("display", Boolean, nullable=False, server_default=text("true")),
    Column("from_config", Boolean, nullable=False, server_default=text("true")),
    Column("oauth_no_confirm", Boolean, nullable=False, server_default=FALSE),
    Column("oauth_client_id", NAME),
    Column("oauth_client_allowed_scopes", JsonText, nullable=False, server_default="[]"),
    Column("cwd", String(4095), nullable=False, server_default=""),
    Column("environment", JsonText, nullable=False, server_default="{}"),
    Column("user", NAME, nullable=False, server_default=""),
    Column("timeout_s", Integer, nullable=False, server_default="30"),
    Column("pid", Integer),
    Column("lease_owner", String(64)),
    Column("process", NAME),
    sqlite_autoincrement=True,
)
"""Of a managed service: ``lease_owner`` is the replica that runs it, ``pid`` its process and
``process`` the mark of that process, which is not used again."""

roles = Table(
    "roles",
    metadata,
    _id(),
    Column("name", NAME, nullable=False, unique=True),
    Column("description", String(1023), nullable=False, server_default=""),
    Column("scopes", JsonText, nullable=False, server_default="[]"),
    Column("managed_by_auth", Boolean, nullable=False, server_default=FALSE),
    sqlite_autoincrement=True,
)


def _holders(name: str, holder: str) -> Table:
    return Table(
        f"{name}_roles",
        metadata,
        _ref(f"{name}_id", f"{holder}.id", primary_key=True),
        _ref("role_id", "roles.id", primary_key=True),
        Column("managed_by_auth", Boolean, nullable=False, server_default=FALSE),
        Index(f"ix_{name}_roles_role_id", "role_id"),
    )


user_roles = _holders("user", "users")
group_roles = _holders("group", "groups")
service_roles = _holders("service", "services")

servers = Table(
    "servers",
    metadata,
    _id(),
    _ref("user_id", "users.id"),
    Column("name", NAME, nullable=False),
    Column("display_name", NAME),
    Column("wanted", String(8), nullable=False, server_default="down"),
    Column("state", String(16), nullable=False, server_default="stopped"),
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    Column("options", JsonText),
    Column("plugin_state", JsonText, nullable=False, server_default="{}"),
    Column("url", String(2047)),
    Column("oauth_client_id", NAME),
    Column("token_id", BigId),
    Column("lease_owner", String(64)),
    Column("host", NAME),
    Column("started", UtcTime),
    Column("last_activity", UtcTime),
    Column("failure", JsonText),
    Column("removing", Boolean, nullable=False, server_default=FALSE),
    Column("checking", Boolean, nullable=False, server_default=FALSE),
    UniqueConstraint("user_id", "name"),
    Index(
        "ix_servers_active",
        "state",
        sqlite_where=text("state != 'stopped'"),
        info={"postgresql_where": "state != 'stopped'"},
    ),
    sqlite_autoincrement=True,
)

server_events = Table(
    "server_events",
    metadata,
    _ref("server_id", "servers.id", primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("created", UtcTime, nullable=False),
    Column("data", JsonText, nullable=False),
)

oauth_clients = Table(
    "oauth_clients",
    metadata,
    _id(),
    Column("identifier", NAME, nullable=False, unique=True),
    Column("description", String(1023), nullable=False, server_default=""),
    Column("secret_hash", NAME, nullable=False, server_default=""),
    Column("redirect_uri", String(1023), nullable=False, server_default=""),
    Column("allowed_scopes", JsonText, nullable=False, server_default="[]"),
    sqlite_autoincrement=True,
)

oauth_codes = Table(
    "oauth_codes",
    metadata,
    _id(),
    Column(
        "client_id",
        NAME,
        ForeignKey("oauth_clients.identifier", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("code", String(64), nullable=False, unique=True),
    Column("expires_at", UtcTime, nullable=False, index=True),
    Column("redirect_uri", String(1023), nullable=False),
    Column("session_id", String(64)),
    _ref("user_id", "users.id"),
    Column("scopes", JsonText, nullable=False),
    Column("code_challenge", NAME),
    Column("code_challenge_method", String(64)),
    _ref("token_id", "tokens.id", nullable=True),
)
"""A code that was exchanged stays with its ``token_id`` for as long as that token lives,
so that its coming back can end the token."""

tokens = Table(
    "tokens",
    metadata,
    _id(),
    _ref("user_id", "users.id", nullable=True),
    _ref("service_id", "services.id", nullable=True),
    Column("hashed", NAME, nullable=False, unique=True),
    Column("prefix", String(16), index=True),
    Column(
        "client_id",
        NAME,
        ForeignKey("oauth_clients.identifier", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("session_id", String(64), index=True),
    Column("created", UtcTime, nullable=False),
    Column("expires_at", UtcTime, index=True),
    Column("last_activity", UtcTime),
    Column("note", String(1023), nullable=False, server_default=""),
    Column("scopes", JsonText, nullable=False),
    CheckConstraint("(user_id IS NULL) != (service_id IS NULL)", name="one_owner"),
    sqlite_autoincrement=True,
)
"""``prefix`` is set only for imported, salted hashes, which are found by it."""

shares = Table(
    "shares",
    metadata,
    _id(),
    _ref("server_id", "servers.id"),
    _ref("user_id", "users.id", nullable=True),
    _ref("group_id", "groups.id", nullable=True),
    Column("scopes", JsonText, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    UniqueConstraint("server_id", "user_id"),
    UniqueConstraint("server_id", "group_id"),
    CheckConstraint("(user_id IS NULL) != (group_id IS NULL)", name="one_receiver"),
    sqlite_autoincrement=True,
)

share_codes = Table(
    "share_codes",
    metadata,
    _id(),
    _ref("server_id", "servers.id"),
    Column("hashed", NAME, nullable=False, unique=True),
    Column("prefix", String(16), index=True),
    Column("scopes", JsonText, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("exchange_count", Integer, nullable=False, server_default="0"),
    Column("last_exchanged_at", UtcTime),
    sqlite_autoincrement=True,
)

# A server is held by the replica that ``lease_owner`` names, for as long as that
# replica's own lease is renewed: one heartbeat serves all its servers.
replicas = Table(
    "replicas",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("host", NAME, nullable=False),
    Column("process", NAME, nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("lease_until", UtcTime, nullable=False),
)

duties = Table(
    "duties",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("lease_until", UtcTime, nullable=False),
)
