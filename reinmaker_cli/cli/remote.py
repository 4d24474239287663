"""`reinmaker status`, `list` and `health`: what the API says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reinmaker_cli.cli.files import files_and_folders
from reinmaker_cli.cli.next_step import nearest
from reinmaker_cli.cli.options import Only
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import Cell, Styled, counted
from reinmaker_cli.cli.verbs import PUBLISH, SERVER, verb
from reinmaker_cli.cli.verdicts import styled
from reinmaker_cli.contract import codes, names
from reinmaker_cli.errors import ManifestRejected, ServerUnreachable, StillPending, UsageError

if TYPE_CHECKING:
    from reinmaker_cli.client.api import Api, Seen
    from reinmaker_cli.client.patience import Patience
    from reinmaker_cli.contract.findings import Finding
    from reinmaker_cli.contract.models import Submission


@verb(flags=PUBLISH)
def status(
    run: Run,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DIR|MANIFEST|ID...]", help="Folders, manifest files, ids; default: the project."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the verdict of each.")] = False,
    only: Only = None,
) -> None:
    """Show what the API says about manifests: version, status, what players have. Exit 6 rejected, 8 pending."""
    from reinmaker_cli.cli.access import open_run_api
    from reinmaker_cli.client import preflight
    from reinmaker_cli.client.api import new_trace_id
    from reinmaker_cli.client.patience import Patience

    world, deadline_s = run.world, run.settings.deadline
    deadline_at = None if deadline_s is None else world.clock() + deadline_s  # for all of the ids together
    ids = _manifest_ids(run, words or [], only or [])

    def patience() -> Patience:
        return Patience(run.settings.timeout, deadline_at=deadline_at, world=world)

    known: Collection[str] = ()
    with open_run_api(run) as api:
        looks = [_look(api, manifest_id, patience()) for manifest_id in ids]
        if None in looks:
            known = preflight.list_manifests(api, patience=patience(), trace_id=new_trace_id()) or ()
        # Seen first, all of them: one whose time runs out takes nothing from what is said of the others.
        rows = [_verdict(run, api, seen, patience(), wait=wait) if seen else None for seen in looks]
    run.output.add(results=[_as_json(name, submission) for name, submission in zip(ids, rows, strict=True)])
    run.output.ids(ids)
    run.output.table(
        [_row(name, submission) for name, submission in zip(ids, rows, strict=True)],
        head=("manifest", "version", "status", "players have"),
    )
    for submission in rows:
        if submission is not None:
            run.output.findings(_findings_of(submission))
    if not words or any(Path(word).is_dir() for word in words):
        run.output.note(
            f"the server's word, of what it has; `{run.again('diff', options=('only',))}` compares the files"
        )
    _require_known(run, [name for name, row in zip(ids, rows, strict=True) if row is None], len(ids), known)
    _conclude(run, [row for row in rows if row is not None])


def _manifest_ids(run: Run, words: Sequence[str], only: Sequence[str]) -> list[str]:
    """Return the ids that the words name: a folder stands for its manifests, a manifest file for its own."""
    from reinmaker_cli.cli.folders import load_drafts
    from reinmaker_cli.manifest.document import load_manifest

    files, folders = files_and_folders(run, [Path(word) for word in words if Path(word).exists()])
    ids = [word for word in words if Path(word) not in {*folders, *files}]
    ids += [load_manifest(file).manifest_id for file in files]
    if folders or not words:
        # The ids need no hashes, but a capture may come from anywhere: the whole journey is the one truth.
        ids += [draft.manifest_id for draft in load_drafts(run, folders, only=only, probe=False).drafts]
    if not ids:
        raise UsageError("no manifest to ask for", code=codes.NOTHING_SELECTED, hint="name an id: `reinmaker list`")
    return ids


def _look(api: Api, manifest_id: str, patience: Patience) -> Seen | None:
    from reinmaker_cli.client.api import Seen, new_trace_id

    trace_id = new_trace_id()
    seen = patience.ask(lambda: api.manifest(manifest_id, trace_id=trace_id, limit_s=patience.left_s()))
    return seen if isinstance(seen, Seen) else None


def _verdict(run: Run, api: Api, seen: Seen, patience: Patience, *, wait: bool) -> Submission:
    """Return the submission as it was seen or, where one waits and time does not run out before, with its verdict."""
    from reinmaker_cli.client.api import new_trace_id
    from reinmaker_cli.client.submit import wait_for_verdict

    if not wait:
        return seen.submission
    run.output.progress.doing(f"waiting for the verdict of {seen.submission.manifest_id}")
    try:
        return wait_for_verdict(api, seen, patience=patience, trace_id=new_trace_id())
    except StillPending:
        return seen.submission


def _require_known(run: Run, unknown: Sequence[str], asked: int, known: Collection[str]) -> None:
    if not unknown:
        return
    meant = nearest(unknown[0], known)
    raise UsageError(
        f"the server does not know {len(unknown)} of {counted(asked, 'manifest')}",
        code=codes.MANIFEST_NOT_FOUND,
        hint=f"did you mean `{run.instead(unknown[0], meant)}`?" if meant else codes.MANIFEST_NOT_FOUND.cure,
    )


def _conclude(run: Run, found: Sequence[Submission]) -> None:
    if rejected := [one for one in found if one.status is names.Status.REJECTED]:
        raise ManifestRejected(
            f"{counted(len(rejected), 'manifest')} rejected", code=codes.REJECTED, hint=codes.REJECTED.cure
        )
    if pending := [one for one in found if not one.status.is_final]:
        raise StillPending(
            f"{counted(len(pending), 'manifest')} without a verdict yet",
            code=codes.OUT_OF_TIME,
            hint=f"`{run.again('status', '--wait', options=('only',))}` waits for it",
        )


def _findings_of(submission: Submission) -> list[Finding]:
    from reinmaker_cli.client.answers import finding_of

    return [finding_of(error, manifest_id=submission.manifest_id) for error in submission.validation.errors]


def _row(name: str, submission: Submission | None) -> list[Cell]:
    if submission is None:
        return [name, "-", Styled("yellow", "unknown"), ""]
    return [name, submission.version, styled(submission.status), _players_have(submission)]


def _players_have(submission: Submission) -> str:
    if submission.active is None:
        return "nothing active"
    return "that version" if submission.active.version == submission.version else f"active: {submission.active.version}"


def _as_json(name: str, submission: Submission | None) -> dict[str, Any]:
    if submission is None:
        return {"manifestId": name, "version": None, "status": "unknown", "active": None}
    return {
        "manifestId": name,
        "version": submission.version,
        "status": str(submission.status),
        "digest": submission.digest,
        "active": submission.active.to_json() if submission.active is not None else None,
        "submissionId": submission.submission_id,
        "submittedAt": submission.submitted_at,
        "updatedAt": submission.updated_at,
        "traceId": submission.trace_id,
        "validation": submission.validation.to_json(),
    }


@verb(flags=(*SERVER, "timeout"))
def list_manifests(run: Run) -> None:
    """List every manifest that the API knows."""
    from reinmaker_cli.cli.access import open_run_api
    from reinmaker_cli.client import preflight
    from reinmaker_cli.client.api import new_trace_id
    from reinmaker_cli.client.patience import Patience

    with open_run_api(run) as api:
        found = preflight.list_manifests(
            api, patience=Patience(run.settings.timeout, world=run.world), trace_id=new_trace_id()
        )
    if found is None:
        raise ServerUnreachable(
            "the server has no listing",
            code=codes.ANSWER_UNUSABLE,
            hint="ask for one manifest: `reinmaker status ID`",
        )
    items = sorted(found.values(), key=lambda item: item.manifest_id)
    run.output.add(manifests=[item.to_json() for item in items])
    run.output.ids(item.manifest_id for item in items)
    run.output.table(
        [
            [
                item.manifest_id,
                item.active.version if item.active is not None else "-",
                item.newest.version,
                styled(item.newest.status),
            ]
            for item in items
        ],
        head=("manifest", "active", "newest", "status"),
    )
    run.output.note(counted(len(items), "manifest"))


@verb(flags=tuple(flag for flag in SERVER if flag != "no_input"))
def health(run: Run) -> None:
    """Ask whether the API is up. Exit 7 where it is not. Needs no credentials."""
    from reinmaker_cli.cli.access import ca_file, trace_log
    from reinmaker_cli.client.api import new_trace_id, open_api

    with open_api(run.environment, None, ca_file=ca_file(run), trace=trace_log(run)) as api:
        answer = api.health(trace_id=new_trace_id())
    run.output.add(health=answer.to_json())
    run.output.ids([answer.status])
    run.output.data(f"{run.environment.api_url}: {answer.status}, version {answer.version}, {answer.time}")
    for name, value in (answer.checks or {}).items():
        run.output.data(f"  {name}: {_check_text(value)}")
    if answer.status == "failing":
        raise ServerUnreachable(
            f"the server says that it is failing: `{run.environment.api_url}`",
            code=codes.SERVER_FAILED,
            hint=codes.SERVER_FAILED.cure,
        )


def _check_text(check: Any) -> str:
    """Return a health check in words: `ok, writeMs 1.6`."""
    if not isinstance(check, Mapping):
        return str(check)
    said = {name: "yes" if value is True else "no" if value is False else value for name, value in check.items()}
    known = ((name, value) for name, value in said.items() if value is not None)
    return ", ".join(str(value) if name == "status" else f"{name} {value}" for name, value in known)
