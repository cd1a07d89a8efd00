"""On the generated loans, the models rank as they do on the real ones."""

from __future__ import annotations

import pytest

from training import data
from training.run import train


@pytest.fixture(scope="module")
def quarters() -> data.Quarters:
    return data.load(None, {}) if not data.DEFAULT_PATH.exists() else pytest.skip("real data are in the way")


def test_the_basic_forest_is_far_from_the_ceiling(quarters: data.Quarters) -> None:
    # A quarter of the trees shows it and spares the time of the rest, which add .05 (.66 with all the 100).
    metrics = train("basic", quarters, n_estimators=25).candidate.metrics
    assert 0.57 < metrics["test"]["roc_auc"]["value"] < 0.66


def test_the_boosted_trees_are_at_it(quarters: data.Quarters) -> None:
    metrics = train("improved", quarters).candidate.metrics
    assert 0.715 < metrics["test"]["roc_auc"]["value"] < 0.755
    assert 0.70 < metrics["cross_validation"]["roc_auc"]["value"] < 0.73
    assert 0.8 < metrics["test"]["observed_over_expected"]["value"] < 1.25
