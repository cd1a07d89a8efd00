"""A recipe from a manifest becomes the arguments of the training that made it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from peerloan.retraining.refit import stated_threshold, training_words
from training.__main__ import main
from training.thresholds import Stated

RECIPE: dict[str, Any] = {"name": "improved", "contender": None, "estimators": 120, "seed": 42, "threshold": None}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "--estimators 120 --seed 42"),
        ({"contender": "monotone", "seed": 0}, "--contender monotone --estimators 120 --seed 0"),
        ({"threshold": {"flag_share": 0.05}}, "--estimators 120 --seed 42 --flag-share 0.05"),
        (
            {"estimators": None, "seed": None, "threshold": {"cost_missed_late": 900.0, "cost_call": 12.5}},
            "--cost-missed-late 900.0 --cost-call 12.5",
        ),
        ({"threshold": {"stated": 0.3}}, "--estimators 120 --seed 42"),
    ],
)
def test_the_words_are_those_of_training(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    written = training_words(RECIPE | changes, ("missing-1.csv", "missing-2.csv"), tmp_path / "out")
    assert " ".join(written[6:]) == words
    # Training takes them, and misses the loans alone.
    stderr = io.StringIO()
    assert main(written, {}, io.StringIO(), stderr) == 1
    assert "missing-1.csv doesn't exist" in stderr.getvalue()


def test_a_stated_threshold_is_taken_when_the_model_is_published() -> None:
    assert stated_threshold(RECIPE | {"threshold": {"stated": 0.3}}) == Stated(0.3)
    assert stated_threshold(RECIPE) is None
    assert stated_threshold(None) is None
