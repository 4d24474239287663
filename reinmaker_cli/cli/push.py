"""`reinmaker push`: the assets to where their URLs say."""

from __future__ import annotations

from typing import Annotated

import typer

from reinmaker_cli.cli.findings import require_clean
from reinmaker_cli.cli.options import Allow, FoldersOrManifests, KeepGoing, Map, Only, Root, parse_maps
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.verbs import HASHING, TALK, verb
from reinmaker_cli.contract.findings import Finding, count_errors
from reinmaker_cli.settings import PROJECT_FLAGS


@verb(flags=(*PROJECT_FLAGS, *HASHING, "trust_cache", "env", "data", "ca_file", "deadline", *TALK))
def push(
    run: Run,
    paths: FoldersOrManifests = None,
    root: Root = None,
    only: Only = None,
    allow: Allow = None,
    map_: Map = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask what is there, and send nothing.")] = False,
    keep_going: KeepGoing = False,
) -> None:
    """Upload the assets to where their URLs say: what is missing there, and never over what is there.

    Each store's own credentials are used: variables, profile, or the role of the machine. Can be run again at any time:
    what is there with the same bytes is passed over, other bytes under a URL are a finding.
    """
    from reinmaker_cli.cli.pushing import Pushing, interrupted, plan_uploads, show_uploads, upload_json
    from reinmaker_cli.cli.wanted import load_wanted, require_root, tell_of

    maps = parse_maps(map_)
    require_root(run, paths or [], root, "push", "an upload")
    wanted = load_wanted(run, paths or [], root=root, only=only or [], allow=allow or [])
    wanted, plan = plan_uploads(wanted, maps, allow or [])
    stats = tell_of(run, wanted)
    pushing = Pushing(run, plan, keep_going=keep_going, dry_run=dry_run)
    run.output.add(results=[upload_json(upload, "unsent") for upload in plan.uploads], stats=stats | pushing.stats())
    if not keep_going:
        require_clean(wanted.findings, "; nothing was uploaded")
    broken = wanted.broken()
    try:
        ids = [item.manifest_id for item in wanted.items if item.manifest_id not in broken]
        pushing.put_assets(ids, run.settings.deadline)
    except KeyboardInterrupt as signal:
        raise interrupted() from signal
    finally:
        findings: list[Finding] = []
        if (report := pushing.report) is not None:
            findings = [finding for _, finding in report.findings]
            results = [upload_json(upload, state) for upload, state in report.states.items()]
            run.output.add(results=results, stats=stats | pushing.stats())
            run.output.findings(findings, wanted.only_root)
            show_uploads(run, report)
    if report is not None and report.error is not None:
        raise report.error
    require_clean([*wanted.findings, *findings] if count_errors(wanted.findings) else findings)
    if not dry_run:
        run.output.note(f"next: `{run.again('publish')}`")
