"""`reinmaker push` and `publish --push` in this process, to moto's S3 and to a folder that stands for a bucket."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reinmaker_cli.buckets import access
from reinmaker_cli.server.running import ServerConfig, Started, running_server
from tests.buckets.fixtures import cloud, s3, s3_server
from tests.buckets.s3 import BUCKET, S3, SECRET
from tests.cli.command import Command
from tests.faults import Fault, fault_proxy
from tests.lessons import lesson, lfs_pointer

__all__ = ["cloud", "s3", "s3_server"]


@pytest.fixture
def folder(reinmaker: Command, work: Path) -> Path:
    folder = lesson(work / "water-cycle", languages=["en"])
    assert reinmaker("init", folder).code == 0
    return folder


@pytest.fixture
def bucket(work: Path) -> Path:
    (work / "bucket").mkdir()
    return work / "bucket"


@pytest.fixture
def serving(work: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """A local server, as environment `local`."""
    with running_server(ServerConfig(port=0, data=work / "data", log="off")) as started:
        monkeypatch.setenv("REINMAKER_DATA", str(started.data))
        yield started


def test_the_document_says_what_became_of_each_object(reinmaker: Command, folder: Path, s3: S3, cloud) -> None:
    cloud(s3.url)
    first = reinmaker("push", folder, "--json").document
    assert {result["outcome"] for result in first["results"]} == {"uploaded"}
    assert (first["stats"]["uploaded"], first["stats"]["present"]) == (6, 0)
    again = reinmaker("push", folder, "--json").document
    assert {result["outcome"] for result in again["results"]} == {"present"}
    assert set(s3.versions().values()) == {1}


@pytest.fixture
def no_obstore(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process whose Python lacks the extra: it looks for it once, and so did tests before this one."""
    monkeypatch.setitem(sys.modules, "obstore", None)
    access._missing_library.cache_clear()
    yield
    access._missing_library.cache_clear()


@pytest.mark.usefixtures("no_obstore")
@pytest.mark.parametrize("words", [("push",), ("push", "--dry-run")])
def test_without_the_extra_it_says_what_to_install(
    reinmaker: Command, folder: Path, bucket: Path, words: tuple[str, ...]
) -> None:
    refused = reinmaker(*words, folder, "--map", f"s3://{BUCKET}/={bucket}", "--json")
    assert refused.code == 2
    assert refused.document["error"]["code"] == "bucket-unusable"
    assert "pip install 'reinmaker[s3]'" in refused.err
    assert "Traceback" not in refused.err


def test_quiet_names_what_was_put(reinmaker: Command, folder: Path, bucket: Path) -> None:
    pushed = reinmaker("push", folder, "--map", f"s3://{BUCKET}/={bucket}", "--quiet")
    assert (pushed.code, pushed.err) == (0, "")
    urls = pushed.out.split()
    assert len(urls) == 6
    assert all(url.startswith(f"s3://{BUCKET}/water-cycle/") for url in urls)


def test_a_dry_run_sends_nothing(reinmaker: Command, folder: Path, bucket: Path) -> None:
    looked = reinmaker("push", folder, "--map", f"s3://{BUCKET}/={bucket}", "--dry-run")
    assert looked.code == 0
    assert "6 objects to upload" in looked.err
    assert list(bucket.iterdir()) == []


def test_all_that_is_wrong_is_said_and_nothing_is_put(reinmaker: Command, folder: Path, bucket: Path) -> None:
    names = sorted(folder.glob("*.mp3"))
    names[0].write_bytes(lfs_pointer(9))
    names[1].write_bytes(b"")
    refused = reinmaker("push", folder, "--map", f"s3://{BUCKET}/={bucket}", "--json")
    assert refused.code == 3
    assert {finding["code"] for finding in refused.document["findings"]} == {"lfs-pointer", "empty-file"}
    assert list(bucket.iterdir()) == []


