"""What is known of the real loans and of the models on them, where the data are at hand (PEERLOAN_DATA)."""

from __future__ import annotations

import os

import numpy as np
import pytest

from model_artifact.schema import NUMERIC_NAMES
from model_artifact.unpickling import load_pipeline
from training import data
from training.run import TrainingResult, train

pytestmark = pytest.mark.skipif(not os.environ.get(data.DATA_VARIABLE), reason=f"{data.DATA_VARIABLE} is not set")


@pytest.fixture(scope="module")
def quarters() -> data.Quarters:
    return data.load(None, os.environ)


@pytest.fixture(scope="module")
def improved(quarters: data.Quarters) -> TrainingResult:
    return train("improved", quarters)


def test_the_files_are_the_two_quarters(quarters: data.Quarters) -> None:
    assert not quarters.is_sample
    train_file, test_file = quarters.train.fingerprint, quarters.test.fingerprint
    assert (train_file.rows, test_file.rows) == (111_068, 6_843)
    assert (train_file.late, test_file.late) == (2_460, 95)


def test_only_the_two_columns_have_gaps(quarters: data.Quarters) -> None:
    gaps = quarters.train.frame.isna().mean()
    assert set(gaps.index[gaps > 0]) == {"revol_util", "emp_length"}
    assert all(quarters.train.frame[name].dtype == np.float64 for name in NUMERIC_NAMES)


def test_the_improved_model_is_at_the_ceiling(improved: TrainingResult) -> None:
    metrics = improved.candidate.metrics
    assert metrics["cross_validation"]["roc_auc"]["value"] >= 0.722
    assert metrics["test"]["roc_auc"]["value"] == pytest.approx(0.747, abs=0.006)
    assert metrics["test"]["roc_auc"]["low"] > 0.68


def test_the_improved_model_is_calibrated_for_the_next_quarter(improved: TrainingResult) -> None:
    assert 0.8 < improved.candidate.metrics["test"]["observed_over_expected"]["value"] < 1.25


def test_the_improved_model_flags_about_the_stated_share(improved: TrainingResult) -> None:
    assert improved.candidate.metrics["test"]["flagged_share"]["value"] == pytest.approx(0.10, abs=0.03)


def test_the_improved_model_is_small_and_loads_as_it_was(improved: TrainingResult, quarters: data.Quarters) -> None:
    assert len(improved.candidate.pickle) < 200_000
    features = quarters.test.features
    loaded = load_pipeline(improved.candidate.pickle)
    assert np.array_equal(loaded.predict_proba(features), improved.pipeline.predict_proba(features))
