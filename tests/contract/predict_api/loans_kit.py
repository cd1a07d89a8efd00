"""Generated loans, and small models that were fitted to them."""

from __future__ import annotations

import functools
import io

import joblib
import pandas as pd

from model_artifact.schema import FIELD_NAMES, FIELDS, TARGET
from model_registry.manifest import FieldSchema, TrainingProfile
from training.candidate_folder import input_schema
from training.loans import sample_data
from training.recipes import basic_model
from training.recipes.contenders import monotone_trees
from training.training_profile import training_profile


@functools.lru_cache(maxsize=1)
def loans() -> pd.DataFrame:
    """Return some generated loans with their outcomes."""
    return sample_data.generate()[0].head(30_000)


@functools.lru_cache(maxsize=1)
def loans_schema() -> tuple[FieldSchema, ...]:
    """Return the schema with the ranges of the generated loans."""
    return input_schema(loans())


@functools.lru_cache(maxsize=1)
def loans_profile() -> TrainingProfile:
    """Return the profile of the generated loans."""
    return training_profile(loans())


@functools.lru_cache(maxsize=8)
def pickled(kind: str = "forest", seed: int = 42) -> bytes:
    """Return a small fitted pipeline as a compressed pickle: a forest, or boosted trees."""
    is_forest = kind == "forest"
    pipeline = basic_model.build_pipeline(8, seed=seed) if is_forest else monotone_trees(60, seed)
    if is_forest:
        # Few trees with a loan a leaf would say 0 of almost every loan.
        pipeline.set_params(forest__min_samples_leaf=20)
    frame = loans()
    pipeline.fit(as_features(frame), frame[TARGET].to_numpy())
    buffer = io.BytesIO()
    joblib.dump(pipeline, buffer, compress=1)
    return buffer.getvalue()


def as_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the ten columns as training makes them."""
    return frame[list(FIELD_NAMES)].astype({field.name: "float64" for field in FIELDS if field.type == "number"})
