"""What a receipt takes from around it."""

from __future__ import annotations

import os
from pathlib import Path

from reinmaker_cli.cli.receipts import git_commit


def test_a_repository_that_git_refuses_in_no_utf_8_gives_no_commit(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    (folder / ".git").write_bytes(b"gitdir: nowhere\xe9\n")
    assert git_commit(folder) is None
