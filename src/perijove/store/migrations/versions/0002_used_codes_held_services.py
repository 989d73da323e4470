"""Exchanged codes are remembered with their token; a managed service is held by one replica.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table of codes anew: they live for minutes, and SQLite cannot add the key."""
    op.drop_table("oauth_codes")
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
        sa.Column("token_id", ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["oauth_clients.identifier"],
            name="fk_oauth_codes_client_id_oauth_clients",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["token_id"],
            ["tokens.id"],
            name="fk_oauth_codes_token_id_tokens",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_oauth_codes_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_oauth_codes"),
        sa.UniqueConstraint("code", name="uq_oauth_codes_code"),
    )
    for column in ("expires_at", "token_id", "user_id"):
        op.create_index(f"ix_oauth_codes_{column}", "oauth_codes", [column])
    op.add_column("services", sa.Column("lease_owner", sa.String(length=64), nullable=True))
    op.add_column("services", sa.Column("process", sa.String(length=255), nullable=True))
