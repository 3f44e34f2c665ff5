"""Changes of statuses as they are told, jobs, verdicts kept, the review desk, quotas; entries about who may do what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_DIGEST = sa.LargeBinary(32)
_INSTANT = sa.DateTime(timezone=True)
_KINDS = (
    "kind IN ('captured', 'edited', 'rendition', 'registered', 'bound', 'revoked', 'withdrawn', 'judged', 'reviewed',"
    " 'consent', 'erased', 'access')"
)


def upgrade() -> None:
    _told()
    _jobs()
    _desk()
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("ck_trail_entry_kind", "trail_entry", type_="check")
        op.create_check_constraint("ck_trail_entry_kind", "trail_entry", _KINDS)
    else:
        _kinds_sqlite()


def downgrade() -> None:
    raise NotImplementedError("the schema only moves forward")


def _told() -> None:
    op.create_table(
        "status_event",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("sha256", _DIGEST, nullable=False),
        sa.Column("asset_id", sa.Text),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("told", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_status_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_status_event_told", "status_event", ["told"])
    op.create_index("ix_status_event_at", "status_event", ["at"])
    op.create_table(
        "verification",
        sa.Column("sha256", _DIGEST, nullable=False),
        sa.Column("wishes", sa.Text, nullable=False),
        sa.Column("verdict", sa.LargeBinary, nullable=False),
        sa.Column("basis", sa.Text, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("sha256", "wishes", name="pk_verification"),
    )
    op.create_index("ix_verification_at", "verification", ["at"])


def _jobs() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("same", sa.Text, nullable=False),
        sa.Column("sha256", _DIGEST),
        sa.Column("request", sa.LargeBinary, nullable=False),
        sa.Column("result", sa.LargeBinary),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease", sa.Text),
        sa.Column("due_at", _INSTANT),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
        sa.UniqueConstraint("same", name="uq_job_same"),
        sa.CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name="ck_job_state"),
    )
    op.create_index("ix_job_due_at", "job", ["due_at"])
    op.create_index("ix_job_updated_at", "job", ["updated_at"])
    op.create_table(
        "quota",
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("level", sa.Float, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("caller", "kind", name="pk_quota"),
    )


def _desk() -> None:
    op.create_table(
        "review",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("sha256", _DIGEST, nullable=False),
        sa.Column("asset_id", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("opened_at", _INSTANT, nullable=False),
        sa.Column("opened_by", sa.Text, nullable=False),
        sa.Column("decided_at", _INSTANT),
        sa.Column("decided_by", sa.Text),
        sa.Column("decision", sa.Text),
        sa.Column("say", sa.Text),
        sa.Column("entry_id", _NUMBER),
        sa.PrimaryKeyConstraint("id", name="pk_review"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_sha256", "review", ["sha256"])
    op.create_index("ix_review_decided_at", "review", ["decided_at"])


def _kinds_sqlite() -> None:
    """SQLite changes no constraint: the table is copied, and its triggers are made anew, as in step 0002."""
    triggers = op.get_bind().execute(
        sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'trail_entry' ORDER BY name")
    )
    kept = triggers.all()
    for name, _ in kept:
        op.execute(f"DROP TRIGGER {name}")
    op.create_table(
        "trail_entry_new",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("asset_id", sa.Text),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("digest", _DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trail_entry"),
        sa.CheckConstraint(_KINDS, name="ck_trail_entry_kind"),
        sqlite_autoincrement=True,
    )
    op.execute("INSERT INTO trail_entry_new SELECT id, at, kind, asset_id, body, digest FROM trail_entry ORDER BY id")
    # ids are never given twice, also not those of a transaction that took the last one and was rolled back
    op.execute(
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'trail_entry_new', seq FROM sqlite_sequence"
        " WHERE name = 'trail_entry' AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'trail_entry_new')"
    )
    op.execute(
        "UPDATE sqlite_sequence SET seq = max(seq, (SELECT seq FROM sqlite_sequence WHERE name = 'trail_entry'))"
        " WHERE name = 'trail_entry_new' AND EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'trail_entry')"
    )
    op.drop_table("trail_entry")
    op.rename_table("trail_entry_new", "trail_entry")
    op.create_index("ix_trail_entry_asset_id_id", "trail_entry", ["asset_id", "id"])
    for _, statement in kept:
        op.execute(sa.text(statement.replace(":", "\\:")))
