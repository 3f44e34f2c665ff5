"""Signatures of the signing process as entries, and how far the trail has copied each of its journals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_DIGEST = sa.LargeBinary(32)
_INSTANT = sa.DateTime(timezone=True)
_KINDS = (
    "kind IN ('captured', 'edited', 'rendition', 'registered', 'bound', 'revoked', 'withdrawn', 'judged', 'reviewed',"
    " 'consent', 'erased', 'access', 'signed')"
)


def upgrade() -> None:
    op.create_table(
        "journal",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("ck_trail_entry_kind", "trail_entry", type_="check")
        op.create_check_constraint("ck_trail_entry_kind", "trail_entry", _KINDS)
    else:
        _kinds_sqlite()


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
