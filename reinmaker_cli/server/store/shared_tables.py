"""What one server has in memory, where several processes share it: tables of PostgreSQL that need not survive a crash.

UNLOGGED: a write to them waits for no disk. They are emptied when the first of several servers starts, and made anew by
an upgrade, so they have no versions. Times are Unix seconds of the server's clock.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, DOUBLE_PRECISION

SHARED = MetaData()
_UNLOGGED = ["UNLOGGED"]

rate_windows = Table(
    "rate_windows",
    SHARED,
    Column("policy", String(64), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("stamps", ARRAY(DOUBLE_PRECISION), nullable=False),
    Column("is_counted", Boolean, nullable=False),
    Column("at", Float, nullable=False),
    Index("rate_windows_by_time", "at"),
    prefixes=_UNLOGGED,
)
"""When a client's requests were counted, oldest first; whether the last one was, and when it came."""

fault_rules = Table(
    "fault_rules",
    SHARED,
    Column("no", BigInteger, primary_key=True, autoincrement=True),
    Column("fault_id", String(64), nullable=False, unique=True),
    Column("rule", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("draws", BigInteger, nullable=False),
    Column("hits", BigInteger, nullable=False),
    prefixes=_UNLOGGED,
)
"""Faults that were asked for; `rule` is JSON."""

request_counts = Table(
    "request_counts",
    SHARED,
    Column("no", Integer, primary_key=True, autoincrement=False),
    Column("epoch", String(16), nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("last_no", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("delivered", BigInteger, nullable=False),
    Column("dead_letters", BigInteger, nullable=False),
    prefixes=_UNLOGGED,
)
"""One row: how far the journal has come, and what was delivered and dead when it began."""

requests = Table(
    "requests",
    SHARED,
    Column("no", BigInteger, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False, unique=True),
    Column("at", Float, nullable=False),
    Column("method", String(16), nullable=False),
    Column("route", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("ms", Float, nullable=False),
    Column("trace_id", String(128), nullable=False, index=True),
    Column("client_id", String(128)),
    Column("code", String(64)),
    Column("is_mark", Boolean, nullable=False),
    prefixes=_UNLOGGED,
)
"""The journal."""
