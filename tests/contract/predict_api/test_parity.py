"""The handler gives what the pipeline gives: same input, same probabilities, whatever the envelope."""

from __future__ import annotations

import io
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from model_artifact.schema import FIELD_NAMES
from tests.contract.predict_api.api_kit import RECORD, Function, Registry
from tests.contract.predict_api.loans_kit import as_features, pickled
from training.loans import sample_data


@pytest.fixture(scope="module")
def unseen_loans() -> pd.DataFrame:
    """A thousand loans that the models were not trained on, gaps included."""
    frame = sample_data.generate()[1].head(1000)
    assert frame["emp_length"].isna().any()
    return as_features(frame)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


@pytest.mark.parametrize("kind", ["forest", "boosted"])
def test_scores_are_those_of_predict_proba(kind: str, unseen_loans: pd.DataFrame) -> None:
    registry = Registry()
    registry.writer.assign("live", registry.publish(pickled(kind), threshold=0.02))
    function = Function(registry)
    expected = joblib.load(io.BytesIO(pickled(kind))).predict_proba(unseen_loans)[:, 1]
    rows = records(unseen_loans)
    split = {"columns": list(FIELD_NAMES), "data": [list(row.values()) for row in rows]}
    for body in ({"instances": rows}, {"dataframe_records": rows}, {"dataframe_split": split}):
        predictions = function.post(body).json["predictions"]
        scores = np.array([prediction["late_probability"] for prediction in predictions])
        assert np.abs(scores - expected).max() <= 1e-12
        assert [prediction["is_late"] for prediction in predictions] == (expected >= 0.02).tolist()
    single = [function.post(row).json["predictions"][0]["late_probability"] for row in rows[:50]]
    assert np.abs(np.array(single) - expected[:50]).max() <= 1e-12


def test_whole_numbers_score_as_fractions_do(function: Function) -> None:
    whole = {**RECORD, "annual_inc": 65000, "dti": 18}
    fraction = {**RECORD, "annual_inc": 65000.0, "dti": 18.0}
    assert function.post(whole).json["predictions"] == function.post(fraction).json["predictions"]
