"""The logs: one line per request from an allow-list of fields, and what went wrong; on stderr, as text or as JSON.

What users send is in none of them: routes stand there as templates, users as keyed hashes, and of an error that a bug
raised only what was made of our code.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import logging
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType

from reinmaker_cli.server.config import LogForm

ACCESS_LOG = logging.getLogger("reinmaker.access")
SERVER_LOG = logging.getLogger("reinmaker.server")
_UVICORN_LOG = logging.getLogger("uvicorn.error")  # what goes wrong below the application
_ASYNCIO_LOG = logging.getLogger("asyncio")  # and below that

ACCESS_FIELDS = ("time", "method", "route", "status", "ms", "trace_id", "client_id", "user")
"""All that is written of a request; docs/privacy.md says what each is."""
PSEUDONYM_DIGITS = 16

_SPEAKS_OF_CODE = (
    AssertionError,
    AttributeError,
    ImportError,
    NameError,
    NotImplementedError,
    RecursionError,
    TypeError,
)
"""Errors whose text the interpreter makes of names in the code; that of a KeyError or ValueError may be a user's."""

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def pseudonym(key: bytes, user_id: str) -> str:
    """Return what stands for a user in the log: the same for all requests, and of no use without the server's key."""
    return hmac.new(key, user_id.encode(), hashlib.sha256).hexdigest()[:PSEUDONYM_DIGITS]


def log_access(
    *,
    method: str = "-",
    route: str = "-",
    status: int,
    seconds: float = 0.0,
    trace_id: str,
    client_id: str = "-",
    user: str | None = None,
) -> None:
    """Write the line of one request. `route` is a template, `user` a pseudonym."""
    if not ACCESS_LOG.isEnabledFor(logging.INFO):
        return
    fields = {
        "method": method,
        "route": route,
        "status": status,
        "ms": round(seconds * 1000, 1),
        "trace_id": trace_id,
        "client_id": client_id,
    }
    if user is not None:
        fields["user"] = user
    ACCESS_LOG.info("%s", route, extra={"access": fields})


@contextmanager
def access_log(form: LogForm) -> Iterator[None]:
    """Write the log in this form until the block is left. A bug's traceback reaches stderr in any form, also `off`."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines() if form == "json" else _TextLines())
    is_off = form == "off"
    levels = {
        ACCESS_LOG: logging.CRITICAL if is_off else logging.INFO,
        SERVER_LOG: logging.ERROR if is_off else logging.INFO,
        _UVICORN_LOG: logging.ERROR if is_off else logging.WARNING,
        _ASYNCIO_LOG: logging.ERROR if is_off else logging.WARNING,
    }
    before = [(logger, logger.level, logger.propagate) for logger in levels]
    for logger, level in levels.items():
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, level, propagate in before:
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate


class _Lines(logging.Formatter):
    def formatException(self, ei: _ExcInfo) -> str:
        """Return the traceback, without the texts of errors that may quote what was at hand."""
        if ei[1] is None:
            return ""
        return "".join(_story(ei[1])).rstrip("\n")


def _story(error: BaseException) -> Iterator[str]:
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None:
        yield from _story(earlier)
        yield "\nand from there:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__qualname__}: {_harmless_text(error)}\n"
    for inner in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield from _story(inner)


def _harmless_text(error: BaseException) -> str:
    if isinstance(error, _SPEAKS_OF_CODE):
        return str(error)
    if isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode:
        # What the system says of its number: the names of files, which somebody may have chosen, are not in it.
        return f"[Errno {error.errno}] {os.strerror(error.errno)}"
    return "its text is not logged"


class _TextLines(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "access", None)
        if fields is None:
            trace_id = getattr(record, "trace_id", None)
            return f"{_time(record)}{f' trace={trace_id}' if trace_id else ''} {super().format(record)}"
        user = f" user={fields['user']}" if "user" in fields else ""
        return (
            f"{_time(record)} {fields['method']} {fields['route']} {fields['status']} {fields['ms']} ms"
            f" trace={fields['trace_id']} client={fields['client_id']}{user}"
        )


class _JsonLines(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "access", None)
        if fields is None:
            fields = {"level": record.levelname, "message": super().format(record)}
            if trace_id := getattr(record, "trace_id", None):
                fields["trace_id"] = trace_id
        return json.dumps({"time": _time(record), **fields})


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
