"""What `peerloan score` says at its end about values that the version wasn't trained on."""

from __future__ import annotations

from model_registry.manifest import FieldSchema
from peerloan.commands.score import describe_warnings

SCHEMA = (
    FieldSchema("int_rate", "number", "fraction", False, 0.0, 1.0, 0.0531, 0.3099, None, ""),
    FieldSchema("purpose", "category", None, False, None, None, None, None, ("car", "credit_card"), ""),
)
WARNINGS = {"purpose:unseen_category": 1200, "int_rate:out_of_training_range": 1}


def test_each_column_says_what_the_version_was_trained_on() -> None:
    assert describe_warnings(1201, WARNINGS, SCHEMA, has_column=True) == [
        "1,201 rows with values that the model wasn't trained on, so trust their predictions less:",
        "  int_rate: 1 row outside the training range (0.0531 to 0.3099)",
        "  purpose: 1,200 rows with an unseen category (trained on car, credit_card)",
    ]


def test_without_the_column_the_option_is_named_and_an_api_has_no_ranges() -> None:
    assert describe_warnings(1, {"purpose:unseen_category": 1}, (), has_column=False) == [
        "1 row with values that the model wasn't trained on, so trust their predictions less:",
        "  purpose: 1 row with an unseen category",
        "  To see which rows they are, run it again with --warnings.",
    ]


def test_without_warnings_nothing_is_said() -> None:
    assert describe_warnings(0, {}, SCHEMA, has_column=False) == []
