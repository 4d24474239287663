"""The whole journey, at a real server."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from reinmaker_cli.client.api import Api, open_api
from reinmaker_cli.client.credentials import Credentials
from reinmaker_cli.client.events import Event, Planned, Submitted, VersionTaken, Waiting
from reinmaker_cli.client.journey import Options, Surroundings
from reinmaker_cli.client.ledger import unsent_result
from reinmaker_cli.client.local import LocalControl
from reinmaker_cli.client.patience import LOOKING_ATTEMPTS, Patience
from reinmaker_cli.client.preflight import LIST_ABOVE, Wanted, list_manifests
from reinmaker_cli.client.publish import publish
from reinmaker_cli.client.report import AssetCounts, Report
from reinmaker_cli.errors import Interrupted, ReinmakerError, UsageError
from reinmaker_cli.manifest.assemble import Draft, Manifest
from reinmaker_cli.manifest.diff import Difference
from reinmaker_cli.manifest.document import manifest_from_document
from reinmaker_cli.server.running import Started
from tests.client.conftest import FakeTime, OpenedApi, local_environment
from tests.client.lessons import PLAIN, lesson, upload
from tests.client.scripted import NOT_FOUND, Script, answer, shown
from tests.faults import Fault, fault_proxy

TODAY = date(2026, 11, 23)
POSTS = "POST /v1/content/manifests"

Publish = Callable[..., Report]


def run(api: Api, *wanted: Wanted, around: Surroundings | None = None, **options: Any) -> Report:
    return publish(wanted, api, Options(today=TODAY, **options), around)


def outcomes(report: Report) -> list[str]:
    return [result.outcome for result in report.results]


@pytest.fixture
def api(server: Started, open_to: OpenedApi) -> Api:
    return open_to(server)


# --- one manifest ----------------------------------------------------------------------------------------------------


def test_a_folder_goes_to_active_and_the_second_time_nothing_is_sent(
    server: Started, open_to: OpenedApi, bucket: Path
) -> None:
    draft = lesson(bucket, "twice", {"a.mp3": b"a", "b.mp3": b"bb"})
    first = run(open_to(server), draft)
    (result,) = first.results
    assert (result.outcome, result.status, result.version, first.exit_code) == ("active", "active", "2026.11.23", 0)
    assert result.assets == AssetCounts(count=2, bytes=3, added=2, new_bytes=3)
    with fault_proxy(server.url) as proxy:
        second = run(open_to(server, proxy.url), draft)
    assert (outcomes(second), second.exit_code) == (["unchanged"], 0)
    assert second.results[0].version == "2026.11.23"
    assert POSTS not in proxy.requests


def test_changed_content_under_auto_gets_the_next_version(api: Api, bucket: Path) -> None:
    run(api, lesson(bucket, "changed", {"a.mp3": b"a", "b.mp3": b"b"}))
    report = run(api, lesson(bucket, "changed", {"a.mp3": b"A", "b.mp3": b"b"}))
    (result,) = report.results
    assert (result.outcome, result.version) == ("active", "2026.11.23-2")
    assert result.assets == AssetCounts(count=2, bytes=2, changed=1, new_bytes=1)
    old = api.manifest("changed", version="2026.11.23", trace_id="t")
    assert old is not None and old.submission.status == "superseded"  # type: ignore[union-attr]


def test_going_back_to_older_content_is_a_new_version(api: Api, bucket: Path) -> None:
    first, second = (lesson(bucket, "back", {"a.mp3": content}) for content in (b"a", b"b"))
    versions = [run(api, draft).results[0].version for draft in (first, second, first)]
    assert versions == ["2026.11.23", "2026.11.23-2", "2026.11.23-3"]


def test_other_content_under_a_fixed_version_is_a_conflict_with_what_changed(
    server: Started, open_to: OpenedApi, bucket: Path
) -> None:
    run(open_to(server), lesson(bucket, "fixed", {"a.mp3": b"a"}, version="2026.11.23"))
    with fault_proxy(server.url) as proxy:
        report = run(open_to(server, proxy.url), lesson(bucket, "fixed", {"a.mp3": b"A"}, version="2026.11.23"))
    (result,) = report.results
    assert (result.outcome, report.exit_code) == ("conflict", 5)
    assert result.difference is not None
    assert [change.id for change in result.difference.changed] == ["a.mp3"]
    assert POSTS not in proxy.requests


def test_the_same_document_under_a_fixed_version_is_unchanged(api: Api, bucket: Path) -> None:
    draft = lesson(bucket, "same", {"a.mp3": b"a"}, version="2026.11.20")
    assert outcomes(run(api, draft)) == ["active"]
    assert outcomes(run(api, draft)) == ["unchanged"]
    assert outcomes(run(api, draft.at("2026.11.20"))) == ["unchanged"]


def test_a_fixed_version_that_is_too_old_is_a_conflict_before_anything_is_sent(api: Api, bucket: Path) -> None:
    run(api, lesson(bucket, "too-old", {"a.mp3": b"a"}, version="2026.11.20"))
    report = run(api, lesson(bucket, "too-old", {"a.mp3": b"A"}, version="2026.11.19"))
    assert (outcomes(report), report.exit_code) == (["conflict"], 5)
    assert report.error is not None and report.error.code == "version-not-newer"


def test_a_superseded_version_is_a_conflict_and_never_sent_again(api: Api, bucket: Path) -> None:
    old = lesson(bucket, "superseded", {"a.mp3": b"a"}, version="2026.11.20")
    run(api, old)
    run(api, lesson(bucket, "superseded", {"a.mp3": b"A"}, version="2026.11.21"))
    report = run(api, old)
    assert outcomes(report) == ["conflict"]


def test_wrong_bytes_are_rejected_and_the_findings_name_the_file(api: Api, bucket: Path) -> None:
    draft = lesson(bucket, "rejected", {"a.mp3": b"a", "b.mp3": b"b"})
    upload(bucket, list(draft.files)[1], b"B")
    report = run(api, draft)
    (result,) = report.results
    assert (result.outcome, result.status, report.exit_code) == ("rejected", "rejected", 6)
    (finding,) = result.findings
    assert (finding.code, finding.asset_id, finding.path) == ("asset-hash", "b.mp3", "b.mp3")
    assert finding.expected != finding.found


def test_a_rejected_one_is_sent_again_as_it_is_when_the_world_has_changed(api: Api, bucket: Path) -> None:
    draft = lesson(None, "late-upload", {"a.mp3": b"a"})
    upload(bucket, next(iter(draft.files)), b"b")
    rejected = run(api, draft).results[0]
    upload(bucket, next(iter(draft.files)), b"a")
    told: list[Event] = []
    (result,) = run(api, draft, around=Surroundings(on_event=told.append)).results
    assert (result.outcome, result.version) == ("active", rejected.version)
    assert [event.action for event in told if isinstance(event, Planned)] == ["send-again"]


def test_the_version_of_a_rejected_one_is_free_for_other_content(api: Api, bucket: Path) -> None:
    wrong = lesson(None, "free", {"a.mp3": b"a"})
    upload(bucket, next(iter(wrong.files)), b"b")
    assert outcomes(run(api, wrong)) == ["rejected"]
    (result,) = run(api, lesson(bucket, "free", {"a.mp3": b"c"})).results
    assert (result.outcome, result.version) == ("active", "2026.11.23")


def test_a_changed_asset_under_its_old_url_is_found_before_anything_is_sent(
    server: Started, open_to: OpenedApi, bucket: Path
) -> None:
    run(open_to(server), lesson(bucket, "immutable", {"a.mp3": b"a"}, url=PLAIN))
    with fault_proxy(server.url) as proxy:
        report = run(open_to(server, proxy.url), lesson(None, "immutable", {"a.mp3": b"A"}, url=PLAIN))
    (finding,) = report.results[0].findings
    assert (outcomes(report), report.exit_code) == (["invalid"], 3)
    assert (finding.code, finding.path) == ("asset-immutable", "a.mp3")
    assert "{sha256:8}" in finding.hint
    assert POSTS not in proxy.requests


def test_missing_assets_are_asked_about_and_a_no_sends_nothing(api: Api, bucket: Path) -> None:
    run(api, lesson(bucket, "shrunk", {"a.mp3": b"a", "b.mp3": b"b"}))
    smaller = lesson(bucket, "shrunk", {"a.mp3": b"a"})
    with pytest.raises(UsageError) as caught:
        run(api, smaller, around=Surroundings(confirm_removed=lambda differences: False))
    assert caught.value.code == "declined"
    (result,) = run(api, smaller, around=Surroundings(confirm_removed=lambda differences: True)).results
    assert (result.outcome, result.assets.removed) == ("active", 1)


def test_missing_assets_are_a_warning_where_nobody_can_be_asked(api: Api, bucket: Path) -> None:
    run(api, lesson(bucket, "shrunk-ci", {"a.mp3": b"a", "b.mp3": b"b"}))
    (result,) = run(api, lesson(bucket, "shrunk-ci", {"a.mp3": b"a"})).results
    (finding,) = result.findings
    assert (result.outcome, finding.code, finding.severity) == ("active", "assets-removed", "warning")


def test_a_dry_run_sends_nothing_and_says_what_would_be(server: Started, open_to: OpenedApi, bucket: Path) -> None:
    with fault_proxy(server.url) as proxy:
        report = run(open_to(server, proxy.url), lesson(bucket, "dry", {"a.mp3": b"a"}), dry_run=True)
    (result,) = report.results
    assert (result.outcome, result.version, result.assets.added, report.exit_code) == ("skipped", "2026.11.23", 1, 0)
    assert POSTS not in proxy.requests


@pytest.mark.parametrize("kind", ["drop", "reset"])
def test_a_lost_answer_is_reported_as_reconciled(
    kind: str, server: Started, open_to: OpenedApi, bucket: Path, fake_time: FakeTime
) -> None:
    draft = lesson(bucket, f"journey-{kind}", {"a.mp3": b"a"})
    around = Surroundings(world=fake_time.world)
    with fault_proxy(server.url, Fault(1, kind)) as proxy:  # type: ignore[arg-type]
        report = run(open_to(server, proxy.url), draft, around=around)
    (result,) = report.results
    assert (result.outcome, result.reconciled, report.exit_code) == ("active", True, 0)
    assert proxy.requests.count(POSTS) == 1


def test_bytes_registered_before_the_post_are_what_is_judged(server: Started, api: Api, tmp_path: Path) -> None:
    """Publishing to the local server: no bucket is asked, the folder is."""
    (tmp_path / "a.mp3").write_bytes(b"a")
    draft = lesson(None, "registered", {"a.mp3": b"a"}, url="s3://elsewhere/{id}/{sha8}-{name}")
    with LocalControl(server.url, server.client.control_token) as control:

        def register(manifest: Manifest) -> None:
            control.register_sources(manifest.manifest_id, manifest.version, tmp_path, manifest.files)

        around = Surroundings(register=register)
        (result,) = run(api, draft, around=around).results
        assert result.submission is not None
        assert {check.source for check in result.submission.validation.checks if check.name == "asset-hash"} == {
            "folder"
        }
        (tmp_path / "a.mp3").write_bytes(b"b")
        other = lesson(None, "registered", {"a.mp3": b"c"}, url="s3://elsewhere/{id}/{sha8}-{name}")
        assert outcomes(run(api, other, around=around)) == ["rejected"]
        (tmp_path / "a.mp3").write_bytes(b"c")
        assert outcomes(run(api, other, around=around)) == ["active"]


# --- verdicts that take their time -----------------------------------------------------------------------------------


def test_content_that_is_pending_already_is_waited_for_and_not_sent(
    manual_server: Started, manual_control: LocalControl, open_to: OpenedApi
) -> None:
    draft = lesson(None, "pending", {"a.mp3": b"a"})
    first = run(open_to(manual_server), draft, wait=False)
    assert (outcomes(first), first.results[0].status, first.exit_code) == (["pending"], "pending", 0)

    def decide(request: str) -> None:
        if request == "GET /v1/content/manifests/pending" and proxy.requests.count(request) == 2:
            manual_control.decide("pending", "2026.11.23", "active")

    with fault_proxy(manual_server.url, on_request=decide) as proxy:
        second = run(open_to(manual_server, proxy.url), draft)
    assert outcomes(second) == ["active"]
    assert POSTS not in proxy.requests


def test_what_is_pending_already_is_awaited_without_a_question(
    manual_server: Started, manual_control: LocalControl, open_to: OpenedApi
) -> None:
    """What it removes, and what it changes in place, was decided when it was sent."""
    first = lesson(None, "no-question", {"a.mp3": b"a", "b.mp3": b"b"}, version="2026.11.22", url=PLAIN)
    second = lesson(None, "no-question", {"a.mp3": b"other"}, version="2026.11.23", url=PLAIN)
    run(open_to(manual_server), first, wait=False)
    run(open_to(manual_server), second, wait=False)
    manual_control.decide("no-question", "2026.11.22", "active")
    report = run(open_to(manual_server), second, wait=False, around=Surroundings(confirm_removed=lambda *_: False))
    assert (outcomes(report), report.exit_code) == (["pending"], 0)


def test_no_verdict_in_time_is_pending_and_exit_8(
    manual_server: Started, open_to: OpenedApi, fake_time: FakeTime
) -> None:
    around = Surroundings(world=fake_time.world)
    report = run(open_to(manual_server), lesson(None, "slow", {"a.mp3": b"a"}), around=around, timeout_s=0.2)
    (result,) = report.results
    assert (result.outcome, report.exit_code) == ("pending", 8)
    assert result.status in ("pending", "validating")


def test_somebody_who_was_quicker_is_noticed_and_named(
    manual_server: Started, manual_control: LocalControl, open_to: OpenedApi
) -> None:
    """The race: another publication takes today's version between our look and our POST."""
    ours, theirs = (lesson(None, "race", {"a.mp3": content}) for content in (b"ours", b"theirs"))
    told: list[Event] = []
    other = open_to(manual_server)

    def quicker(manifest: Manifest) -> None:
        if manifest.version == "2026.11.23":
            run(other, theirs, wait=False)

    report = run(
        open_to(manual_server),
        ours,
        wait=False,
        around=Surroundings(on_event=told.append, register=quicker),
    )
    assert report.results[0].version == "2026.11.23-2"
    assert [event for event in told if isinstance(event, VersionTaken)] == [
        VersionTaken("race", "2026.11.23", "2026.11.23-2", "2026.11.23")
    ]


