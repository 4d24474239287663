"""Assets go to a bucket: what is missing is put there, what is there is never replaced, wrong bytes never leave.

The bucket is moto's, a real server on a port of its own; proxies before it count requests, and lose answers.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import pytest

from reinmaker_cli.buckets.objects import SHA256_METADATA, Objects
from reinmaker_cli.client.events import Looked, Pushed
from reinmaker_cli.client.push import Push, PushReport
from reinmaker_cli.client.push_plan import MAX_OBJECT_BYTES, plan_push
from reinmaker_cli.manifest.assemble import Draft, manifest_from_document
from tests.buckets.fixtures import cloud, s3, s3_server
from tests.buckets.s3 import BUCKET, SECRET
from tests.client.lessons import lesson
from tests.faults import Fault, fault_proxy
from tests.lessons import lfs_pointer, mp3

__all__ = ["cloud", "s3", "s3_server"]

URL = f"s3://{BUCKET}/{{id}}/{{name}}"
FILES = {"a.mp3": mp3("a"), "b.mp3": mp3("b"), "c.png": b"\x89PNG\r\n\x1a\n"}
WORD = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s" % (len(WORD), WORD)
BROKEN = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"


class Lesson:
    """Files in a folder, and the manifest of them."""

    def __init__(self, root: Path, files: Mapping[str, bytes] = FILES, name: str = "lesson", url: str = URL) -> None:
        self.root, self.files = root, files
        for path, content in files.items():
            (root / path).write_bytes(content)
        self.draft = lesson(None, name, files, url=url)

    def places(self) -> list[str]:
        return [f"{self.draft.manifest_id}/{name}" for name in sorted(self.files)]

    def push(self, *more: Lesson, maps: Sequence[tuple[str, Path]] = (), **options) -> PushReport:
        """Push it, with other lessons."""
        all_of_them = (self, *more)
        plan = plan_push(
            [one.draft for one in all_of_them], {one.draft.manifest_id: one.root for one in all_of_them}, maps
        )
        assert plan.findings == ()
        return Push(plan.uploads, Objects(os.environ), **options).run()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


def states(report: PushReport) -> dict[str, str]:
    return {upload.path: state for upload, state in report.states.items()}


def code_of(report: PushReport) -> tuple[str, int]:
    assert report.error is not None
    return report.error.code, report.error.exit_code


# --- what is put ------------------------------------------------------------------------------------------------------


def test_what_is_missing_is_put_with_its_type_and_checksum(s3, cloud, folder):
    lesson = Lesson(folder)
    heard = []
    with fault_proxy(s3.url) as proxy:
        cloud(proxy.url)
        report = lesson.push(on_event=heard.append)
    assert states(report) == dict.fromkeys(FILES, "uploaded")
    assert {key: s3.read(key) for key in lesson.places()} == dict(zip(lesson.places(), FILES.values(), strict=True))
    head = s3.client.head_object(Bucket=BUCKET, Key="lesson/a.mp3")
    sha256 = hashlib.sha256(FILES["a.mp3"]).hexdigest()
    assert (head["ContentType"], head["Metadata"]) == ("audio/mpeg", {SHA256_METADATA: sha256})
    assert isinstance(heard[0], Looked)
    assert {event.path for event in heard[1:] if isinstance(event, Pushed)} == set(FILES)


def test_each_put_is_one_request_on_condition_and_with_a_checksum_of_the_bytes(s3, cloud, folder):
    heads = []
    with fault_proxy(s3.url, on_head=heads.append) as proxy:
        cloud(proxy.url)
        Lesson(folder, {"large.mp3": mp3("large", frames=30_000)}).push()
    (put,) = [head for head in heads if head.startswith(b"PUT ")]
    assert b"\r\nif-none-match: *\r\n" in put
    assert b"\r\nx-amz-checksum-sha256: " in put


def test_run_again_it_puts_nothing(s3, cloud, folder):
    lesson = Lesson(folder)
    with fault_proxy(s3.url) as proxy:
        cloud(proxy.url)
        lesson.push()
        report = lesson.push()
    assert states(report) == dict.fromkeys(FILES, "present")
    assert [one.method for one in proxy.passed].count("PUT") == len(FILES)
    assert [one.method for one in proxy.passed].count("GET") == 0


def test_the_same_bytes_from_somebody_else_are_passed_over(s3, cloud, folder):
    cloud(s3.url)
    s3.put("lesson/a.mp3", FILES["a.mp3"])
    report = Lesson(folder).push()
    assert states(report) == {"a.mp3": "present", "b.mp3": "uploaded", "c.png": "uploaded"}


def test_an_asset_that_two_lessons_share_is_put_once(s3, cloud, folder):
    cloud(s3.url)
    url = f"s3://{BUCKET}/shared/{{name}}"
    one, other = Lesson(folder, {"a.mp3": FILES["a.mp3"]}, "one", url), Lesson(folder, FILES, "other", url)
    report = one.push(other)
    assert s3.versions() == {"shared/a.mp3": 1, "shared/b.mp3": 1, "shared/c.png": 1}
    assert sorted(upload.manifest_ids for upload in report.states)[0] == ("one", "other")


@pytest.mark.parametrize("name", ["a b.mp3", "100%.mp3", "ü é.mp3", "a+b&c=d.mp3", "%41.mp3", "a#b?c.mp3"])
def test_the_key_is_the_percent_decoded_path(s3, cloud, folder, name):
    cloud(s3.url)
    draft = lesson(None, "lesson", {name: FILES["a.mp3"]}, url=f"s3://{BUCKET}/{quote(name)}")
    (folder / name).write_bytes(FILES["a.mp3"])
    Push(plan_push([draft], {"lesson": folder}).uploads, Objects(os.environ)).run()
    assert s3.keys() == [name]


def test_a_folder_stands_for_a_bucket(cloud, folder, tmp_path):
    cloud("http://127.0.0.1:9")
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    lesson = Lesson(folder)
    maps = [(f"s3://{BUCKET}/", bucket)]
    assert states(lesson.push(maps=maps)) == dict.fromkeys(FILES, "uploaded")
    assert {path.name: path.read_bytes() for path in (bucket / "lesson").iterdir()} == FILES
    (bucket / "lesson" / "a.mp3").write_bytes(b"other")
    report = lesson.push(maps=maps)
    assert states(report) == {"a.mp3": "differs", "b.mp3": "present", "c.png": "present"}
    assert (bucket / "lesson" / "a.mp3").read_bytes() == b"other"


def test_a_claim_beside_other_bytes_is_not_believed(s3, cloud, folder):
    """Somebody copied the object's metadata with other bytes: the size alone says that they are not ours."""
    cloud(s3.url)
    claim = {SHA256_METADATA: hashlib.sha256(FILES["a.mp3"]).hexdigest()}
    s3.client.put_object(Bucket=BUCKET, Key="lesson/a.mp3", Body=b"other", Metadata=claim)
    assert states(Lesson(folder).push())["a.mp3"] == "differs"


