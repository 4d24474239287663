"""Manifest -> verdict, on real folders and real servers."""

from __future__ import annotations

import hashlib
import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pytest

from reinmaker_cli.server.sources import RegisteredFolder, Sources
from reinmaker_cli.server.verifier import AssetRef, VerificationStopped, verify


def nothing_published():
    return {}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def refs(files, prefix="s3://bucket/"):
    """Return references that are true of {path: bytes}."""
    return [
        AssetRef(index, path, prefix + path, sha256(data), len(data))
        for index, (path, data) in enumerate(files.items())
    ]


def write(root, files):
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)


def run(assets, sources, *, strict=False, immutable=nothing_published, **rest):
    return verify(assets, sources, strict=strict, immutable=immutable, **rest)


def checks(validation):
    return {check.name: (check.status, check.checked, check.failed, check.source) for check in validation.checks}


FILES = {"audio/a.mp3": b"a" * 10, "audio/b.mp3": b"b" * 2_000_000, "fx/c.png": b"c"}


@pytest.fixture
def mapped(tmp_path):
    write(tmp_path, FILES)
    return Sources(maps=(("s3://bucket/", tmp_path),), network=False)


def test_true_assets_pass_every_check(mapped):
    validation = run(refs(FILES), mapped, strict=True)
    assert validation.error_count == 0
    assert validation.errors == validation.warnings == ()
    assert checks(validation) == {
        "asset-reachable": ("passed", 3, 0, "folder"),
        "asset-bytes": ("passed", 3, 0, "folder"),
        "asset-hash": ("passed", 3, 0, "folder"),
        "asset-immutable": ("passed", 3, 0, "none"),
    }


def test_a_hash_in_capitals_is_the_same_hash(mapped):
    assets = [asset._replace(sha256=asset.sha256.upper()) for asset in refs(FILES)]
    assert run(assets, mapped).error_count == 0


def test_one_other_byte_is_named_with_the_real_hash(mapped, tmp_path):
    (tmp_path / "audio/a.mp3").write_bytes(b"a" * 9 + b"b")
    validation = run(refs(FILES), mapped)
    assert [error.to_json() for error in validation.errors] == [
        {
            "code": "asset-hash",
            "pointer": "/assets/0/hash",
            "detail": "the source has bytes with another SHA-256 than the manifest says",
            "assetId": "audio/a.mp3",
            "expected": sha256(b"a" * 10),
            "found": sha256(b"a" * 9 + b"b"),
        }
    ]
    assert checks(validation)["asset-hash"] == ("failed", 3, 1, "folder")
    assert checks(validation)["asset-bytes"] == ("passed", 3, 0, "folder")


@pytest.mark.parametrize("data", [b"", b"a" * 9, b"a" * 11, b"a" * 3_000_000])
def test_another_size_is_named_and_the_real_hash_too(mapped, tmp_path, data):
    (tmp_path / "audio/a.mp3").write_bytes(data)
    validation = run(refs(FILES), mapped)
    assert [(error.code, error.pointer, error.expected, error.found) for error in validation.errors] == [
        ("asset-bytes", "/assets/0/bytes", "10", str(len(data))),
        ("asset-hash", "/assets/0/hash", sha256(b"a" * 10), sha256(data)),
    ]
    assert validation.error_count == 2


def test_a_missing_file_is_unreachable_and_counts_no_further(mapped, tmp_path):
    (tmp_path / "audio/b.mp3").unlink()
    validation = run(refs(FILES), mapped)
    (error,) = validation.errors
    assert (error.code, error.pointer, error.asset_id) == ("asset-unreachable", "/assets/1/url", "audio/b.mp3")
    assert error.detail == "no such file in the folder: `audio/b.mp3`"
    assert checks(validation)["asset-reachable"] == ("failed", 3, 1, "folder")
    assert checks(validation)["asset-hash"] == ("passed", 2, 0, "folder")


def test_a_path_out_of_the_folder_is_unreachable(mapped, tmp_path):
    asset = AssetRef(0, "passwd", "s3://bucket/..%2f..%2fetc/passwd", "0" * 64, 1)
    (error,) = run([asset], mapped).errors
    assert error.code == "asset-unreachable"
    assert "encoded slash" in error.detail


