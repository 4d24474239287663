"""The manifest schema and the rules beyond it."""

import copy
import json
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reinmaker_cli.contract.rules import broken_rules, normalized_url
from reinmaker_cli.contract.validation import check_manifest, manifest_schema, manifest_schema_text

DRAFT = Path(__file__).parents[3] / "shared/mission/api-overview.md"


def manifest(**changes):
    document = {
        "manifestId": "2026-11-23-water-cycle",
        "version": "2026.11.23",
        "product": "curious_kelly",
        "source": {"phaseDNAId": "water-cycle", "locale": "en-US", "agePersona": "2-5"},
        "assets": [asset(1), asset(2)],
    }
    return {**document, **changes}


def asset(number, **changes):
    fields = {
        "id": f"a-{number}",
        "type": "audio",
        "url": f"s3://lotd-reinmaker-assets/water-cycle/{number}.mp3",
        "hash": f"{number:064x}",
        "bytes": number,
    }
    return {**fields, **changes}


def codes_at(document, *, local=False):
    return [(finding.code, finding.pointer) for finding in check_manifest(document, local=local).findings]


def test_a_correct_manifest_has_no_finding():
    assert codes_at(manifest()) == []


@pytest.mark.skipif(not DRAFT.exists(), reason="the draft does not lie beside this checkout")
def test_the_schema_is_the_drafts_with_only_the_escape_mended():
    block = re.search(r"```json\n(.*?)```", DRAFT.read_text(encoding="utf-8"), re.S)
    assert block is not None
    assert manifest_schema_text().decode() == block[1].replace(r"\.", r"\\.")


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"manifestId": "../etc"}, "manifest-id", "/manifestId"),
        ({"manifestId": ""}, "manifest-id", "/manifestId"),
        ({"manifestId": "a" * 129}, "manifest-id", "/manifestId"),
        ({"manifestId": "a\n"}, "manifest-id", "/manifestId"),
        ({"version": "2025.13.45"}, "version-not-a-date", "/version"),
        ({"version": "2025.11.23\n"}, "schema-violation", "/version"),
        ({"product": "other"}, "schema-violation", "/product"),
        ({"assets": []}, "no-assets", "/assets"),
        ({"assets": {}}, "schema-violation", "/assets"),
        ({"assets": [asset(1), asset(2, id="a-1")]}, "duplicate-asset-id", "/assets/1/id"),
        ({"assets": [asset(1), asset(2, url=asset(1)["url"])]}, "duplicate-asset-url", "/assets/1/url"),
        (
            {"assets": [asset(1), asset(2, url="S3://LOTD-reinmaker-assets/water-cycle/1.mp3")]},
            "duplicate-asset-url",
            "/assets/1/url",
        ),
        ({"assets": [asset(1, url="water-cycle/1.mp3")]}, "url-not-absolute", "/assets/0/url"),
        ({"assets": [asset(1, url="s3:///1.mp3")]}, "url-not-absolute", "/assets/0/url"),
        ({"assets": [asset(1, url="https://host/a b.mp3")]}, "url-not-absolute", "/assets/0/url"),
        ({"assets": [asset(1, url="https://host/ü.mp3")]}, "url-not-absolute", "/assets/0/url"),
        ({"assets": [asset(1, url="ftp://host/1.mp3")]}, "url-scheme", "/assets/0/url"),
        ({"assets": [asset(1, url="http://localhost:7040/1.mp3")]}, "url-scheme", "/assets/0/url"),
        ({"assets": [asset(1, url="javascript://host/%0aalert(1)")]}, "url-scheme", "/assets/0/url"),
        ({"assets": [asset(0)]}, "schema-violation", "/assets/0/bytes"),
        ({"assets": [asset(1, bytes=True)]}, "schema-violation", "/assets/0/bytes"),
        ({"assets": [asset(1, hash="zz")]}, "schema-violation", "/assets/0/hash"),
        ({"assets": [asset(1, hash="a" * 64 + "\n")]}, "schema-violation", "/assets/0/hash"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(changes, code, pointer):
    examination = check_manifest(manifest(**changes))
    assert [(finding.code, finding.pointer) for finding in examination.findings] == [(code, pointer)]
    assert (examination.error_count, examination.is_valid) == (1, False)


def test_a_host_that_is_not_in_ascii_is_named_as_dns_has_it():
    (finding,) = check_manifest(manifest(assets=[asset(1, url="https://bücher.example/1.mp3")])).findings
    assert (finding.code, finding.pointer) == ("url-not-absolute", "/assets/0/url")
    assert finding.hint == "write the host as DNS has it: `xn--bcher-kva.example`"


def test_each_missing_member_is_named():
    found = check_manifest({}).findings
    assert [finding.message for finding in found] == [
        f"'{name}' is a required property" for name in ("manifestId", "version", "product", "assets", "source")
    ]


@pytest.mark.parametrize("document", [None, [], "x", 1, True])
def test_a_document_that_is_no_object_breaks_the_schema(document):
    assert codes_at(document) == [("schema-violation", "")]


def test_same_bytes_under_two_urls_are_a_warning_whatever_the_case_of_the_hash():
    shared = [asset(10), asset(2, hash=asset(10)["hash"].upper())]
    examination = check_manifest(manifest(assets=shared))
    assert [(f.code, f.severity, f.pointer) for f in examination.findings] == [
        ("duplicate-content", "warning", "/assets/1/hash")
    ]
    assert examination.is_valid


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        (manifest(manifestID="x"), ["/manifestID"]),
        (manifest(campaign={}, dependencies=[]), []),
        (manifest(assets=[asset(1, hashs="x", size=1, by=1, fps=3)]), ["/assets/0/hashs"]),
        (manifest(source={**manifest()["source"], "agePersonas": 1, "region": 2}), ["/source/agePersonas"]),
    ],
)
def test_a_name_that_looks_like_a_typing_mistake_is_a_warning(document, pointers):
    assert codes_at(document) == [("unknown-property", pointer) for pointer in pointers]


