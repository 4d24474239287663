"""`make demo`: the example lesson, as a newcomer sees it."""

import json
import re
import shutil
from pathlib import Path

from reinmaker_cli.cli.app import run_command_line
from reinmaker_cli.server import running
from tests.lessons import change_one_byte

REPOSITORY = Path(__file__).parents[2]
LESSON = REPOSITORY / "examples" / "first-lesson"


def demo_commands():
    """The commands of the Makefile's target `demo`, as words after `reinmaker`."""
    recipe = re.search(r"^demo:.*\n((?:\t.*\n)+)", (REPOSITORY / "Makefile").read_text(), re.M)
    assert recipe is not None
    return [line.split()[1:] for line in recipe[1].splitlines() if "/reinmaker " in line]


def test_the_demo_goes_from_folder_to_verified_receipts(reinmaker, tmp_path):
    rehearse, verify = ([word.replace("$(DEMO)", str(tmp_path)) for word in words] for words in demo_commands())
    shown = reinmaker(*rehearse, cwd=REPOSITORY)
    assert shown.code == 0, shown.err
    for step in ("scan", "build", "server", "token", "verdict", "receipt"):
        assert re.search(rf"^{step} ", shown.err, re.M), step
    assert len(re.findall(r"^active", shown.out, re.M)) == len(list((tmp_path / "receipts").iterdir())) == 6
    assert reinmaker(*verify, cwd=REPOSITORY).code == 0


def test_one_corrupt_byte_after_the_build_ends_the_demo_in_rejected(tmp_path, monkeypatch, capfd):
    folder = shutil.copytree(LESSON, tmp_path / "first-lesson")
    file = sorted(folder.rglob("*.wav"))[0]
    start_server = running.running_server

    def corrupt_then_start(config):
        change_one_byte(file)  # scan and build are done, the server has read nothing yet
        return start_server(config)

    monkeypatch.setattr(running, "running_server", corrupt_then_start)
    monkeypatch.setenv("HOME", str(tmp_path))
    code = run_command_line(["rehearse", str(folder), "--json"])
    document = json.loads(capfd.readouterr().out)
    outcomes = [result["outcome"] for result in document["results"]]
    assert (code, sorted(outcomes)) == (10, [*["active"] * 5, "rejected"])
    (rejected,) = (result for result in document["results"] if result["outcome"] == "rejected")
    assert [finding["code"] for finding in rejected["findings"]] == ["asset-hash"]
    assert rejected["findings"][0]["path"] == file.relative_to(folder).as_posix()
