"""What `read_ijson` refuses, and that it refuses nothing else."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reinmaker_cli.contract import ijson
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

# What the quick reader counts, wherever it may stand, and what it must not be led astray by.
_pieces = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b'"', b"\\", b'"a"', b'"a":', b'"a" \t:', b'"b":', b'"":'),
        *(b'":"', b'"\\":"', b'" :"', b'"\\u0061"', b"{}", b"[]", b"null", b"true", b"1", b"-0.5", b"1e400", b"NaN"),
        *(b"9007199254740991", b"9007199254740992", b"-9007199254740992", b"1234567890123456789", b'"1 2 3"'),
        *(b'"\\ud83d\\ude00"', b'"\\ud800"', b"\xc3\xa9", b"\xff", b"[" * 70, b"]" * 70, b"0" * 20),
    ]
)
_names = st.sampled_from(["a", "b", ":", '":', ' " :', "\\", "é", "1234567890123456"])
_spaces = st.sampled_from(["", " ", "\t", "\r\n"])


@st.composite
def _object_texts(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """Draw the text of an object, with white space anywhere, in which a name may stand twice."""
    members = draw(st.lists(st.tuples(_names, inner), max_size=4))
    parts = [f"{json.dumps(name)}{draw(_spaces)}:{draw(_spaces)}{value}" for name, value in members]
    return "{" + draw(_spaces) + ",".join(parts) + draw(_spaces) + "}"


_json_texts = st.recursive(
    st.one_of(_names.map(json.dumps), st.sampled_from(["1", "2.5", "null", "9007199254740991", "-9007199254740992"])),
    lambda inner: st.one_of(
        _object_texts(inner), st.lists(inner, max_size=3).map(lambda texts: f"[{', '.join(texts)}]")
    ),
    max_leaves=8,
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


def _outcome(read, raw):
    try:
        return repr(read(raw))  # 1 is not 1.0 here
    except NotIJson as error:
        return str(error.code), error.detail


@given(st.one_of(_json_texts.map(str.encode), st.lists(_pieces, max_size=12).map(b"".join)))
def test_the_quick_reader_says_what_the_thorough_one_says_or_nothing(raw):
    thorough = _outcome(ijson._read_thoroughly, raw)
    assert _outcome(ijson._read_quickly, raw) in (thorough, repr(None))
    assert _outcome(read_ijson, raw) == thorough


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": 1, "b" :\t{"c":[{"a":"07:00:00"}]}}',
        b'["a:", "b : c", "\\ud83d\\ude00", "1 2 3", -1.5e3]',
        b'{"ids":[123456789012345,1234567890123456,9007199254740991],"hash":"' + b"0" * 64 + b'"}',
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
    ],
)
def test_what_is_usual_is_read_quickly(raw):
    assert ijson._read_quickly(raw) == json.loads(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":":","a" :1}',  # as many pairs of quotation mark and colon as names, were it not for the white space
        b'{"a":1,"a"\r\n:":"}',
        b'{"a":{"a":1},"a":[{"a":1,"a":2}]}',
    ],
)
def test_a_colon_in_a_text_does_not_stand_in_for_a_name(raw):
    with pytest.raises(NotIJson, match="stands twice"):
        read_ijson(raw)
