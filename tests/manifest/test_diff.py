"""What changes between two manifests is named by asset id and by place."""

from __future__ import annotations

import copy
from typing import Any

from reinmaker_cli.manifest.diff import FieldChange, diff_manifests


def document(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "manifestId": "lesson",
        "version": "2026.11.23",
        "product": "reinmaker",
        "source": {"phaseDNAId": "x", "locale": "en-US", "agePersona": "2-5"},
        "assets": [asset("a"), asset("b")],
    }
    return copy.deepcopy({**base, **changes})


def asset(name: str, **changes: Any) -> dict[str, Any]:
    base = {"id": name, "type": "audio", "url": f"s3://B/{name}.mp3", "hash": name * 64, "bytes": 10}
    return {**base, **changes}


def test_equal_content_under_another_version_is_no_difference() -> None:
    assert diff_manifests(document(), document(version="2026.11.24")).is_empty


def test_hashes_are_compared_without_regard_to_case() -> None:
    assert diff_manifests(document(), document(assets=[asset("a", hash="A" * 64), asset("b")])).is_empty


def test_without_an_old_manifest_everything_is_added() -> None:
    difference = diff_manifests(None, document())
    assert [side.id for side in difference.added] == ["a", "b"]
    assert not difference.removed and not difference.changed and not difference.fields


def test_added_removed_and_changed_assets_are_told_apart() -> None:
    new = document(assets=[asset("b", hash="c" * 64, bytes=11, url="s3://B/b2.mp3"), asset("d")])
    difference = diff_manifests(document(), new)
    assert [side.id for side in difference.added] == ["d"]
    assert [side.id for side in difference.removed] == ["a"]
    (change,) = difference.changed
    assert change.members == ("url", "hash", "bytes")
    assert (change.old.bytes, change.new.bytes) == (10, 11)
    assert (change.old.sha256, change.new.sha256) == ("b" * 64, "c" * 64)
    assert difference.moved_bytes == ()


def test_other_bytes_under_a_url_that_stays_are_found_whatever_the_id() -> None:
    new = document(assets=[asset("z", url="S3://b/a.mp3"), asset("b")])
    (moved,) = diff_manifests(document(), new).moved_bytes
    assert (moved.id, moved.old.id) == ("z", "a")


def test_changes_outside_the_assets_are_named_by_pointer() -> None:
    old = document(campaign={"name": "x", "on/off": True})
    new = document(source={"phaseDNAId": "x", "locale": "fr-FR", "agePersona": "2-5"}, campaign={"on/off": 1})
    assert diff_manifests(old, new).fields == (
        FieldChange("/campaign/name", "x", None),
        FieldChange("/campaign/on~1off", True, 1),
        FieldChange("/source/locale", "en-US", "fr-FR"),
    )


def test_a_damaged_document_is_compared_as_far_as_it_can_be_read() -> None:
    assert diff_manifests({"assets": "none"}, {"assets": [7, {"id": 3}, asset("a")]}).added[0].id == "a"
