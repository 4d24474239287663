"""`reinmaker verify`: are these still those bytes?"""

import json

import pytest

from tests.lessons import change_one_byte, lesson, mp3


@pytest.fixture
def receipt(reinmaker, tmp_path):
    """A lesson of one manifest with three assets, rehearsed; returns (folder, receipt file)."""
    folder = lesson(tmp_path / "water-cycle", ages=["2-5"], languages=["en"])
    assert reinmaker("init", folder).code == 0
    path = tmp_path / "receipt.json"
    done = reinmaker("rehearse", folder, "--receipt", path)
    assert done.code == 0, done.err
    return folder, path


def test_an_untouched_folder_is_verified(reinmaker, receipt):
    folder, path = receipt
    verified = reinmaker("verify", path, "--root", folder)
    assert verified.code == 0, verified.err


def _changed(folder):
    change_one_byte(folder / "2-5-welcome-en.mp3")
    return ["2-5-welcome-en.mp3"]


def _removed(folder):
    (folder / "2-5-welcome-en.mp3").unlink()
    return ["2-5-welcome-en.mp3"]


def _added(folder):
    (folder / "2-5-extra-en.mp3").write_bytes(mp3("extra"))
    return ["2-5-extra-en.mp3"]


def _swapped(folder):
    one, other = folder / "2-5-welcome-en.mp3", folder / "2-5-mainContent-en.mp3"
    one_bytes, other_bytes = one.read_bytes(), other.read_bytes()
    one.write_bytes(other_bytes)
    other.write_bytes(one_bytes)
    return [one.name, other.name]


@pytest.mark.parametrize("change", [_changed, _removed, _added, _swapped])
def test_what_is_no_longer_the_same_is_named(reinmaker, receipt, change):
    folder, path = receipt
    names = change(folder)
    verified = reinmaker("verify", path, "--root", folder, "--json")
    assert verified.code == 9
    said = json.dumps(verified.document["findings"])
    assert all(name in said for name in names)


def test_a_receipt_is_an_intoto_statement_of_what_was_published(receipt):
    folder, path = receipt
    statement = json.loads(path.read_text())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert sorted(subject["name"] for subject in statement["subject"]) == sorted(f.name for f in folder.glob("*.mp3"))
    assert statement["predicate"]["verdict"]["status"] == "active"
    assert statement["predicate"]["tool"]["name"] == "reinmaker"
