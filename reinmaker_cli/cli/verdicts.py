"""A publication in words: what happens while it happens, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from reinmaker_cli.cli.output import Output
from reinmaker_cli.cli.pictures import Branch, tree_lines
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import Cell, Styled, counted, human_size
from reinmaker_cli.cli.times import duration_text

if TYPE_CHECKING:
    from reinmaker_cli.client.events import Event
    from reinmaker_cli.client.report import PublishResult, Report
    from reinmaker_cli.contract.models import TokenAnswer

MAX_BRANCHES = 60  # a longer tree is no picture any more
MAX_LEAVES = 12

_GOOD = frozenset({"active", "unchanged"})
_OPEN = frozenset({"pending", "skipped", "interrupted"})

FEW = 50
"""Manifests, up to which each has its own lines. Of more, what goes well is counted, and what does not is shown."""
MAX_TOLD = 100  # of what went wrong with manifests: more than anyone reads; `--json` has all


class Narrator:
    """Takes the events of a publication: a line for people, a line of JSON for `--events`."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._to_push = (0, 0)
        self._pushed = (0, 0)
        self._tell = output.note

    def __call__(self, event: Event) -> None:
        """Say one event."""
        from reinmaker_cli.client import events

        fields = event.to_json()
        self._output.event(fields.pop("event"), **fields)
        if isinstance(event, events.Concluded) and not self._is_of_many:
            self._output.stop_progress()
        match event:
            case events.PreflightStarted(manifests=number):
                self._tell = self._output.note if number <= FEW else self._output.verbose
                self._output.note(f"compare   {counted(number, 'manifest')} with what the server has")
            case events.Estimated(requests=number, seconds=seconds):
                self._output.note(
                    f"estimate  {number:,} {event.what}: at least {duration_text(seconds)}, by the server's limits"
                )
            case events.Submitting(manifest_id=name, version=version, size_bytes=size, attempt=attempt):
                # The verdict says as much a moment later; what was tried before is worth a line of its own.
                again, say = (f", try {attempt}", self._output.note) if attempt > 1 else ("", self._output.verbose)
                say(f"submit    {name} {version} ({human_size(size)}{again})")
                self._doing(f"waiting for the answer on {name} {version}")
            case events.Submitted(manifest_id=name, version=version, status=status, reconciled=reconciled):
                how = "; its answer was lost, and read back" if reconciled else ""
                self._output.verbose(f"accepted  {name} {version}: {status}{how}")
            case events.AnswerLost(manifest_id=name, version=version, reason=reason):
                self._output.note(f"lost      the answer for {name} {version} ({reason}); asking what became of it")
            case events.VersionTaken(manifest_id=name, version=version, next_version=following, replaces=replaces):
                what = f", which replaces {replaces}" if replaces else ""
                self._output.note(f"taken     {name} {version} by somebody else; going on as {following}{what}")
            case events.Waiting(manifest_id=name, version=version, status=status):
                self._doing(f"waiting for the verdict on {name} {version}: {status}")
            case events.Limited(seconds=seconds):
                self._output.note(f"limited   the server asks to wait {seconds:.0f} s")
            case events.Concluded(outcome="unchanged"):  # nothing happened; the report below has it
                self._output.verbose((f"verdict   {event.manifest_id} {event.version}: ", styled(event.outcome)))
            case events.Concluded() if event.outcome in _GOOD | {"rejected"}:
                read = f"; {counted(event.hashed, 'asset')} hashed, from {event.source}" if event.hashed else ""
                say = self._tell if event.outcome in _GOOD else self._output.note
                say((f"verdict   {event.manifest_id} {event.version}: ", styled(event.outcome), read))
            case events.Looked(missing=number, missing_bytes=size, present=there):
                self._to_push = number, size
                self._output.verbose(f"look      {counted(number, 'object')} missing in the store, {there:,} there")
            case events.Pushed(path=path, url=url, bytes=size):
                self._output.verbose(f"uploaded  {path} to {url}")
                self._pushed = self._pushed[0] + 1, self._pushed[1] + size
                self._output.progress.uploading(self._pushed[0], self._to_push[0], self._pushed[1], self._to_push[1])
            case _:
                pass

    @property
    def _is_of_many(self) -> bool:
        return self._tell != self._output.note

    def _doing(self, text: str) -> None:
        if not self._is_of_many:
            self._output.progress.doing(text)

    def token(self, client_id: str, answer: TokenAnswer) -> None:
        """Say that a token was fetched; never the token."""
        fields = {"clientId": client_id, "scope": answer.scope, "expiresIn": answer.expires_in}
        self._output.event("token", **fields)
        life = f", for {answer.expires_in} s" if answer.expires_in else ""
        self._output.note(f"token     {client_id}: {answer.scope or 'scope not said'}{life}")


def styled(outcome: str) -> Styled:
    """Return an outcome or status in its colour; the word itself says it all."""
    return Styled("green" if outcome in _GOOD else "yellow" if outcome in _OPEN else "red", outcome)


