"""Keys of the bucket: names that could make another object's key are refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from model_registry import names
from model_registry.errors import InvalidNameError

DAY = date(2026, 3, 12)


def test_what_watches_a_model_has_its_keys_below_the_models() -> None:
    assert names.monitor_day_key("late-payer", DAY) == "late-payer/monitor/days/2026-03-12.json"
    assert names.monitor_vintage_key("late-payer", "2026-Q1") == "late-payer/monitor/vintages/2026-Q1.json"
    assert names.monitor_report_key("late-payer", "live", DAY) == "late-payer/monitor/reports/live/2026-03-12.json"
    assert names.outcomes_key("late-payer", "0" * 64) == f"late-payer/outcomes/{'0' * 64}.json.gz"
    assert names.retraining_key("late-payer", "live-7") == "late-payer/retrainings/live-7.json"


def test_a_dated_keys_date_is_read() -> None:
    assert names.parse_dated_key(names.monitor_day_key("late-payer", DAY)) == DAY
    assert names.parse_dated_key(names.monitor_report_key("late-payer", "live", DAY)) == DAY
    for key in ["late-payer/monitor/days/2026-02-30.json", "late-payer/monitor/days/x.json", "late-payer/monitor/"]:
        assert names.parse_dated_key(key) is None


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (names.monitor_vintage_key, "2026-Q5"),
        (names.monitor_vintage_key, "2026-Q1\n"),
        (names.outcomes_key, "A" * 64),
        (names.outcomes_key, "0" * 63),
        (names.retraining_key, ""),
        (names.retraining_key, "../live"),
    ],
)
def test_other_names_are_refused(make: Any, name: str) -> None:
    with pytest.raises(InvalidNameError, match="isn't a"):
        make("late-payer", name)