def test_a_registered_folder_serves_the_urls_it_was_registered_for(tmp_path):
    write(tmp_path, FILES)
    assets = refs(FILES)
    registered = RegisteredFolder(tmp_path, {asset.url: asset.id for asset in assets})
    assert run(assets, Sources((registered,), network=False), strict=True).error_count == 0


def test_unverified_assets_are_accepted_with_their_count(mapped):
    assets = [*refs(FILES), AssetRef(3, "far", "s3://elsewhere/far.mp3", "0" * 64, 1)]
    validation = run(assets, mapped)
    assert validation.error_count == 0
    (warning,) = validation.warnings
    assert (warning.code, warning.pointer, warning.found) == ("asset-unverified", "/assets", "1")
    assert warning.detail == "1 of 4 assets were not verified: the server has no way to read `s3://elsewhere`"
    assert checks(validation)["asset-reachable"] == ("passed", 3, 0, "folder")


def test_strict_rejects_what_it_could_not_read(mapped):
    assets = [*refs(FILES), AssetRef(3, "far", "s3://elsewhere/far.mp3", "0" * 64, 1)]
    validation = run(assets, mapped, strict=True)
    (error,) = validation.errors
    assert (error.code, error.pointer, error.asset_id) == ("asset-unverified", "/assets/3/url", "far")
    assert validation.warnings == ()
    assert checks(validation)["asset-reachable"] == ("failed", 4, 1, "folder+none")


def test_when_nothing_can_be_read_the_checks_of_bytes_are_skipped():
    validation = run(refs(FILES), Sources())
    assert checks(validation) == {
        "asset-reachable": ("skipped", 0, 0, "none"),
        "asset-bytes": ("skipped", 0, 0, "none"),
        "asset-hash": ("skipped", 0, 0, "none"),
        "asset-immutable": ("passed", 3, 0, "none"),
    }


def test_other_bytes_under_a_published_url_are_never_right(mapped):
    validation = run(refs(FILES), mapped, immutable=lambda: {2: "F" * 64})
    (error,) = validation.errors
    assert (error.code, error.pointer, error.expected, error.found) == (
        "asset-immutable",
        "/assets/2/url",
        "f" * 64,
        sha256(b"c"),
    )
    assert checks(validation)["asset-immutable"] == ("failed", 3, 1, "none")


def test_the_same_bytes_under_a_published_url_are_right(mapped):
    assert run(refs(FILES), mapped, immutable=lambda: {2: sha256(b"c").upper()}).error_count == 0


def test_a_manifest_without_assets_has_nothing_to_check():
    assert {check.status for check in run([], Sources()).checks} == {"skipped"}


def test_the_first_hundred_errors_are_listed_and_all_are_counted():
    assets = [AssetRef(index, f"a{index}", f"s3://b/{index}", "0" * 64, 1) for index in range(1234)]
    validation = run(assets, Sources(), strict=True)
    assert validation.error_count == 1234
    assert [error.pointer for error in validation.errors] == [f"/assets/{index}/url" for index in range(100)]


@pytest.mark.parametrize("strict", [False, True])
def test_100_000_assets_that_nothing_can_read_are_all_counted(strict):
    assets = [AssetRef(index, f"a{index}", f"s3://b/audio/{index}.mp3", "0" * 64, 1) for index in range(100_000)]
    sources = Sources(maps=(("s3://other/", "."),), network=True)
    validation = run(assets, sources, strict=strict)
    assert validation.error_count == (100_000 if strict else 0)
    assert len(validation.warnings) == (0 if strict else 1)


def test_stop_ends_without_a_verdict(mapped):
    with pytest.raises(VerificationStopped):
        run(refs(FILES), mapped, stop=lambda: True)


def test_a_stop_in_the_middle_of_the_large_files_gives_no_verdict(mapped, tmp_path):
    files = {f"{index}.mp3": os.urandom(16) * 70_000 for index in range(8)}
    write(tmp_path, files)
    looks = iter([False] * 4)
    with pytest.raises(VerificationStopped):
        run(refs(files), mapped, stop=lambda: next(looks, True))


def test_it_runs_in_a_worker_process_and_the_verdict_comes_back(mapped):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        job = partial(verify, refs(FILES), mapped, strict=True, immutable=nothing_published)
        validation = pool.submit(job).result(timeout=240)
    assert validation == run(refs(FILES), mapped, strict=True)
    assert pickle.loads(pickle.dumps(validation)) == validation
