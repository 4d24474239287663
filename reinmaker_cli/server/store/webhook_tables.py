"""The tables of webhooks: what is to be told, to whom, each attempt at it, and what could not be told.

Part of the metadata in `tables.py`. Times are Unix seconds of the server's clock, except leases, which are real time.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from reinmaker_cli.server.store.tables import METADATA, Number, free_text

webhook_endpoints = Table(
    "webhook_endpoints",
    METADATA,
    Column("no", Number, primary_key=True, autoincrement=True),
    Column("endpoint_id", String(64), nullable=False, unique=True),
    Column("url", Text, nullable=False),
    Column("types", Text, nullable=False),
    Column("source", String(16), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    Column("created_at", Float, nullable=False),
    Column("last_delivered_at", Float),
    Column("removed_at", Float),
)
"""Receivers. `types` is joined by spaces, empty for all; `source` is `option` or `control`.

A removed one stays, without its secrets: dead letters name it.
"""

webhook_secrets = Table(
    "webhook_secrets",
    METADATA,
    Column("no", Number, primary_key=True, autoincrement=True),
    Column("endpoint_no", ForeignKey("webhook_endpoints.no"), nullable=False, index=True),
    Column("secret", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("active_from", Float),
    Column("signs_until", Float),
    Column("fetched_at", Float),
)
"""The next secret has no `active_from`; the current one no `signs_until`; an older one signs until then.

`fetched_at` is when somebody was shown it. Kept as they are: who signs must have the secret itself.
"""

webhook_events = Table(
    "webhook_events",
    METADATA,
    Column("no", Number, primary_key=True, autoincrement=True),
    Column("event_id", String(64), nullable=False, unique=True),
    Column("type", String(64), nullable=False),
    Column("trace_id", String(128), nullable=False, index=True),
    Column("user_id", free_text(256), index=True),
    Column("body", Text, nullable=False),
    Column("created_at", Float, nullable=False, index=True),
    Column("undelivered", String(64)),
)
"""The outbox: written in the transaction of the change that an event tells of.

`body` is sent as it stands, in UTF-8, so that every attempt has the same bytes. `undelivered` says why an event went to
nobody.
"""

webhook_deliveries = Table(
    "webhook_deliveries",
    METADATA,
    Column("no", Number, primary_key=True, autoincrement=True),
    Column("delivery_id", String(64), nullable=False, unique=True),
    Column("event_no", ForeignKey("webhook_events.no"), nullable=False, index=True),
    Column("endpoint_no", ForeignKey("webhook_endpoints.no"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("due_at", Float),
    Column("fence", Integer, nullable=False),
    Column("leased_until", Float),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("leased_by", Number),
    Index("webhook_deliveries_due", "status", "due_at"),
    Index("webhook_deliveries_by_endpoint", "endpoint_no", "status", "due_at"),
)
"""One event to one endpoint: `open`, `delivered` or `dead`. `attempt` counts the POSTs of the schedule under way.

`fence` grows with each claim and redrive, and what an attempt found counts only under its own; `leased_until` is real
time. Where several processes use the database, `leased_by` is the session that makes the attempt.
"""

LEASED_DELIVERY = webhook_deliveries.c.leased_until.is_not(None)
DELIVERIES_LEASED = Index("webhook_deliveries_leased", webhook_deliveries.c.endpoint_no, sqlite_where=LEASED_DELIVERY)

webhook_attempts = Table(
    "webhook_attempts",
    METADATA,
    Column("no", Number, primary_key=True, autoincrement=True),
    Column("delivery_no", ForeignKey("webhook_deliveries.no"), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float, nullable=False),
    Column("duration_ms", Float, nullable=False),
    Column("webhook_timestamp", Number, nullable=False),
    Column("status", Integer),
    Column("outcome", String(32), nullable=False),
    Column("error", Text),
)
"""One POST each, in the order of their ends; `kind` is `scheduled` or `resend`, `duration_ms` is real time."""

dead_letters = Table(
    "dead_letters",
    METADATA,
    Column("delivery_no", ForeignKey("webhook_deliveries.no"), primary_key=True, autoincrement=False),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("died_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
    Column("forwarded_to", Text),
    Column("forwarded_at", Float),
)
"""Deliveries that were given up, for 14 days; a redrive takes one out again."""
