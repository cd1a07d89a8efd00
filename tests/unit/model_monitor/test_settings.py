"""The settings are those of monitor.toml, but for what a user changes; a wrong setting is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from model_monitor.settings import TESTS, default_settings, read_settings


def test_without_changes_the_settings_are_the_defaults() -> None:
    assert read_settings("") == default_settings()
    assert default_settings().outcome_window_days == 106


def test_a_change_leaves_the_other_settings() -> None:
    changed = read_settings("outcome_window_days = 30\n[level]\nlow = 0.7\n")
    assert (changed.outcome_window_days, changed.level.low, changed.level.high) == (30, 0.7, 1.11)
    assert changed.slope == default_settings().slope


def test_the_thresholds_share_out_the_error_rate() -> None:
    settings = default_settings()
    assert sum(1 / settings.threshold(test) for test in TESTS) == pytest.approx(settings.error_rate)


def test_the_page_names_each_setting_with_its_default() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "monitoring.md").read_text(encoding="utf-8")
    section = page.partition("## Settings")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[a-z_]+[`.][^|]*) \| ([0-9., ]+) \|", section, re.MULTILINE)
    described = {}
    for names, values in rows:
        first, *others = re.findall(r"`([a-z_.]+)`", names)
        table = first.rpartition(".")[0]
        settings = [first, *(table + other for other in others)]
        described.update(zip(settings, map(float, values.split(", ")), strict=True))
    defaults = {}
    for name, value in default_settings().to_document().items():
        members = {f"{name}.{member}": number for member, number in value.items()} if isinstance(value, dict) else {}
        defaults.update(members or {name: value})
    assert described == defaults


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("outcome_window_days = ", "the settings aren't TOML"),
        ("outcome_windows_days = 3", "there is no setting 'outcome_windows_days'; there are discrimination, enough"),
        ("[level]\nhi = 2", "there is no setting 'level.hi'; there are high, low"),
        ("outcome_window_days = 0", "'outcome_window_days'"),
        ("error_rate = 1.5", "'error_rate' is 1.5, not between 0 and 1"),
        ("level = 3", "'level'"),
        ("[level]\nlow = 1.2", "the tolerated range is 1.2 to 1.11, which isn't around 1"),
        ("[shares]\nrefit = 0.9", "the shares of the error rate are"),
        ("outcome_window_days = 1000000", "'outcome_window_days' is 1000000, more than 3650"),
        ("recent_days = 99999999999", "'recent_days' is 99999999999, more than 3650"),
        ("live_days = 99999999999", "'live_days' is 99999999999, more than 3650"),
        ("error_rate = 1e-320", "'error_rate' times 'shares.refit' is"),
        ("[shares]\nlook = 1e-320", "'error_rate' times 'shares.look' is"),
        ("[level]\nhigh = 1e308", "the tolerated range is 0.9 to 1e.308, which isn't around 1 and within 0.01 to 100"),
        ("[slope]\nlow = 1e-300", "the tolerated range is 1e-300 to 1.25"),
        ("[discrimination]\nmargin = 0.5", "the tolerated loss of ROC-AUC is 0.5"),
        ("[inputs]\ntimes = 0.5", "a bin's tolerated share is 0.5 times"),
        ("[enough]\nknown_share = 0.0", "enough data are"),
    ],
)
def test_a_wrong_setting_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_settings(text)