# --- what is never replaced -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"other", bytes(len(FILES["a.mp3"]))], ids=["other size", "same size"])
def test_other_bytes_stay_and_nothing_at_all_is_put(s3, cloud, folder, content):
    cloud(s3.url)
    s3.put("lesson/a.mp3", content)
    report = Lesson(folder).push()
    assert states(report) == {"a.mp3": "differs", "b.mp3": "missing", "c.png": "missing"}
    ((_, finding),) = report.findings
    assert (finding.code, finding.path, finding.manifest_id) == ("asset-immutable", "a.mp3", "lesson")
    assert s3.versions() == {"lesson/a.mp3": 1}
    assert report.errors["lesson"].exit_code == 3


def test_what_is_clean_goes_on_where_that_was_asked_for(s3, cloud, folder):
    cloud(s3.url)
    s3.put("lesson/a.mp3", b"other")
    report = Lesson(folder).push(keep_going=True)
    assert states(report) == {"a.mp3": "differs", "b.mp3": "uploaded", "c.png": "uploaded"}
    assert s3.read("lesson/a.mp3") == b"other"


def test_a_dry_run_looks_and_puts_nothing(s3, cloud, folder):
    cloud(s3.url)
    assert states(Lesson(folder).push(dry_run=True)) == dict.fromkeys(FILES, "missing")
    assert s3.keys() == []


