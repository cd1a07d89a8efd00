"""Tests of the coarse profile of a record."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry.manifest import ColumnProfile, TrainingProfile
from model_watch.profile import Profiler
from model_watch.profile_characters import BIN_CHARACTERS, MISSING, UNSEEN, bin_number

AGE = ColumnProfile("age", (0.0, 10.0, 20.0), None, (5, 5), 0)
CITY = ColumnProfile("city", None, ("Rome", "Oslo"), (7, 3), 0)
PROFILER = Profiler(TrainingProfile((AGE, CITY)))


def profile(age: Any, city: Any) -> str:
    """Return the profile of one record."""
    text = PROFILER.of([{"age": age, "city": city, "loan_id": "1"}])[0]
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize(
    ("age", "character"),
    [(0, "0"), (9.999, "0"), (10.0, "1"), (20.0, "1"), (20.001, UNSEEN), (-0.001, UNSEEN), (None, MISSING)],
)
def test_a_number_is_in_the_bin_that_begins_at_or_below_it(age: Any, character: str) -> None:
    assert profile(age, "Rome")[0] == character


@pytest.mark.parametrize(("city", "character"), [("Rome", "0"), ("Oslo", "1"), ("Paris", UNSEEN), (None, MISSING)])
def test_a_label_has_its_number(city: Any, character: str) -> None:
    assert profile(1, city)[1] == character


def test_a_column_that_was_always_the_same_has_one_bin() -> None:
    profiler = Profiler(TrainingProfile((ColumnProfile("age", (3.0, 3.0), None, (9,), 0),)))
    assert [profiler.of([{"age": age}])[0] for age in (2.9, 3, 3.1)] == [UNSEEN, "0", UNSEEN]


def test_a_column_that_was_always_missing_has_no_bins() -> None:
    profiler = Profiler(TrainingProfile((ColumnProfile("age", (), None, (), 9), ColumnProfile("x", None, (), (), 9))))
    assert profiler.of([{"age": 1.0, "x": "a"}]) == [UNSEEN * 2]
    assert profiler.of_columns({"age": np.full(9, np.nan), "x": [None] * 9}) == [b"--"] * 9


VALUES = st.none() | st.floats(-5, 25) | st.integers(-5, 25) | st.sampled_from([0.0, 10.0, 20.0])


@given(st.lists(st.tuples(VALUES, st.sampled_from(["Rome", "Oslo", "Paris", None])), min_size=1))
def test_a_table_has_the_profiles_of_its_records(values: list[tuple[Any, Any]]) -> None:
    ages = np.array([np.nan if age is None else age for age, _ in values], np.float64)
    columns = {"city": [city for _, city in values], "age": ages}
    assert PROFILER.of_columns(columns) == [profile(age, city).encode() for age, city in values]


def test_each_character_has_the_number_of_its_bin() -> None:
    assert [bin_number(character) for character in BIN_CHARACTERS] == list(range(62))
    assert bin_number(MISSING) is None
    assert bin_number(UNSEEN) is None