@pytest.mark.parametrize("answer", ["no", "nobody is there"])
def test_a_no_to_removing_what_the_quicker_one_added_leaves_the_results_of_the_others(
    answer: str, server: Started, api: Api, open_to: OpenedApi, bucket: Path
) -> None:
    """The race: theirs has an asset more, and by the time that this is asked about, another manifest is sent."""
    calm = lesson(bucket, f"calm-{len(answer)}", {"a.mp3": b"a"})
    ours = lesson(bucket, f"kept-{len(answer)}", {"a.mp3": b"ours"})
    theirs = lesson(bucket, ours.manifest_id, {"a.mp3": b"theirs", "b.mp3": b"b"})

    def quicker(manifest: Manifest) -> None:
        if manifest.manifest_id == ours.manifest_id:
            run(open_to(server), theirs)

    def confirm(_: Mapping[str, Difference]) -> bool:
        if answer == "no":
            return False
        raise UsageError("it needs a yes", code="confirmation-needed", hint="--yes")

    report = run(api, calm, ours, around=Surroundings(register=quicker, confirm_removed=confirm))
    assert (outcomes(report), report.exit_code) == (["active", "conflict"], 10)


def test_a_person_who_is_asked_late_takes_no_time_from_the_manifest(
    server: Started, api: Api, open_to: OpenedApi, bucket: Path, fake_time: FakeTime
) -> None:
    ours = lesson(bucket, "asked-late", {"a.mp3": b"ours"})
    theirs = lesson(bucket, "asked-late", {"a.mp3": b"theirs", "b.mp3": b"b"})

    def quicker(manifest: Manifest) -> None:
        if manifest.version == "2026.11.23":
            run(open_to(server), theirs)

    def think(_: Mapping[str, Difference]) -> bool:
        fake_time.now += 3600
        return True

    around = Surroundings(register=quicker, confirm_removed=think, world=fake_time.world)
    report = run(api, ours, timeout_s=60, around=around)
    assert (outcomes(report), report.results[0].version) == (["active"], "2026.11.23-2")


