"""The tables, as SQLAlchemy Core sees them; `migrations/` builds them, and a test holds the two together.

    manifest ◄── asset ◄── binding, fingerprint_chunk, lineage    what is registered
    trail_entry ◄── trail_payload, trail_pending, trail_sequence  what happened, append-only
    trail_tile, trail_checkpoint ◄── trail_cosignature, trail_key the log over it
    status, revocation, idempotency                               what is served, no longer trusted, answered before
    stamp, rejudge, outbox                                        time stamps that came later, work that waits
    status_event, verification, job, review, quota                what changed, verdicts kept, work asked for, people asked
    survival                                                      what an asset's mark lived through, when it was measured

Instants are UTC and timezone-aware, digests are hex `str` in Python and 32 bytes in the database.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)


class Instant(TypeDecorator[datetime]):
    """A UTC instant: `timestamptz` on PostgreSQL, UTC text without an offset on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Digest(TypeDecorator[str]):
    """A SHA-256: lower-case hex outside, 32 bytes inside."""

    impl = LargeBinary(32)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else bytes(value).hex()


# SQLite numbers rows by itself only where the type is spelled INTEGER
_Number = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

manifest = Table(
    "manifest",
    metadata,
    Column("label", Text, primary_key=True),
    Column("digest", Digest, nullable=False),
    Column("signer_name", Text, nullable=False),
    Column("signer_fingerprint", Text, nullable=False, index=True),
    Column("signed_at", Instant, nullable=False),
    Column("time_state", Text, nullable=False),
    Column("development", Boolean, nullable=False),
    Column("stamp_due", Instant, index=True),
    Column("stamped_at", Instant),
)

