"""The values of `serve --webhook`, `--allow-target`, `--allow-bucket` and `--dead-letters`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reinmaker_cli.cli.webhook_options import event_type_of
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import UsageError

if TYPE_CHECKING:
    from reinmaker_cli.server.config import EventHubsTarget, SqsTarget

_QUEUE = r"(?P<queue>[A-Za-z0-9_-]{1,80}(?:\.fifo)?)"
_REGION = r"(?P<region>[a-z]{2}[a-z0-9-]+-\d)"
SQS_NAME = re.compile(rf"sqs://(?:{_REGION}/)?{_QUEUE}")
SQS_URL = re.compile(rf"https://sqs\.{_REGION}\.amazonaws\.com(?:\.cn)?/\d{{12}}/{_QUEUE}")
EVENT_HUB = re.compile(
    r"(?P<origin>https://[a-z0-9-]+\.servicebus\.(?:windows\.net|chinacloudapi\.cn|usgovcloudapi\.net))/(?P<hub>[\w.-]+)"
)
CONNECTION_VARIABLE = "REINMAKER_DEAD_LETTERS_CONNECTION"
CONNECTION_FILE_VARIABLE = "REINMAKER_DEAD_LETTERS_CONNECTION_FILE"


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
    return tuple(event_type_of(name.strip()) for name in types.split(",") if name.strip()), url


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


def parse_buckets(urls: Sequence[str]) -> tuple[str, ...]:
    """Return what `--allow-bucket` names, as the texts of objects begin; UsageError where it is no bucket."""
    from reinmaker_cli.contract.object_urls import NotAnObject, object_prefix

    try:
        return tuple(object_prefix(url) for url in urls)
    except NotAnObject as error:
        raise UsageError(
            f"--allow-bucket names no bucket: {error}",
            code=codes.USAGE,
            hint="write it as `--allow-bucket s3://NAME` or `--allow-bucket s3://NAME/FOLDER`",
        ) from error


def parse_dead_letters(text: str, variables: Mapping[str, str]) -> SqsTarget | EventHubsTarget:
    """Return where dead letters are to go; UsageError where the text names no such place.

    The connection string of an event hub is in a variable or a file that a variable names, never in the text.
    """
    from reinmaker_cli.server.config import SqsTarget

    if named := SQS_NAME.fullmatch(text):
        return SqsTarget(text, named["queue"], named["region"])
    if given := SQS_URL.fullmatch(text):
        return SqsTarget(text, given["queue"], given["region"], url=text)
    if hub := EVENT_HUB.fullmatch(text):
        return _event_hub(text, hub["origin"], hub["hub"], _connection_string(variables))
    raise UsageError(
        "--dead-letters names no place that dead letters can go to",  # not the text: it could hold a key
        code=codes.USAGE,
        hint="write it as `--dead-letters sqs://eu-west-1/dead-letters`, or as the URL of an SQS queue or event hub",
    )


def _event_hub(text: str, origin: str, hub: str, connection: str) -> EventHubsTarget:
    from reinmaker_cli.server.config import EventHubsTarget

    # A key ends in `=`, so only the first one separates.
    parts = dict(part.partition("=")[::2] for part in connection.strip().split(";") if part)
    key_name, key = parts.get("SharedAccessKeyName"), parts.get("SharedAccessKey")
    endpoint = parts.get("Endpoint", "").rstrip("/").lower()
    if not key_name or not key or endpoint != origin.replace("https://", "sb://"):
        raise _unusable_connection(f"the connection string is not one for: `{origin}`")
    if parts.get("EntityPath", hub) != hub:
        raise _unusable_connection(f"the connection string is for another hub than: `{hub}`")
    return EventHubsTarget(text, origin, hub, key_name, key)


def _connection_string(variables: Mapping[str, str]) -> str:
    given, named = variables.get(CONNECTION_VARIABLE, ""), variables.get(CONNECTION_FILE_VARIABLE, "")
    if bool(given) == bool(named):
        raise _unusable_connection(f"one of {CONNECTION_VARIABLE} and {CONNECTION_FILE_VARIABLE} is needed")
    if given:
        return given
    file = Path(named)
    try:
        if file.stat().st_mode & 0o077:
            raise _unusable_connection(f"others may read the connection string: `{file}`")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable_connection(f"cannot read the connection string: `{file}`") from error


def _unusable_connection(fact: str) -> UsageError:
    return UsageError(
        fact,
        code=codes.DEAD_LETTERS_UNUSABLE,
        hint=f"set {CONNECTION_VARIABLE}, or {CONNECTION_FILE_VARIABLE} to a file of mode 600",
    )
