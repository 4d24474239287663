"""The rules of events: those of one, and those of a batch at a time, are the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reinmaker_cli.contract.events import broken_event_rules, event_columns
from tests.contract.test_ijson import json_values

NAMES = ("eventId", "type", "occurredAt", "userId", "sessionId", "properties")
GOOD = {"eventId": "e", "type": "t", "occurredAt": "2026-11-23T07:00:00Z"}
VALUES = (
    *("", "x" * 128, "x" * 129, "x" * 256, "x" * 257, {}, {"score": 1}, None, True, 0, 1.5, []),
    *("2026-02-29T07:00:00Z", "2028-02-29T07:00:00Z", "2026-11-23T07:00:60.5Z", "2026-11-23T07:00:00"),
)
_values = st.sampled_from(VALUES)
_events = st.one_of(
    st.dictionaries(st.sampled_from(NAMES), _values, max_size=2).map(lambda wrong: GOOD | wrong),
    st.dictionaries(st.sampled_from([*NAMES, "more"]), _values),
    json_values,
)


def _assert_same(events: list) -> None:
    columns = event_columns(events)
    assert (columns is None) == any(broken_event_rules(event) for event in events)
    if columns is not None:
        assert columns == {name: [event.get(name) for event in events] for name in NAMES}


@given(st.lists(_events, min_size=1, max_size=4))
def test_there_are_columns_exactly_where_no_rule_is_broken(events):
    _assert_same(events)


@pytest.mark.parametrize("name", NAMES)
def test_each_value_is_right_or_wrong_wherever_it_stands(name):
    for value in VALUES:
        _assert_same([GOOD, GOOD | {name: value}])
    _assert_same([{other: value for other, value in GOOD.items() if other != name}])


@pytest.mark.parametrize("name", NAMES)
def test_null_is_none_of_the_values_of_a_member(name):
    null = json.loads(f'{{"{name}": null}}')
    assert event_columns([GOOD]) is not None
    assert event_columns([GOOD, GOOD | null]) is None
    assert [pointer for pointer, _ in broken_event_rules(GOOD | null)] == [f"/{name}"]
