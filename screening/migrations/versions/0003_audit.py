"""The audit events."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

YEAR = 365 * 24 * 60 * 60

GUARDS = {
    "sqlite": (
        """CREATE TRIGGER audit_event_stays BEFORE UPDATE ON audit_event
           BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END""",
        f"""CREATE TRIGGER audit_event_kept BEFORE DELETE ON audit_event
           WHEN OLD.at > CAST(strftime('%s', 'now') AS INTEGER) - {YEAR}
           BEGIN SELECT RAISE(ABORT, 'audit events are kept for a year'); END""",
    ),
    "postgresql": (
        f"""CREATE FUNCTION audit_event_guard() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN
             IF TG_OP = 'DELETE' THEN
               IF OLD.at <= extract(epoch FROM now()) - {YEAR} THEN RETURN OLD; END IF;
               RAISE EXCEPTION 'audit events are kept for a year';
             END IF;
             RAISE EXCEPTION 'audit events are never changed';
           END $$""",
        """CREATE TRIGGER audit_event_stays BEFORE UPDATE OR DELETE ON audit_event
           FOR EACH ROW EXECUTE FUNCTION audit_event_guard()""",
        """CREATE TRIGGER audit_event_whole BEFORE TRUNCATE ON audit_event
           FOR EACH STATEMENT EXECUTE FUNCTION audit_event_guard()""",
    ),
}
"""What makes the table append-only, also for someone with a database shell and no bad intent."""


def upgrade(name: str) -> None:
    """The table and its guards."""
    if name != "main":
        return
    op.create_table(
        "audit_event",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False, index=True),
        sa.Column("actor", sa.String(64), nullable=False, index=True),
        sa.Column("action", sa.String(40), nullable=False, index=True),
        sa.Column("subject", sa.String(64), nullable=False, index=True),
        sa.Column("detail", sa.JSON, nullable=False),
    )
    for statement in GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade(name: str) -> None:
    """Take the events away."""
    if name == "main":
        op.drop_table("audit_event")
        if op.get_bind().dialect.name == "postgresql":
            op.execute("DROP FUNCTION audit_event_guard")
