"""POST of a manifest: what is new, what is the same again, what stands in the way, and how long an answer may take."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.server.live import MANIFESTS, Caller, live_server, manifest, problem_code


def test_new_content_is_accepted_and_becomes_active(live: Caller):
    answer = live.submit(manifest("new"), wait=None)
    assert answer.status_code == 202
    assert answer.headers["location"] == f"{MANIFESTS}/new?version=2026.11.23"
    assert answer.headers["retry-after"] == "1"
    submission = live.api.get(answer.headers["location"], headers={"Prefer": "wait=20"}).json()
    assert submission["submissionId"] == answer.json()["submissionId"]


def test_preferring_to_wait_gives_the_verdict(live: Caller):
    answer = live.submit(manifest("waiting"))
    submission = answer.json()
    assert (answer.status_code, submission["status"]) == (200, "active")
    assert answer.headers["preference-applied"] == "wait=20"
    assert submission["active"] == {name: submission[name] for name in ("version", "digest", "contentDigest")}
    checks = {check["name"]: check["status"] for check in submission["validation"]["checks"]}
    assert checks["asset-immutable"] == "passed"


def test_digest_does_not_depend_on_spelling(live: Caller):
    document = manifest("spelling", note="ä")
    live.submit(document)
    reordered = json.dumps(dict(reversed(document.items())), indent=3).encode()
    answer = live.api.post(MANIFESTS, content=reordered, headers={"Content-Type": "application/json; charset=utf-8"})
    assert answer.headers["idempotent-replayed"] == "true"


def test_same_content_again_is_the_same_submission(live: Caller):
    first, second = live.submit(manifest("again")), live.submit(manifest("again"))
    assert "idempotent-replayed" not in first.headers
    assert (second.status_code, second.headers["idempotent-replayed"]) == (200, "true")
    assert second.json() == first.json()


def test_other_content_under_a_version_is_a_conflict(live: Caller):
    live.submit(manifest("taken"))
    answer = live.submit(manifest("taken", note="other"))
    assert (answer.status_code, problem_code(answer)) == (409, "version-conflict")


@pytest.mark.parametrize("older", ["2026.11.22", "2026.11.22-9", "2026.11.23"])
def test_version_before_the_active_one_is_not_newer(live: Caller, older):
    manifest_id = "older-" + older.replace(".", "-")
    live.submit(manifest(manifest_id, "2026.11.23-2"))
    answer = live.submit(manifest(manifest_id, older))
    assert (answer.status_code, problem_code(answer)) == (409, "version-not-newer")


def test_newer_version_supersedes_the_active_one(live: Caller):
    live.submit(manifest("successor", "2026.11.23"))
    newer = live.submit(manifest("successor", "2026.11.23-2")).json()
    older = live.status("successor", "2026.11.23").json()
    assert (older["status"], newer["status"]) == ("superseded", "active")
    assert older["active"]["version"] == "2026.11.23-2"
    assert live.status("successor").json()["version"] == "2026.11.23-2"


def test_superseded_version_is_replayed_and_never_replaced(live: Caller):
    live.submit(manifest("replayed", "2026.11.23"))
    live.submit(manifest("replayed", "2026.11.24"))
    assert live.submit(manifest("replayed", "2026.11.23")).json()["status"] == "superseded"
    assert problem_code(live.submit(manifest("replayed", "2026.11.23", note="x"))) == "version-conflict"


def test_rejected_content_is_validated_anew(manual: Caller):
    first = manual.submit(manifest("rejected"), wait=None).json()
    rejected = manual.decide("rejected", "2026.11.23", "rejected", "too loud").json()
    assert "validation" in rejected, rejected
    assert (rejected["status"], rejected["validation"]["errors"][0]["detail"]) == ("rejected", "too loud")
    again = manual.submit(manifest("rejected"), wait=None)
    assert again.status_code == 202
    assert "idempotent-replayed" not in again.headers
    assert again.json()["submissionId"] != first["submissionId"]
    assert again.json()["digest"] == first["digest"]


def test_rejected_version_may_be_submitted_with_other_content(manual: Caller):
    manual.submit(manifest("mended"), wait=None)
    assert manual.decide("mended", "2026.11.23", "rejected").status_code == 200
    answer = manual.submit(manifest("mended", note="better"), wait=None)
    assert answer.status_code == 202
    assert manual.decide("mended", "2026.11.23", "active").json()["status"] == "active"


def test_rejected_version_behind_the_active_one_is_not_newer(manual: Caller):
    manual.submit(manifest("left-behind", "2026.11.23"), wait=None)
    assert manual.decide("left-behind", "2026.11.23", "rejected").status_code == 200
    manual.submit(manifest("left-behind", "2026.11.24"), wait=None)
    assert manual.decide("left-behind", "2026.11.24", "active").status_code == 200
    assert problem_code(manual.submit(manifest("left-behind", "2026.11.23"))) == "version-not-newer"


def test_invalid_manifest_names_each_place(live: Caller):
    answer = live.submit(manifest("bad", "2025.13.45", product="other"))
    assert (answer.status_code, problem_code(answer)) == (422, "manifest-invalid")
    problem = answer.json()
    found = {(error["code"], error["pointer"]) for error in problem["errors"]}
    assert {("schema-violation", "/product"), ("version-not-a-date", "/version")} <= found
    assert problem["errorCount"] == len(problem["errors"])


def test_first_hundred_errors_are_listed_and_all_are_counted(live: Caller):
    document = manifest("many")
    document["assets"] *= 300
    problem = live.submit(document).json()
    assert len(problem["errors"]) == 100
    assert problem["errorCount"] > 100


@pytest.mark.parametrize("size", [3.0, 2**53 - 1, 1e300])
def test_any_size_that_the_schema_takes_gets_a_verdict(size):
    """JSON Schema calls 1e300 an integer; a time limit made of it fits into no socket."""
    with live_server(network=True) as caller:
        answer = caller.submit(manifest(url="http://127.0.0.1:9/nobody-listens", size=size))
    assert (answer.status_code, answer.json()["status"]) == (200, "rejected")


def test_warnings_of_the_rules_travel_with_the_submission(live: Caller):
    submission = live.submit(manifest("typo", prodct="reinmaker")).json()
    assert (submission["status"], submission["validation"]["warnings"][0]["code"]) == ("active", "unknown-property")


# --- waiting ---------------------------------------------------------------------------------------------------------


def test_wait_ends_without_a_verdict_with_202(manual: Caller):
    started = time.monotonic()
    answer = manual.submit(manifest("slow"), wait=1)
    assert time.monotonic() - started >= 0.99
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "wait=1")


def test_waiting_post_is_woken_by_the_verdict(manual: Caller):
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(manual.submit, manifest("woken"))
        while manual.status("woken").status_code == 404:
            pass
        assert manual.decide("woken", "2026.11.23", "active").status_code == 200
        assert waiting.result(timeout=120).json()["status"] == "active"


def test_waiting_get_ends_at_any_change(manual: Caller):
    manual.submit(manifest("watched"), wait=None)
    # The submission is `validating` as soon as its turn came; from there only a decision changes it.
    while manual.status("watched").json()["status"] != "validating":
        pass
    with ThreadPoolExecutor(1) as pool:
        path, headers = f"{MANIFESTS}/watched", {"Prefer": "wait=20"}
        waiting = pool.submit(manual.api.get, path, headers=headers)
        assert manual.decide("watched", "2026.11.23", "rejected").status_code == 200
        assert waiting.result(timeout=120).json()["status"] == "rejected"


@pytest.mark.parametrize(
    ("asked", "applied"),
    [
        ("wait=99", "30"),
        ("respond-async, wait=5", "5"),
        ("WAIT=0", "0"),
        ("wait=0000000012", "12"),
        ("wait=" + "9" * 5000, "30"),
    ],
)
def test_wait_is_at_most_30_seconds(live: Caller, asked, applied):
    answer = live.api.post(MANIFESTS, json=manifest("preferring"), headers={"Prefer": asked})
    assert answer.headers["preference-applied"] == f"wait={applied}"


@pytest.mark.parametrize("malformed", ["wait", "wait=", "wait=soon", "wait=-1", "waiting=5"])
def test_malformed_wait_is_ignored(live: Caller, malformed):
    answer = live.api.post(MANIFESTS, json=manifest("malformed"), headers={"Prefer": malformed})
    assert "preference-applied" not in answer.headers


# --- races -----------------------------------------------------------------------------------------------------------


def test_race_of_identical_posts_makes_one_submission(manual: Caller):
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: manual.submit(manifest("identical"), wait=None), range(24)))
    assert len({answer.json()["submissionId"] for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1


def test_race_of_two_contents_for_one_version_has_one_winner(manual: Caller):
    def submit(number: int) -> int:
        return manual.submit(manifest("contested", note=str(number)), wait=None).status_code

    with ThreadPoolExecutor(12) as pool:
        statuses = sorted(pool.map(submit, range(12)))
    assert statuses == [202] + [409] * 11


@pytest.mark.parametrize("first", ["2026.11.23", "2026.11.24"])
def test_race_of_two_versions_leaves_the_newer_one_active(manual: Caller, first):
    manifest_id = f"two-versions-{first}"
    for version in ("2026.11.23", "2026.11.24"):
        manual.submit(manifest(manifest_id, version), wait=None)
    second = {"2026.11.23": "2026.11.24", "2026.11.24": "2026.11.23"}[first]
    assert manual.decide(manifest_id, first, "active").status_code == 200
    assert manual.decide(manifest_id, second, "active").status_code == 200
    assert manual.status(manifest_id, "2026.11.23").json()["status"] == "superseded"
    assert manual.status(manifest_id, "2026.11.24").json()["status"] == "active"


def test_race_of_two_versions_for_one_url_leaves_its_bytes_alone(manual: Caller):
    url = "s3://bucket/one-url.mp3"
    manual.submit(manifest("first-claim", url=url, sha256="a" * 64), wait=None)
    manual.submit(manifest("second-claim", url=url.replace("s3", "S3"), sha256="b" * 64), wait=None)
    assert manual.decide("first-claim", "2026.11.23", "active").json()["status"] == "active"
    loser = manual.decide("second-claim", "2026.11.23", "active").json()
    assert loser["status"] == "rejected"
    (error,) = loser["validation"]["errors"]
    assert (error["code"], error["pointer"]) == ("asset-immutable", "/assets/0/url")
    assert (error["expected"], error["found"]) == ("a" * 64, "b" * 64)


def test_published_url_with_other_bytes_is_rejected(live: Caller):
    url = "s3://bucket/published.mp3"
    live.submit(manifest("publisher", url=url, sha256="A" * 64))
    rejected = live.submit(manifest("other-publisher", url=url, sha256="b" * 64)).json()
    assert (rejected["status"], rejected["validation"]["errors"][0]["code"]) == ("rejected", "asset-immutable")
    assert live.submit(manifest("third-publisher", url=url, sha256="a" * 64)).json()["status"] == "active"


def test_rejected_manifest_publishes_nothing(manual: Caller):
    url = "s3://bucket/never-published.mp3"
    manual.submit(manifest("never", url=url, sha256="a" * 64), wait=None)
    assert manual.decide("never", "2026.11.23", "rejected").status_code == 200
    manual.submit(manifest("instead", url=url, sha256="b" * 64), wait=None)
    assert manual.decide("instead", "2026.11.23", "active").json()["status"] == "active"


def test_many_manifests_at_once_all_become_active():
    with live_server(validation="immediate") as caller, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: caller.submit(manifest(f"m{number}")), range(40)))
    assert {answer.json()["status"] for answer in answers} == {"active"}


def test_stopping_the_server_ends_the_waits():
    answers = []
    with live_server(validation="manual") as caller:
        url, headers = caller.started.url, dict(caller.api.headers)

        def wait() -> None:
            import httpx

            answers.append(
                httpx.post(url + MANIFESTS, json=manifest(), headers=headers | {"Prefer": "wait=30"}, timeout=120)
            )

        thread = threading.Thread(target=wait)
        thread.start()
        while caller.status("water-cycle").status_code == 404:
            pass
    thread.join()
    assert answers[0].status_code == 202  # what waits on is cut short after 10 s: 503
