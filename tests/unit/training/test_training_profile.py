"""Tests of the training profile: it counts the loans as the function's profiles do."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from model_artifact.schema import EMP_LENGTHS, FIELD_NAMES, FIELDS
from model_kit import small_quarter
from model_registry.manifest import ColumnProfile, TrainingProfile
from model_watch.profile import Profiler
from model_watch.profile_characters import BIN_CHARACTERS, MISSING, UNSEEN
from training.holdout import records_of
from training.training_profile import training_profile


@pytest.fixture(scope="module")
def features() -> pd.DataFrame:
    return small_quarter(5000).features


@pytest.fixture(scope="module")
def columns(features: pd.DataFrame) -> dict[str, ColumnProfile]:
    return {column.name: column for column in training_profile(features).columns}


def test_it_has_the_columns_of_the_schema_in_its_order(columns: dict[str, ColumnProfile]) -> None:
    assert tuple(columns) == FIELD_NAMES
    for field in FIELDS:
        assert (columns[field.name].edges is None) == (field.type == "category")


def test_its_counts_are_those_of_the_functions_profiles(
    features: pd.DataFrame, columns: dict[str, ColumnProfile]
) -> None:
    profiles = Profiler(TrainingProfile(tuple(columns.values()))).of(records_of(features))
    for place, column in enumerate(columns.values()):
        counts = Counter(profile[place] for profile in profiles)
        assert counts.pop(MISSING, 0) == column.missing
        assert dict(counts) == dict(zip(BIN_CHARACTERS, column.counts, strict=False))


def test_bins_of_a_continuous_number_are_tenths(columns: dict[str, ColumnProfile]) -> None:
    counts = np.array(columns["annual_inc"].counts)
    assert len(counts) == 10
    assert counts.min() > 300


def test_labels_are_in_their_own_order(columns: dict[str, ColumnProfile]) -> None:
    assert columns["emp_length"].labels == EMP_LENGTHS
    assert columns["grade"].labels == tuple("ABCDEFG")


def test_of_many_labels_the_most_frequent_are_kept_and_the_others_are_logged_as_unseen(features: pd.DataFrame) -> None:
    purposes = [f"purpose {number:03}" for number in range(100)]
    changed = features.assign(purpose=np.resize(purposes, len(features)))
    changed.loc[:500, "purpose"] = "purpose 099"
    profile, place = training_profile(changed), FIELD_NAMES.index("purpose")
    column = profile.columns[place]
    assert column.labels is not None
    assert len(column.labels) == 62
    assert column.labels[-1] == "purpose 099"
    logged = Counter(text[place] for text in Profiler(profile).of(records_of(changed)))
    assert logged.pop(UNSEEN) == len(changed) - sum(column.counts) > 0
    assert logged == dict(zip(BIN_CHARACTERS, column.counts, strict=True))


@pytest.mark.parametrize(("value", "edges", "counts"), [(7.0, (7.0, 7.0), (5000,)), (np.nan, (), ())])
def test_a_number_that_is_always_the_same_has_one_bin_and_one_that_is_always_missing_none(
    features: pd.DataFrame, value: float, edges: tuple[float, ...], counts: tuple[int, ...]
) -> None:
    column = training_profile(features.assign(dti=value)).columns[FIELD_NAMES.index("dti")]
    assert (column.edges, column.counts) == (edges, counts)
    assert column.missing == len(features) - sum(counts)
