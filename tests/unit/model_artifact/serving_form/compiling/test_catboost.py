"""CatBoost's trees on numbers are compiled to the bit. The library is too large to be installed for every test."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import Pipeline

from fitted_pipelines import columns, loans, ordinal, pipeline, records
from model_artifact.schema import NUMERIC_NAMES
from model_artifact.serving_form.compiling.pipelines import compile_pipeline
from model_artifact.serving_form.encoding import expit
from model_artifact.serving_form.errors import NotCompilableError
from model_artifact.serving_form.parity import compile_verified
from model_artifact.serving_form.scorers.record_scorer import make_scorer

needs_catboost = pytest.mark.skipif(
    importlib.util.find_spec("catboost") is None, reason="CatBoost isn't installed: pip install --no-deps catboost"
)
DTI, UTIL = NUMERIC_NAMES.index("dti"), NUMERIC_NAMES.index("revol_util")
# Of a tree with two questions; the second one's answer is the higher bit.
LEAVES = {(False, False): -1.0, (True, False): 0.5, (False, True): 0.25, (True, True): 2.0}


class WrittenByHand:
    """What CatBoost's classifier tells of one tree with two questions and one without any."""

    classes_ = (0, 1)

    def __init__(self, **changes: Any) -> None:
        self._changes = changes

    def get_all_params(self) -> dict[str, Any]:
        return {"loss_function": "Logloss", "nan_mode": "Min", **self._changes.get("params", {})}

    def get_scale_and_bias(self) -> tuple[float, float]:
        return 2.0, 0.125

    def get_borders(self) -> dict[int, list[float]]:
        return self._changes.get("borders", {DTI: [10.0, 17.1234569549560547], UTIL: [0.5]})

    def get_tree_leaf_counts(self) -> np.ndarray:
        return np.array([4, 1], dtype=np.uint32)

    def get_leaf_values(self) -> np.ndarray:
        return np.array([*LEAVES.values(), 0.75])

    def _get_tree_splits(self, tree: int, _pool: None) -> list[str]:
        questions = [f"{DTI}, bin=17.1235", self._changes.get("question", f"{UTIL}, bin=0.5")]
        return [] if tree else questions


WrittenByHand.__module__, WrittenByHand.__qualname__ = "catboost.core", "CatBoostClassifier"


def by_hand(**changes: Any) -> Pipeline:
    return pipeline(columns("passthrough", ordinal()).fit(loans()[0]), WrittenByHand(**changes))


def test_leaves_are_found_by_the_answers() -> None:
    scorer = make_scorer(compile_pipeline(by_hand()))
    border = float(np.float32(17.1234569549560547))
    # The next float32 is 2^-19 above; a float64 in the first half of the way is rounded to the border.
    for dti, is_above in ((3.0, False), (border, False), (border + 2.0**-21, False), (border + 2.0**-19, True)):
        for util, is_used in ((0.5, False), (0.6, True), (None, False)):
            record = {**records()[0], "dti": float(dti), "revol_util": util}
            expected = expit(0.125 + 2 * LEAVES[is_above, is_used] + 2 * 0.75)
            assert scorer.late_probability(record) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"params": {"loss_function": "MultiClass"}}, "the loss MultiClass"),
        ({"params": {"grow_policy": "Lossguide"}}, "grow_policy='Lossguide'"),
        ({"params": {"nan_mode": "Max"}}, "nan_mode='Max'"),
        ({"question": "{grade} pr_num0 tb0 type0, border=7"}, "encodes a column itself"),
        ({"borders": {DTI: [17.12346, 17.12347], UTIL: [0.5]}}, "2 borders that are printed as 17.1235"),
        ({"borders": {DTI: [10.0], UTIL: [0.5]}}, "0 borders that are printed as 17.1235"),
    ],
)
def test_what_can_not_be_compiled_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(NotCompilableError, match=message):
        compile_pipeline(by_hand(**changes))


def catboost(**options: Any) -> Any:
    from catboost import CatBoostClassifier

    settings = {"iterations": 30, "verbose": 0, "thread_count": 1, "random_seed": 0, "allow_writing_files": False}
    return CatBoostClassifier(**{**settings, **options})


@needs_catboost
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"depth": 3},
        {"loss_function": "CrossEntropy"},
        {"boost_from_average": True},
        {"auto_class_weights": "Balanced"},
    ],
    ids=str,
)
def test_every_kind_is_proven_on_its_edges(options: dict[str, Any]) -> None:
    model = pipeline(columns("passthrough", ordinal()), catboost(**options)).fit(*loans())
    verified = compile_verified(model, records()[:60])
    assert verified.why_not is None
    assert verified.parity.largest_difference <= (1e-15 if "boost_from_average" in options else 0.0)
