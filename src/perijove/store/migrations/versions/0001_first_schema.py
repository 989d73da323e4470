"""The first schema.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "duties",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("lease_until", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_duties"),
    )
    op.create_table(
        "groups",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("properties", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_groups"),
        sa.UniqueConstraint("name", name="uq_groups_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "oauth_clients",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("identifier", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=1023), server_default="", nullable=False),
        sa.Column("secret_hash", sa.String(length=255), server_default="", nullable=False),
        sa.Column("redirect_uri", sa.String(length=1023), server_default="", nullable=False),
        sa.Column("allowed_scopes", sa.Text(), server_default="[]", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_oauth_clients"),
        sa.UniqueConstraint("identifier", name="uq_oauth_clients_identifier"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "replicas",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("process", sa.String(length=255), nullable=False),
        sa.Column("started", sa.DateTime(), nullable=False),
        sa.Column("lease_until", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_replicas"),
    )
    op.create_table(
        "roles",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=1023), server_default="", nullable=False),
        sa.Column("scopes", sa.Text(), server_default="[]", nullable=False),
        sa.Column("managed_by_auth", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_roles"),
        sa.UniqueConstraint("name", name="uq_roles_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "services",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("admin", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("url", sa.String(length=2047), server_default="", nullable=False),
        sa.Column("command", sa.Text(), server_default="[]", nullable=False),
        sa.Column("info", sa.Text(), server_default="{}", nullable=False),
        sa.Column("display", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("from_config", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "oauth_no_confirm", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("oauth_client_id", sa.String(length=255), nullable=True),
        sa.Column("oauth_client_allowed_scopes", sa.Text(), server_default="[]", nullable=False),
        sa.Column("cwd", sa.String(length=4095), server_default="", nullable=False),
        sa.Column("environment", sa.Text(), server_default="{}", nullable=False),
        sa.Column("user", sa.String(length=255), server_default="", nullable=False),
        sa.Column("timeout_s", sa.Integer(), server_default="30", nullable=False),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_services"),
        sa.UniqueConstraint("name", name="uq_services_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "users",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("admin", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("last_activity", sa.DateTime(), nullable=True),
        sa.Column("cookie_id", sa.String(length=255), nullable=False),
        sa.Column("user_info", sa.Text(), nullable=True),
        sa.Column("encrypted_auth_state", sa.LargeBinary(), nullable=True),
        sa.Column("deleting", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("cookie_id", name="uq_users_cookie_id"),
        sa.UniqueConstraint("name", name="uq_users_name"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_users_last_activity", "users", ["last_activity"], unique=False)
    op.create_table(
        "group_roles",
        sa.Column("group_id", ID, nullable=False),
        sa.Column("role_id", ID, nullable=False),
        sa.Column("managed_by_auth", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name="fk_group_roles_group_id_groups", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["role_id"], ["roles.id"], name="fk_group_roles_role_id_roles", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "role_id", name="pk_group_roles"),
    )
    op.create_index("ix_group_roles_role_id", "group_roles", ["role_id"], unique=False)
    op.create_table(
        "memberships",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("group_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name="fk_memberships_group_id_groups", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_memberships_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "group_id", name="pk_memberships"),
    )
    op.create_index("ix_memberships_group_id", "memberships", ["group_id"], unique=False)
    op.create_table(
        "oauth_codes",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("client_id", sa.String(length=255), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("redirect_uri", sa.String(length=1023), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=True),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.String(length=255), nullable=True),
        sa.Column("code_challenge_method", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["oauth_clients.identifier"],
            name="fk_oauth_codes_client_id_oauth_clients",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_oauth_codes_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_oauth_codes"),
        sa.UniqueConstraint("code", name="uq_oauth_codes_code"),
    )
    op.create_index("ix_oauth_codes_expires_at", "oauth_codes", ["expires_at"], unique=False)
    op.create_index("ix_oauth_codes_user_id", "oauth_codes", ["user_id"], unique=False)
    op.create_table(
        "servers",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=True),
        sa.Column("wanted", sa.String(length=8), server_default="down", nullable=False),
        sa.Column("state", sa.String(length=16), server_default="stopped", nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("options", sa.Text(), nullable=True),
        sa.Column("plugin_state", sa.Text(), server_default="{}", nullable=False),
        sa.Column("url", sa.String(length=2047), nullable=True),
        sa.Column("oauth_client_id", sa.String(length=255), nullable=True),
        sa.Column("token_id", ID, nullable=True),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("started", sa.DateTime(), nullable=True),
        sa.Column("last_activity", sa.DateTime(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("removing", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("checking", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_servers_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_servers"),
        sa.UniqueConstraint("user_id", "name", name="uq_servers_user_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_servers_active",
        "servers",
        ["state"],
        unique=False,
        sqlite_where=sa.text("state != 'stopped'"),
        postgresql_where=sa.text("state != 'stopped'"),
    )
    op.create_index("ix_servers_user_id", "servers", ["user_id"], unique=False)
    op.create_table(
        "service_roles",
        sa.Column("service_id", ID, nullable=False),
        sa.Column("role_id", ID, nullable=False),
        sa.Column("managed_by_auth", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["role_id"], ["roles.id"], name="fk_service_roles_role_id_roles", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["service_id"],
            ["services.id"],
            name="fk_service_roles_service_id_services",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("service_id", "role_id", name="pk_service_roles"),
    )
    op.create_index("ix_service_roles_role_id", "service_roles", ["role_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_sessions_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"], unique=False)
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("service_id", ID, nullable=True),
        sa.Column("hashed", sa.String(length=255), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=True),
        sa.Column("client_id", sa.String(length=255), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=True),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.Column("last_activity", sa.DateTime(), nullable=True),
        sa.Column("note", sa.String(length=1023), server_default="", nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.CheckConstraint("(user_id IS NULL) != (service_id IS NULL)", name="ck_tokens_one_owner"),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["oauth_clients.identifier"],
            name="fk_tokens_client_id_oauth_clients",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["service_id"],
            ["services.id"],
            name="fk_tokens_service_id_services",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_tokens_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("hashed", name="uq_tokens_hashed"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tokens_client_id", "tokens", ["client_id"], unique=False)
    op.create_index("ix_tokens_expires_at", "tokens", ["expires_at"], unique=False)
    op.create_index("ix_tokens_prefix", "tokens", ["prefix"], unique=False)
    op.create_index("ix_tokens_service_id", "tokens", ["service_id"], unique=False)
    op.create_index("ix_tokens_session_id", "tokens", ["session_id"], unique=False)
    op.create_index("ix_tokens_user_id", "tokens", ["user_id"], unique=False)
    op.create_table(
        "user_roles",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("role_id", ID, nullable=False),
        sa.Column("managed_by_auth", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["role_id"], ["roles.id"], name="fk_user_roles_role_id_roles", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_user_roles_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "role_id", name="pk_user_roles"),
    )
    op.create_index("ix_user_roles_role_id", "user_roles", ["role_id"], unique=False)
    op.create_table(
        "server_events",
        sa.Column("server_id", ID, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["server_id"],
            ["servers.id"],
            name="fk_server_events_server_id_servers",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("server_id", "seq", name="pk_server_events"),
    )
    op.create_table(
        "share_codes",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("server_id", ID, nullable=False),
        sa.Column("hashed", sa.String(length=255), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.Column("exchange_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_exchanged_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["server_id"],
            ["servers.id"],
            name="fk_share_codes_server_id_servers",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_share_codes"),
        sa.UniqueConstraint("hashed", name="uq_share_codes_hashed"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_share_codes_prefix", "share_codes", ["prefix"], unique=False)
    op.create_index("ix_share_codes_server_id", "share_codes", ["server_id"], unique=False)
    op.create_table(
        "shares",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("server_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("group_id", ID, nullable=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint(
            "(user_id IS NULL) != (group_id IS NULL)", name="ck_shares_one_receiver"
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name="fk_shares_group_id_groups", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name="fk_shares_server_id_servers", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_shares_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shares"),
        sa.UniqueConstraint("server_id", "group_id", name="uq_shares_server_id_group_id"),
        sa.UniqueConstraint("server_id", "user_id", name="uq_shares_server_id_user_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_shares_group_id", "shares", ["group_id"], unique=False)
    op.create_index("ix_shares_server_id", "shares", ["server_id"], unique=False)
    op.create_index("ix_shares_user_id", "shares", ["user_id"], unique=False)


def downgrade() -> None:
    """There is nothing before this."""
    raise RuntimeError("the first schema has no predecessor; restore a backup instead")
