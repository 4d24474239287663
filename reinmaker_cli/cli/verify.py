"""`reinmaker verify`: are these still the bytes of a receipt or a manifest?"""

from __future__ import annotations

import os
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
    from reinmaker_cli.manifest.verify import verify_documents

    if not root.is_dir():
        missing = codes.NOT_A_FOLDER if root.exists() else codes.FOLDER_NOT_FOUND
        raise UsageError(f"{missing.summary}: `{root}`", code=missing, hint="name the folder with --root")
    project = load_project(root) if (root / PROJECT_FILE).is_file() else None
    loaded = {file: _load(file) for file in _files_of(documents)}
    for file, document in loaded.items():
        _require_some_file(run, file, document, root)
    results: list[dict[str, Any]] = []
    findings: list[Finding] = []
    for file, drift in zip(loaded, verify_documents(list(loaded.values()), root, project), strict=True):
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


def _load(file: Path) -> dict[str, Any]:
    from reinmaker_cli.manifest.document import load_document

    document = load_document(file)
    if not isinstance(document, dict):
        raise ContentInvalid(
            f"neither a receipt nor a manifest: `{file}`",
            code=codes.RECEIPT_INVALID,
            hint=codes.RECEIPT_INVALID.cure,
        )
    return document


def _require_some_file(run: Run, file: Path, document: dict[str, Any], root: Path) -> None:
    """Raise ContentDiffers where none of a receipt's files is there: a wrong folder, and maybe a huge one."""
    from reinmaker_cli.manifest.receipt import is_receipt, subjects
    from reinmaker_cli.manifest.verify import names_files

    if not is_receipt(document):
        return
    published = subjects(document)
    if names_files(published) and not any(os.path.lexists(root / name) for name in published):
        raise ContentDiffers(
            f"none of the {counted(len(published), 'file')} of `{file}` is in `{root}`",
            code=codes.CONTENT_DIFFERS,
            hint=f"name their folder: `{run.with_option('--root', 'DIR')}`",
        )
