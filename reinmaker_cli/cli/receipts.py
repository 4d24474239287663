"""Receipts of a publication, written as files."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reinmaker_cli import __version__
from reinmaker_cli.cli.files import is_one_file, make_folder, write_result
from reinmaker_cli.manifest.receipt import make_receipt, receipt_bytes

if TYPE_CHECKING:
    from reinmaker_cli.contract.models import Submission
    from reinmaker_cli.manifest.document import Manifest

GIT_LIMIT_S = 5.0  # a repository on a network drive must not hold a publication up


def write_receipts(
    target: str,
    published: list[tuple[Manifest, Submission]],
    roots: Mapping[str, Path],
    *,
    environment: str,
    api_url: str,
    started_at: datetime,
) -> list[Path]:
    """Write one receipt for each manifest that is active, and return the files."""
    finished_at = datetime.now(UTC)
    files = _files(target, [manifest.manifest_id for manifest, _ in published])
    commits: dict[Path | None, str | None] = {}
    for (manifest, submission), file in zip(published, files, strict=True):
        root = roots.get(manifest.manifest_id)
        if root not in commits:
            commits[root] = git_commit(root or Path())
        receipt = make_receipt(
            manifest,
            submission,
            environment=environment,
            api_url=api_url,
            trace_ids=[submission.trace_id],
            started_at=started_at,
            finished_at=finished_at,
            git_commit=commits[root],
            tool_version=__version__,
        )
        write_result(file, receipt_bytes(receipt))
    return files


def prepare_target(target: str, manifests: int, instead: Callable[[str, str], str]) -> None:
    """Make sure, before anything is sent, that the receipts will have a place. Raises UsageError."""
    path = Path(target)
    make_folder(path.parent if is_one_file(target, manifests, instead) else path)


def git_commit(folder: Path) -> str | None:
    """Return the commit that is checked out where the assets lie; None without git or outside a repository."""
    try:
        asked = subprocess.run(  # nosec B603 B607: the user's own git, and no word from outside
            ["git", "rev-parse", "--verify", "HEAD"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=GIT_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


def _files(target: str, ids: list[str]) -> list[Path]:
    path = Path(target)
    if is_one_file(target, len(ids)):
        return [path]
    return [path / f"{manifest_id}.receipt.json" for manifest_id in ids]
