"""The logs: one line per request from an allow-list of fields, and what went wrong; on stderr, as text or as JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from reinmaker_cli.server.config import LogForm

ACCESS_LOG = logging.getLogger("reinmaker.access")
SERVER_LOG = logging.getLogger("reinmaker.server")
_UVICORN_LOG = logging.getLogger("uvicorn.error")  # what goes wrong below the application


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


class _TextLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "access", None)
        if fields is None:
            trace_id = getattr(record, "trace_id", None)
            return f"{_time(record)}{f' trace={trace_id}' if trace_id else ''} {super().format(record)}"
        return (
            f"{_time(record)} {fields['method']} {fields['route']} {fields['status']} {fields['ms']} ms"
            f" trace={fields['trace_id']} client={fields['client_id']}"
        )


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "access", None)
        if fields is None:
            fields = {"level": record.levelname, "message": super().format(record)}
            if trace_id := getattr(record, "trace_id", None):
                fields["trace_id"] = trace_id
        return json.dumps({"time": _time(record), **fields})


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
