"""The same files make the same manifests, byte for byte; what does not come together is said."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reinmaker_cli.assets.project import Project, Rule, load_project
from reinmaker_cli.assets.project_document import MANIFEST_MEMBERS
from reinmaker_cli.assets.scan import Asset, Scan, ScanStats, scan_folder
from reinmaker_cli.contract import codes
from reinmaker_cli.contract.canonical import content_digest, digest
from reinmaker_cli.contract.ijson import read_ijson
from reinmaker_cli.contract.validation import check_manifest
from reinmaker_cli.errors import ContentInvalid, UsageError
from reinmaker_cli.manifest.assemble import Assembly, assemble, copy_plan, load_manifest
from reinmaker_cli.manifest.document import MAX_DOCUMENT_BYTES, manifest_from_document
from reinmaker_cli.manifest.examine import examine
from reinmaker_cli.manifest.select import select
from tests.manifest.lessons import TOML, lesson_project, write_lesson


def built(project: Project, environment: str = "local") -> Assembly:
    scan = scan_folder(project)
    assert scan.findings == ()
    return assemble(scan, project, environment=environment)


def scan_of(assets: list[Asset]) -> Scan:
    return Scan(Path("."), tuple(assets), (), (), ScanStats(len(assets), 0, len(assets)))


def test_one_folder_gives_as_many_manifests_as_the_placeholders_have_values(tmp_path: Path) -> None:
    assembly = built(lesson_project(tmp_path))
    assert assembly.findings == ()
    assert [draft.manifest_id for draft in assembly.drafts] == [
        f"2026-11-23-water-cycle-{locale}-{age}" for locale in ("en-US", "es-ES", "fr-FR") for age in ("2-5", "6-12")
    ]
    for draft in assembly.drafts:
        assert len(draft.assets) == 2 and draft.version is None
        assert check_manifest(draft.at("2026.11.23").document).findings == ()


def test_the_document_has_its_members_in_the_order_of_the_contract_then_extra(tmp_path: Path) -> None:
    draft = built(lesson_project(tmp_path)).drafts[0]
    manifest = draft.at("2026.11.23")
    assert list(manifest.document) == [
        "manifestId", "version", "product", "source", "assets", "dependencies", "campaign",
    ]  # fmt: skip
    assert manifest.document["source"] == {"phaseDNAId": "water-cycle", "locale": "en-US", "agePersona": "2-5"}
    first = manifest.document["assets"][0]
    assert list(first) == ["id", "type", "url", "hash", "bytes", "metadata"]
    assert first["id"] == "2-5-main-en-txt" and first["metadata"]["phase"] == "main"
    sha = first["hash"]
    assert first["url"] == f"s3://lotd-reinmaker-assets/water-cycle/2-5-main-en.{sha[:8]}.txt"
    assert manifest.files[first["url"]] == "2-5-main-en.txt"


def test_digests_are_those_of_the_contract(tmp_path: Path) -> None:
    draft = built(lesson_project(tmp_path)).drafts[0]
    first, second = draft.at("2026.11.23"), draft.at("2026.11.24")
    assert first.digest == digest(first.document) != second.digest
    assert first.content_digest == second.content_digest == draft.content_digest == content_digest(first.document)


def test_an_environment_with_other_buckets_gets_its_own_urls(tmp_path: Path) -> None:
    project = lesson_project(tmp_path)
    draft = built(project, "staging").drafts[0]
    assert draft.content["assets"][0]["url"] == "s3://lotd-reinmaker-assets-staging/water-cycle/2-5-main-en.txt"
    assert built(project, "production").drafts == built(project, "local").drafts


def test_a_fixed_version_is_in_the_draft_and_may_be_in_the_url(tmp_path: Path) -> None:
    toml = TOML.replace("[manifest]", '[manifest]\nversion = "2026.11.23-2"').replace("{sha256:8}", "{version}")
    draft = built(load_project(write_lesson(tmp_path, toml=toml))).drafts[0]
    assert draft.version == "2026.11.23-2"
    assert draft.content["assets"][0]["url"].endswith("/2-5-main-en.2026.11.23-2.txt")


def test_urls_are_percent_encoded_and_keep_their_slashes() -> None:
    project = Project(Path("."), None, id="a", product="reinmaker", url="https://x.example/{path}?v={sha256:4}")
    asset = Asset("ton/höre & staune #1%.mp3", "a", "audio", "ab" * 32, 1, {}, {})
    (draft,) = assemble(scan_of([asset]), project, environment="local").drafts
    assert list(draft.files) == ["https://x.example/ton/h%C3%B6re%20%26%20staune%20%231%25.mp3?v=abab"]


def test_a_template_without_its_capture_is_a_finding_that_names_file_and_place(tmp_path: Path) -> None:
    toml = TOML + '\n[[rule]]\nmatch = "bonus-{phase}-{age}.txt"\ntype = "fx"\n'
    folder = write_lesson(tmp_path, toml=toml)
    (folder / "bonus-song-2-5.txt").write_text("la la")
    assembly = built(load_project(folder))
    (finding,) = assembly.findings
    assert finding.code == codes.UNKNOWN_CAPTURE and finding.path == "bonus-song-2-5.txt"
    assert finding.message == "`[source] locale` uses {lang}, and the file's name gives none"
    assert len(assembly.drafts) == 6


def test_two_sources_under_one_id_are_a_finding(tmp_path: Path) -> None:
    folder = write_lesson(tmp_path, toml=TOML.replace("-{locale}-{agePersona}", "-{locale}"))
    findings = built(load_project(folder)).findings
    assert [finding.code for finding in findings] == [codes.MANIFEST_ID] * 3
    assert "they differ in agePersona" in findings[0].message and "{agePersona}" in findings[0].hint


def test_a_missing_locale_is_a_coverage_gap_for_the_lesson_that_lacks_it(tmp_path: Path) -> None:
    folder = write_lesson(tmp_path)
    for path in folder.glob("6-12-*-fr.txt"):
        path.unlink()
    (finding,) = built(load_project(folder)).findings
    assert finding.code == codes.COVERAGE_GAP
    assert finding.message == "no files for locale `fr-FR` of phaseDNAId `water-cycle`, agePersona `6-12`"


def test_a_hole_that_two_lists_ask_for_is_one_finding_in_the_project_file(tmp_path: Path) -> None:
    folder = write_lesson(tmp_path, toml=f'{TOML}agePersona = ["2-5", "6-12"]\n')
    for path in folder.glob("6-12-*-fr.txt"):
        path.unlink()
    (finding,) = built(load_project(folder)).findings
    assert (finding.path, finding.pointer) == ("reinmaker.toml", "/coverage/locale")


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ASSETS = st.lists(
    st.builds(
        Asset,
        path=st.lists(TEXT, min_size=1, max_size=3).map("/".join),
        id=TEXT,
        type=st.sampled_from(["audio", "fx"]),
        sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
        bytes=st.integers(1, 2**53 - 1),
        metadata=st.dictionaries(TEXT, JSON, max_size=2),
        captures=st.fixed_dictionaries({"lang": st.sampled_from(["en-US", "fr-FR"])}),
    ),
    max_size=8,
    unique_by=lambda asset: asset.path,
)
PROJECT = Project(
    Path("."),
    None,
    id="lesson-{locale}",
    product="reinmaker",
    url="s3://b/{path}",
    source=MappingProxyType({"phaseDNAId": "x", "locale": "{lang}", "agePersona": "2-5"}),
)


@given(ASSETS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_input_makes_no_difference(assets: list[Asset], random: object) -> None:
    first = assemble(scan_of(assets), PROJECT, environment="local")
    shuffled = list(assets)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    second = assemble(scan_of(shuffled), PROJECT, environment="local")
    assert [draft.at("2026.11.23").to_bytes() for draft in first.drafts] == [
        draft.at("2026.11.23").to_bytes() for draft in second.drafts
    ]
    assert sum(len(draft.assets) for draft in first.drafts) == len(assets)


@given(ASSETS, st.dictionaries(TEXT.filter(lambda name: name not in MANIFEST_MEMBERS), JSON, max_size=3))
@settings(max_examples=60, deadline=None)
def test_a_manifest_written_and_read_again_is_the_same(assets: list[Asset], extra: dict[str, object]) -> None:
    project = replace(PROJECT, extra=extra)
    for draft in assemble(scan_of(assets), project, environment="local").drafts:
        manifest = draft.at("2026.11.23")
        written = manifest.to_bytes()
        again = read_ijson(written)
        assert again == manifest.document and list(again) == list(manifest.document)
        assert manifest_from_document(again).digest == manifest.digest
        assert written.count(b"\n    {") == len(manifest.document["assets"])


def test_a_written_manifest_is_reviewable_line_by_line() -> None:
    asset = Asset("ä.mp3", "ä-mp3", "audio", "0" * 64, 7, {}, {"lang": "en-US"})
    (draft,) = assemble(scan_of([asset, asset._replace(path="b.mp3", id="b-mp3")]), PROJECT, environment="local").drafts
    assert draft.at("2026.11.23").to_bytes().decode() == (
        "{\n"
        '  "manifestId": "lesson-en-US",\n'
        '  "version": "2026.11.23",\n'
        '  "product": "reinmaker",\n'
        '  "source": {"phaseDNAId": "x", "locale": "en-US", "agePersona": "2-5"},\n'
        '  "assets": [\n'
        f'    {{"id": "b-mp3", "type": "audio", "url": "s3://b/b.mp3", "hash": "{"0" * 64}", "bytes": 7}},\n'
        f'    {{"id": "ä-mp3", "type": "audio", "url": "s3://b/%C3%A4.mp3", "hash": "{"0" * 64}", "bytes": 7}}\n'
        "  ]\n"
        "}\n"
    )


def test_what_is_wrong_with_an_asset_names_its_file(tmp_path: Path) -> None:
    twice = (tmp_path / "2-5 main-en.txt", tmp_path / "2-5_main-en.txt")
    project = replace(lesson_project(tmp_path), rules=(Rule("{age}?{phase}-{lang}.txt", "audio"),))
    for number, path in enumerate(twice):
        path.write_text(str(number), encoding="utf-8")
    (manifest, *_) = (draft.at("2026.11.23") for draft in built(project).drafts)
    (one, other) = examine(manifest, local=False)
    assert {one.path, other.path} < {"2-5-main-en.txt", "2-5 main-en.txt", "2-5_main-en.txt"}
    assert (one.code, one.manifest_id) == (codes.DUPLICATE_ASSET_ID, manifest.manifest_id)
    assert manifest.path_at("/assets/0/url") == "2-5 main-en.txt"
    assert [manifest.path_at(pointer) for pointer in ("", "/source", "/assets", "/assets/99", "/assets/x")] == [
        None
    ] * 5


_ASSET = {"id": "a", "type": "fx", "metadata": {"said": '}, {"id": '}}
_NESTED = {"id": "b", "metadata": {"parts": [{"id": 1}, {"id": 2}]}}
_OTHER_ORDER = {"type": "fx", "id": "c", "metadata": {"parts": [{"n": 1}, {"id": 2}]}}


@pytest.mark.parametrize("assets", [[_ASSET] * 1201, [_NESTED] * 1201, [_OTHER_ORDER] * 3, [*[_ASSET] * 700, 7, []]])
def test_each_asset_has_a_line_of_its_own_whatever_is_in_it(assets: list[object]) -> None:
    raw = manifest_from_document({"manifestId": "m", "assets": assets}).to_bytes()
    assert json.loads(raw) == {"manifestId": "m", "assets": assets}
    lines = raw.decode().splitlines()[3:-2]
    assert [json.loads(line.removesuffix(",")) for line in lines] == assets


_USUAL = {"id": "a", "type": "fx", "url": "s3://b/ä", "hash": "0" * 64, "bytes": 7, "metadata": {"format": "bin"}}


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"id": 'a"b'},
        {"url": "a\\b"},
        {"type": "a\nb"},
        {"hash": "\x7f"},
        {"id": 1},
        {"hash": None},
        {"bytes": True},
        {"bytes": 1.5},
        {"bytes": 2**80},
        {"metadata": None},
        {"metadata": {}},
        {"metadata": {"said": '}, {"'}},
        {"metadata": {"parts": [{}, {}]}},
        {"more": 1},
    ],
)
@pytest.mark.parametrize("count", [1, 2, 600])
def test_assets_are_written_as_the_encoder_writes_each(other: dict[str, object], count: int) -> None:
    apart = [{**_USUAL, "metadata": {"n": number}} for number in range(count)]
    assets = [*([_USUAL] * count), *apart, {**_USUAL, **other}, *apart]
    raw = manifest_from_document({"manifestId": "m", "assets": assets}).to_bytes()
    lines = [json.dumps(asset, ensure_ascii=False) for asset in assets]
    assert raw.decode() == '{\n  "manifestId": "m",\n  "assets": [\n    ' + ",\n    ".join(lines) + "\n  ]\n}\n"


def test_the_files_of_a_draft_are_those_of_its_assets() -> None:
    assets = [
        Asset(f"{number % 3}/{number:02}.mp3", f"{number:02}-mp3", "audio", "0" * 64, 1, {}, {"lang": "en-US"})
        for number in range(9)
    ]
    (draft,) = assemble(scan_of(assets[::-1]), PROJECT, environment="local").drafts
    assert draft.assets == tuple(assets) and len(draft.files) == 9
    assert draft.files == {f"s3://b/{asset.path}": asset.path for asset in assets}
    assert list(draft.files) == [entry["url"] for entry in draft.content["assets"]]


def test_the_copy_plan_has_one_line_an_asset(tmp_path: Path) -> None:
    drafts = built(lesson_project(tmp_path)).drafts
    lines = list(copy_plan(drafts, tmp_path))
    assert len(lines) == 12
    for line in lines:
        local, url = line.split("\t")
        assert Path(local).is_file() and url.startswith("s3://lotd-reinmaker-assets/water-cycle/")


@pytest.mark.parametrize("name", ["a\nb.mp3", "a\tb.mp3", "a\u2028b.mp3"])
def test_a_copy_plan_refuses_a_path_that_would_be_two_lines_or_columns(name: str) -> None:
    asset = Asset(name, "a", "audio", "0" * 64, 1, {}, {"lang": "en-US"})
    (draft,) = assemble(scan_of([asset]), PROJECT, environment="local").drafts
    with pytest.raises(ContentInvalid) as caught:
        list(copy_plan([draft], Path("/lesson")))
    assert caught.value.code == codes.UNPORTABLE_NAME


def test_only_selects_manifests_by_field(tmp_path: Path) -> None:
    drafts = built(lesson_project(tmp_path)).drafts
    assert len(select(drafts, {})) == 6
    assert [draft.source["locale"] for draft in select(drafts, {"locale": "fr-FR"})] == ["fr-FR"] * 2
    assert len(select(drafts, {"locale": "fr-FR", "agePersona": "2-5"})) == 1
    assert len(select(drafts, {"manifestId": drafts[0].manifest_id})) == 1
    with pytest.raises(UsageError, match="no manifest has the field `local`") as caught:
        select(drafts, {"local": "fr-FR"})
    assert caught.value.hint == "did you mean `locale=fr-FR`?"
    with pytest.raises(UsageError, match="no manifest has locale=de-DE") as caught:
        select(drafts, {"locale": "de-DE"})
    assert caught.value.code == codes.NOTHING_SELECTED and "en-US, es-ES, fr-FR" in caught.value.hint


def test_a_manifest_file_is_loaded_with_its_digests(tmp_path: Path) -> None:
    manifest = built(lesson_project(tmp_path)).drafts[0].at("2026.11.23")
    path = tmp_path / "m.json"
    path.write_bytes(manifest.to_bytes())
    loaded = load_manifest(path)
    assert (loaded.manifest_id, loaded.version, loaded.digest) == (
        manifest.manifest_id,
        "2026.11.23",
        manifest.digest,
    )
    assert loaded.files == {}


@pytest.mark.parametrize(
    ("raw", "code"), [(b"{", codes.NOT_JSON), (b'{"a": 1, "a": 2}', codes.NOT_IJSON), (b"[]", codes.CONTENT_INVALID)]
)
def test_a_file_that_is_no_manifest_is_refused_with_a_finding(tmp_path: Path, raw: bytes, code: str) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(raw)
    with pytest.raises(ContentInvalid) as caught:
        load_manifest(path)
    assert caught.value.code == code and len(caught.value.findings) == 1


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_manifest(tmp_path / "absent.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFO and no /dev/zero on this system")
@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = Path("/dev/zero") if kind == "device" else tmp_path / "m.json"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(UsageError) as caught:
        load_manifest(path)
    assert caught.value.code == (codes.UNREADABLE if kind == "folder" else codes.SPECIAL_FILE)
    assert str(path) in caught.value.message and caught.value.hint


def test_a_file_of_any_size_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    with path.open("wb") as file:
        file.truncate(MAX_DOCUMENT_BYTES + 1)  # a hole: it takes no place on the disk
    with pytest.raises(UsageError) as caught:
        load_manifest(path)
    assert caught.value.code == codes.FILE_TOO_LARGE and f"{MAX_DOCUMENT_BYTES + 1:,} bytes" in caught.value.message


def test_a_link_to_a_manifest_is_followed(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"manifestId": "m"}', encoding="utf-8")
    (tmp_path / "link.json").symlink_to("m.json")
    assert load_manifest(tmp_path / "link.json").manifest_id == "m"
