"""Receipts of a publication, written as files."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reinmaker_cli import __version__
from reinmaker_cli.cli.files import is_one_file, make_folder, write_result
from reinmaker_cli.errors import ReinmakerError
from reinmaker_cli.manifest.document import load_document
from reinmaker_cli.manifest.receipt import is_receipt_of, make_receipt, receipt_bytes

if TYPE_CHECKING:
    from reinmaker_cli.contract.models import Submission
    from reinmaker_cli.manifest.document import Manifest

GIT_LIMIT_S = 5.0  # a repository on a network drive must not hold a publication up


class Receipts:
    """The receipts of one publication, each written as soon as its verdict is known."""

    def __init__(
        self,
        target: str,
        *,
        several: bool,
        roots: Mapping[str, Path],
        environment: str,
        api_url: str,
        started_at: datetime,
    ) -> None:
        """`several`: the target is a folder, also where only one of the manifests gets a receipt."""
        self._target, self._roots = target, roots
        self._is_one_file = is_one_file(target, 2 if several else 1)
        self._environment, self._api_url, self._started_at = environment, api_url, started_at
        self._commits: dict[Path | None, str | None] = {}
        self.written = self.kept = 0

    def keep(self, manifest: Manifest) -> bool:
        """Return whether its receipt is there from an earlier run, of the same content at the same place."""
        try:
            receipt = load_document(self._file(manifest))
        except ReinmakerError:  # not there, or not readable: it is written anew
            return False
        is_kept = is_receipt_of(receipt, manifest, environment=self._environment, api_url=self._api_url)
        self.kept += is_kept
        return is_kept

    def write(self, manifest: Manifest, submission: Submission) -> None:
        """Write the receipt of a manifest that is active."""
        root = self._roots.get(manifest.manifest_id)
        if root not in self._commits:
            self._commits[root] = git_commit(root or Path())
        receipt = make_receipt(
            manifest,
            submission,
            environment=self._environment,
            api_url=self._api_url,
            trace_ids=[submission.trace_id],
            started_at=self._started_at,
            finished_at=datetime.now(UTC),
            git_commit=self._commits[root],
            tool_version=__version__,
        )
        write_result(self._file(manifest), receipt_bytes(receipt))
        self.written += 1

    def _file(self, manifest: Manifest) -> Path:
        path = Path(self._target)
        return path if self._is_one_file else path / f"{manifest.manifest_id}.receipt.json"


def prepare_target(target: str, manifests: int, instead: Callable[[str, str], str]) -> None:
    """Make sure, before anything is sent, that the receipts will have a place. Raises UsageError."""
    path = Path(target)
    make_folder(path.parent if is_one_file(target, manifests, instead) else path)


def git_commit(folder: Path) -> str | None:
    """Return the commit that is checked out where the assets lie; None without git or outside a repository."""
    try:
        asked = subprocess.run(  # nosec B603 B607  # the user's own git, and no word from outside
            ["git", "rev-parse", "--verify", "HEAD"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # git's words about a path need not be text
            timeout=GIT_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.decode("ascii").strip() if asked.returncode == 0 else None
