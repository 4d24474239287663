"""`reinmaker verify`: are these still the bytes of a receipt or a manifest?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.text import Styled, counted
from reinmaker_cli.cli.verbs import TALK, verb
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.findings import Finding
from reinmaker_cli.errors import ContentDiffers, ContentInvalid, UsageError


@verb(flags=TALK)
def verify(
    run: Run,
    documents: Annotated[
        list[Path], typer.Argument(metavar="MANIFEST|RECEIPT...", help="Files, or folders full of them.")
    ],
    root: Annotated[Path, typer.Option("--root", metavar="DIR", help="The folder of the assets.")] = Path(),
) -> None:
    """Compare a folder with a receipt or a manifest. Exit 9 where a file changed, is missing, was added or swapped."""
    from reinmaker_cli.assets.project import PROJECT_FILE, load_project

    if not root.is_dir():
        missing = codes.NOT_A_FOLDER if root.exists() else codes.FOLDER_NOT_FOUND
        raise UsageError(f"{missing.summary}: `{root}`", code=missing, hint="name the folder with --root")
    project = load_project(root) if (root / PROJECT_FILE).is_file() else None
    files = _files_of(documents)
    results: list[dict[str, Any]] = []
    findings: list[Finding] = []
    for file in files:
        drift = _drift(file, root, project)
        findings += [replace(finding, manifest_id=file.as_posix()) for finding in drift]
        results.append({"file": file.as_posix(), "same": not drift})
        run.output.data((Styled("bold", str(file)), f": {'differs' if drift else 'the same bytes'}"))
    run.output.findings(findings, root)
    run.output.add(results=results)
    run.output.ids(row["file"] for row in results if not row["same"])
    if findings:
        raise ContentDiffers(
            f"{counted(len(findings), 'file')} in `{root}` {'is' if len(findings) == 1 else 'are'} not as published",
            code=codes.CONTENT_DIFFERS,
            hint="restore the files, publish what is there now, or name their folder with --root",
        )


def _files_of(documents: list[Path]) -> list[Path]:
    files: list[Path] = []
    for path in documents:
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(path.glob("*.json"))
        if not found:
            raise UsageError(
                f"no receipts and no manifests in `{path}`",
                code=codes.RECEIPT_INVALID,
                hint=codes.RECEIPT_INVALID.cure,
            )
        files += found
    return files


def _drift(file: Path, root: Path, project: Any) -> tuple[Finding, ...]:
    from reinmaker_cli.manifest.document import load_document
    from reinmaker_cli.manifest.verify import verify_folder

    document = load_document(file)
    if not isinstance(document, dict):
        raise ContentInvalid(
            f"neither a receipt nor a manifest: `{file}`",
            code=codes.RECEIPT_INVALID,
            hint=codes.RECEIPT_INVALID.cure,
        )
    return verify_folder(document, root, project)
