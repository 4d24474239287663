"""What `read_ijson` refuses, and that it refuses nothing else."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reinmaker_cli.contract.ijson import MAX_DEPTH, NotIJson, read_ijson

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), children, max_size=4)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b'{"a": 1, "a": 2}', 'the name "a" stands twice in one object'),
        (b'{"a": 1, "\\u0061": 2}', 'the name "a" stands twice in one object'),
        (b'[{"x": {"b": 1, "c": 2, "b": 1}}]', 'the name "b" stands twice in one object'),
        (b'["\\ud800"]', "a lone surrogate \\ud800"),
        (b'{"\\udfff": 1}', "a lone surrogate \\udfff"),
        (b"[NaN]", "NaN is not a JSON number"),
        (b"[-Infinity]", "-Infinity is not a JSON number"),
        (b"[1e400]", "a number beyond a double: 1e400"),
        (b"[9007199254740992]", "an integer beyond ±(2^53-1): 9007199254740992"),
        (b"[-9007199254740992]", "an integer beyond ±(2^53-1): -9007199254740992"),
        (b"[" * 65 + b"]" * 65, "nested deeper than 64"),
        (b"[" * 100_000 + b"]" * 100_000, "nested deeper than 64"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested deeper than 64"),
    ],
)
def test_json_that_readers_disagree_about_is_refused(raw, detail):
    with pytest.raises(NotIJson) as refusal:
        read_ijson(raw)
    assert (refusal.value.code, refusal.value.detail) == ("not-i-json", detail)


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"", "expecting value at line 1, column 1"),
        (b"{\n  'a': 1}", "expecting property name enclosed in double quotes at line 2, column 3"),
        (b"[1] [2]", "extra data at line 1, column 5"),
        (b'["\xff"]', "not UTF-8 at byte 2"),
        (b'["\xed\xa0\x80"]', "not UTF-8 at byte 2"),  # a surrogate written as UTF-8
    ],
)
def test_what_is_not_json_is_named_with_its_place(raw, detail):
    with pytest.raises(NotIJson) as refusal:
        read_ijson(raw)
    assert (refusal.value.code, refusal.value.detail) == ("not-json", detail)


def test_a_byte_order_mark_is_refused():  # RFC 8259 section 8.1
    with pytest.raises(NotIJson) as refusal:
        read_ijson(b"\xef\xbb\xbf{}")
    assert refusal.value.code == "not-json"


def test_a_megabyte_of_digits_is_refused_without_being_computed():
    with pytest.raises(NotIJson, match="an integer beyond"):
        read_ijson(b"[" + b"9" * 1_000_000 + b"]")


def test_the_limits_themselves_are_accepted():
    assert read_ijson(b"[9007199254740991,-9007199254740991]") == [2**53 - 1, -(2**53) + 1]
    assert read_ijson(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    assert read_ijson(b'["\\ud83d\\ude00"]') == ["😀"]


@given(json_values)
def test_every_ijson_value_is_read_as_it_was_written(value):
    for ascii_only in (True, False):
        again = read_ijson(json.dumps(value, ensure_ascii=ascii_only).encode())
        assert again == value
    assert not (isinstance(value, float) and math.isnan(value))
