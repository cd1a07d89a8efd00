"""Boosters without a pipeline, trained on a data frame whose labels have pandas' category type.

They keep the labels of their training data, and only take data frames of that type. LightGBM's wrapper has the labels
as an attribute, XGBoost's (3.1 and later) in the model's JSON. A label that training never saw is a missing value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from model_artifact.schema import CATEGORY_NAMES

if TYPE_CHECKING:
    import pandas

Labels = Mapping[str, tuple[str, ...]]


def find_native_labels(model: Any) -> Labels:
    """Return the labels of each category column that the model takes as pandas' category type, in their codes' order.

    Empty for every other model, and where the labels aren't known or aren't texts.
    """
    if len(getattr(model, "steps", ())) == 1:
        # A pipeline without anything before the booster.
        model = model.steps[0][1]
    package = type(model).__module__.partition(".")[0]
    return _labels_of(model) if package in ("lightgbm", "xgboost") else {}


def with_native_categories(frame: pandas.DataFrame, labels: Labels) -> pandas.DataFrame:
    """Return the frame with these columns as pandas' category type."""
    import pandas as pd

    columns = {}
    for name, of_column in labels.items():
        categories = pd.Index(of_column)
        # Missing and unseen labels get −1, pandas' code for a missing value.
        columns[name] = pd.Categorical.from_codes(categories.get_indexer(pd.Index(frame[name])), categories=categories)
    return frame.assign(**columns)


@lru_cache(maxsize=1)
def _labels_of(model: Any) -> Labels:
    names = [str(name) for name in model.feature_names_in_]
    if hasattr(model, "booster_"):
        # In the order of the columns, those that aren't categories left out.
        of_categories = model.booster_.pandas_categorical or []
        columns = [name for name in names if name in CATEGORY_NAMES]
    else:
        of_categories = _xgboost_labels(model)
        columns = names
    if len(of_categories) != len(columns):
        return {}
    labels = {name: tuple(of_column) for name, of_column in zip(columns, of_categories, strict=True) if of_column}
    are_texts = all(isinstance(label, str) for of_column in labels.values() for label in of_column)
    return labels if are_texts and labels.keys() <= set(CATEGORY_NAMES) else {}


def _xgboost_labels(model: Any) -> list[list[Any]]:
    """Return each column's labels, an empty list for a number; the JSON has their UTF-8 bytes, and where they end."""
    booster = json.loads(model.get_booster().save_raw("json"))["learner"]["gradient_booster"]
    encodings = booster.get("gbtree", booster).get("model", {}).get("cats", {}).get("enc", [])
    labels: list[list[Any]] = []
    for encoding in encodings:
        # Numbers as categories have no offsets.
        texts = [bytes(encoding["values"][begin:end]).decode() for begin, end in pairwise(encoding.get("offsets", ()))]
        labels.append(texts if "offsets" in encoding else encoding["values"])
    return labels
