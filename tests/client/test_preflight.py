"""What is to be done with a manifest, from what the server has of it. Nothing is asked here."""

from __future__ import annotations

from datetime import date

import pytest

from reinmaker_cli.client.patience import Patience
from reinmaker_cli.client.preflight import (
    Await,
    Conflict,
    Decision,
    Known,
    Send,
    Unchanged,
    decide,
    list_manifests,
)
from reinmaker_cli.contract.models import ListedNewest, VersionRef
from reinmaker_cli.contract.names import Status
from reinmaker_cli.errors import ServerUnreachable
from reinmaker_cli.manifest.assemble import Draft
from tests.client.conftest import FakeTime
from tests.client.lessons import lesson
from tests.client.scripted import Script, answer

OURS, THEIRS = (lesson(None, "planned", {"a.mp3": content}) for content in (b"ours", b"theirs"))


def active(content: Draft, version: str) -> VersionRef:
    return VersionRef(version=version, digest=content.digest.under(version), content_digest=content.content_digest)


def newest(content: Draft, version: str, status: Status) -> ListedNewest:
    ref = active(content, version)
    return ListedNewest(**ref.model_dump(), submission_id="sub_1", status=status)


def decided(known: Known, version: str | None = None, there: ListedNewest | None = None) -> Decision:
    """Decide on our content under `auto` or a version; `there` is what the server has under it, asked for once."""
    wanted = OURS if version is None else OURS.at(version)
    return decide(wanted, known, today=date(2026, 11, 23), look_up=lambda asked: there if asked == version else None)


def shown(decision: Decision) -> tuple[object, ...]:
    match decision:
        case Unchanged(active=ref):
            return "unchanged", ref.version
        case Await(manifest=manifest, submission_id=submission_id):
            return "await", manifest.version, submission_id
        case Send(manifest=manifest, earlier=earlier):
            return "send", manifest.version, earlier
        case Conflict(with_version=version, error=error):
            return "conflict", version, error.code


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (Known(), ("send", "2026.11.23", None)),
        (Known(active(OURS, "2026.11.20")), ("unchanged", "2026.11.20")),
        (Known(active(THEIRS, "2026.11.20")), ("send", "2026.11.23", None)),
        (Known(active(THEIRS, "2026.11.23")), ("send", "2026.11.23-2", None)),
        (Known(None, newest(OURS, "2026.11.20", Status.PENDING)), ("await", "2026.11.20", "sub_1")),
        (Known(None, newest(OURS, "2026.11.20", Status.VALIDATING)), ("await", "2026.11.20", "sub_1")),
        (Known(None, newest(THEIRS, "2026.11.23", Status.PENDING)), ("send", "2026.11.23-2", None)),
        (Known(None, newest(OURS, "2026.11.20", Status.REJECTED)), ("send", "2026.11.20", "sub_1")),
        (Known(None, newest(THEIRS, "2026.11.23", Status.REJECTED)), ("send", "2026.11.23", "sub_1")),
        # Rejected under a version that is older than what is active now: that one can never become active.
        (
            Known(active(THEIRS, "2026.11.22"), newest(OURS, "2026.11.21", Status.REJECTED)),
            ("send", "2026.11.23", None),
        ),
        # A pending one counts, a rejected one does not, however new.
        (
            Known(active(THEIRS, "2026.11.20"), newest(THEIRS, "2026.11.25", Status.PENDING)),
            ("send", "2026.11.26", None),
        ),
        (
            Known(active(THEIRS, "2026.11.20"), newest(THEIRS, "2026.11.25", Status.REJECTED)),
            ("send", "2026.11.23", None),
        ),
    ],
)
def test_auto_keeps_what_is_there_or_takes_the_next_free_version(known: Known, expected: tuple[object, ...]) -> None:
    assert shown(decided(known)) == expected


def test_auto_passes_over_what_was_refused_a_moment_ago() -> None:
    decision = decide(
        OURS, Known(), today=date(2026, 11, 23), look_up=lambda _: None, taken=["2026.11.23", "2026.11.23-2"]
    )
    assert shown(decision) == ("send", "2026.11.23-3", None)


@pytest.mark.parametrize(
    ("known", "there", "expected"),
    [
        (Known(), None, ("send", "2026.11.21", None)),
        (Known(active(OURS, "2026.11.21")), None, ("unchanged", "2026.11.21")),
        (Known(active(THEIRS, "2026.11.21")), None, ("conflict", "2026.11.21", "version-conflict")),
        (Known(active(OURS, "2026.11.22")), None, ("conflict", "2026.11.22", "version-not-newer")),
        (Known(None, newest(OURS, "2026.11.21", Status.PENDING)), None, ("await", "2026.11.21", "sub_1")),
        (
            Known(None, newest(THEIRS, "2026.11.21", Status.PENDING)),
            None,
            ("conflict", "2026.11.21", "version-conflict"),
        ),
        # What was rejected may be sent again, as it is or otherwise, and its answer is told from the earlier one.
        (Known(None, newest(OURS, "2026.11.21", Status.REJECTED)), None, ("send", "2026.11.21", "sub_1")),
        (Known(None, newest(THEIRS, "2026.11.21", Status.REJECTED)), None, ("send", "2026.11.21", "sub_1")),
        # Something else came after it: the server is asked for this version.
        (
            Known(None, newest(THEIRS, "2026.11.25", Status.PENDING)),
            newest(OURS, "2026.11.21", Status.REJECTED),
            ("send", "2026.11.21", "sub_1"),
        ),
        (
            Known(None, newest(THEIRS, "2026.11.25", Status.PENDING)),
            newest(OURS, "2026.11.21", Status.PENDING),
            ("await", "2026.11.21", "sub_1"),
        ),
        (
            Known(active(THEIRS, "2026.11.25"), newest(THEIRS, "2026.11.25", Status.ACTIVE)),
            newest(OURS, "2026.11.21", Status.SUPERSEDED),
            ("conflict", "2026.11.25", "version-not-newer"),
        ),
    ],
)
def test_a_fixed_version_is_sent_awaited_or_a_conflict(
    known: Known, there: ListedNewest | None, expected: tuple[object, ...]
) -> None:
    assert shown(decided(known, "2026.11.21", there)) == expected


def test_a_listing_that_names_the_same_page_again_has_ended(fake_time: FakeTime) -> None:
    script = Script([answer({"items": [], "next": "c"}), answer({"items": [], "next": "c"})])
    assert list_manifests(script.api(), patience=Patience(9, world=fake_time.world), trace_id="t") == {}


def test_a_listing_without_an_end_is_an_error(fake_time: FakeTime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reinmaker_cli.client.preflight.MAX_PAGES", 3)
    script = Script([answer({"items": [], "next": str(number)}) for number in range(3)])
    with pytest.raises(ServerUnreachable, match="does not end"):
        list_manifests(script.api(), patience=Patience(9, world=fake_time.world), trace_id="t")
