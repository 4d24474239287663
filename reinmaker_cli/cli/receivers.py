"""The values of `serve --webhook`, `--allow-target` and `--dead-letters`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.names import EventType
from reinmaker_cli.errors import UsageError

if TYPE_CHECKING:
    from reinmaker_cli.server.config import SqsTarget

_QUEUE = r"(?P<queue>[A-Za-z0-9_-]{1,80}(?:\.fifo)?)"
_REGION = r"(?P<region>[a-z]{2}[a-z0-9-]+-\d)"
SQS_NAME = re.compile(rf"sqs://(?:{_REGION}/)?{_QUEUE}")
SQS_URL = re.compile(rf"https://sqs\.{_REGION}\.amazonaws\.com(?:\.cn)?/\d{{12}}/{_QUEUE}")
TYPE_PREFIX = "reinmaker."


def parse_webhook(text: str) -> tuple[tuple[str, ...], str]:
    """Return event types (none: all) and URL of `[TYPE,...=]URL`; types may be written without `reinmaker.`."""
    from reinmaker_cli.server.http_urls import NotHttp, http_url

    # A URL may hold `=`, and no type holds `:`.
    given, separator, rest = text.partition("=")
    types, url = (given, rest) if separator and ":" not in given else ("", text)
    try:
        http_url(url)
    except NotHttp as error:
        raise UsageError(
            f"--webhook names a URL that cannot be asked: {error}",
            code=codes.USAGE,
            hint="write it as `--webhook http://localhost:9000/hooks`",
        ) from error
    return tuple(_event_type(name.strip()) for name in types.split(",") if name.strip()), url


def check_ranges(ranges: Sequence[str]) -> tuple[str, ...]:
    """Return the ranges of `--allow-target`; UsageError where one is none."""
    import ipaddress

    for text in ranges:
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            raise UsageError(
                f"--allow-target is no range of addresses: `{text}`",
                code=codes.USAGE,
                hint="write it as `--allow-target 10.1.0.0/16`",
            ) from error
    return tuple(ranges)


def parse_dead_letters(text: str) -> SqsTarget:
    """Return where dead letters are to go; UsageError where the text names no such place."""
    from reinmaker_cli.server.config import SqsTarget

    if named := SQS_NAME.fullmatch(text):
        return SqsTarget(text, named["queue"], named["region"])
    if given := SQS_URL.fullmatch(text):
        return SqsTarget(text, given["queue"], given["region"], url=text)
    raise UsageError(
        "--dead-letters names no place that dead letters can go to",  # not the text: it could hold a key
        code=codes.USAGE,
        hint="write it as `--dead-letters sqs://eu-west-1/dead-letters`, or as the URL of an SQS queue",
    )


def _event_type(name: str) -> str:
    full = name if name.startswith(TYPE_PREFIX) else TYPE_PREFIX + name
    known = [event_type.value for event_type in EventType]
    if full not in known:
        raise UsageError(
            f"--webhook: no such event type: `{name}`", code=codes.USAGE, hint=f"one of {', '.join(known)}"
        )
    return full
