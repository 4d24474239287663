"""Events out of text: any length, any chunks, every mistake with its line."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reinmaker_cli.client.event_reader import MAX_EVENT_BYTES, EventText, Unreadable, read_events
from reinmaker_cli.contract.ijson import NotIJson, read_ijson

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
EVENTS = st.lists(st.dictionaries(st.text(max_size=4), VALUES, max_size=3), max_size=6)


def in_chunks(text: bytes, cuts: list[int]) -> Iterator[bytes]:
    """Yield the text, cut at these places."""
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(places):
        yield text[start:end]


def values(text: bytes, cuts: list[int] = []) -> list:  # noqa: B006
    """Return what is read; raises where anything is wrong."""
    found = list(read_events(in_chunks(text, cuts)))
    assert not [piece for piece in found if isinstance(piece, Unreadable)], found
    return [read_ijson(piece.raw) for piece in found]


@given(events=EVENTS, cuts=st.lists(st.integers(0, 500)), indent=st.none() | st.integers(0, 3), ascii=st.booleans())
def test_an_array_is_read_the_same_however_it_is_written_and_cut(events, cuts, indent, ascii):
    text = json.dumps(events, indent=indent, ensure_ascii=ascii).encode()
    assert values(text, cuts) == events


@given(
    events=EVENTS,
    cuts=st.lists(st.integers(0, 500)),
    end=st.sampled_from(["\n", "\r\n", "\n\n \t\n"]),
    last=st.booleans(),
    mark=st.booleans(),
)
def test_lines_are_read_the_same_however_they_end_and_are_cut(events, cuts, end, last, mark):
    text = end.join(map(json.dumps, events)) + (end if last else "")
    assert values((b"\xef\xbb\xbf" if mark else b"") + text.encode(), cuts) == events


@given(events=EVENTS.filter(bool), indent=st.none() | st.just(2), is_array=st.booleans(), blank=st.integers(0, 3))
def test_every_event_has_the_line_on_which_it_starts(events, indent, is_array, blank):
    written = [json.dumps(event, indent=indent if is_array else None) for event in events]
    text = "\n" * blank + ("[\n" + ",\n\n".join(written) + "]" if is_array else "\n".join(written))
    found = list(read_events([text.encode()]))
    for piece in found:
        assert "\n".join(text.split("\n")[piece.line - 1 :]).startswith(piece.raw.decode())
    assert len({piece.line for piece in found}) == len(events)


JSON_LIKE = st.text(alphabet='[]{},:"\\ \n1a', max_size=24)


@given(text=JSON_LIKE, cuts=st.lists(st.integers(0, 24)))
@example(text='{}, {"a": "]"}]', cuts=[])
@example(text="]", cuts=[])
@example(text="{},]", cuts=[])
@example(text='{"a\\\\": "\\""}]', cuts=list(range(16)))
@example(text="{]},{}]", cuts=[])
def test_an_array_is_taken_exactly_where_a_json_parser_takes_it(text, cuts):
    whole = ("[" + text).encode()
    try:
        expected = read_ijson(whole)
    except NotIJson:
        expected = None
    found = list(read_events(in_chunks(whole, cuts)))
    try:
        got = [read_ijson(piece.raw) for piece in found if isinstance(piece, EventText)]
    except NotIJson:
        got = None
    if any(isinstance(piece, Unreadable) for piece in found):
        got = None
    assert got == expected


def test_nothing_is_no_events():
    for text in (b"", b" \n", b"[]", b"[ \n ] \n", b"\xef\xbb\xbf"):
        assert values(text) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"[{},\n{}", 2),
        (b'[{},\n{"a', 2),
        (b"[{}]\n{}", 2),
        (b"[{},\n\n]", 3),
        (b"[{},\n,{}]", 2),
        (b"[", 1),
    ],
)
def test_what_is_no_array_is_said_with_its_line(text, line):
    [problem] = [piece for piece in read_events([text]) if isinstance(piece, Unreadable)]
    assert problem.line == line


def test_reading_goes_on_behind_an_event_that_is_wrong():
    for text in (b'{"a": tru}\n{"b": 1}', b'[{"a": tru},{"b": 1}]'):
        assert [piece.raw for piece in read_events([text])] == [b'{"a": tru}', b'{"b": 1}']


def test_a_line_that_is_too_long_is_passed_over():
    largest = b'"' + b"x" * (MAX_EVENT_BYTES - 2) + b'"'
    text = largest + b"\r\n" + largest + b" 1\n{}\n"
    first, second, third = read_events(in_chunks(text, list(range(0, len(text), 65_536))))
    assert isinstance(first, EventText) and first.raw == largest
    assert isinstance(second, Unreadable) and second.line == 2
    assert third == EventText(3, b"{}")


def endless(start: bytes, piece: bytes) -> Iterator[bytes]:
    yield start
    while True:
        yield piece * (65_536 // len(piece))


@pytest.mark.parametrize(
    ("start", "piece"), [(b'["', b"x"), (b"[", b"{"), (b"[", b" "), (b"[1", b" "), (b'[{"a":1}', b"}")]
)
def test_an_event_without_end_ends_the_reading(start, piece):
    *_, last = read_events(endless(start, piece))
    assert isinstance(last, Unreadable)


@pytest.mark.parametrize("is_array", [False, True], ids=["lines", "array"])
def test_memory_does_not_grow_with_the_file(is_array):
    """200,000 events, 40 MB: written while they are read, so that only the reader can hold them."""

    def text() -> Iterator[bytes]:
        yield b"[" if is_array else b""
        for start in range(0, 200_000, 1000):
            rows = (
                b'{"eventId": "%036d", "type": "phase.completed", "occurredAt": "2026-11-23T07:00:00Z",'
                b' "userId": "usr_%06d", "properties": {"phase": "welcome", "durationMs": %d}}' % (n, n, n)
                for n in range(start, start + 1000)
            )
            yield (b"," if is_array and start else b"") + (b",\n" if is_array else b"\n").join(rows)
            yield b"" if is_array else b"\n"
        yield b"]" if is_array else b""

    tracemalloc.start()
    try:
        count = sum(isinstance(piece, EventText) for piece in read_events(text()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 200_000
    assert peak < 3 * 1024 * 1024