@pytest.mark.parametrize(("theirs", "state"), [(FILES["a.mp3"], "present"), (b"other", "differs")])
def test_race_somebody_puts_it_between_our_look_and_our_put(s3, cloud, folder, theirs, state):
    def be_quicker(request: str) -> None:
        if request.startswith("PUT"):
            s3.put("lesson/a.mp3", theirs)

    with fault_proxy(s3.url, on_request=be_quicker) as proxy:
        cloud(proxy.url)
        report = Lesson(folder, {"a.mp3": FILES["a.mp3"]}).push()
    assert states(report) == {"a.mp3": state}
    assert s3.read("lesson/a.mp3") == theirs
    assert s3.versions() == {"lesson/a.mp3": 1}


def test_a_lost_answer_is_found_out_and_nothing_put_twice(s3, cloud, folder):
    path = f"/{BUCKET}/lesson/a.mp3"
    with fault_proxy(s3.url, Fault(1, "drop", "PUT", path)) as proxy:
        cloud(proxy.url)
        report = Lesson(folder, {"a.mp3": FILES["a.mp3"]}).push()
    assert states(report)["a.mp3"] in ("present", "uploaded")
    assert s3.versions() == {"lesson/a.mp3": 1}


def test_a_conflict_with_nobody_is_tried_again(s3, cloud, folder):
    """S3 answers 409 where another request on the key is under way, which may have removed it."""
    conflict = b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n"
    with fault_proxy(s3.url, Fault(1, "answer", "PUT", f"/{BUCKET}/lesson/a.mp3", conflict)) as proxy:
        cloud(proxy.url)
        report = Lesson(folder, {"a.mp3": FILES["a.mp3"]}).push()
    assert states(report) == {"a.mp3": "uploaded"}
    assert [one.method for one in proxy.passed] == ["HEAD", "PUT", "HEAD", "PUT"]


# --- what never leaves ------------------------------------------------------------------------------------------------


def other_bytes(path: Path) -> None:
    path.write_bytes(bytes(len(FILES["a.mp3"])))


def another_size(path: Path) -> None:
    path.write_bytes(b"short")


