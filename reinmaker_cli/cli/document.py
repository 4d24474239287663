"""The document of `--json`: one envelope for every command, on failure too; and how it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reinmaker_cli import __version__
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.errors import ReinmakerError


def exit_code_of(error: BaseException | None) -> int:
    """Return the exit code: 0, that of the error's class, or the one the error itself carries (signals)."""
    if error is None:
        return 0
    if isinstance(error, ReinmakerError):
        return int(getattr(error, "exit_status", error.exit_code))
    return 1


def schema_name(verb: str) -> str:
    """Return the `schema` of a verb's document: `auth status` → `reinmaker.auth-status/1`."""
    return f"reinmaker.{verb.replace(' ', '-')}/1"


def final_document(
    verb: str, members: Mapping[str, Any], findings: Sequence[Finding], error: BaseException | None
) -> dict[str, Any]:
    """Return the envelope with the verb's own members inside."""
    own = dict(members)
    return {
        "schema": schema_name(verb),
        "ok": error is None,
        "exitCode": exit_code_of(error),
        "environment": own.pop("environment", None),
        **{name: value for name, value in own.items() if name != "stats"},
        "findings": [finding.to_json() for finding in findings],
        "stats": own.get("stats", {}),
        "error": _error_json(error),
        "tool": {"name": "reinmaker", "version": __version__},
    }


SECRET_MEMBERS = frozenset({"accessToken", "clientSecret", "signingSecret"})
"""Of documents, and of the rows in their results."""


def without_secrets(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document for a file of events, which is kept and passed on: a secret is shown on stdout only."""
    shown = _row_without_secrets(document)
    if isinstance(rows := shown.get("results"), list):
        shown["results"] = [_row_without_secrets(row) for row in rows]
    if "inspectorUrl" in shown:
        shown["inspectorUrl"] = shown["inspectorUrl"].partition("#")[0]  # behind it is the control token
    return shown


def _row_without_secrets(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: "left out" if name in SECRET_MEMBERS else value for name, value in row.items()}


def _error_json(error: BaseException | None) -> dict[str, Any] | None:
    if not isinstance(error, ReinmakerError):
        return None
    return {"code": error.code, "message": error.message, "hint": error.hint, "retryable": error.retryable}


MOST_INDENTED = 1000  # entries; nobody reads more, and indented they take five times as long to write


def json_text(document: Mapping[str, Any], indent: int | None = None) -> str:
    """Return JSON in ASCII: safe on every terminal, under every locale, and in the log of a GitHub runner.

    A document with a long list is written on one line.
    """
    import json

    if any(isinstance(member, list) and len(member) > MOST_INDENTED for member in document.values()):
        indent = None
    text = json.dumps(document, indent=indent)
    if "\\ud" in text:
        # Names that are not UTF-8 hold lone surrogates, which no reader of JSON has to accept (RFC 7493 section 2.1).
        text = json.dumps(_without_lone_surrogates(document), indent=indent)
    return text.replace("##[", "#\\u0023[")  # the runner obeys `##[command]` anywhere in a line


def _without_lone_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_without_lone_surrogates(key): _without_lone_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_lone_surrogates(item) for item in value]
    return value
