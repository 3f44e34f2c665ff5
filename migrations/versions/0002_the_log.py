"""The log: full tiles, checkpoints, cosignatures, keys; erased payloads; lineage with relationships and inferred edges."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_DIGEST = sa.LargeBinary(32)
_INSTANT = sa.DateTime(timezone=True)
_KINDS = (
    "kind IN ('captured', 'edited', 'rendition', 'registered', 'bound', 'revoked', 'withdrawn', 'judged', 'reviewed',"
    " 'consent', 'erased')"
)


def upgrade() -> None:
    _log()
    _lineage()
    if op.get_bind().dialect.name == "postgresql":
        _kinds_postgresql()
        _append_only_postgresql()
    else:
        _kinds_sqlite()
        _append_only_sqlite()


def downgrade() -> None:
    raise NotImplementedError("the schema only moves forward")


def _log() -> None:
    op.create_table(
        "trail_tile",
        sa.Column("level", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("number", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(8192), nullable=False),
        sa.Column("root", _DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name="pk_trail_tile"),
    )
    op.create_table(
        "trail_checkpoint",
        sa.Column("size", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("root", _DIGEST, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_trail_checkpoint"),
    )
    op.create_table(
        "trail_cosignature",
        sa.Column("size", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("size", "name", "key_id", name="pk_trail_cosignature"),
        sa.ForeignKeyConstraint(["size"], ["trail_checkpoint.size"], name="fk_trail_cosignature_size"),
    )
    op.create_table(
        "trail_key",
        sa.Column("vkey", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("vkey", name="pk_trail_key"),
    )


def _lineage() -> None:
    op.add_column("lineage", sa.Column("relationship", sa.Text, nullable=False, server_default="parentOf"))
    op.add_column("lineage", sa.Column("inferred", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "ingredient",
        sa.Column("child", sa.Text, nullable=False),
        sa.Column("parent", sa.Text, nullable=False),
        sa.Column("relationship", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("child", "parent", "relationship", name="pk_ingredient"),
    )
    op.create_index("ix_ingredient_parent", "ingredient", ["parent"])


def _kinds_postgresql() -> None:
    op.drop_constraint("ck_trail_entry_kind", "trail_entry", type_="check")
    op.create_check_constraint("ck_trail_entry_kind", "trail_entry", _KINDS)


def _kinds_sqlite() -> None:
    """SQLite changes no constraint: the table is copied, and its triggers are made anew."""
    for trigger in ("no_update", "no_delete", "no_replace"):
        op.execute(f"DROP TRIGGER trail_entry_{trigger}")
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
    for event in ("UPDATE", "DELETE"):
        _refuse_sqlite("trail_entry", event)
    _no_replace_sqlite("trail_entry", "id = NEW.id")


def _append_only_postgresql() -> None:
    for table in ("trail_tile", "trail_checkpoint"):
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION trail_refuse()"
        )
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_append_only")


def _append_only_sqlite() -> None:
    for table, taken in (("trail_tile", "level = NEW.level AND number = NEW.number"), ("trail_checkpoint", "size = NEW.size")):
        for event in ("UPDATE", "DELETE"):
            _refuse_sqlite(table, event)
        _no_replace_sqlite(table, taken)


def _refuse_sqlite(table: str, event: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END"
    )


def _no_replace_sqlite(table: str, taken: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "  # noqa: S608 - names from above
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {taken}) "
        "BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END"
    )