def show_report(
    run: Run, report: Report, *, dry_run: bool, files: Mapping[str, Mapping[str, str]] = MappingProxyType({})
) -> None:
    """Show what came of each manifest on stdout, what is wrong with it on stderr, and the trace ids to ask about.

    At a terminal it is a tree with what changes in each; `files` leads from manifest id and URL to a path. Of more than
    a few manifests only those are shown that are not through, or would change.
    """
    output, results = run.output, report.results
    output.findings(finding for result in results for finding in result.findings)
    is_many = len(results) > FEW
    shown = [one for one in results if not is_many or one.outcome not in _GOOD]
    if output.columns is not None and 0 < len(shown) <= MAX_BRANCHES:
        branches = [_branch(result, files.get(result.manifest_id, {}), dry_run=dry_run) for result in shown]
        output.data(*tree_lines(branches, output.columns))
    else:
        output.table(
            [_row(result, dry_run=dry_run) for result in shown],
            head=("outcome", "manifest", "version", "assets", "size", "changes", "to upload"),
            right=frozenset({3, 4, 6}),
        )
    if is_many:
        output.data(_summary(results, dry_run=dry_run))
    output.ids(result.manifest_id for result in results if result.outcome in _GOOD or _is_left_pending(result))
    failed = [result for result in results if result.error is not None]
    for result in failed[:MAX_TOLD]:
        if result.error is not None and result.error is not report.error:  # that one is said at the end
            output.error_of(result.manifest_id, result.error)
        if result.trace_id and _is_known_at_server(result):
            output.note(f"trace id of {result.manifest_id}: {result.trace_id}")
        _show_difference(output, result)
    if len(failed) > MAX_TOLD:
        output.note(f"and {counted(len(failed) - MAX_TOLD, 'manifest')} more; `--json` says what is wrong with each")
    if dry_run:
        output.note(
            "dry run: nothing was sent", f"next: `{run.without_flag('--dry-run')}`{_what_it_asks(run, results)}"
        )
    elif any(result.outcome == "pending" for result in results):
        output.note(f"next: `{run.again('status', '--wait', options=('only',))}`")


def _what_it_asks(run: Run, results: Sequence[PublishResult]) -> str:
    """Return what the publication will want a yes to, and did not in its dry run."""
    removed = sum(len(one.difference.removed) for one in results if one.difference is not None)
    return wants_yes(run, removed)


def wants_yes(run: Run, removed: int) -> str:
    """Return that a publication asks before it begins: for production, and before players lose assets."""
    from reinmaker_cli.cli.environments import is_production

    reasons = ["it is for players"] if is_production(run.environment) else []
    reasons += [f"{counted(removed, 'asset')} would go"] if removed else []
    return f"; it asks first, because {' and '.join(reasons)} (`--yes` answers)" if reasons else ""


def _summary(results: Sequence[PublishResult], *, dry_run: bool) -> str:
    """Return how many manifests came to which end, and in a dry run what there is to upload."""
    words = Counter("to publish" if _is_to_send(one, dry_run=dry_run) else one.outcome for one in results)
    text = f"{counted(len(results), 'manifest')}: {', '.join(f'{number:,} {word}' for word, number in words.items())}"
    new = sum(one.assets.new_bytes for one in results) if dry_run else 0
    return f"{text}; {human_size(new)} to upload" if new else text


def _is_known_at_server(result: PublishResult) -> bool:
    """Return whether there is something to ask about: not where nothing arrived, or the client was refused."""
    from reinmaker_cli.errors import AccessDenied

    error = result.error
    return result.submission is not None or (bool(error and error.trace_id) and not isinstance(error, AccessDenied))


def _is_left_pending(result: PublishResult) -> bool:
    """Return whether the server has it and its verdict was not to be awaited: --no-wait."""
    return result.outcome == "pending" and result.error is None


def _row(result: PublishResult, *, dry_run: bool) -> list[Cell]:
    return [
        styled("to publish" if _is_to_send(result, dry_run=dry_run) else result.outcome),
        result.manifest_id,
        result.version or "",
        counted(result.assets.count, "asset"),
        human_size(result.assets.bytes),
        _changes(result),
        human_size(result.assets.new_bytes) if dry_run and result.assets.new_bytes else "",
    ]


def _branch(result: PublishResult, files: Mapping[str, str], *, dry_run: bool) -> Branch:
    from reinmaker_cli.cli.diff import difference_branches

    outcome, name, version, count, _, changes, upload = _row(result, dry_run=dry_run)
    assert isinstance(outcome, Styled)
    about = ", ".join(str(part) for part in (version, count, changes, upload and f"{upload} to upload") if part)
    is_shown = result.difference is not None and result.outcome != "conflict"  # a conflict is told on stderr
    below = difference_branches(result.difference, files, most=MAX_LEAVES) if is_shown and result.difference else ()
    label = Styled(outcome.style, f"{outcome.text:<10}  {name}")
    return Branch(label, result.assets.bytes, (Branch(about), *below))


def _is_to_send(result: PublishResult, *, dry_run: bool) -> bool:
    return dry_run and result.outcome == "skipped" and result.finished


def _changes(result: PublishResult) -> str:
    """Return `+1 ~2 -3`: added, changed and removed assets; empty where nothing is compared."""
    counts = (("+", result.assets.added), ("~", result.assets.changed), ("-", result.assets.removed))
    return " ".join(f"{sign}{number}" for sign, number in counts if number)


def _show_difference(output: Output, result: PublishResult) -> None:
    """Show what differs where a version exists with other content."""
    if result.outcome != "conflict" or result.difference is None:
        return
    from reinmaker_cli.cli.diff import difference_lines

    output.note(*difference_lines(result.difference))