def test_somebody_who_is_always_quicker_ends_as_a_conflict(manual_server: Started, open_to: OpenedApi) -> None:
    other = open_to(manual_server)

    def quicker(manifest: Manifest) -> None:
        run(other, lesson(None, "races", {"a.mp3": manifest.version.encode()}), wait=False)

    report = run(
        open_to(manual_server),
        lesson(None, "races", {"a.mp3": b"ours"}),
        wait=False,
        around=Surroundings(register=quicker),
    )
    assert (outcomes(report), report.exit_code) == (["conflict"], 5)


def test_a_version_that_passed_when_a_newer_one_was_active_is_a_conflict(
    manual_server: Started, manual_control: LocalControl, open_to: OpenedApi
) -> None:
    """The race: ours is pending, a newer one becomes active, ours passes and is superseded at once."""
    api = open_to(manual_server)
    ours = lesson(None, "overtaken", {"a.mp3": b"ours"}, version="2026.11.22")
    run(api, ours, wait=False)
    run(api, lesson(None, "overtaken", {"a.mp3": b"theirs"}, version="2026.11.23"), wait=False)
    told: list[Event] = []

    def overtake(event: Event) -> None:
        told.append(event)
        if isinstance(event, Planned):
            manual_control.decide("overtaken", "2026.11.23", "active")
            manual_control.decide("overtaken", "2026.11.22", "active")

    report = run(api, ours, around=Surroundings(on_event=overtake))
    assert (outcomes(report), report.results[0].status) == (["conflict"], "superseded")


