"""Create every table, in both databases.

Until the first release of the software this file is edited in place; after it, each change is a new migration.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

YEAR_SECONDS = 365 * 24 * 60 * 60

APPEND_ONLY = {
    "sqlite": (
        """CREATE TRIGGER audit_event_stays BEFORE UPDATE ON audit_event
           BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END""",
        f"""CREATE TRIGGER audit_event_kept BEFORE DELETE ON audit_event
           WHEN OLD.at > CAST(strftime('%s', 'now') AS INTEGER) - {YEAR_SECONDS}
           BEGIN SELECT RAISE(ABORT, 'audit events are kept for a year'); END""",
        # INSERT OR REPLACE deletes the old row without firing the trigger above
        """CREATE TRIGGER audit_event_new BEFORE INSERT ON audit_event
           WHEN EXISTS (SELECT 1 FROM audit_event WHERE id = NEW.id)
           BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END""",
    ),
    "postgresql": (
        f"""CREATE FUNCTION audit_event_guard() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN
             IF TG_OP = 'DELETE' THEN
               IF OLD.at <= extract(epoch FROM now()) - {YEAR_SECONDS} THEN RETURN OLD; END IF;
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
"""Triggers that refuse changes of audit events, from a database shell, too."""

SEPARATED_ROLES = sa.text("name IN ('rows', 'callbacks')")
"""Two roles that no account may have together: a unique index covers these two only."""


def upgrade(name: str) -> None:
    """Create the tables of the database ``name`` (main or pending)."""
    if name == "pending":
        _pending_responses()
        return
    _responses_and_releases()
    _audit()
    _callbacks()
    _staff()
    _mail_and_worker()


