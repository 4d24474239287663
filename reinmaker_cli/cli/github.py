"""GitHub Actions: findings as annotations, a table for the step's summary, outputs for later steps. Pure text.

Source: docs.github.com, "Workflow commands for GitHub Actions". Everything that comes from file names is escaped, so
that no name can inject a command.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reinmaker_cli.cli.text import counted, visible
from reinmaker_cli.contract.findings import Finding

MAX_ROWS = 1000  # GitHub takes 1 MiB for a summary, and 1 MiB for the outputs of a job
MAX_ANNOTATIONS = 9  # GitHub shows ten of a kind for one step; the tenth is our count of the rest


def annotation_lines(findings: Sequence[Finding], folder: str, error: Mapping[str, Any] | None = None) -> list[str]:
    """Return workflow commands for the first findings and a count of the others; `folder` leads to the asset root.

    What stopped the command comes first where it is not a finding: credentials, network, usage. Errors before warnings.
    """
    ordered = sorted(findings, key=lambda finding: not finding.is_error)
    lines = []
    if error is not None and not any(finding.is_error for finding in ordered):
        said = _data(f"{error['message']} ({error['hint']})")
        lines.append(f"::error title={_property(str(error['code']))}::{said}")
    room = MAX_ANNOTATIONS - len(lines)
    lines += [_annotation(finding, folder) for finding in ordered[:room]]
    rest = ordered[room:]
    if rest:
        command = "error" if rest[0].is_error else "warning"
        lines.append(f"::{command} title=reinmaker::and {counted(len(rest), 'more finding')}; see the log")
    return lines


def from_workspace(folder: Path, variables: Mapping[str, str]) -> str:
    """Return the folder as annotations name it: relative to the checkout, `/` between parts."""
    workspace = variables.get("GITHUB_WORKSPACE") or Path.cwd()
    return Path(os.path.relpath(folder, workspace)).as_posix()


def _annotation(finding: Finding, folder: str) -> str:
    properties = [f"title={_property(finding.code)}"]
    if finding.path:
        path = finding.path if folder in ("", ".") else f"{folder}/{finding.path}"
        properties.insert(0, f"file={_property(path)}")
    if finding.path and finding.line is not None:
        properties.insert(1, f"line={finding.line}")
    command = "error" if finding.is_error else "warning"
    return f"::{command} {','.join(properties)}::{_data(f'{finding.message} ({finding.hint})')}"


def _data(text: str) -> str:
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def step_summary(document: Mapping[str, Any]) -> str:
    """Return Markdown for `$GITHUB_STEP_SUMMARY`: the result in one line, then tables of manifests and findings."""
    name = str(document["schema"]).split(".", 1)[1].split("/")[0]
    lines = [f"### reinmaker {name}: {'ok' if document['ok'] else 'failed'} (exit {document['exitCode']})", ""]
    results: Sequence[Mapping[str, Any]] = document.get("results") or ()
    if results:
        lines += ["| manifest | version | outcome | assets |", "| --- | --- | --- | ---: |"]
        lines += [
            f"| {_cell(row.get('manifestId'))} | {_cell(row.get('version'))} | {_cell(row.get('outcome'))} "
            f"| {_cell((row.get('assets') or {}).get('count'))} |"
            for row in _of_interest(results)
        ]
        lines.append("")
        if len(results) > MAX_ROWS:
            through = len(results) - sum(map(_is_left, results))
            lines += [f"Of {counted(len(results), 'manifest')} {through:,} are through and not listed.", ""]
    findings: Sequence[Mapping[str, Any]] = document.get("findings") or ()
    if findings:
        lines += ["| finding | where | what |", "| --- | --- | --- |"]
        lines += [
            f"| {_cell(item['code'])} | {_cell(item.get('path') or item.get('pointer'))} | {_cell(item['message'])} |"
            for item in findings[:100]
        ]
        lines.append("")
    error = document.get("error")
    if error:
        lines += [f"**{_cell(error['code'])}**: {_cell(error['message'])}", "", f"{_cell(error['hint'])}", ""]
    return "\n".join(lines)


def _of_interest(results: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return the results; of more than there is room for, those that are not through."""
    return results if len(results) <= MAX_ROWS else [row for row in results if _is_left(row)][:MAX_ROWS]


def _is_left(row: Mapping[str, Any]) -> bool:
    return row.get("outcome") not in ("active", "unchanged", None)


def _cell(value: object) -> str:
    text = "" if value is None else visible(str(value))
    for character in "&#\\|<>[]*_`!":
        text = text.replace(character, f"&#{ord(character)};")
    return text


def step_outputs(document: Mapping[str, Any], delimiter: str) -> str:
    """Return what belongs into `$GITHUB_OUTPUT`: plain words as `name=value`, all else between two delimiters.

    `delimiter` must be random: a value that held it could set outputs of its own.
    """
    results: Sequence[Mapping[str, Any]] = document.get("results") or ()
    wanted = ("manifestId", "version", "outcome", "digest")
    rows = [{key: row.get(key) for key in wanted} for row in _of_interest(results)]
    through = [str(row.get("manifestId")) for row in results if not _is_left(row) and row.get("outcome")]
    error = document.get("error") or {"code": "", "hint": ""}
    outputs = {
        "ok": "true" if document["ok"] else "false",
        "exit-code": str(document["exitCode"]),
        "findings": str(len(document.get("findings") or ())),
        "error-code": str(error["code"]),
        "hint": visible(str(error["hint"])),
        "published": "\n".join(visible(name) for name in through),
        "results": json.dumps(rows),
    }
    return "".join(_output(name, value, delimiter) for name, value in outputs.items())


def _output(name: str, value: str, delimiter: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9.-]*", value):
        return f"{name}={value}\n"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"
