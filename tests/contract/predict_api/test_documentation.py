"""docs/api.md names everything that a client or an operator may meet."""

from __future__ import annotations

from pathlib import Path

from model_artifact.schema import FIELDS
from predict_api.http.problems import INTERNAL_ERROR, PROBLEM_TYPES
from predict_api.metrics import UNITS

TEXT = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_problem_is_documented_with_its_status() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ")]
    for kind in (*PROBLEM_TYPES.values(), INTERNAL_ERROR):
        assert any(line.startswith(f"| {kind.status} |") and f"`{kind.slug}`" in line for line in rows), kind


def test_every_field_is_documented_with_its_bounds() -> None:
    for field in FIELDS:
        [row] = [line for line in TEXT.splitlines() if line.startswith(f"| `{field.name}` |")]
        assert ("or null" in row) == field.nullable
        for bound in (field.hard_min, field.hard_max):
            assert bound is None or f"{bound:,.10g}" in row


def test_every_metric_is_documented() -> None:
    for name in UNITS:
        assert f"`{name}`" in TEXT
