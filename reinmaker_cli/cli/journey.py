"""One publication from the words of the command line to its report: `publish` and `rehearse` differ in the server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reinmaker_cli.cli.environments import is_production
from reinmaker_cli.cli.findings import require_clean
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import counted
from reinmaker_cli.cli.verdicts import Narrator, show_report
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding, count_errors
from reinmaker_cli.errors import Interrupted, PartlyDone, UsageError

if TYPE_CHECKING:
    from reinmaker_cli.cli.pushing import Pushing
    from reinmaker_cli.cli.wanted import Wanted
    from reinmaker_cli.client.api import Api
    from reinmaker_cli.client.local import LocalControl
    from reinmaker_cli.client.report import PublishResult, Report
    from reinmaker_cli.contract.models import Submission
    from reinmaker_cli.manifest.assemble import Draft, Manifest
    from reinmaker_cli.manifest.diff import Difference

MAX_REMOVED_NAMED = 5  # in the question; `diff` has all


@dataclass(frozen=True)
class Server:
    """Where a publication goes."""

    api: Api
    control: LocalControl | None
    """For a local server: where the client says the bytes lie."""
    name: str
    url: str


class Journey:
    """One publication from the words of the command line to its report."""

    def __init__(
        self,
        run: Run,
        receipt: str | None,
        *,
        keep_going: bool = False,
        yes: bool = False,
        dry_run: bool = False,
        push_to: Sequence[tuple[str, Path]] | None = None,
    ) -> None:
        """`push_to`: put the assets where their URLs say, with the folders of --map; None: somebody else does."""
        self._run, self._output = run, run.output
        self._push_to = push_to
        self._pushing: Pushing | None = None
        self._receipt, self._keep_going, self._yes, self._dry_run = receipt, keep_going, yes, dry_run
        self._started_at = datetime.now(UTC)

    def load(
        self,
        paths: list[Path] | None,
        root: Path | None,
        only: list[str] | None,
        allow: list[str] | None,
        *,
        as_new_version: bool,
    ) -> Wanted:
        """Build and check everything; the command ends here unless all is clean, or --keep-going."""
        from reinmaker_cli.cli.receipts import prepare_target
        from reinmaker_cli.cli.wanted import load_wanted, tell_of

        self._allowed = frozenset(allow or ())
        wanted = load_wanted(
            self._run, paths or [], root=root, only=only or [], allow=allow or [], as_new_version=as_new_version
        )
        if self._push_to is not None:
            from reinmaker_cli.cli.pushing import Pushing, plan_uploads

            wanted, plan = plan_uploads(wanted, self._push_to, allow or [])
            self._pushing = Pushing(self._run, plan, keep_going=self._keep_going, dry_run=self._dry_run)
        self._stats = tell_of(self._run, wanted)
        self._output.add(results=[], stats=self._stats)
        if not wanted.is_clean and not self._keep_going:
            self._output.add(results=[one.to_json() for one in _unsent(wanted.items, wanted)])
            require_clean(wanted.findings, "; nothing was sent")
        self._output.note(f"build     {counted(len(wanted.items), 'manifest')}, all checked")
        if self._receipt is not None:
            prepare_target(self._receipt, len(wanted.items), self._run.instead)
        return wanted

    def ask_before_production(self, wanted: Wanted) -> None:
        """Ask a person for a yes; without one, --yes is required."""
        if not is_production(self._run.environment) or self._yes or self._dry_run:
            return
        what = f"{counted(len(wanted.items), 'manifest')} to {self._run.environment.api_url}"
        if not self._run.may_ask:
            raise UsageError(
                f"publishing {what} needs a yes",
                code=codes.CONFIRMATION_NEEDED,
                hint=f"if it is meant: `{self._run.with_option('--yes')}`",
            )
        if not self._run.confirm(f"publish {what}?"):
            raise UsageError("nothing was sent", code=codes.DECLINED, hint=codes.DECLINED.cure)

    def go(self, wanted: Wanted, server: Server, *, wait: bool = True) -> None:
        """Publish, say what came of it, write the receipts; raise what stopped it."""
        report = self._publish(wanted, server, wait=wait)
        document = report.to_json()
        uploaded = {} if self._pushing is None else self._pushing.stats()
        stats = {**self._stats, **uploaded, **document["stats"]}
        self._output.add(results=document["results"], stats=stats)
        files = {item.manifest_id: item.files for item in wanted.items}
        show_report(self._run, report, dry_run=self._dry_run, files=files)
        self._write_receipts(report, wanted, server)
        self._output.add(stats={**stats, "requests": server.api.requests})
        self._say_what_was_not_checked(report, server)
        _raise_what_stopped(report, wanted)

    def _publish(self, wanted: Wanted, server: Server, *, wait: bool) -> Report:
        """Publish what is clean, and return what came of all of it."""
        from reinmaker_cli.client.publish import Options, Surroundings
        from reinmaker_cli.client.publish import publish as publish_all

        settings = self._run.settings
        options = Options(
            today=self._started_at.date(),
            timeout_s=settings.timeout,
            deadline_s=settings.deadline,
            wait=wait,
            dry_run=self._dry_run,
            keep_going=self._keep_going,
        )
        broken = wanted.broken()
        report = publish_all(
            [item for item in wanted.items if item.manifest_id not in broken],
            server.api,
            options,
            Surroundings(
                on_event=Narrator(self._output),
                register=lambda manifest: self._register(manifest, wanted, server),
                put_assets=None if self._pushing is None else self._pushing.put_assets,
                confirm_removed=self._confirm_removed,
                world=self._run.world,
            ),
        )
        unsent = _unsent([item for item in wanted.items if item.manifest_id in broken], wanted)
        return replace(report, results=(*(_placed(one, wanted) for one in report.results), *unsent))

    def _register(self, manifest: Manifest, wanted: Wanted, server: Server) -> None:
        root = wanted.roots.get(manifest.manifest_id)
        if server.control is not None and root is not None:
            server.control.register_sources(manifest.manifest_id, manifest.version, root, manifest.files)

    def _confirm_removed(self, differences: Mapping[str, Difference]) -> bool:
        if self._yes or self._dry_run or codes.ASSETS_REMOVED in self._allowed:
            return True
        removed = [f"{asset.id} ({name})" for name, difference in differences.items() for asset in difference.removed]
        names = ", ".join(removed[:MAX_REMOVED_NAMED])
        more = f" and {len(removed) - MAX_REMOVED_NAMED:,} more" if len(removed) > MAX_REMOVED_NAMED else ""
        manifests = counted(len(differences), "manifest")
        if not self._run.may_ask:
            raise UsageError(
                f"{counted(len(removed), 'asset')} that players have would go from {manifests}: {names}{more}",
                code=codes.CONFIRMATION_NEEDED,
                hint=f"look with `{self._run.again('diff', options=('only',))}`;"
                f" if it is meant: `{self._run.with_option('--yes')}`",
            )
        return self._run.confirm(
            f"{counted(len(removed), 'asset')} that players have would go: {names}{more}\npublish {manifests} without?"
        )

    def _write_receipts(self, report: Report, wanted: Wanted, server: Server) -> None:
        """Write a receipt for whatever is active; one that is there from an earlier run is kept.

        Where nothing was sent, or the verdict was found in the listing, the server is asked for it: not after a signal.
        """
        if self._receipt is None:
            return
        from reinmaker_cli.cli.receipts import Receipts

        receipts = Receipts(
            self._receipt,
            several=len(wanted.items) > 1,
            roots=wanted.roots,
            environment=server.name,
            api_url=server.url,
            started_at=self._started_at,
        )
        unknown: list[tuple[Manifest, PublishResult]] = []
        for manifest, result in _active(report, wanted):
            if result.submission is not None and _is_told_of(result):
                receipts.write(manifest, result.submission)
            elif report.signal_number is None and not receipts.keep(manifest):
                unknown.append((manifest, result))
        for number, (manifest, result) in enumerate(unknown):
            self._output.progress.doing(f"verdicts for receipts: {number:,} of {len(unknown):,}")
            submission = self._ask_again(result, server)
            if submission is not None:
                receipts.write(manifest, submission)
        self._output.stop_progress()
        if not receipts.written and not receipts.kept:
            self._output.note("receipt   none: nothing is active")
            return
        kept = f", and {receipts.kept:,} from an earlier run" if receipts.kept else ""
        self._output.note(f"receipt   {counted(receipts.written, 'file')}{kept}: {self._receipt}")

    def _ask_again(self, result: PublishResult, server: Server) -> Submission | None:
        from reinmaker_cli.client.patience import Patience

        assert result.version is not None
        version, patience = result.version, Patience(self._run.settings.timeout, world=self._run.world)
        return patience.ask(lambda: server.api.submission(result.manifest_id, version, trace_id=result.trace_id))

    def _say_what_was_not_checked(self, report: Report, server: Server) -> None:
        from reinmaker_cli.client.environment import stays_here

        active = [result for result in report.results if result.outcome == "active" and _is_told_of(result)]
        unread = sum(result.assets.count - _hashed(result) for result in active)
        if server.control is not None and active:
            self._output.note(
                "not checked: whether the assets' URLs serve these bytes; the local files were read instead"
            )
        elif unread > 0:
            self._output.note(f"not checked: the bytes of {counted(unread, 'asset')}, which the server could not read")
            if stays_here(server.url):
                self._output.note("a server of your own reads them with `reinmaker serve --map URL_PREFIX=DIR`")


def _active(report: Report, wanted: Wanted) -> Iterator[tuple[Manifest, PublishResult]]:
    """Yield the manifests that are active, with their results."""
    from reinmaker_cli.manifest.assemble import Draft

    items = {item.manifest_id: item for item in wanted.items}
    for result in report.results:
        if result.status == "active" and result.version is not None:
            item = items[result.manifest_id]
            yield item.at(result.version) if isinstance(item, Draft) else item, result


def _is_told_of(result: PublishResult) -> bool:
    """Return whether the server said how it came to its verdict: not where that was found in the listing."""
    return result.submission is not None and result.submission.status.is_final


def _raise_what_stopped(report: Report, wanted: Wanted) -> None:
    if report.signal_number is not None:
        raise Interrupted(
            "interrupted", code=codes.INTERRUPTED, hint=codes.INTERRUPTED.cure, signal_number=report.signal_number
        )
    if report.error is not None:
        raise report.error
    if not wanted.is_clean:  # --keep-going, and a folder of which there is not even a manifest
        raise PartlyDone(
            f"{counted(count_errors(wanted.findings), 'problem')} in folders that gave no manifest",
            code=codes.PARTLY_DONE,
            hint=codes.PARTLY_DONE.cure,
        )


def _placed(result: PublishResult, wanted: Wanted) -> PublishResult:
    """Return the result with the folder in the paths of what the server found, where there are several."""
    from reinmaker_cli.cli.folders import judged

    root = wanted.roots.get(result.manifest_id)
    if wanted.only_root is not None or root is None:
        return result
    return replace(result, findings=judged(result.findings, root.as_posix(), frozenset()))


def _hashed(result: PublishResult) -> int:
    """Return how many assets the server read for its verdict."""
    checks = result.submission.validation.checks if result.submission is not None else ()
    return next((check.checked for check in checks if check.name == "asset-hash"), 0)


def _unsent(items: Sequence[Draft | Manifest], wanted: Wanted) -> list[PublishResult]:
    """Return the results of manifests that are not sent, because of their findings or those of others."""
    from reinmaker_cli.client.ledger import unsent_result

    found: defaultdict[str | None, list[Finding]] = defaultdict(list)
    for finding in wanted.findings:
        found[finding.manifest_id].append(finding)
    broken = wanted.broken()
    return [unsent_result(item, found[item.manifest_id], is_broken=item.manifest_id in broken) for item in items]
