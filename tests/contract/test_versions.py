"""The order of versions, and which one comes next."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reinmaker_cli.contract.versions import is_newer, next_version, version_date, version_key

TODAY = date(2026, 11, 23)

versions = st.builds(
    lambda day, suffix: f"{day.year:04}.{day.month:02}.{day.day:02}{suffix}",
    st.dates(date(2026, 11, 20), date(2026, 11, 26)),
    st.sampled_from(["", "-1", "-2", "-3", "-10", "-02", "-beta", "-a", "-2a"]),
)


def test_versions_sort_by_date_then_no_suffix_then_number_then_word():
    ordered = [
        "2026.11.22-z",
        "2026.11.23",
        "2026.11.23-2",
        "2026.11.23-10",
        "2026.11.23-" + "1" * 5000,  # int() refuses so many digits
        "2026.11.23-2a",
        "2026.11.23-beta",
        "2026.11.24",
    ]
    assert sorted([*ordered[3:], *ordered[:3]], key=version_key) == ordered


@pytest.mark.parametrize(
    "text", ["2026.11.23\n", "2026.1.23", "2026.11.23-", "2026.11.23-B", "", "v2026.11.23", "2026.11.23-2-3"]
)
def test_what_is_no_version_has_no_place_in_the_order(text):
    with pytest.raises(ValueError, match="not a version"):
        version_key(text)
    assert version_date(text) is None


def test_a_date_that_no_calendar_has_is_no_date():
    assert version_date("2025.13.45") is None
    assert version_date("2025.02.28-2") == date(2025, 2, 28)


@pytest.mark.parametrize(
    ("newer_than", "taken", "expected"),
    [
        ([], [], "2026.11.23"),
        (["2026.11.22"], [], "2026.11.23"),
        (["2026.11.23"], [], "2026.11.23-2"),
        (["2026.11.23-2"], [], "2026.11.23-3"),
        (["2026.11.23"], ["2026.11.23-2", "2026.11.23-3"], "2026.11.23-4"),
        (["2026.11.23-9", "2026.11.23-10"], [], "2026.11.23-11"),
        (["2026.11.23-beta"], [], "2026.11.24"),
        (["2027.01.31"], [], "2027.02.01"),
        (["2027.01.31-5"], ["2027.02.01"], "2027.02.02"),
        (["2026.11.23-20261123071500"], [], "2026.11.23-20261123071501"),  # a time, or the number of a build
        (["2026.11.23-0"], [], "2026.11.23-2"),
        (["2026.11.23-" + "9" * 5000], [], "2026.11.24"),
    ],
)
def test_the_next_version_is_the_smallest_that_is_free_and_newer(newer_than, taken, expected):
    assert next_version(TODAY, newer_than=newer_than, taken=taken.__contains__) == expected


def test_after_the_last_day_there_is_none():
    with pytest.raises(OverflowError):
        next_version(TODAY, newer_than=["9999.12.31"])


@given(st.lists(versions, max_size=5), st.sets(versions, max_size=8))
def test_the_next_version_is_always_free_and_newer(newer_than, taken):
    chosen = next_version(TODAY, newer_than=newer_than, taken=taken.__contains__)
    assert chosen not in taken
    assert all(is_newer(chosen, other) for other in newer_than)


@given(versions, versions)
def test_of_two_different_versions_one_is_newer(left, right):
    assert (left != right) == (is_newer(left, right) or is_newer(right, left))
