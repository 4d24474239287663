"""One manifest goes in, a submission comes out, also when an answer is lost; then the wait for its verdict.

The server is the journal: after a lost answer it is asked what it has, before anything is sent again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reinmaker_cli.client.answers import RetryLater
from reinmaker_cli.client.api import Api, Body, NotModified, Seen
from reinmaker_cli.client.events import AnswerLost, OnEvent, Submitted, Submitting, Waiting, ignore
from reinmaker_cli.client.pacing import Paced
from reinmaker_cli.client.patience import Patience
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.models import Submission
from reinmaker_cli.contract.names import Status
from reinmaker_cli.errors import ServerUnreachable, StillPending, VersionConflict
from reinmaker_cli.manifest.assemble import Manifest

PREFER_WAIT_S: Final = 10
FIRST_POLL_PAUSE_S: Final = 1.0
LONGEST_POLL_PAUSE_S: Final = 10.0
WAY_BACK_S: Final = 1.0  # for an answer that the server held open: it must not be taken for lost at the very end


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server has the manifest."""

    seen: Seen
    reconciled: bool
    """The answer was lost, and the submission was found by asking."""


def submit_manifest(
    api: Api,
    manifest: Manifest,
    *,
    earlier: str | None,
    patience: Patience,
    trace_id: str,
    wait_s: int = PREFER_WAIT_S,
    on_event: OnEvent = ignore,
) -> Accepted:
    """Return the server's submission of the manifest; one submission, however many answers are lost on the way.

    `wait_s` is how long the server may hold its answer open until there is a verdict.

    `earlier` is the submissionId that this version had before (a rejected one is validated anew, as a new submission).

    1. POST. 429 waits as asked: that POST was not taken.
    2. No answer, or a 5xx: read back. The same digest under another submissionId than `earlier` is ours, a rejected
       one only with our trace id.
    3. Anything else found, or nothing: POST again. The digest is the key, so a late first POST does no harm.
    """
    raw = manifest.to_bytes()
    body, attempt, lost, is_said = Body.json(raw), 1, False, False
    while True:
        if not is_said:
            on_event(Submitting(manifest.manifest_id, manifest.version, len(raw), attempt))
        try:
            seen = api.submit(body, trace_id=trace_id, wait_s=_wait_s(wait_s, patience), limit_s=patience.left_s())
        except RetryLater as error:
            patience.wait_as_asked(error)
            lost, is_said = lost or error.status != 429, isinstance(error, Paced)
        except ServerUnreachable as error:
            on_event(AnswerLost(manifest.manifest_id, manifest.version, error.message))
            lost, is_said = True, False
            if error.code != codes.ANSWER_UNUSABLE:
                patience.back_off(attempt, error)
            elif attempt > 1:
                raise
            attempt += 1
        else:
            patience.limit_passed()
            _require_same_content(seen.submission, manifest)
            return _accepted(seen, lost and seen.replayed, on_event)
        found = _read_back(api, manifest, earlier=earlier, patience=patience, trace_id=trace_id) if lost else None
        if found is not None:
            return _accepted(found, True, on_event)


def look_again(api: Api, manifest: Manifest, *, patience: Patience, trace_id: str) -> Seen:
    """Return what became of content that was submitted; VersionConflict where the version has other content now."""
    seen = _read(api, manifest, patience, trace_id)
    if not isinstance(seen, Seen) or seen.submission.digest != manifest.digest:
        raise VersionConflict(
            f"somebody submitted other content meanwhile: `{manifest.manifest_id}` `{manifest.version}`",
            code=codes.VERSION_CONFLICT,
            hint="run the same command again",
        )
    return seen


def _read_back(api: Api, manifest: Manifest, *, earlier: str | None, patience: Patience, trace_id: str) -> Seen | None:
    found = _read(api, manifest, patience, trace_id)
    if not isinstance(found, Seen):
        return None
    said = found.submission
    if said.digest != manifest.digest or said.submission_id == earlier:
        return None
    # A version that was rejected long ago is free under `auto`, and nobody looked for it: only the trace id tells that
    # one from ours. Whatever else the content is, it is the same, whoever sent it.
    return None if said.status is Status.REJECTED and said.trace_id != trace_id else found


