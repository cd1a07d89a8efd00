"""How much faster arrays score one loan than LightGBM's and XGBoost's own wrappers: a part of ``make bench-model``.

The models are the libraries' default ones, 100 trees each, of the same loans. The same job, from a record with ten
columns and its labels as texts to a probability, is done by a pipeline that encodes the labels (``scoring-1-…``), and
by the wrapper alone on a data frame of pandas' categories, which lies ready (``scoring-1-…-wrapper``). The wrapper on
a row of numbers that is encoded already does less: what it has to encode first is in neither of its times.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from interleaved import tell, time_in_turns

ROWS = 20_000


def bench_boosters(out: TextIO, loans: Sequence[Any]) -> None:
    """Fit both libraries' models, measure and print: half a minute."""
    from lightgbm import LGBMClassifier
    from xgboost import XGBClassifier

    from training.data import load

    quarter = load(None, os.environ).train
    features, target = quarter.features[:ROWS], quarter.target[:ROWS]
    boosters: dict[str, Callable[..., Any]] = {
        "lightgbm": lambda **_: LGBMClassifier(n_jobs=1, verbose=-1),
        "xgboost": lambda **options: XGBClassifier(n_jobs=1, **options),
    }
    for name, make in boosters.items():
        _bench_pipeline(out, name, make(), features, target, loans)
        _bench_wrapper(out, name, make(enable_categorical=True), features, target, loans)


def _bench_pipeline(out: TextIO, name: str, booster: Any, features: Any, target: Any, loans: Sequence[Any]) -> None:
    import numpy as np
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    from model_artifact.features import frame_from_records
    from model_artifact.pipeline import late_probabilities
    from model_artifact.schema import CATEGORY_NAMES

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    columns = ColumnTransformer([("labels", encoder, list(CATEGORY_NAMES))], remainder="passthrough")
    pipeline = make_pipeline(columns, booster).fit(features, target)
    by_arrays = _by_arrays(pipeline, loans)
    rows = pipeline[:-1].transform(frame_from_records(loans))

    def by_pipeline(turn: int) -> object:
        return late_probabilities(pipeline, frame_from_records([loans[turn]]))

    def by_wrapper(turn: int) -> object:
        return booster.predict_proba(rows[turn : turn + 1])

    names = "pipeline with the library", "arrays"
    tell(out, f"scoring-1-{name}", time_in_turns(by_pipeline, by_arrays, rounds=200, longest_s=5), names)
    names = "wrapper on a row of numbers that is encoded already", "arrays"
    pair = time_in_turns(by_wrapper, by_arrays, rounds=200, longest_s=5)
    tell(out, f"scoring-1-{name}-encoded", pair, names, is_gate=False)


def _bench_wrapper(out: TextIO, name: str, booster: Any, features: Any, target: Any, loans: Sequence[Any]) -> None:
    from model_artifact.features import frame_from_records
    from model_artifact.native_categories import find_native_labels, with_native_categories
    from model_artifact.schema import CATEGORY_NAMES

    booster.fit(features.astype(dict.fromkeys(CATEGORY_NAMES, "category")), target)
    by_arrays = _by_arrays(booster, loans)
    frame = with_native_categories(frame_from_records(loans), find_native_labels(booster))

    def by_wrapper(turn: int) -> object:
        return booster.predict_proba(frame.iloc[turn : turn + 1])

    names = "wrapper on a data frame with native categories", "arrays"
    tell(out, f"scoring-1-{name}-wrapper", time_in_turns(by_wrapper, by_arrays, rounds=200, longest_s=5), names)


def _by_arrays(model: Any, loans: Sequence[Any]) -> Callable[[int], object]:
    from model_artifact.serving_form.parity import compile_verified
    from model_artifact.serving_form.scorers.record_scorer import load_scorer

    verified = compile_verified(model, loans[:50])
    assert verified.body is not None, verified.why_not
    scorer = load_scorer(verified.body)
    return lambda turn: scorer.late_probability(loans[turn])
