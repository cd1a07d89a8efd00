"""Boosted trees of other libraries, where they are installed."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline, make_pipeline

from pipelines.kind import Kind
from pipelines.parts import SEED, imputed_and_encoded, numbered_labels


def _lightgbm() -> Pipeline:
    from lightgbm import LGBMClassifier

    classifier: Any = LGBMClassifier(n_estimators=40, n_jobs=1, verbose=-1, random_state=SEED)
    return make_pipeline(numbered_labels(), classifier)


def _xgboost() -> Pipeline:
    from xgboost import XGBClassifier

    return make_pipeline(imputed_and_encoded(), XGBClassifier(n_estimators=40, n_jobs=1, random_state=SEED))


def _catboost() -> Pipeline:
    from catboost import CatBoostClassifier

    options = {"verbose": 0, "thread_count": 1, "random_seed": SEED, "allow_writing_files": False}
    return make_pipeline(numbered_labels(), CatBoostClassifier(iterations=40, **options))


KINDS = (
    Kind("lightgbm", "LGBMClassifier in a pipeline", _lightgbm, library="lightgbm"),
    Kind("xgboost", "XGBClassifier in a pipeline", _xgboost, library="xgboost"),
    Kind("catboost", "CatBoostClassifier in a pipeline", _catboost, library="catboost"),
)