asset = Table(
    "asset",
    metadata,
    Column("number", _Number, primary_key=True),  # short key for the rows that are many
    Column("id", Text, nullable=False, unique=True),
    Column("sha256", Digest, nullable=False),
    Column("manifest_label", Text, ForeignKey(manifest.c.label), nullable=False, index=True),
    Column("media_type", Text, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("duration_ms", BigInteger),
    Column("action", Text, nullable=False),
    Column("reference_digest", Digest),
    Column("reference_media_type", Text),
    Column("reference_width", Integer),
    Column("reference_height", Integer),
    Column("fingerprint", Text),
    Column("withdrawn_at", Instant),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("sha256", "manifest_label"),
    CheckConstraint("action IN ('captured', 'edited', 'rendition', 'registered')", name="action"),
    sqlite_autoincrement=True,
)

lineage = Table(
    "lineage",
    metadata,
    Column("child", _Number, ForeignKey(asset.c.number), primary_key=True, autoincrement=False),
    Column("parent", _Number, ForeignKey(asset.c.number), primary_key=True, autoincrement=False, index=True),
    Column("relationship", Text, nullable=False, server_default="parentOf"),
    Column("inferred", Boolean, nullable=False, server_default=false()),  # by its mark, not from a signed claim
)

ingredient = Table(  # manifest to manifest, as signed claims say; many of them belong to files that nobody registered
    "ingredient",
    metadata,
    Column("child", Text, primary_key=True),
    Column("parent", Text, primary_key=True, index=True),
    Column("relationship", Text, primary_key=True),
)

binding = Table(
    "binding",
    metadata,
    Column("asset_number", _Number, ForeignKey(asset.c.number), primary_key=True, autoincrement=False),
    Column("alg", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Index(None, "alg", "value"),
)

survival = Table(
    "survival",
    metadata,
    Column("asset_number", _Number, ForeignKey(asset.c.number), primary_key=True, autoincrement=False),
    Column("ladder", Text, primary_key=True),
    Column("measured_at", Instant, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

fingerprint_chunk = Table(
    "fingerprint_chunk",
    metadata,
    Column("chunk", Integer, primary_key=True, autoincrement=False),  # position × 65,536 + 16 bits of the code
    Column("asset_number", _Number, ForeignKey(asset.c.number), primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

trail_entry = Table(
    "trail_entry",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("asset_id", Text),  # no foreign key: an entry outlives what it speaks of
    Column("body", LargeBinary, nullable=False),
    Column("digest", Digest, nullable=False),
    CheckConstraint(
        "kind IN ('captured', 'edited', 'rendition', 'registered', 'bound', 'revoked', 'withdrawn', 'judged',"
        " 'reviewed', 'consent', 'erased', 'access', 'signed')",
        name="kind",
    ),
    Index(None, "asset_id", "id"),
    sqlite_autoincrement=True,
)

trail_payload = Table(
    "trail_payload",
    metadata,
    Column("entry_id", _Number, ForeignKey(trail_entry.c.id), primary_key=True, autoincrement=False),
    Column("salt", LargeBinary(16), nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

trail_pending = Table(  # the sequencer's inbox: written with the entry, emptied with its number
    "trail_pending",
    metadata,
    Column("entry_id", _Number, ForeignKey(trail_entry.c.id), primary_key=True, autoincrement=False),
)

trail_sequence = Table(  # apart from the entry, so that no entry is ever updated
    "trail_sequence",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("entry_id", _Number, ForeignKey(trail_entry.c.id), nullable=False, unique=True),
    CheckConstraint("seq >= 0", name="seq"),
)

trail_tile = Table(  # full tiles only: the open ones follow from these and from the newest entries
    "trail_tile",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("number", _Number, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary(8192), nullable=False),
    Column("root", Digest, nullable=False),  # of the tile's 256 hashes: one hash of the tile above
)

trail_checkpoint = Table(
    "trail_checkpoint",
    metadata,
    Column("size", _Number, primary_key=True, autoincrement=False),
    Column("root", Digest, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
)

trail_cosignature = Table(
    "trail_cosignature",
    metadata,
    Column("size", _Number, ForeignKey(trail_checkpoint.c.size), primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),  # hex
    Column("line", Text, nullable=False),  # an ML-DSA-44 line is too long for an index
    Column("at", Instant, nullable=False),
)

trail_key = Table(
    "trail_key",
    metadata,
    Column("vkey", Text, primary_key=True),
    Column("origin", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

revocation = Table(
    "revocation",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

status = Table(
    "status",
    metadata,
    Column("sha256", Digest, primary_key=True),
    Column("asset_id", Text, index=True),
    Column("document", LargeBinary, nullable=False),
    Column("etag", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("request_digest", Digest, nullable=False),
    Column("response", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False, index=True),
)

stamp = Table(  # got after signing, for a manifest whose file is not at hand
    "stamp",
    metadata,
    Column("manifest_label", Text, ForeignKey(manifest.c.label), primary_key=True),
    Column("token", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
)

journal = Table(  # journals of signatures, and the last number of each that the trail has
    "journal",
    metadata,
    Column("id", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
)

rejudge = Table(  # signers whose statuses wait to be judged anew; written with the revocation
    "rejudge",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("since", Instant, nullable=False),
)

outbox = Table(  # webhooks, written with what they tell of
    "outbox",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, index=True),  # None: sent, or given up
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text),
    Column("sent_at", Instant),
    UniqueConstraint("event_id", "target"),
    sqlite_autoincrement=True,
)

status_event = Table(  # every change of a stored status, in the order in which it was made
    "status_event",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("sha256", Digest, nullable=False),
    Column("asset_id", Text),
    Column("cause", Text, nullable=False),
    Column("before", Text),
    Column("after", Text, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("told", Boolean, nullable=False, index=True),  # by webhook, where one is due
    sqlite_autoincrement=True,
)

verification = Table(  # the last whole verdict on some bytes: what `reverify` compares with, and what the same upload gets
    "verification",
    metadata,
    Column("sha256", Digest, primary_key=True),
    Column("wishes", Text, primary_key=True),
    Column("verdict", LargeBinary, nullable=False),
    Column("basis", Text, nullable=False),  # digest of all that it rests on besides the bytes
    Column("at", Instant, nullable=False, index=True),
)

job = Table(
    "job",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("same", Text, nullable=False, unique=True),  # what makes two jobs one; the id once it is over
    Column("sha256", Digest),
    Column("request", LargeBinary, nullable=False),
    Column("result", LargeBinary),
    Column("attempts", Integer, nullable=False),
    Column("lease", Text),  # of the runner that has it
    Column("due_at", Instant, index=True),  # when it may be taken (again); None: over
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False, index=True),
    CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name="state"),
)

quota = Table(
    "quota",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("level", Float, nullable=False),
    Column("at", Float, nullable=False),  # seconds since 1970
)

review = Table(
    "review",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("sha256", Digest, nullable=False, index=True),
    Column("asset_id", Text),
    Column("status", Text, nullable=False),  # what it was when a person was asked
    Column("why", Text, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("opened_by", Text, nullable=False),
    Column("decided_at", Instant, index=True),
    Column("decided_by", Text),
    Column("decision", Text),
    Column("say", Text),
    Column("entry_id", _Number),
    sqlite_autoincrement=True,
)
