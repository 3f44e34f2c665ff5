"""Assets, manifests, bindings, fingerprints, statuses, and a trail that can only grow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_DIGEST = sa.LargeBinary(32)
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _registry()
    _trail()
    _served()
    if op.get_bind().dialect.name == "postgresql":
        _append_only_postgresql()
    else:
        _append_only_sqlite()


def downgrade() -> None:
    raise NotImplementedError("the schema only moves forward")


def _registry() -> None:
    op.create_table(
        "manifest",
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("digest", _DIGEST, nullable=False),
        sa.Column("signer_name", sa.Text, nullable=False),
        sa.Column("signer_fingerprint", sa.Text, nullable=False),
        sa.Column("signed_at", _INSTANT, nullable=False),
        sa.Column("time_state", sa.Text, nullable=False),
        sa.Column("development", sa.Boolean, nullable=False),
        sa.Column("stamp_due", _INSTANT),
        sa.Column("stamped_at", _INSTANT),
        sa.PrimaryKeyConstraint("label", name="pk_manifest"),
    )
    op.create_index("ix_manifest_signer_fingerprint", "manifest", ["signer_fingerprint"])
    op.create_index("ix_manifest_stamp_due", "manifest", ["stamp_due"])
    op.create_table(
        "asset",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("sha256", _DIGEST, nullable=False),
        sa.Column("manifest_label", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("duration_ms", sa.BigInteger),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("reference_digest", _DIGEST),
        sa.Column("reference_media_type", sa.Text),
        sa.Column("reference_width", sa.Integer),
        sa.Column("reference_height", sa.Integer),
        sa.Column("fingerprint", sa.Text),
        sa.Column("withdrawn_at", _INSTANT),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_asset"),
        sa.UniqueConstraint("id", name="uq_asset_id"),
        sa.UniqueConstraint("sha256", "manifest_label", name="uq_asset_sha256_manifest_label"),
        sa.ForeignKeyConstraint(["manifest_label"], ["manifest.label"], name="fk_asset_manifest_label"),
        sa.CheckConstraint("action IN ('captured', 'edited', 'rendition', 'registered')", name="ck_asset_action"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_asset_manifest_label", "asset", ["manifest_label"])
    op.create_table(
        "lineage",
        sa.Column("child", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("parent", _NUMBER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("child", "parent", name="pk_lineage"),
        sa.ForeignKeyConstraint(["child"], ["asset.number"], name="fk_lineage_child"),
        sa.ForeignKeyConstraint(["parent"], ["asset.number"], name="fk_lineage_parent"),
    )
    op.create_index("ix_lineage_parent", "lineage", ["parent"])
    op.create_table(
        "binding",
        sa.Column("asset_number", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("alg", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("asset_number", "alg", "value", name="pk_binding"),
        sa.ForeignKeyConstraint(["asset_number"], ["asset.number"], name="fk_binding_asset_number"),
    )
    op.create_index("ix_binding_alg_value", "binding", ["alg", "value"])
    op.create_table(
        "fingerprint_chunk",
        sa.Column("chunk", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("asset_number", _NUMBER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("chunk", "asset_number", name="pk_fingerprint_chunk"),
        sa.ForeignKeyConstraint(["asset_number"], ["asset.number"], name="fk_fingerprint_chunk_asset_number"),
        sqlite_with_rowid=False,
    )


def _trail() -> None:
    op.create_table(
        "trail_entry",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("asset_id", sa.Text),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("digest", _DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trail_entry"),
        sa.CheckConstraint(
            "kind IN ('captured', 'edited', 'rendition', 'registered', 'bound', 'revoked', 'withdrawn', 'judged',"
            " 'reviewed', 'consent')",
            name="ck_trail_entry_kind",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_trail_entry_asset_id_id", "trail_entry", ["asset_id", "id"])
    op.create_table(
        "trail_payload",
        sa.Column("entry_id", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(16), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name="pk_trail_payload"),
        sa.ForeignKeyConstraint(["entry_id"], ["trail_entry.id"], name="fk_trail_payload_entry_id"),
    )
    op.create_table(
        "trail_pending",
        sa.Column("entry_id", _NUMBER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name="pk_trail_pending"),
        sa.ForeignKeyConstraint(["entry_id"], ["trail_entry.id"], name="fk_trail_pending_entry_id"),
    )
    op.create_table(
        "trail_sequence",
        sa.Column("seq", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("entry_id", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_trail_sequence"),
        sa.UniqueConstraint("entry_id", name="uq_trail_sequence_entry_id"),
        sa.ForeignKeyConstraint(["entry_id"], ["trail_entry.id"], name="fk_trail_sequence_entry_id"),
        sa.CheckConstraint("seq >= 0", name="ck_trail_sequence_seq"),
    )


def _served() -> None:
    op.create_table(
        "revocation",
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_revocation"),
    )
    op.create_table(
        "status",
        sa.Column("sha256", _DIGEST, nullable=False),
        sa.Column("asset_id", sa.Text),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("etag", sa.Text, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_status"),
    )
    op.create_index("ix_status_asset_id", "status", ["asset_id"])
    op.create_table(
        "idempotency",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("route", sa.Text, nullable=False),
        sa.Column("request_digest", _DIGEST, nullable=False),
        sa.Column("response", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("key", "route", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"])


# Triggers stop accidents, not an owner of the database: against that stand the checkpoints, which others hold.
# A payload may be deleted (that is what it lies apart for), never changed.


def _append_only_postgresql() -> None:
    op.execute("""
        CREATE FUNCTION trail_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the trail is append-only' USING ERRCODE = 'integrity_constraint_violation';
        END $$
    """)
    for table, events in (
        ("trail_entry", "UPDATE OR DELETE OR TRUNCATE"),
        ("trail_sequence", "UPDATE OR DELETE OR TRUNCATE"),
        ("trail_payload", "UPDATE"),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE {events} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION trail_refuse()"
        )
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_append_only")  # replication sessions included


def _append_only_sqlite() -> None:
    for table, event in (
        ("trail_entry", "UPDATE"),
        ("trail_entry", "DELETE"),
        ("trail_sequence", "UPDATE"),
        ("trail_sequence", "DELETE"),
        ("trail_payload", "UPDATE"),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END"
        )
    # INSERT OR REPLACE deletes without asking the triggers above, unless a setting of the connection says otherwise
    for table, taken in (
        ("trail_entry", "id = NEW.id"),
        ("trail_sequence", "seq = NEW.seq OR entry_id = NEW.entry_id"),
        ("trail_payload", "entry_id = NEW.entry_id"),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "  # noqa: S608 - names from above
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {taken}) "
            "BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END"
        )
