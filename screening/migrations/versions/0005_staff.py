"""Staff: accounts, roles, sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

APART = sa.text("name IN ('rows', 'callbacks')")
"""Two roles that no account may have together: a unique index over just these."""


def upgrade(name: str) -> None:
    """The three tables."""
    if name != "main":
        return
    op.create_table(
        "staff_account",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("email", sa.String(254), nullable=False, unique=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("password", sa.String(255), nullable=False),
        sa.Column("must_change_password", sa.Boolean, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("fs_uniquifier", sa.String(64), nullable=False, unique=True),
        sa.Column("tf_primary_method", sa.String(64)),
        sa.Column("tf_totp_secret", sa.String(255)),
        sa.Column("totp_counter", sa.BigInteger, nullable=False),
        sa.Column("mf_recovery_codes", sa.JSON),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("locked_until", sa.BigInteger, nullable=False),
        sa.Column("last_sign_in", sa.BigInteger),
    )
    op.create_table(
        "staff_role",
        sa.Column("account_id", sa.String(32), sa.ForeignKey("staff_account.id"), primary_key=True),
        sa.Column("name", sa.String(20), primary_key=True),
    )
    op.create_index(
        "staff_role_apart", "staff_role", ["account_id"], unique=True, sqlite_where=APART, postgresql_where=APART
    )
    op.create_table(
        "staff_session",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("account_id", sa.String(32), sa.ForeignKey("staff_account.id"), nullable=False, index=True),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("began", sa.BigInteger, nullable=False),
        sa.Column("seen", sa.BigInteger, nullable=False),
    )


def downgrade(name: str) -> None:
    """Take staff away."""
    if name == "main":
        for table in ("staff_session", "staff_role", "staff_account"):
            op.drop_table(table)