def a_link(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(bytes(len(FILES["a.mp3"])))
    path.unlink()
    path.symlink_to(other)


def a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def nothing(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [other_bytes, another_size, a_link, a_fifo, nothing])
def test_race_a_file_that_changes_after_it_was_hashed_is_not_sent(s3, cloud, folder, change):
    lesson = Lesson(folder, {"a.mp3": FILES["a.mp3"]})
    with fault_proxy(
        s3.url, on_request=lambda _: change(folder / "a.mp3") if (folder / "a.mp3").is_file() else None
    ) as proxy:
        cloud(proxy.url)
        report = lesson.push()
    assert states(report) == {"a.mp3": "changed"}
    ((_, finding),) = report.findings
    assert finding.code == ("unreadable" if change is nothing else "file-changed")
    assert [one.method for one in proxy.passed] == ["HEAD"]


def test_everything_that_is_in_the_way_is_said_before_anybody_is_asked(folder):
    Lesson(folder)
    (folder / "pointer.png").write_bytes(lfs_pointer(9))
    draft = lesson(None, "m", {**FILES, "pointer.png": lfs_pointer(9)}, url=f"s3://{BUCKET}/{{name}}")
    document = draft.at("2026.11.28").document
    a, b, c, pointer = document["assets"]
    a["bytes"] = MAX_OBJECT_BYTES + 1
    b["url"] = "https://cdn.example.com/b.mp3"
    c["url"] = f"s3://{BUCKET}/../c.png"
    files = {asset["url"]: name for asset, name in zip((a, b, c, pointer), (*FILES, "pointer.png"), strict=True)}
    plan = plan_push([manifest_from_document(document, files=files)], {"m": folder})
    assert sorted(finding.code for finding in plan.findings) == [
        "asset-too-large",
        "lfs-pointer",
        "url-no-object",
        "url-no-object",
    ]


def test_two_files_for_one_object_are_a_finding(folder):
    url = f"s3://{BUCKET}/same"
    one, other = (
        Lesson(folder, {"a.mp3": FILES["a.mp3"]}, "one", url),
        Lesson(folder, {"b.mp3": FILES["b.mp3"]}, "other", url),
    )
    plan = plan_push([one.draft, other.draft], {"one": folder, "other": folder})
    assert [finding.code for finding in plan.findings] == ["duplicate-asset-url"]
    assert isinstance(one.draft, Draft)


# --- stores that fail -------------------------------------------------------------------------------------------------


def test_a_store_that_refuses_is_exit_4_and_no_secret_is_said(s3, cloud, folder):
    path = f"/{BUCKET}/lesson/a.mp3"
    with fault_proxy(s3.url, Fault(0, "answer", "PUT", path, REFUSED)) as proxy:
        cloud(proxy.url)
        report = Lesson(folder, {"a.mp3": FILES["a.mp3"]}).push()
    assert code_of(report) == ("bucket-refused", 4)
    assert "403 AccessDenied" in report.error.message
    assert not any(word in report.error.message for word in (SECRET, "AKIA", "Signature", "http://"))
    assert report.errors == {"lesson": report.error}


def test_a_store_that_breaks_is_exit_7_and_the_same_command_goes_on(s3, cloud, folder):
    path = f"/{BUCKET}/lesson/a.mp3"
    with fault_proxy(s3.url, *(Fault(nth, "answer", "PUT", path, BROKEN) for nth in range(1, 6))) as proxy:
        cloud(proxy.url)
        broken = Lesson(folder).push()
        again = Lesson(folder).push()
    assert code_of(broken) == ("bucket-unreachable", 7)
    assert broken.error.retryable
    assert again.error is None
    assert s3.versions() == dict.fromkeys(Lesson(folder).places(), 1)


def test_nobody_at_the_endpoint_is_exit_7(cloud, folder):
    cloud("http://127.0.0.1:1")
    assert code_of(Lesson(folder).push()) == ("bucket-unreachable", 7)


def test_a_bucket_that_is_not_there_is_exit_2(s3, cloud, folder):
    cloud(s3.url)
    assert code_of(Lesson(folder, url="s3://nowhere-to-be-found/{name}").push()) == ("bucket-missing", 2)


def test_without_credentials_it_is_exit_4_and_nobody_is_asked(folder):
    assert code_of(Lesson(folder).push()) == ("bucket-credentials", 4)


def test_plain_http_beyond_this_machine_is_refused(cloud, folder, monkeypatch):
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    cloud("http://192.0.2.1:9000")
    assert code_of(Lesson(folder).push()) == ("bucket-unusable", 2)


def test_time_that_runs_out_is_exit_7(s3, cloud, folder):
    with fault_proxy(s3.url, bytes_per_s=20_000) as proxy:
        cloud(proxy.url)
        report = Lesson(folder, {"a.mp3": mp3("a", frames=1000)}).push(deadline_s=1)
    assert code_of(report) == ("out-of-time", 7)
    assert s3.keys() == []


def test_race_the_end_comes_while_a_file_is_read(s3, cloud, folder):
    """The thread that reads is told, before anybody waits for it: a file of 5 GB is not read to its end."""

    class Slow(Push):
        async def _look(self, upload):
            self.report.states[upload] = "missing"  # no store is asked, so the time runs out in the reading

        def _read(self, upload):
            while not self._is_stopped:
                threading.Event().wait(0.01)
            told.append(self._is_stopped)
            return super()._read(upload)

    told: list[bool] = []
    cloud(s3.url)
    lesson = Lesson(folder, {"a.mp3": mp3("a")})
    plan = plan_push([lesson.draft], {lesson.draft.manifest_id: folder})
    Slow(plan.uploads, Objects(os.environ), deadline_s=1).run()
    assert told == [True]
    assert s3.keys() == []