# --- several manifests -----------------------------------------------------------------------------------------------


def several(bucket: Path, name: str, count: int) -> list[Draft]:
    return [lesson(bucket, f"{name}-{number:03}", {"a.mp3": b"%d" % number}) for number in range(count)]


def test_one_that_cannot_go_stops_all_before_anything_is_sent(
    server: Started, open_to: OpenedApi, bucket: Path
) -> None:
    api = open_to(server)
    good, same = several(bucket, "stopped", 2)
    run(api, same)
    run(api, lesson(bucket, "stopped-bad", {"a.mp3": b"a"}, url=PLAIN))
    bad = lesson(None, "stopped-bad", {"a.mp3": b"A"}, url=PLAIN)
    with fault_proxy(server.url) as proxy:
        report = run(open_to(server, proxy.url), good, bad, same)
    assert (outcomes(report), report.exit_code) == (["skipped", "invalid", "unchanged"], 10)
    assert POSTS not in proxy.requests
    report = run(api, good, bad, same, keep_going=True)
    assert (outcomes(report), report.exit_code) == (["active", "invalid", "unchanged"], 10)


def test_a_rejected_one_does_not_stop_the_others(api: Api, bucket: Path) -> None:
    wrong = lesson(None, "partly-0", {"a.mp3": b"a"})
    upload(bucket, next(iter(wrong.files)), b"b")
    report = run(api, wrong, lesson(bucket, "partly-1", {"a.mp3": b"a"}))
    assert (outcomes(report), report.exit_code) == (["rejected", "active"], 10)
    assert report.error is not None and report.error.code == "partly-done"


