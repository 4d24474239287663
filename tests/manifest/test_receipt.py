"""A receipt says what was published, and a folder is held against it or against a manifest."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from reinmaker_cli.assets.own import own_document
from reinmaker_cli.assets.project import Project
from reinmaker_cli.assets.scan import scan_folder
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.models import Submission
from reinmaker_cli.errors import ContentInvalid
from reinmaker_cli.manifest.assemble import assemble
from reinmaker_cli.manifest.document import Manifest, manifest_from_document
from reinmaker_cli.manifest.receipt import is_receipt_of, make_receipt, receipt_bytes
from reinmaker_cli.manifest.verify import verify_documents, verify_folder
from tests.manifest.lessons import lesson_project, write_lesson


def first_manifest(project: Project) -> Manifest:
    return assemble(scan_folder(project), project, environment="local").drafts[0].at("2026.11.23")


def receipt_for(manifest: Manifest) -> dict[str, Any]:
    submission = Submission.model_validate(
        {
            "submissionId": "sub-1",
            "manifestId": manifest.manifest_id,
            "version": manifest.version,
            "digest": manifest.digest,
            "contentDigest": manifest.content_digest,
            "status": "active",
            "submittedAt": "2026-11-23T10:00:00Z",
            "updatedAt": "2026-11-23T10:00:01Z",
            "traceId": "t-1",
            "validation": {
                "checks": [{"name": "asset-hash", "status": "passed", "checked": 2, "failed": 0, "source": "folder"}]
            },
        }
    )
    return make_receipt(
        manifest,
        submission,
        environment="local",
        api_url="http://localhost:7040",
        trace_ids=["t-1", "t-2", "t-1"],
        started_at=datetime(2026, 11, 23, 11, 0, tzinfo=timezone(timedelta(hours=1))),
        finished_at=datetime(2026, 11, 23, 10, 0, 1, 250_000, tzinfo=UTC),
        git_commit="0" * 40,
        tool_version="1.0",
    )


@pytest.mark.parametrize("changed", ["nothing", "api_url", "environment", "version", "content", "files"])
def test_a_receipt_is_of_one_content_at_one_place(tmp_path: Path, changed: str) -> None:
    manifest = first_manifest(lesson_project(tmp_path))
    receipt = json.loads(receipt_bytes(receipt_for(manifest)))
    at = {"environment": "local", "api_url": "http://localhost:7040"}
    if changed in at:
        at[changed] += "0"
    document = {**manifest.document}
    if changed == "version":
        document["version"] = "2026.11.24"
    elif changed == "content":
        document["note"] = "other content"
    files = {} if changed == "files" else manifest.files
    assert is_receipt_of(receipt, manifest_from_document(document, files=files), **at) == (changed == "nothing")


def test_a_receipt_is_an_in_toto_statement_with_the_verdict_and_its_source(tmp_path: Path) -> None:
    manifest = first_manifest(lesson_project(tmp_path))
    receipt = json.loads(receipt_bytes(receipt_for(manifest)))
    assert receipt["_type"] == "https://in-toto.io/Statement/v1"
    assert receipt["predicateType"].startswith("https://")
    assert [subject["name"] for subject in receipt["subject"]] == ["2-5-main-en.txt", "2-5-welcome-en.txt"]
    assert receipt["subject"][0]["digest"] == {"sha256": manifest.document["assets"][0]["hash"]}
    predicate = receipt["predicate"]
    assert predicate["verdict"]["status"] == "active" and predicate["verdict"]["checks"][0]["source"] == "folder"
    assert (predicate["startedAt"], predicate["finishedAt"]) == ("2026-11-23T10:00:00.000Z", "2026-11-23T10:00:01.250Z")
    assert predicate["traceIds"] == ["t-1", "t-2"] and predicate["gitCommit"] == "0" * 40
    assert (predicate["digest"], predicate["environment"]) == (manifest.digest, "local")


def test_a_receipt_kept_in_the_folder_is_known_as_ours(tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    path.write_bytes(receipt_bytes(receipt_for(first_manifest(lesson_project(tmp_path / "lesson")))))
    assert own_document(bytes(path)) == "receipt of reinmaker"


def change(folder: Path) -> None:
    (folder / "2-5-main-en.txt").write_text("one byte more")


def remove(folder: Path) -> None:
    (folder / "2-5-main-en.txt").unlink()


def add(folder: Path) -> None:
    (folder / "2-5-bonus-en.txt").write_text("new")


def swap(folder: Path) -> None:
    one, other = folder / "2-5-main-en.txt", folder / "2-5-welcome-en.txt"
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def rename(folder: Path) -> None:
    (folder / "2-5-main-en.txt").rename(folder / "2-5-bonus-en.txt")


def empty(folder: Path) -> None:
    (folder / "2-5-main-en.txt").write_bytes(b"")


def touch_other_manifest(folder: Path) -> None:
    (folder / "6-12-main-fr.txt").write_text("another manifest's business")
    (folder / "6-12-bonus-fr.txt").write_text("too")


def add_what_no_rule_knows(folder: Path) -> None:
    (folder / "2-5-welcome-de.txt").write_text("new")


BY_NAME = [
    (add_what_no_rule_knows, ["added: `2-5-welcome-de.txt`"]),
    (touch_other_manifest, []),
    (change, ["changed: `2-5-main-en.txt`"]),
    (empty, ["changed: `2-5-main-en.txt`"]),
    (add, ["added: `2-5-bonus-en.txt`"]),
    (
        swap,
        [
            "swapped: `2-5-main-en.txt` holds the bytes of `2-5-welcome-en.txt`",
            "swapped: `2-5-welcome-en.txt` holds the bytes of `2-5-main-en.txt`",
        ],
    ),
]


@pytest.mark.parametrize(
    ("alter", "facts"),
    [
        *BY_NAME,
        (remove, ["missing: `2-5-main-en.txt`"]),
        (rename, ["added: `2-5-bonus-en.txt`", "missing: `2-5-main-en.txt`; its bytes are in `2-5-bonus-en.txt`"]),
    ],
)
def test_a_receipt_finds_what_became_of_each_file(
    tmp_path: Path, alter: Callable[[Path], None], facts: list[str]
) -> None:
    project = lesson_project(tmp_path)
    receipt = receipt_for(first_manifest(project))
    assert verify_folder(receipt, tmp_path, project) == ()
    alter(tmp_path)
    findings = verify_folder(receipt, tmp_path, project)
    assert [finding.message for finding in findings] == facts
    assert {finding.code for finding in findings} <= {codes.DRIFT}


@pytest.mark.parametrize(("alter", "facts"), [*BY_NAME, (remove, ["missing: `2-5-main-en-txt`"])])
def test_a_manifest_with_the_folders_project_is_compared_by_ids(
    tmp_path: Path, alter: Callable[[Path], None], facts: list[str]
) -> None:
    project = lesson_project(tmp_path)
    manifest = manifest_from_document(first_manifest(project).document)
    assert verify_folder(manifest.document, tmp_path, project) == ()
    alter(tmp_path)
    assert [finding.message for finding in verify_folder(manifest.document, tmp_path, project)] == facts


def test_a_receipt_works_in_a_folder_without_a_project(tmp_path: Path) -> None:
    receipt = receipt_for(first_manifest(lesson_project(tmp_path / "lesson")))
    copied = tmp_path / "copied"
    copied.mkdir()
    for name in ("2-5-main-en.txt", "2-5-welcome-en.txt"):
        (copied / name).write_bytes((tmp_path / "lesson" / name).read_bytes())
    assert verify_folder(receipt, copied, None) == ()
    add(copied)
    assert [finding.message for finding in verify_folder(receipt, copied, None)] == ["added: `2-5-bonus-en.txt`"]


@pytest.mark.parametrize("with_project", [True, False])
def test_several_receipts_of_one_folder_are_one_comparison(tmp_path: Path, with_project: bool) -> None:
    project = lesson_project(tmp_path)
    drafts = assemble(scan_folder(project), project, environment="local").drafts
    receipts = [receipt_for(draft.at("2026.11.23")) for draft in drafts]
    read = project if with_project else None
    assert not any(verify_documents(receipts, tmp_path, read))
    add_what_no_rule_knows(tmp_path)
    one, other = tmp_path / "2-5-main-en.txt", tmp_path / "2-5-main-fr.txt"
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    messages = [finding.message for drift in verify_documents(receipts, tmp_path, read) for finding in drift]
    assert sorted(messages) == [
        "added: `2-5-welcome-de.txt`",
        "swapped: `2-5-main-en.txt` holds the bytes of `2-5-main-fr.txt`",
        "swapped: `2-5-main-fr.txt` holds the bytes of `2-5-main-en.txt`",
    ]
    facts = [finding.message for finding in verify_folder(receipts[0], tmp_path, project)]
    assert "changed: `2-5-main-en.txt`; its bytes are in `2-5-main-fr.txt`" in facts


def test_a_manifest_without_a_project_is_compared_by_bytes(tmp_path: Path) -> None:
    manifest = first_manifest(lesson_project(tmp_path / "lesson"))
    copied = tmp_path / "copied"
    copied.mkdir()
    for name in ("2-5-main-en.txt", "2-5-welcome-en.txt"):
        (copied / f"moved-{name}").write_bytes((tmp_path / "lesson" / name).read_bytes())
    assert verify_folder(manifest.document, copied, None) == ()
    (copied / "moved-2-5-main-en.txt").write_text("other")
    assert [finding.message for finding in verify_folder(manifest.document, copied, None)] == [
        "changed or added: no asset has the bytes of `moved-2-5-main-en.txt`",
        "changed or missing: no file has the bytes of `2-5-main-en-txt`",
    ]


def test_a_receipt_without_paths_is_compared_by_bytes(tmp_path: Path) -> None:
    project = lesson_project(tmp_path)
    loaded = manifest_from_document(first_manifest(project).document)
    receipt = receipt_for(loaded)
    assert receipt["subject"][0]["name"].startswith("s3://")
    assert verify_folder(receipt, tmp_path, project) == ()
    change(tmp_path)
    assert len(verify_folder(receipt, tmp_path, project)) == 2


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"_type": "https://in-toto.io/Statement/v1"},
        {"assets": []},
        {"assets": {}},
        {"assets": ["a"]},
        {"assets": [{"id": "a"}]},
        {"assets": [{"id": "a", "url": "s3://b/a", "hash": 5, "bytes": 1}]},
        {"assets": [{"id": "a", "url": "s3://b/a", "hash": "00", "bytes": [1]}]},
    ],
)
def test_what_is_neither_receipt_nor_manifest_is_refused(tmp_path: Path, document: dict[str, Any]) -> None:
    with pytest.raises(ContentInvalid) as caught:
        verify_folder(document, write_lesson(tmp_path), None)
    assert caught.value.code == codes.RECEIPT_INVALID


def test_a_damaged_receipt_is_refused(tmp_path: Path) -> None:
    receipt = receipt_for(first_manifest(lesson_project(tmp_path)))
    short = {"name": "a.mp3", "digest": {"sha256": "abc"}}
    for subject in ([{"name": 1}], None, [], [short], [receipt["subject"][0]] * 2):
        with pytest.raises(ContentInvalid, match="damaged"):
            verify_folder({**receipt, "subject": subject}, tmp_path, None)
    with pytest.raises(ContentInvalid, match="damaged"):
        verify_folder({**receipt, "predicate": {}}, tmp_path, None)
