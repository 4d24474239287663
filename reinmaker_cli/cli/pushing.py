"""What `push` and `publish --push` share: plan the upload with everything else, do it, and say what came of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reinmaker_cli.cli.folders import allowed_codes, judged
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import Cell, Styled, counted, human_size
from reinmaker_cli.cli.verdicts import Narrator
from reinmaker_cli.contract import codes
from reinmaker_cli.errors import Interrupted

if TYPE_CHECKING:
    from reinmaker_cli.cli.wanted import Wanted
    from reinmaker_cli.client.push import PushReport, State
    from reinmaker_cli.client.push_plan import PushPlan, Upload
    from reinmaker_cli.errors import ReinmakerError

_GOOD = ("uploaded", "present")
_OPEN = ("missing", "unsent")


def plan_uploads(wanted: Wanted, maps: Sequence[tuple[str, Path]], allow: Sequence[str]) -> tuple[Wanted, PushPlan]:
    """Return what is to lie where, and the wanted manifests with what is in the way of that among their findings."""
    from reinmaker_cli.client.push_plan import plan_push

    broken = wanted.broken()
    plan = plan_push([item for item in wanted.items if item.manifest_id not in broken], wanted.roots, maps)
    findings = judged(plan.findings, "", allowed_codes(allow))
    return replace(wanted, findings=(*wanted.findings, *findings)), plan


@dataclass
class Pushing:
    """The upload of one command."""

    run: Run
    plan: PushPlan
    keep_going: bool
    dry_run: bool
    report: PushReport | None = None
    """What came of it until now."""

    def put_assets(self, manifest_ids: Collection[str], deadline_s: float | None) -> Mapping[str, ReinmakerError]:
        """Put the assets of these manifests where their URLs say; return those whose assets are not there, and why."""
        from reinmaker_cli.buckets.access import require_library
        from reinmaker_cli.buckets.objects import Objects
        from reinmaker_cli.cli.access import ca_file
        from reinmaker_cli.client.push import Push

        ids = frozenset(manifest_ids)
        if ids:
            require_library()
        push = Push(
            [upload for upload in self.plan.uploads if not ids.isdisjoint(upload.manifest_ids)],
            Objects(self.run.variables, ca_file=ca_file(self.run)),
            dry_run=self.dry_run,
            keep_going=self.keep_going,
            deadline_s=deadline_s,
            on_event=Narrator(self.run.output),
        )
        self.report = push.report
        try:
            push.run()
        finally:
            self.run.output.stop_progress()
        self._tell()
        return push.report.errors

    def _tell(self) -> None:
        assert self.report is not None
        number, size = self.report.count("uploaded")
        there, _ = self.report.count("present")
        if self.dry_run:
            number, size = self.report.count("missing")
        word = "to upload" if self.dry_run else "uploaded"
        self.run.output.note(
            f"push      {counted(number, 'object')} {word}, {human_size(size)}; {there:,} there already"
        )

    def stats(self) -> dict[str, int]:
        """Return its part of the `stats` of the document; all 0 where it never came to an upload."""
        states: tuple[State, ...] = ("uploaded", "present", "missing")
        counts = {state: (0, 0) if self.report is None else self.report.count(state) for state in states}
        numbers = {str(state): count for state, (count, _) in counts.items()}
        return numbers | {f"{state}Bytes": size for state, (_, size) in counts.items()}


def show_uploads(run: Run, report: PushReport) -> None:
    """Show what was put there, or could not be, on stdout; what was there already, or not reached, is only counted."""
    rows: list[list[Cell]] = [
        [_styled(state), human_size(upload.bytes), upload.path, upload.url]
        for upload, state in report.states.items()
        if state not in ("present", "unsent")
    ]
    run.output.table(rows, head=("outcome", "size", "path", "url"), right=frozenset({1}))
    run.output.ids(upload.url for upload, state in report.states.items() if state == "uploaded")


def _styled(state: State) -> Styled:
    return Styled("green" if state in _GOOD else "yellow" if state in _OPEN else "red", state)


def upload_json(upload: Upload, state: State) -> dict[str, Any]:
    """Return one result of the document of `push`."""
    return {
        "url": upload.url,
        "path": upload.path,
        "bytes": upload.bytes,
        "sha256": upload.sha256,
        "manifestIds": list(upload.manifest_ids),
        "outcome": state,
    }


def interrupted() -> Interrupted:
    """Return the error for a signal; which one it was is known where errors become exit codes."""
    return Interrupted("interrupted", code=codes.INTERRUPTED, hint=codes.INTERRUPTED.cure)