def test_many_manifests_are_asked_for_by_the_listing(server: Started, open_to: OpenedApi, bucket: Path) -> None:
    drafts = several(bucket, "many", 51)
    with fault_proxy(server.url) as proxy:
        report = run(open_to(server, proxy.url), *drafts, dry_run=True)
    assert set(outcomes(report)) == {"skipped"}
    assert proxy.requests == ["POST /oauth/token", "GET /v1/content/manifests"]


@pytest.mark.parametrize("status", [b"404 Not Found", b"405 Method Not Allowed"])
def test_a_server_without_a_listing_is_asked_one_by_one(
    status: bytes, server: Started, open_to: OpenedApi, bucket: Path
) -> None:
    refusal = b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    fault = Fault(1, "answer", "GET", "/v1/content/manifests", refusal)
    with fault_proxy(server.url, fault) as proxy:
        report = run(open_to(server, proxy.url), *several(bucket, "one-by-one", 51), dry_run=True)
    assert set(outcomes(report)) == {"skipped"}
    assert len(proxy.requests) == 2 + 51


def test_pages_of_the_listing_are_put_together(fake_time: FakeTime) -> None:
    def page(name: str, following: str | None) -> httpx.Response:
        newest = {"submissionId": "s", "version": "2026.11.23", "digest": "d", "contentDigest": "c", "status": "active"}
        return answer({"items": [{"manifestId": name, "active": None, "newest": newest}], "next": following})

    script = Script([page("a", "cursor-2"), page("b", None)])
    found = list_manifests(script.api(), patience=Patience(9, world=fake_time.world), trace_id="t")
    assert found is not None and list(found) == ["a", "b"]
    assert script.requests[1].url.params["cursor"] == "cursor-2"


MANY = 55


