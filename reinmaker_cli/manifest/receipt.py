"""What proves a publication: verdict -> receipt, an in-toto Statement v1.

Its subjects are the files with their SHA-256; its predicate is what was sent where, and what was answered. It is not
signed: it says what happened, and whoever keeps it answers for it.
Source: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from reinmaker_cli.contract import codes
from reinmaker_cli.contract.models import Submission
from reinmaker_cli.errors import ContentInvalid
from reinmaker_cli.manifest.document import Manifest

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://api.reinmaker.com/attestations/publication/v1"
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")


def make_receipt(
    manifest: Manifest,
    submission: Submission,
    *,
    environment: str,
    api_url: str,
    trace_ids: Sequence[str],
    started_at: datetime,
    finished_at: datetime,
    git_commit: str | None,
    tool_version: str,
) -> dict[str, Any]:
    """Return the receipt of a manifest's submission.

    A subject is named by the file's path, or by its URL where the manifest was read from a file and has no paths.
    """
    predicate: dict[str, Any] = {
        "manifestId": manifest.manifest_id,
        "version": manifest.version,
        "digest": manifest.digest,
        "contentDigest": manifest.content_digest,
        "environment": environment,
        "apiUrl": api_url,
        "verdict": {
            "status": str(submission.status),
            "checks": [check.to_json() for check in submission.validation.checks],
        },
        "submissionId": submission.submission_id,
        "traceIds": list(dict.fromkeys(trace_ids)),
        "startedAt": _utc(started_at),
        "finishedAt": _utc(finished_at),
        "tool": {"name": "reinmaker", "version": tool_version},
    }
    if git_commit is not None:
        predicate["gitCommit"] = git_commit
    # The type first: with 100,000 subjects, whoever looks at the head of the file still sees what it is.
    return {
        "_type": STATEMENT_TYPE,
        "predicateType": PREDICATE_TYPE,
        "subject": [_subject(asset, manifest.files) for asset in manifest.document["assets"]],
        "predicate": predicate,
    }


def receipt_bytes(receipt: Mapping[str, Any]) -> bytes:
    """Return the receipt as a file."""
    return (json.dumps(receipt, ensure_ascii=False, allow_nan=False, indent=2) + "\n").encode("utf-8")


def is_receipt(document: Any) -> bool:
    """Return whether a JSON document is a receipt that reinmaker wrote."""
    return (
        isinstance(document, Mapping)
        and document.get("_type") == STATEMENT_TYPE
        and document.get("predicateType") == PREDICATE_TYPE
    )


def is_receipt_of(document: Any, manifest: Manifest, *, environment: str, api_url: str) -> bool:
    """Return whether a JSON document is the receipt of a manifest's publication to an environment."""
    predicate = document.get("predicate") if is_receipt(document) else None
    if not isinstance(predicate, Mapping):
        return False
    said = tuple(predicate.get(name) for name in ("digest", "version", "environment", "apiUrl"))
    if said != (manifest.digest, manifest.version, environment, api_url):
        return False
    return bool(document["subject"] == [_subject(asset, manifest.files) for asset in manifest.document["assets"]])


def subjects(receipt: Mapping[str, Any]) -> dict[str, str]:
    """Return the receipt's files: path (or URL, where no path was known) -> SHA-256. ContentInvalid where damaged."""
    listed = receipt.get("subject")
    if not isinstance(listed, list) or not listed:
        raise _damaged("`subject` is no list, or an empty one")
    found: dict[str, str] = {}
    for number, subject in enumerate(listed):
        digest = subject.get("digest") if isinstance(subject, Mapping) else None
        name = subject.get("name") if isinstance(subject, Mapping) else None
        sha256 = digest.get("sha256") if isinstance(digest, Mapping) else None
        if not isinstance(name, str) or not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise _damaged(f"subject {number} has no name or no sha256")
        if name in found:
            raise _damaged(f"two subjects are named `{name}`")
        found[name] = sha256.lower()
    return found


def published_id(receipt: Mapping[str, Any]) -> str:
    """Return the id of the manifest that was published. ContentInvalid where the receipt does not say it."""
    predicate = receipt.get("predicate")
    manifest_id = predicate.get("manifestId") if isinstance(predicate, Mapping) else None
    if not isinstance(manifest_id, str):
        raise _damaged("its predicate names no manifestId")
    return manifest_id


def _subject(asset: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    url = asset["url"]
    return {
        "name": files.get(url, url),
        "uri": url,
        "digest": {"sha256": asset["hash"].lower()},
        "annotations": {"assetId": asset["id"], "bytes": asset["bytes"]},
    }


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _damaged(fact: str) -> ContentInvalid:
    return ContentInvalid(
        f"the receipt is damaged: {fact}", code=codes.RECEIPT_INVALID, hint=codes.RECEIPT_INVALID.cure
    )
