"""A number in another form gets a hint, the same one from the API, scoring and training."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_artifact.number_hints import describe_wrong_value, number_hint
from model_artifact.schema import FIELDS

FIELD = {field.name: field for field in FIELDS}


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("int_rate", "13.56%", "0.1356 for 13.56%"),
        ("int_rate", " 13.56 % ", "0.1356 for 13.56%"),
        ("int_rate", 13.56, "0.1356 for 13.56%"),
        ("revol_util", 54.0, "0.1356 for 13.56%"),
        ("dti", "18%", "without the percent sign"),
        ("loan_amnt", "12,000", "without commas"),
        ("loan_amnt", "1,234,567.89", "without commas"),
        ("loan_amnt", "$12,000", "without a currency"),
        ("loan_amnt", "12000 USD", "without a currency"),
        ("loan_amnt", "12 000", "without spaces"),
        ("loan_amnt", "12'000", "without spaces"),
        ("loan_amnt", "12k", "12000 for 12k"),
        ("int_rate", "0,1356", "a point before the decimals"),
        ("loan_amnt", "12000", "without quotation marks"),
        ("loan_amnt", "n/a", "only revol_util and emp_length may be"),
        ("loan_amnt", None, "only revol_util and emp_length may be"),
        ("grade", None, "only revol_util and emp_length may be"),
        ("revol_util", "n/a", "Write null"),
    ],
)
def test_hint_says_how_to_write_the_value(name: str, value: Any, hint: str) -> None:
    assert hint in describe_wrong_value(FIELD[name], value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loan_amnt", "many"),
        ("loan_amnt", True),
        ("loan_amnt", -5),
        ("loan_amnt", [1]),
        ("int_rate", 2000.0),
        ("int_rate", float("nan")),
        ("loan_amnt", "9" * 1000),
    ],
)
def test_other_values_get_no_hint(name: str, value: Any) -> None:
    assert number_hint(FIELD[name], value) == ""


def test_a_text_gets_no_hint_about_numbers() -> None:
    assert describe_wrong_value(FIELD["grade"], 4).endswith("A to G.")
    assert describe_wrong_value(None, "").endswith("characters.")


@given(st.sampled_from(FIELDS), st.text("0123456789.,%$ kn/a", min_size=3))
def test_no_hint_quotes_the_value(field: Any, value: str) -> None:
    assert number_hint(field, value) in {number_hint(field, other) for other in _EXAMPLES}


_EXAMPLES = ("", "n/a", "1%", "1", "$1", "1,000", "1 000", "1,5", "1k", "many", None)