def test_verdicts_that_come_late_are_found_in_the_listing(
    manual_server: Started, manual_control: LocalControl, open_to: OpenedApi, fake_time: FakeTime
) -> None:
    drafts = [lesson(None, f"late-{number:03}", {"a.mp3": b"a"}) for number in range(MANY)]

    def decide(event: Event) -> None:
        if isinstance(event, Submitted):
            status: Literal["active", "rejected"] = "rejected" if event.manifest_id == "late-007" else "active"
            manual_control.decide(event.manifest_id, event.version, status, reason="it is loud")

    with fault_proxy(manual_server.url) as proxy:
        around = Surroundings(on_event=decide, world=fake_time.world)
        report = run(open_to(manual_server, proxy.url), *drafts, around=around)
    assert Counter(outcomes(report)) == {"active": MANY - 1, "rejected": 1}
    assert report.results[7].findings[0].message == "it is loud"
    asked = [request for request in proxy.requests if request.startswith("GET /v1/content/manifests/")]
    assert asked == ["GET /v1/content/manifests/late-007"]


def test_race_what_the_listing_shows_as_active_may_be_somebody_elses(
    manual_server: Started, manual_control: LocalControl, open_to: OpenedApi, fake_time: FakeTime
) -> None:
    drafts = [lesson(None, f"passed-{number:03}", {"a.mp3": b"a"}, version="2026.11.22") for number in range(MANY)]
    theirs, other = lesson(None, "passed-007", {"a.mp3": b"theirs"}, version="2026.11.23"), open_to(manual_server)

    def decide(event: Event) -> None:
        if isinstance(event, Submitted):
            if event.manifest_id == theirs.manifest_id:
                run(other, theirs, wait=False)
                manual_control.decide(theirs.manifest_id, "2026.11.23", "active")
            manual_control.decide(event.manifest_id, event.version, "active")

    report = run(open_to(manual_server), *drafts, around=Surroundings(on_event=decide, world=fake_time.world))
    assert Counter(outcomes(report)) == {"active": MANY - 1, "conflict": 1}
    assert (report.results[7].outcome, report.results[7].status) == ("conflict", "superseded")


def test_what_an_earlier_run_left_pending_is_found_in_the_listing_too(
    manual_server: Started, manual_control: LocalControl, open_to: OpenedApi, fake_time: FakeTime
) -> None:
    drafts = [lesson(None, f"left-{number:03}", {"a.mp3": b"a"}) for number in range(MANY)]
    assert set(outcomes(run(open_to(manual_server), *drafts, wait=False))) == {"pending"}

    def decide(event: Event) -> None:
        if isinstance(event, Planned) and event.version is not None:
            manual_control.decide(event.manifest_id, event.version, "active")

    with fault_proxy(manual_server.url) as proxy:
        around = Surroundings(on_event=decide, world=fake_time.world)
        report = run(open_to(manual_server, proxy.url), *drafts, around=around)
    assert set(outcomes(report)) == {"active"}
    assert set(proxy.requests) == {"POST /oauth/token", "GET /v1/content/manifests"}


def test_of_many_those_without_a_verdict_in_time_are_pending(
    manual_server: Started, open_to: OpenedApi, fake_time: FakeTime
) -> None:
    drafts = [lesson(None, f"never-{number:03}", {"a.mp3": b"a"}) for number in range(MANY)]
    assert set(outcomes(run(open_to(manual_server), *drafts, wait=False))) == {"pending"}
    report = run(open_to(manual_server), *drafts, around=Surroundings(world=fake_time.world), timeout_s=20)
    assert (set(outcomes(report)), report.exit_code) == ({"pending"}, 8)
    assert sum(fake_time.slept) == pytest.approx(20, abs=3)


# --- when it cannot go on --------------------------------------------------------------------------------------------


def test_a_stopped_server_is_exit_7(open_to: OpenedApi, server: Started, fake_time: FakeTime, bucket: Path) -> None:
    with fault_proxy(server.url) as proxy:
        url = proxy.url
    around = Surroundings(world=fake_time.world)
    report = run(open_to(server, url), *several(bucket, "stopped-server", 2), around=around)
    assert (outcomes(report), report.exit_code) == (["unreachable", "skipped"], 7)
    assert sum(fake_time.slept) < 2  # nothing was sent, so there is nothing to find out


