"""--watch, with a real folder, real events and a process of its own."""

from __future__ import annotations

import gc
import json
import signal
import subprocess
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reinmaker_cli.assets.collector import collector_paused
from reinmaker_cli.assets.scan import Scan
from reinmaker_cli.cli.folders import load_drafts
from reinmaker_cli.cli.output import Output
from reinmaker_cli.cli.run import Run
from reinmaker_cli.cli.watch import Look, _Watched
from tests.assets.test_scan import wav
from tests.cli.command import Command

TOML = """\
[manifest]
id = "watched"
version = "2026.11.23"
product = "curious_kelly"
base_url = "s3://lotd-reinmaker-assets/watched/"

[source]
phaseDNAId = "watched"
locale = "en-US"
agePersona = "2-5"
"""


class Ring:
    """Something that only the collector of cycles can give up."""

    def __init__(self) -> None:
        self.itself = self


def lesson(work: Path) -> Path:
    folder = work / "lesson"
    (folder / "audio").mkdir(parents=True)
    (folder / "reinmaker.toml").write_text(TOML)
    (folder / "audio" / "a.wav").write_bytes(wav(100))
    return folder


@contextmanager
def watching(*words: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run `reinmaker` with stdout and stderr as one; it is interrupted in the end, if it still runs."""
    command = [sys.executable, "-m", "reinmaker_cli", *map(str, words), "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                assert process.stdout is not None
                process.stdout.read()
                assert process.wait() == 130


def told(process: subprocess.Popen[str]) -> list[str]:
    """Return the lines until the next change is waited for."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        if line.startswith("watching"):
            return lines
        lines.append(line.rstrip("\n"))
    raise AssertionError(f"it ended: {lines}")


def put(path: Path, content: bytes) -> None:
    """Replace a file in one step, as exporters do; half a file would be one more change."""
    made = path.parents[1] / ".made"
    made.write_bytes(content)
    made.rename(path)


def test_scan_says_what_came_went_and_changed(work: Path) -> None:
    folder = lesson(work)
    with watching("scan", folder) as process:
        assert any(line.endswith("audio/a.wav") for line in told(process))
        put(folder / "audio" / "b.wav", wav(200))
        assert [line.split("  ")[0] for line in told(process)][:1] == ["+ audio/b.wav"]
        put(folder / "audio" / "a.wav", wav(300))
        (changed, *_) = told(process)
        assert changed.startswith("~ audio/a.wav  844 B → 2.4 KiB")
        (folder / "audio" / "b.wav").unlink()
        assert told(process)[0] == "- audio/b.wav"


def test_a_finding_is_said_when_it_comes_and_when_it_goes(work: Path) -> None:
    folder = lesson(work)
    with watching("scan", folder) as process:
        told(process)
        put(folder / "audio" / "b.wav", b"")
        assert any("empty-file" in line for line in told(process))
        put(folder / "audio" / "b.wav", wav(100))
        assert any("1 finding gone" in line for line in told(process))


def test_a_broken_project_file_is_said_and_waited_out(work: Path) -> None:
    folder = lesson(work)
    with watching("scan", folder) as process:
        told(process)
        put(folder / "reinmaker.toml", b"[manifest")
        assert any("error[" in line for line in told(process))
        put(folder / "reinmaker.toml", TOML.encode())
        assert not any("error[" in line for line in told(process))


def test_a_folder_that_goes_and_comes_back_is_watched_again(work: Path) -> None:
    folder = lesson(work)
    with watching("scan", folder) as process:
        told(process)
        folder.rename(work / "gone")
        assert any("folder-not-found" in line for line in told(process))
        another = lesson(work / "another")
        put(another / "audio" / "b.wav", wav(50))
        another.rename(folder)
        assert told(process)[0].startswith("+ audio/b.wav")
        put(folder / "audio" / "c.wav", wav(60))
        assert told(process)[0].startswith("+ audio/c.wav")


def test_a_lesson_that_comes_into_a_catalogue_is_seen(work: Path) -> None:
    first = lesson(work / "catalogue")
    first.rename(first.with_name("first"))
    with watching("scan", work / "catalogue") as process:
        told(process)
        lesson(work).rename(work / "catalogue" / "second")
        assert any("second/audio/a.wav" in line for line in told(process))


def test_many_changes_at_once_are_one(work: Path) -> None:
    folder = lesson(work)
    with watching("scan", folder) as process:
        told(process)
        (work / "made").mkdir()
        for number in range(200):
            (work / "made" / f"{number}.wav").write_bytes(wav(number + 1))
        (work / "made").rename(folder / "audio" / "more")
        assert sum(line.startswith("+ audio/more/") for line in told(process)) == 200


def test_build_writes_the_manifest_again(work: Path) -> None:
    folder = lesson(work)
    target = work / "watched.json"
    with watching("build", folder, "-o", target) as process:
        told(process)
        before = json.loads(target.read_bytes())
        put(folder / "audio" / "b.wav", wav(200))
        assert told(process)[0].startswith("+ audio/b.wav")
        assert [asset["id"] for asset in json.loads(target.read_bytes())["assets"]] == ["audio-a-wav", "audio-b-wav"]
        assert len(before["assets"]) == 1


def test_looking_again_and_again_holds_on_to_the_last_look_only(work: Path) -> None:
    folder = lesson(work)
    run = Run.start("build", {}, {}, Output.for_command("build", [], {}), reads_files=False, words=["build"])
    rings: list[weakref.ref[Ring]] = []

    @collector_paused(are_kept=True)  # as a look is, which may leave cycles behind: an exception and its traceback
    def look() -> Look:
        rings.append(weakref.ref(Ring()))
        loaded = load_drafts(run, [folder])
        return Look(loaded.scans, loaded.findings, lambda: None)

    watched = _Watched(run, look)
    watched.look_first()
    for number in range(6):
        if number == 3:
            (folder / "reinmaker.toml").write_text(TOML.replace("[source]", "[sauce]"))
        put(folder / "audio" / f"{number}.wav", wav(100 + number))
        assert watched.look_again()
    assert (len(rings), [ring for ring in rings if ring() is not None]) == (7, [])
    assert gc.get_freeze_count() == 0
    scans = [one for one in gc.get_objects() if type(one) is Scan and one.root == folder]
    assert [len(scan.assets) for scan in scans] == [4]  # the last that was not refused


def test_events_tell_of_each_change(work: Path) -> None:
    folder = lesson(work)
    with watching("scan", folder, "--events", work / "events") as process:
        told(process)
        put(folder / "audio" / "b.wav", wav(200))
        told(process)
    events = [json.loads(line) for line in (work / "events").read_text().splitlines()]
    assert [event["added"] for event in events if event.get("event") == "scan.changed"] == [["audio/b.wav"]]


def test_a_document_has_no_place_in_it(reinmaker: Command, work: Path) -> None:
    said = reinmaker("scan", lesson(work), "--watch", "--json")
    assert said.code == 2
    assert said.document["error"]["hint"].startswith("`--events -` writes a line of JSON for each change")