def test_other_bytes_under_a_url_are_exit_3_and_stay(reinmaker: Command, folder: Path, bucket: Path) -> None:
    words = ["push", folder, "--map", f"s3://{BUCKET}/={bucket}", "--json"]
    reinmaker(*words)
    first = sorted(path for path in bucket.rglob("*.mp3"))[0]
    first.chmod(0o644)
    first.write_bytes(b"other")
    refused = reinmaker(*words)
    assert refused.code == 3
    (finding,) = refused.document["findings"]
    assert (finding["code"], finding["found"]) == ("asset-immutable", "5 bytes")
    assert first.read_bytes() == b"other"


def test_urls_without_a_bucket_are_exit_3(reinmaker: Command, folder: Path) -> None:
    toml = folder / "reinmaker.toml"
    toml.write_text(toml.read_text().replace(f"s3://{BUCKET}/", "https://cdn.example.com/"))
    refused = reinmaker("push", folder, "--json")
    assert refused.code == 3
    assert {finding["code"] for finding in refused.document["findings"]} == {"url-no-object"}


def test_no_credentials_are_exit_4(reinmaker: Command, folder: Path, cloud) -> None:
    refused = reinmaker("push", folder, "--json")
    assert (refused.code, refused.document["error"]["code"]) == (4, "bucket-credentials")


def test_a_manifest_file_needs_the_folder_of_its_assets(reinmaker: Command, folder: Path, bucket: Path) -> None:
    assert reinmaker("build", folder, "--only", "agePersona=2-5", "-o", "m.json").code == 0
    refused = reinmaker("push", "m.json")
    assert refused.code == 2
    hint = refused.err.split("hint: name their folder: ")[1].split("`")[1]
    assert shlex.split(hint) == ["reinmaker", "push", "m.json", "--root", "DIR"]
    pushed = reinmaker("push", "m.json", "--root", folder, "--map", f"s3://{BUCKET}/={bucket}", "--json")
    assert pushed.code == 0, pushed.err
    assert pushed.document["stats"]["uploaded"] == 3


def test_no_secret_is_in_what_is_said_when_the_store_refuses(reinmaker: Command, folder: Path, s3: S3, cloud) -> None:
    word = f"<Error><Code>SignatureDoesNotMatch</Code><StringToSign>{SECRET}</StringToSign></Error>".encode()
    answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s" % (len(word), word)
    with fault_proxy(s3.url, on_request=lambda _: None) as proxy:
        proxy.faults = [Fault(0, "answer", method, None, answer) for method in ("PUT", "HEAD")]
        cloud(proxy.url)
        refused = reinmaker("push", folder, "--verbose", "--json")
    assert (refused.code, refused.document["error"]["code"]) == (4, "bucket-refused")
    said = refused.out + refused.err
    assert not any(word in said for word in (SECRET, "AKIAIOSFODNN7EXAMPLE", "Signature="))


def test_check_online_reads_the_bucket(reinmaker: Command, folder: Path, s3: S3, cloud, serving) -> None:
    cloud(s3.url)
    missing = reinmaker("check", folder, "--online", "--json")
    assert {finding["code"] for finding in missing.document["findings"]} == {"asset-unreachable"}
    reinmaker("push", folder)
    assert reinmaker("check", folder, "--online", "--json").document["findings"] == []


def test_check_online_says_what_it_lacks(reinmaker: Command, folder: Path, cloud, serving) -> None:
    checked = reinmaker("check", folder, "--online")
    assert checked.code == 0
    assert "no AWS credentials were found" in checked.err


def test_a_process_that_used_the_store_ends_without_waiting_for_threads_of_the_library() -> None:
    """They call Python from Rust; one that does while the interpreter ends aborts it (1 in 24, on a busy machine)."""
    script = (
        "import atexit, obstore, sys\n"
        "from reinmaker_cli.cli.app import main\n"
        "atexit.register(print, 'the interpreter ended')\n"
        "sys.argv = ['reinmaker', 'explain', 'asset-immutable', '--json']\n"
        "main()"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert json.loads(ended.stdout)["ok"]
    assert "the interpreter ended" not in ended.stdout