def _read(api: Api, manifest: Manifest, patience: Patience, trace_id: str) -> Seen | NotModified | None:
    return patience.ask(
        lambda: api.manifest(
            manifest.manifest_id, version=manifest.version, trace_id=trace_id, limit_s=patience.left_s()
        )
    )


def _accepted(seen: Seen, reconciled: bool, on_event: OnEvent) -> Accepted:
    said = seen.submission
    on_event(Submitted(said.manifest_id, said.version, said.submission_id, str(said.status), reconciled, said.trace_id))
    return Accepted(seen, reconciled)


def wait_for_verdict(
    api: Api, seen: Seen, *, patience: Patience, trace_id: str, on_event: OnEvent = ignore
) -> Submission:
    """Return the submission once its status is final; StillPending when time runs out before.

    What the server says about when to ask again wins; else it is asked every 1 to 10 s.
    """
    pause_s = FIRST_POLL_PAUSE_S
    while not seen.submission.status.is_final:
        said, etag = seen.submission, seen.etag
        on_event(Waiting(said.manifest_id, said.version, str(said.status)))
        if patience.left_s() <= 0:
            raise out_of_time(said.manifest_id, str(said.status), said.trace_id)
        asked_at = patience.now()
        answer = patience.ask(
            lambda said=said, etag=etag: api.manifest(  # type: ignore[misc]  # mypy cannot type a bound default
                said.manifest_id,
                version=said.version,
                etag=etag,
                trace_id=trace_id,
                wait_s=_wait_s(PREFER_WAIT_S, patience),
                limit_s=patience.left_s(),
            )
        )
        seen = _follow(seen, answer)
        if not seen.submission.status.is_final:
            patience.pause(_pause_s(seen, patience.now() - asked_at, pause_s))
            pause_s = min(pause_s * 1.6, LONGEST_POLL_PAUSE_S)
    return seen.submission


def _pause_s(seen: Seen, waited_s: float, usual_s: float) -> float:
    """Return how long not to ask. "Now" counts only from a server that held the last question open."""
    if seen.retry_after_s is None:
        return max(0.0, usual_s - waited_s)
    return seen.retry_after_s if seen.waited else max(seen.retry_after_s, FIRST_POLL_PAUSE_S)


def _follow(seen: Seen, answer: Seen | NotModified | None) -> Seen:
    """Return what is known after one more look; VersionConflict where the version now has other content."""
    said = seen.submission
    if isinstance(answer, NotModified):
        return Seen(said, seen.etag, answer.retry_after_s, answer.waited)
    if answer is None:
        raise ServerUnreachable(
            f"the server no longer knows the submission: `{said.submission_id}`",
            code=codes.ANSWER_UNUSABLE,
            hint="run the same command again: it sends what the server lacks",
        )
    now = answer.submission
    if now.digest != said.digest:
        raise VersionConflict(
            f"somebody submitted other content meanwhile: `{said.manifest_id}` `{said.version}`",
            code=codes.VERSION_CONFLICT,
            hint="compare with `reinmaker diff`; publish under a new version",
        )
    return answer


def _require_same_content(submission: Submission, manifest: Manifest) -> None:
    if submission.digest != manifest.digest or submission.manifest_id != manifest.manifest_id:
        raise ServerUnreachable(
            f"the server digested another document: `{submission.manifest_id}` {submission.digest}",
            code=codes.ANSWER_UNUSABLE,
            hint="something between here and the server changes documents; check with `reinmaker status`",
        )


def out_of_time(manifest_id: str, status: str, trace_id: str) -> StillPending:
    """Return the error for a verdict that did not come in time."""
    error = StillPending(
        f"no verdict before time ran out: `{manifest_id}` is {status}",
        code=codes.OUT_OF_TIME,
        hint=f"`reinmaker status {manifest_id} --wait`, or run publish again: it continues",
    )
    error.trace_id = trace_id
    return error


def _wait_s(most_s: int, patience: Patience) -> int:
    return max(0, min(most_s, int(patience.left_s() - WAY_BACK_S)))
