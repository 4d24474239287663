"""The tables, as SQLAlchemy Core metadata: nothing in them is SQLite's alone.

Times are Unix seconds of the server's clock. JSON is kept as text, bodies as gzip of the received bytes.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

SCHEMA_VERSION = 6
"""Raised with every change of a table, together with a step in `migrations/versions/`.

A database with a higher one belongs to a newer reinmaker.
"""

METADATA = MetaData()

Number = Integer().with_variant(BigInteger(), "postgresql")
"""What counts rows, or seconds: SQLite's integers have 64 bits by themselves."""


class _Escaped(TypeDecorator[str]):
    """Text on PostgreSQL, which knows no U+0000: I-JSON does, and what users send is kept as it is."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        """Return the text as it is stored: a character that nobody uses stands before what stands for another."""
        return value if value is None else value.replace("\x1a", "\x1a\x1a").replace("\x00", "\x1a0")

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        """Return the text as it was."""
        if value is None or "\x1a" not in value:
            return value
        return "\x1a".join(part.replace("\x1a0", "\x00") for part in value.split("\x1a\x1a"))


def free_text(length: int) -> String:
    """Return the type of a text in which users may write any character."""
    return String(length).with_variant(_Escaped(collation="C"), "postgresql")


def ordered_text(length: int) -> String:
    """Return the type of a text that is listed in order: by its characters' numbers, whatever a database's language."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


facts = Table(
    "facts",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
"""What there is one of: the schema version, what the clock is set to, the time of the last write probe, and the key
of the pseudonyms in the log."""

clients = Table(
    "clients",
    METADATA,
    Column("client_id", String(128), primary_key=True),
    Column("name", free_text(128), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("is_development", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
)

client_secrets = Table(
    "client_secrets",
    METADATA,
    Column("no", Number, primary_key=True, autoincrement=True),
    Column("client_id", ForeignKey("clients.client_id"), nullable=False, index=True),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("created_at", Float, nullable=False),
)
"""Secrets have 238 bits of entropy, so a plain SHA-256 of one cannot be searched; at most two live per client."""

client_limits = Table(
    "client_limits",
    METADATA,
    Column("client_id", ForeignKey("clients.client_id"), primary_key=True),
    Column("policy", String(64), primary_key=True),
    Column("quota", Integer, nullable=False),
    sqlite_with_rowid=False,
)
"""How many requests a client may send under a policy, where it is not what the policy says."""

signing_keys = Table(
    "signing_keys",
    METADATA,
    Column("kid", String(64), primary_key=True),
    Column("private_pem", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

submissions = Table(
    "submissions",
    METADATA,
    Column("no", Number, primary_key=True, autoincrement=True),
    Column("submission_id", String(64), nullable=False, unique=True),
    Column("manifest_id", ordered_text(128), nullable=False),
    Column("version", String(64), nullable=False),
    Column("digest", String(71), nullable=False),
    Column("content_digest", String(71), nullable=False),
    Column("status", String(16), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("asset_count", Integer, nullable=False),
    Column("body_bytes", BigInteger, nullable=False),
    Column("submitted_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("trace_id", String(128), nullable=False, index=True),
    Column("validation", Text, nullable=False),
    Column("leased_by", Number),
    Column("leased_until", Float),
    Index("submissions_by_manifest", "manifest_id", "no"),
    Index("submissions_by_version", "manifest_id", "version", "no"),
)
"""The journal and the queue in one: `pending` and `validating` rows are what is still to be done.

`attempt` is the fencing token of a validation: it grows with each claim, and a verdict counts only for its own attempt.
Where several processes use the database, `leased_by` is the session that validates, until `leased_until`, in real time.
"""

LIVE_SUBMISSION = submissions.c.status != "rejected"
LEASED_SUBMISSION = submissions.c.leased_by.is_not(None)

# Partial indexes: PostgreSQL wants the same as `postgresql_where`; naming it here would import its dialect, 40 ms of
# each start, so `postgres.py` does (PARTIAL).
# One version has one content, whatever races: only rejected ones may stand beside another submission.
ONE_LIVE_SUBMISSION = Index(
    "one_live_submission_per_version",
    submissions.c.manifest_id,
    submissions.c.version,
    unique=True,
    sqlite_where=LIVE_SUBMISSION,
)
SUBMISSIONS_LEASED = Index("submissions_leased", submissions.c.leased_by, sqlite_where=LEASED_SUBMISSION)

manifest_bodies = Table(
    "manifest_bodies",
    METADATA,
    Column("submission_no", ForeignKey("submissions.no"), primary_key=True),
    Column("gzipped", LargeBinary, nullable=False),
)

active_versions = Table(
    "active_versions",
    METADATA,
    Column("manifest_id", ordered_text(128), primary_key=True),
    Column("submission_no", ForeignKey("submissions.no"), nullable=False),
)

published_assets = Table(
    "published_assets",
    METADATA,
    Column("url_key", String(32), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("submission_no", ForeignKey("submissions.no"), nullable=False),
    sqlite_with_rowid=False,
)
"""Each URL that an active or superseded version names, by a key that `published.py` makes of it: a URL keeps its bytes
for ever, so one row per URL is enough. Hex text, because SQLAlchemy wraps each binary value: that doubles
the time of 100,000 rows, during which nobody else can write."""

asset_folders = Table(
    "asset_folders",
    METADATA,
    Column("manifest_id", ordered_text(128), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("root", Text, nullable=False),
    Column("files", LargeBinary, nullable=False),
    Column("registered_at", Float, nullable=False),
)
"""Where a client said that the bytes lie; `version` is empty where it holds for all; `files` is gzip of JSON."""

entitlements = Table(
    "entitlements",
    METADATA,
    Column("user_id", free_text(256), primary_key=True),
    Column("plan", ordered_text(64), primary_key=True),
    Column("product", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("issued_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("features", Text, nullable=False),
    Column("source", free_text(128), nullable=False),
    Column("region", free_text(64)),
    Column("expiry_told_at", Float),
    Index("entitlements_by_end", "expires_at"),
    sqlite_with_rowid=False,
)
"""Which plans a user has; `status` is `active` or `revoked`, and `expired` is what the clock makes of `expires_at`.

`expiry_told_at` is when the event went out that says so: it goes out once.
"""

telemetry_batches = Table(
    "telemetry_batches",
    METADATA,
    Column("no", Number, primary_key=True, autoincrement=True),
    Column("batch_id", String(64), nullable=False, unique=True),
    Column("client_id", String(128), nullable=False),
    Column("trace_id", String(128), nullable=False, index=True),
    Column("events", Integer, nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("received_at", Float, nullable=False),
)

telemetry_events = Table(
    "telemetry_events",
    METADATA,
    Column("no", Number, primary_key=True, autoincrement=True),
    Column("client_id", String(128), nullable=False),
    Column("event_id", free_text(128), nullable=False),
    Column("type", free_text(128), nullable=False),
    Column("occurred_at", String(40), nullable=False),
    Column("user_id", free_text(256)),
    Column("session_id", free_text(256)),
    Column("properties", Text),
    Column("batch_no", Number, nullable=False),
    Column("received_at", Float, nullable=False),
    Index("one_event_per_id", "client_id", "event_id", unique=True),
)
"""Events of the last 14 days, in the order in which they came: `no` and `received_at` grow together.

`batch_no` is no foreign key: SQLite would look the batch up for each event, and the events up for each old batch.
"""