def _response_columns() -> list[sa.Column]:
    return [
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("questionnaire", sa.String(40), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("age_band", sa.String(20), nullable=False),
        sa.Column("pain_duration", sa.String(20), nullable=False),
        sa.Column("answers", sa.JSON, nullable=False),
    ]


def _pending_responses() -> None:
    """No rowid in SQLite and unlogged in PostgreSQL, so that the order of insertion is stored in fewer places."""
    op.create_table(
        "pending_key",
        sa.Column("id", sa.String(8), primary_key=True),
        sa.Column("public", sa.LargeBinary, nullable=False),
        sa.Column("published_at", sa.BigInteger, nullable=False),
        sa.Column("replaced_at", sa.BigInteger),
        sa.Column("held", sa.Boolean, nullable=False),
    )
    op.create_table(
        "pending_response",
        sa.Column("id_hash", sa.String(64), primary_key=True),
        sa.Column("key_id", sa.String(8), sa.ForeignKey("pending_key.id"), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
        sa.Column("batch", sa.String(32)),
        sqlite_with_rowid=False,
        prefixes=["UNLOGGED"] if op.get_bind().dialect.name == "postgresql" else [],
    )


def _responses_and_releases() -> None:
    """No rowid in SQLite: rows are stored in the order of their random ids. A release's id is never reused."""
    op.create_table("shuffled_response", *_response_columns(), sqlite_with_rowid=False)
    held_in = sa.Column("batch", sa.String(32), nullable=False)
    op.create_table("held_response", *_response_columns(), held_in, sqlite_with_rowid=False)
    op.create_table(
        "shuffled_batch",
        sa.Column("batch", sa.String(32), primary_key=True),
        sa.Column("shuffled_at", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "release",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.Column("questionnaire", sa.String(40), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("manifest", sa.Text, nullable=False),
        sa.Column("tables", sa.JSON, nullable=False),
        sa.Column("codebook", sa.JSON, nullable=False),
        sa.Column("spec", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "release_file",
        sa.Column("release_id", sa.Integer, sa.ForeignKey("release.id"), primary_key=True),
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
    )
    op.create_table(
        "release_chunk",
        sa.Column("release_id", sa.Integer, sa.ForeignKey("release.id"), primary_key=True),
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )


def _audit() -> None:
    op.create_table(
        "audit_event",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False, index=True),
        sa.Column("actor", sa.String(64), nullable=False, index=True),
        sa.Column("action", sa.String(40), nullable=False, index=True),
        sa.Column("subject", sa.String(64), nullable=False, index=True),
        sa.Column("detail", sa.JSON, nullable=False),
    )
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def _callbacks() -> None:
    op.create_table(
        "callback_key",
        sa.Column("id", sa.String(8), primary_key=True),
        sa.Column("public", sa.LargeBinary, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("published_at", sa.BigInteger),
        sa.Column("empty_since", sa.BigInteger),
    )
    op.create_table(
        "callback_request",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("reference", sa.String(64), unique=True),
        sa.Column("digest", sa.String(64)),
        sa.Column("ciphertext", sa.LargeBinary),
        sa.Column("key_id", sa.String(8)),
        sa.Column("summary", sa.LargeBinary),
        sa.Column("summary_key_id", sa.String(8)),
        sa.Column("index_key_id", sa.String(8), index=True),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("state_group", sa.String(12), nullable=False),
        sa.Column("owner", sa.String(32)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.BigInteger),
        sa.Column("lease_owner", sa.String(32)),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("words", sa.LargeBinary),
        sa.Column("reminded", sa.Integer, nullable=False, server_default="0"),
        sa.Column("entered_by", sa.String(32)),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Index("callback_queue", "state_group", "rank", "due_at", "asked_at", "id"),
        sa.Index("callback_queue_of", "state_group", "owner", "rank", "due_at", "asked_at", "id"),
        sa.Index("callback_queue_in", "state_group", "language", "rank", "due_at", "asked_at", "id"),
        sa.Index("callback_ended", "state_group", "ended_at", "id"),
    )
    request = ("callback_request.id",)
    op.create_table(
        "callback_contact",
        sa.Column("request_id", sa.String(32), sa.ForeignKey(*request, ondelete="CASCADE"), primary_key=True),
        sa.Column("hash", sa.String(64), primary_key=True, index=True),
    )
    op.create_table(
        "callback_attempt",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("request_id", sa.String(32), sa.ForeignKey(*request, ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("by", sa.String(32), nullable=False),
        sa.Column("outcome", sa.String(24), nullable=False),
        sa.Column("next_at", sa.BigInteger),
        sa.Column("state_before", sa.String(12), nullable=False),
        sa.Column("owner_before", sa.String(32)),
        sa.Column("attempts_before", sa.Integer, nullable=False),
        sa.Column("next_before", sa.BigInteger),
    )
    op.create_table(
        "callback_note",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("request_id", sa.String(32), sa.ForeignKey(*request, ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("by", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False, server_default="note"),
        sa.Column("settled_by", sa.String(32)),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
        sa.Column("key_id", sa.String(8), nullable=False),
    )
    op.create_table(
        "callback_weekly_count",
        sa.Column("week", sa.String(10), primary_key=True),
        sa.Column("language", sa.String(8), primary_key=True),
        sa.Column("figure", sa.String(12), primary_key=True),
        sa.Column("value", sa.String(24), primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
    )
    op.create_table(
        "callback_figures",
        sa.Column("start", sa.String(10), primary_key=True),
        sa.Column("tables", sa.JSON, nullable=False),
    )
    op.create_table("callback_closed_day", sa.Column("day", sa.String(10), primary_key=True))


def _staff() -> None:
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
    where = {"sqlite_where": SEPARATED_ROLES, "postgresql_where": SEPARATED_ROLES}
    op.create_index("staff_role_apart", "staff_role", ["account_id"], unique=True, **where)
    op.create_table(
        "staff_session",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("account_id", sa.String(32), sa.ForeignKey("staff_account.id"), nullable=False, index=True),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("began", sa.BigInteger, nullable=False),
        sa.Column("seen", sa.BigInteger, nullable=False),
    )


def _mail_and_worker() -> None:
    op.create_table(
        "outbox_mail",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(32), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("posted_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("claim", sa.String(32)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.String(20)),
        sa.Column("ended_at", sa.BigInteger),
        sa.Index("outbox_due", "state", "due_at", "id"),
    )
    op.create_table(
        "worker_job",
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("ran_at", sa.BigInteger),
        sa.Column("failed_at", sa.BigInteger),
    )
    lease = op.create_table(
        "worker_lease",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(lease, [{"id": 1, "holder": "", "until": 0}])
