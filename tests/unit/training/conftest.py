"""Fixtures for the tests of training."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from made_once import made_once
from model_kit import small_quarter
from training.data import Quarters
from training.run import RECIPES, TrainingResult, train


@pytest.fixture(scope="session")
def quarters() -> Quarters:
    """A few thousand generated loans: the newest to train on, and as a test the first of them."""
    return Quarters(train=small_quarter(3000), test=small_quarter(1500), source="a test", is_sample=True)


@pytest.fixture(scope="session")
def trained(quarters: Quarters, tmp_path_factory: pytest.TempPathFactory) -> dict[str, TrainingResult]:
    """Each model on them, with few trees. Not to be changed."""

    def make(folder: Path) -> None:
        results = {name: train(name, quarters, n_estimators=6, git_commit="abc") for name in RECIPES}
        (folder / "results.pkl").write_bytes(pickle.dumps(results))

    loaded: dict[str, TrainingResult] = pickle.loads(
        (made_once(tmp_path_factory, "trained-models", make) / "results.pkl").read_bytes()
    )
    return loaded
