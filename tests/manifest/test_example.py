"""The lesson under examples/ is what its script writes, and nothing is wrong with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reinmaker_cli.assets.project import load_project
from reinmaker_cli.assets.scan import scan_folder
from reinmaker_cli.contract.validation import check_manifest
from reinmaker_cli.manifest.assemble import assemble

EXAMPLES = Path(__file__).parents[2] / "examples"
LESSON = EXAMPLES / "first-lesson"


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_script_writes_the_same_bytes_again(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-I", EXAMPLES / "make_first_lesson.py", tmp_path], check=True)
    committed = files_below(LESSON)
    del committed["reinmaker.toml"]
    assert files_below(tmp_path) == committed
    assert sum(map(len, committed.values())) < 100_000


def test_the_lesson_gives_six_clean_manifests_of_four_assets() -> None:
    project = load_project(LESSON)
    scan = scan_folder(project)
    assert scan.findings == ()
    assembly = assemble(scan, project, environment="local")
    assert assembly.findings == () and len(assembly.drafts) == 6
    for draft in assembly.drafts:
        assert [asset.type for asset in draft.assets] == ["animation", "audio", "audio", "overlay"]
        assert check_manifest(draft.at("2026.11.23").document).findings == ()


@pytest.mark.parametrize(
    ("path", "metadata"),
    [
        ("audio/2-5-welcome-en.wav", {"durationMs": 250, "phase": "welcome"}),
        ("overlays/6-12-title-fr.png", {"resolution": "48x27", "safeZone": "16:9"}),
    ],
)
def test_the_files_are_valid_enough_to_say_their_size_and_duration(path: str, metadata: dict[str, object]) -> None:
    scan = scan_folder(load_project(LESSON))
    found = next(asset.metadata for asset in scan.assets if asset.path == path)
    assert metadata.items() <= found.items()
