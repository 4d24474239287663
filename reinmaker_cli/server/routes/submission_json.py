"""A stored submission as the API shows it."""

from __future__ import annotations

import functools
import hashlib
import json
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic_core import to_json

from reinmaker_cli.server.clock import rfc3339
from reinmaker_cli.server.store.records import StoredSubmission, StoredVersion

_PIECE = 256 * 1024


class Represented(NamedTuple):
    """The JSON of a submission."""

    content: bytes
    etag: str
    """Strong, RFC 9110 section 8.8.3."""
    etag_with_manifest: str
    """Of the other representation, which has the manifest in it."""


def submission_document(submission: StoredSubmission) -> dict[str, Any]:
    """Return the Submission of the contract, without its manifest."""
    return {
        "submissionId": submission.submission_id,
        "manifestId": submission.manifest_id,
        "version": submission.version,
        "digest": submission.digest,
        "contentDigest": submission.content_digest,
        "status": submission.status.value,
        "active": version_document(submission.active),
        "submittedAt": rfc3339(submission.submitted_at),
        "updatedAt": rfc3339(submission.updated_at),
        "traceId": submission.trace_id,
        "validation": json.loads(submission.validation),
    }


@functools.lru_cache(64)
def represented(submission: StoredSubmission) -> Represented:
    """Return the JSON of a submission: who asks again gets the same one."""
    representation = encoded(submission_document(submission))
    digest = hashlib.sha256(representation).hexdigest()[:32]
    return Represented(representation, f'"{digest}"', f'"{digest}-manifest"')


def version_document(version: StoredVersion | None) -> dict[str, str] | None:
    """Return a version by content, or None."""
    if version is None:
        return None
    return {"version": version.version, "digest": version.digest, "contentDigest": version.content_digest}


def encoded(document: dict[str, Any]) -> bytes:
    """Return the JSON bytes of a document."""
    return to_json(document)


def with_manifest(representation: bytes, gzipped: bytes) -> Iterator[bytes]:
    """Yield the JSON of the submission with the manifest in it, as it was received.

    Its bytes are put in without being parsed: 28 MB of them are 28 MB of copying.
    """
    yield representation[:-1] + b',"manifest":'
    inflater = zlib.decompressobj(wbits=31)
    while gzipped:
        yield inflater.decompress(gzipped, _PIECE)
        gzipped = inflater.unconsumed_tail
    yield b"}"
