"""Canonical JSON and digests: published vectors, and the quick path against the reference package."""

import hashlib
import json

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from reinmaker_cli.contract.canonical import ContentDigest, canonical_json, content_digest, digest, digests
from tests.contract.test_ijson import json_values


def test_the_example_of_rfc_8785_section_3_2_is_reproduced():
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '€$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical_json(value) == expected.encode()


def test_names_are_sorted_by_utf16_code_unit():  # RFC 8785 section 3.2.3
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical_json(dict.fromkeys(names, 0)))) == ordered


@given(json_values)
@example({"\U0001f600": 1, "\ufb33": 2})
@example([1.0, -0.0, 1e16, 1e21, 5e-324])
@example({"a": '\u2028\x7f\x1f\\"/'})
def test_the_quick_path_equals_the_reference_package(value):
    assert canonical_json(value) == rfc8785.dumps(value)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), json_values))
@example({"\U0001f600": 1, "\ufb33": 2, "version": "x"})
def test_digests_are_those_of_the_whole_canonical_form(manifest):
    assert digest(manifest) == "sha256:" + hashlib.sha256(rfc8785.dumps(manifest)).hexdigest()
    rest = {name: value for name, value in manifest.items() if name != "version"}
    assert content_digest(manifest) == "sha256:" + hashlib.sha256(rfc8785.dumps(rest)).hexdigest()


@pytest.mark.parametrize("value", [2**53, float("nan"), float("inf"), ["\ud800"]])
def test_what_is_no_ijson_has_no_canonical_form(value):
    with pytest.raises(ValueError):
        canonical_json({"a": value})


@given(st.dictionaries(st.sampled_from(["assets", "manifestId", "version", "versions", "zzz", "Ä"]), json_values))
@example({})
@example({"zzz": 1})
def test_the_digest_under_a_version_is_that_of_the_whole_document(content):
    digester = ContentDigest(content)
    assert str(digester) == content_digest(content)
    whole = {**content, "version": "2026.11.23"}
    assert (digester.under("2026.11.23"), str(digester)) == digests(whole)


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1203])
def test_long_lists_have_the_form_of_the_reference_package(count):
    values = [{"b": [number, "é,]"], "a": None} if number % 3 else number for number in range(count)]
    assert canonical_json(values) == rfc8785.dumps(values)
