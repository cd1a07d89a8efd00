"""The ten columns: their order, their bounds, and what the bounds are there to catch."""

from __future__ import annotations

import pytest

from model_artifact.schema import CATEGORY_NAMES, FIELD_NAMES, FIELDS, NUMERIC_NAMES
from model_kit import small_quarter

BY_NAME = {field.name: field for field in FIELDS}


def test_the_ten_columns_are_those_of_the_data_file_in_its_order() -> None:
    assert FIELD_NAMES == (
        "loan_amnt", "int_rate", "purpose", "grade", "annual_inc", "revol_util", "emp_length", "dti", "delinq_2yrs",
        "home_ownership",
    )  # fmt: skip
    assert set(NUMERIC_NAMES) | set(CATEGORY_NAMES) == set(FIELD_NAMES)


def test_only_what_the_pipelines_fill_may_be_null() -> None:
    assert [field.name for field in FIELDS if field.nullable] == ["revol_util", "emp_length"]


def test_numbers_have_bounds_and_units_and_categories_have_none() -> None:
    for field in FIELDS:
        is_number = field.type == "number"
        assert (field.hard_min is not None) == (field.hard_max is not None) == (field.unit is not None) == is_number


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("int_rate", 13.56), ("int_rate", 0.0), ("loan_amnt", -1.0), ("dti", -0.1), ("revol_util", 43.0)],
)
def test_a_value_in_the_wrong_unit_is_beyond_the_hard_bounds(name: str, wrong: float) -> None:
    assert not BY_NAME[name].hard_min <= wrong <= BY_NAME[name].hard_max


def test_every_value_of_the_data_is_inside_the_hard_bounds() -> None:
    features = small_quarter().features
    for name in NUMERIC_NAMES:
        assert features[name].dropna().between(BY_NAME[name].hard_min, BY_NAME[name].hard_max).all()
