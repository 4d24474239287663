"""Findings as people read them: grouped by file, the same hint said once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from reinmaker_cli.cli.text import Item, Line, Styled, counted
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding, count_errors
from reinmaker_cli.errors import ContentInvalid

_LFS_HINT = re.compile(r"""`git ((?:-C (?:'[^']*'|\S+) )?)lfs pull --include="([^",]*)"`""")

MAX_SHOWN = 200  # more than anyone reads; `--json` has them all


def finding_lines(findings: Sequence[Finding]) -> Iterator[Line | Item]:
    """Yield the lines that show the findings, grouped by place in the order they came."""
    hints: dict[str, None] = {}
    for place, group in groupby(findings[:MAX_SHOWN], key=_place):
        if place:
            yield Styled("bold", place)
        for finding in group:
            yield Item(_label(finding), finding.message + _within(finding))
            for word in ("expected", "found"):
                value = getattr(finding, word)
                if value is not None:
                    yield f"    {word:<8} {value}"
            if finding.hint:
                hints[finding.hint] = None
    if len(findings) > MAX_SHOWN:
        yield f"and {counted(len(findings) - MAX_SHOWN, 'more finding')}; `--json` lists all"
    for hint in _joined(hints):
        yield Styled("cyan", "hint"), f": {hint}"


def _joined(hints: Iterable[str]) -> Iterator[str]:
    """Yield the hints, those of many Git LFS pointers as one command."""
    included: dict[str, list[str]] = {}
    for hint in hints:
        match = _LFS_HINT.fullmatch(hint)
        if match is None:
            yield hint
        else:
            included.setdefault(match[1], []).append(match[2])
    for place, paths in included.items():
        yield f'`git {place}lfs pull --include="{",".join(paths)}"`'


def _place(finding: Finding) -> str:
    if finding.path:
        return finding.path
    return " ".join(part for part in (finding.manifest_id, finding.pointer) if part)


def _within(finding: Finding) -> str:
    """Return the place inside the file, where the file itself is the heading."""
    line = "" if finding.line is None else f", line {finding.line}"
    return f"{line}, at {finding.pointer}" if finding.path and finding.pointer else line


def _label(finding: Finding) -> Styled:
    return Styled("red" if finding.is_error else "yellow", f"{finding.severity}[{finding.code}]")


def summary_of(findings: Sequence[Finding]) -> str:
    """Return `2 errors, 1 warning`, or `no findings`."""
    errors = count_errors(findings)
    parts = [counted(errors, "error")] if errors else []
    if len(findings) > errors:
        parts.append(counted(len(findings) - errors, "warning"))
    return ", ".join(parts) or "no findings"


def require_clean(findings: Sequence[Finding], consequence: str = "") -> None:
    """Raise ContentInvalid where a finding is an error; `consequence` says what was not done."""
    errors = count_errors(findings)
    if errors:
        raise ContentInvalid(
            f"{counted(errors, 'problem')} in the content{consequence}",
            code=codes.CONTENT_INVALID,
            hint=codes.CONTENT_INVALID.cure,
            findings=tuple(findings),
        )