def test_a_server_that_dies_after_the_post_is_exit_7_with_the_last_known_state(
    server: Started, open_to: OpenedApi, fake_time: FakeTime, manual_server: Started
) -> None:
    path = "/v1/content/manifests/dying"
    faults = [Fault(nth, "refuse", "GET", path) for nth in range(2, 20)]
    with fault_proxy(manual_server.url, *faults) as proxy:
        around = Surroundings(world=fake_time.world)
        draft = lesson(None, "dying", {"a.mp3": b"a"})
        report = run(open_to(manual_server, proxy.url), draft, around=around, timeout_s=0.9)
    (result,) = report.results
    assert (result.outcome, report.exit_code) == ("unreachable", 7)
    assert result.status in ("pending", "validating")


def test_a_wrong_secret_is_exit_4_and_asks_nothing_more(server: Started, bucket: Path) -> None:
    with fault_proxy(server.url) as proxy:
        wrong = Credentials(server.client.client_id, "wrong", "local")
        with open_api(local_environment(proxy.url), wrong) as api:
            report = run(api, *several(bucket, "wrong-secret", 3))
    assert (outcomes(report), report.exit_code) == (["skipped", "skipped", "skipped"], 4)
    assert proxy.requests == ["POST /oauth/token"]


@pytest.mark.parametrize(
    ("raised", "exit_code"),
    [
        (KeyboardInterrupt(), 130),
        (Interrupted("stopped", code="interrupted", hint="again", signal_number=signal.SIGTERM), 143),
    ],
)
def test_a_signal_ends_it_with_what_is_known_and_nothing_new_sent(
    raised: BaseException, exit_code: int, manual_server: Started, open_to: OpenedApi
) -> None:
    drafts = [lesson(None, f"signal-{exit_code}-{number}", {"a.mp3": b"a"}) for number in range(3)]

    def strike(event: Event) -> None:
        if isinstance(event, Submitted):
            raise raised

    with fault_proxy(manual_server.url) as proxy:
        around = Surroundings(on_event=strike)
        report = run(open_to(manual_server, proxy.url), *drafts, around=around, timeout_s=60, in_flight=1)
        assert (outcomes(report), report.exit_code) == (["interrupted"] * 3, exit_code)
        assert proxy.requests.count(POSTS) == 1
        again = run(open_to(manual_server, proxy.url), *drafts, wait=False)
    assert (outcomes(again), proxy.requests.count(POSTS)) == (["pending"] * 3, 3)


def test_a_deadline_leaves_the_rest_unsent(manual_server: Started, open_to: OpenedApi, fake_time: FakeTime) -> None:
    drafts = [lesson(None, f"deadline-{number}", {"a.mp3": b"a"}) for number in range(2)]

    def slowly(event: Event) -> None:
        if isinstance(event, Submitted):
            fake_time.now += 100

    around = Surroundings(on_event=slowly, world=fake_time.world)
    report = run(open_to(manual_server), *drafts, deadline_s=0.9, around=around, in_flight=1)
    assert outcomes(report) == ["pending", "unreachable"]
    assert report.results[1].status is None
    assert report.exit_code == 7


def test_the_deadline_is_one_for_the_upload_too(fake_time: FakeTime) -> None:
    def slowly(_: httpx.Request) -> httpx.Response:
        fake_time.now += 40
        return NOT_FOUND

    given: list[float | None] = []

    def put_assets(_: Sequence[str], left_s: float | None) -> dict[str, ReinmakerError]:
        given.append(left_s)
        return {}

    draft = lesson(None, "uploaded", {"a.mp3": b"a"})
    around = Surroundings(put_assets=put_assets, world=fake_time.world)
    run(Script([slowly]).api(), draft, dry_run=True, deadline_s=100, around=around)
    run(Script([slowly]).api(), draft, dry_run=True, around=around)
    assert given == [60.0, None]


def test_the_time_limit_is_one_for_all_that_is_done_with_a_manifest(fake_time: FakeTime) -> None:
    def slowly(request: httpx.Request) -> httpx.Response:
        fake_time.now += 40
        return NOT_FOUND

    drafts = [lesson(None, f"slow-{number}", {"a.mp3": b"a"}) for number in range(2)]
    pending = [answer(shown(draft.at("2026.11.23"))) for draft in drafts]
    script = Script([slowly, slowly, *pending])

    def lingering(event: Event) -> None:
        if isinstance(event, Waiting):
            fake_time.now += 30

    around = Surroundings(on_event=lingering, world=fake_time.world)
    report = run(script.api(), *drafts, timeout_s=60, around=around)
    assert outcomes(report) == ["pending", "pending"]
    assert fake_time.now - 1000 == 2 * 40 + 2 * 30  # none of it counted for the other