@pytest.mark.parametrize(
    "url",
    ["http://localhost:7040/a", "http://127.8.0.1/a", "http://[::1]:80/a", "file:///srv/a", "http://x.localhost/a"],
)
def test_urls_of_this_machine_are_for_local_use_only(url):
    document = manifest(assets=[asset(1, url=url)])
    assert codes_at(document, local=True) == []
    assert codes_at(document) == [("url-scheme", "/assets/0/url")]


@pytest.mark.parametrize(
    "url", ["http://example.com/a", "http://127.0.0.1.example.com/a", "http://localhost.example/a", "file://host/a"]
)
def test_local_use_does_not_open_other_hosts(url):
    assert codes_at(manifest(assets=[asset(1, url=url)]), local=True) == [("url-scheme", "/assets/0/url")]


def test_only_the_first_hundred_errors_are_listed_and_all_are_counted():
    examination = check_manifest(manifest(assets=[asset(n, bytes=0) for n in range(250)]))
    assert (len(examination.findings), examination.error_count) == (100, 250)


def test_a_message_never_quotes_a_whole_document():
    examination = check_manifest(manifest(assets={"x": "y" * 100_000}))
    assert all(len(finding.message) < 400 for finding in examination.findings)


def test_urls_are_compared_without_regard_to_case_of_scheme_and_host():
    assert normalized_url("HTTPS://Host.Example/Path?Q") == "https://host.example/Path?Q"
    assert normalized_url("S3://Bucket") == "s3://bucket"


junk = st.none() | st.booleans() | st.integers(-5, 5) | st.text("aA1.-_\n/:", max_size=5) | st.just([]) | st.just({})


@st.composite
def nearly_manifests(draw):
    """Manifests with up to four members removed or replaced by something odd."""
    document = copy.deepcopy(manifest())
    for _ in range(draw(st.integers(0, 4))):
        assets = document.get("assets")
        nodes = [document, document.get("source"), *(assets if isinstance(assets, list) else [])]
        node = draw(st.sampled_from(nodes))
        if not isinstance(node, dict) or not node:
            continue
        name = draw(st.sampled_from(sorted(node)))
        if draw(st.booleans()):
            del node[name]
        else:
            node[name] = draw(junk)
    return document


@settings(max_examples=300)
@given(nearly_manifests())
def test_the_native_validator_and_jsonschema_agree(document):
    # They differ in one thing: Python's `$` also matches before a final newline.
    reference = jsonschema.Draft202012Validator(manifest_schema())
    places = {tuple(error.absolute_path) for error in reference.iter_errors(document)}
    found = [f for f in check_manifest(document).findings if f.code == "schema-violation"]
    ours = {finding.pointer for finding in found}
    theirs = {"".join(f"/{part}" for part in place) for place in places}
    newline_only = ours - theirs
    assert theirs <= ours
    assert all(json.dumps(_at(document, pointer)).endswith('\\n"') for pointer in newline_only)


def _at(document, pointer):
    for part in pointer.split("/")[1:]:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


@given(st.text(alphabet="aZé:/?#.ı", max_size=12))
def test_only_scheme_and_host_are_compared_without_case(rest):
    for url in (rest, f"s3://{rest}", f"S3://{rest}"):
        scheme, separator, after = url.partition("://")
        end = next((index for index, char in enumerate(after) if char in "/?#"), len(after))
        expected = scheme.lower() + separator + after[:end].lower() + after[end:] if separator else url
        assert normalized_url(url) == expected


rough_assets = st.fixed_dictionaries(
    {"id": st.sampled_from(["a", "b", "c", 1])},
    optional={
        "url": st.sampled_from(
            ["s3://b/a", "s3://b/c", "S3://b/a", "s3://B/a", "s3:///a", "ftp://b/a", "http://localhost/a", 7]
        ),
        "hash": st.sampled_from(["a" * 64, "A" * 64, "b" * 64, None]),
        "bites": st.just(1),
        "metadata": st.just({}),
    },
)


@given(st.lists(st.text(alphabet="aZ/\n[é%\ud800", max_size=3), unique=True, max_size=4), st.booleans())
def test_urls_that_begin_alike_are_looked_at_as_one_text_with_the_same_result(rests, with_other_host):
    urls = [f"s3://b/{rest}" for rest in rests] + ["https://c/"] * with_other_host
    assets = [{"id": str(number), "url": url, "hash": f"{number:064}"} for number, url in enumerate(urls)]
    one_by_one = list(broken_rules({"assets": [*assets, None]}, local=False))
    assert [one for one in broken_rules({"assets": assets}, local=False) if one.code != "no-assets"] == one_by_one


@given(st.lists(rough_assets, max_size=3), st.booleans())
def test_the_quick_look_at_assets_misses_nothing(assets, local):
    def found(listed):
        return list(broken_rules({"assets": listed}, local=local))

    # What is no object is passed over, and keeps the quick look away.
    assert [one for one in found(assets) if one.code != "no-assets"] == found([*assets, None])
