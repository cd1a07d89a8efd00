"""A record from JSON is scored as the same row of a CSV file is, to the last bit."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.pipeline import Pipeline

from model_artifact.features import frame_from_records
from model_artifact.pipeline import late_probabilities
from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES, FIELDS, NUMERIC_NAMES
from model_kit import small_boosted, small_forest, small_quarter


def _records_of(csv: str) -> list[dict[str, object]]:
    """The rows as an application would send them: parsed by Python, through JSON, None where a cell is empty."""
    rows = pd.read_csv(io.StringIO(csv), dtype=str, keep_default_na=False).to_dict("records")
    parsed = [
        {
            name: None if cell == "" else json.loads(cell) if name in NUMERIC_NAMES else cell
            for name, cell in row.items()
        }
        for row in rows
    ]
    return json.loads(json.dumps(parsed))


@pytest.mark.parametrize("model", [small_forest, small_boosted])
def test_json_records_give_bit_equal_probabilities_to_read_csv(model) -> None:
    pipeline: Pipeline = model()
    csv = small_quarter().features.to_csv(index=False)
    from_csv = pipeline.predict_proba(pd.read_csv(io.StringIO(csv)))[:, 1]
    from_json = late_probabilities(pipeline, frame_from_records(_records_of(csv)))
    assert from_json.tobytes() == from_csv.tobytes()


@pytest.mark.parametrize("model", [small_forest, small_boosted])
@pytest.mark.parametrize("empty", ["revol_util", "emp_length"])
def test_a_column_without_any_value_is_scored_like_missing_values_among_others(model, empty: str) -> None:
    pipeline: Pipeline = model()
    frame = small_quarter().features.head(50)
    records = [{**record, empty: None} for record in _records_of(frame.to_csv(index=False))]
    # Beside a row that has a value, read_csv keeps the column's type.
    with_a_value = pd.concat([frame.dropna().tail(1), pd.DataFrame(records)[list(FIELD_NAMES)]])
    expected = pipeline.predict_proba(pd.read_csv(io.StringIO(with_a_value.to_csv(index=False))))[1:, 1]
    assert late_probabilities(pipeline, frame_from_records(records)).tobytes() == expected.tobytes()


def test_the_frame_has_the_ten_columns_in_their_order_whatever_the_record_holds() -> None:
    frame = frame_from_records([{"dti": 1, "loan_id": "A-1", "purpose": "car"}])
    assert list(frame.columns) == list(FIELD_NAMES)
    assert frame.dtypes[list(NUMERIC_NAMES)].eq(np.float64).all()
    assert frame.dtypes[list(CATEGORY_NAMES)].eq(object).all()
    assert frame.isna().iloc[0].tolist() == [name not in ("dti", "purpose") for name in FIELD_NAMES]


def test_no_record_makes_an_empty_frame_with_ten_columns() -> None:
    assert frame_from_records([]).shape == (0, len(FIELDS))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 2999), min_size=1, max_size=20))
def test_a_record_is_scored_alone_as_in_any_batch(rows: list[int]) -> None:
    pipeline = small_boosted()
    records = small_quarter().features.iloc[rows].to_dict("records")
    together = late_probabilities(pipeline, frame_from_records(records))
    alone = [late_probabilities(pipeline, frame_from_records([record]))[0] for record in records]
    assert together.tolist() == alone