def test_a_person_is_asked_once_about_all_that_would_go(api: Api, bucket: Path) -> None:
    asked: list[list[str]] = []

    def answer_yes(differences: Mapping[str, Difference]) -> bool:
        asked.append([asset.id for difference in differences.values() for asset in difference.removed])
        return True

    full = [lesson(bucket, name, {f"{name}-a.mp3": b"a", f"{name}-b.mp3": b"b"}) for name in ("one", "two")]
    run(api, *full)
    smaller = [lesson(bucket, name, {f"{name}-a.mp3": b"a"}) for name in ("one", "two")]
    run(api, *smaller, around=Surroundings(confirm_removed=answer_yes))
    assert asked == [["one-b.mp3", "two-b.mp3"]]


def test_a_person_who_is_asked_takes_no_time_from_the_manifest(api: Api, bucket: Path, fake_time: FakeTime) -> None:
    run(api, lesson(bucket, "asked", {"a.mp3": b"a", "b.mp3": b"b"}))

    def think(_: Mapping[str, Difference]) -> bool:
        fake_time.now += 3600
        return True

    around = Surroundings(confirm_removed=think, world=fake_time.world)
    report = run(api, lesson(bucket, "asked", {"a.mp3": b"a"}), timeout_s=60, around=around)
    assert outcomes(report) == ["active"]


def test_a_version_of_the_server_that_is_none_is_no_bug_of_ours(fake_time: FakeTime) -> None:
    draft = lesson(None, "odd", {"a.mp3": b"a"})
    script = Script([answer(shown(draft.at("2026.11.23")) | {"version": "latest"})])
    report = run(script.api(), draft, around=Surroundings(world=fake_time.world))
    assert (outcomes(report), report.exit_code) == (["unreachable"], 7)


def test_content_after_the_last_day_there_is_a_conflict_and_no_bug_of_ours(fake_time: FakeTime) -> None:
    draft = lesson(None, "last", {"a.mp3": b"a"})
    last = {"version": "9999.12.31", "digest": "sha256:0", "contentDigest": "sha256:0"}
    script = Script([answer(shown(draft.at("9999.12.31"), "active", **last, active=last))])
    report = run(script.api(), draft, around=Surroundings(world=fake_time.world))
    assert (outcomes(report), report.exit_code) == (["conflict"], 5)


def test_a_listing_that_cannot_be_had_ends_it_also_with_keep_going(fake_time: FakeTime) -> None:
    drafts = [lesson(None, f"unlisted-{number}", {"a.mp3": b"a"}) for number in range(LIST_ABOVE + 1)]
    script = Script([httpx.Response(500)] * LOOKING_ATTEMPTS)
    report = run(script.api(), *drafts, keep_going=True, around=Surroundings(world=fake_time.world))
    assert (outcomes(report), report.exit_code) == (["unreachable", *["skipped"] * LIST_ABOVE], 7)


@pytest.mark.parametrize(
    "document", [{}, {"assets": None}, {"assets": [5, {}, {"bytes": "1"}]}, {"manifestId": 7, "assets": {"bytes": 1}}]
)
def test_a_document_that_breaks_the_schema_has_a_result_too(document: dict[str, Any]) -> None:
    result = unsent_result(manifest_from_document(document), (), is_broken=True)
    assert (result.outcome, result.exit_code, result.assets.bytes) == ("invalid", 3, 0)


def test_a_result_is_the_envelopes(fake_time: FakeTime) -> None:
    draft = lesson(None, "envelope", {"a.mp3": b"a"})
    active = shown(draft.at("2026.11.23"), "active")
    script = Script([NOT_FOUND, answer(active)])
    around = Surroundings(world=fake_time.world, make_trace_id=lambda: "trace-1")
    assert run(script.api(), draft, around=around).to_json() == {
        "results": [
            {
                "manifestId": "envelope",
                "version": "2026.11.23",
                "digest": draft.at("2026.11.23").digest,
                "outcome": "active",
                "status": "active",
                "reconciled": False,
                "assets": {"count": 1, "bytes": 1, "added": 1, "changed": 0, "removed": 0, "newBytes": 1},
                "traceId": "trace-1",
                "findings": [],
                "submissionId": "sub_1",
            }
        ],
        "stats": {"requests": 2, "limitedSeconds": 0.0},
    }
