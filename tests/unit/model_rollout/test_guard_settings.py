"""What the guards tolerate: the defaults, what a plan announces, and what is refused."""

from __future__ import annotations

import json
import tomllib
from dataclasses import astuple, replace
from importlib.resources import files

import pytest

from model_rollout.guard_settings import GUARDS, SAMPLE_RATIO, Bounds, GuardSettings, default_settings
from model_rollout.window import AnnouncedWindow

WINDOW = AnnouncedWindow(5000, 0.002, 0.001, 0.003, 0.02, 0.015, 0.025, flag_low=-0.03, flag_high=-0.02)


def test_each_guard_that_takes_a_rollout_back_has_a_tolerance_and_one_line_of_reason() -> None:
    guards = tomllib.loads(files("model_rollout").joinpath("guards.toml").read_text())["guards"]
    assert set(guards) == {guard for asked in GUARDS.values() for guard in asked} - {SAMPLE_RATIO}
    assert all(guard["reason"].endswith(".") and "\n" not in guard["reason"] for guard in guards.values())


def test_the_error_rate_is_shared_out_over_the_guards_that_take_a_rollout_back() -> None:
    settings = default_settings()
    assert settings.fail_at == pytest.approx(len(settings.bounds) / 0.05)
    assert settings.pass_at == pytest.approx(20)


def test_the_tolerances_lie_around_what_the_plan_announces() -> None:
    bounds = default_settings(WINDOW, mean_score=0.02).bounds
    assert astuple(bounds["score_difference"]) == pytest.approx((0.001 - 0.001, 0.003 + 0.001))
    assert astuple(bounds["mean_score"]) == pytest.approx((0.001 - 0.005, 0.003 + 0.005))
    assert bounds["flag_difference"].high == pytest.approx(-0.02 + 0.01)
    assert bounds["flagged"].low == pytest.approx(-0.03 - 0.07)
    assert bounds["flips"].low is None
    assert bounds["flips"].high == pytest.approx(0.025 + 0.02)
    assert bounds["failed_answers"] == Bounds(None, 0.01)


def test_scores_are_cut_off_in_units_of_the_mean_score_and_never_above_one() -> None:
    settings = default_settings(mean_score=0.02)
    assert (settings.most_score, settings.most_difference) == pytest.approx((0.14, 0.04))
    settings = default_settings(mean_score=0.6)
    assert settings.most_score == settings.most_difference == 1


def test_hardly_any_loan_is_beyond_where_scores_are_cut_off() -> None:
    settings = default_settings(replace(WINDOW, tail_difference=0.3, tail_score=0.5), mean_score=0.02)
    assert (settings.most_score, settings.most_difference) == (0.5, 0.3)
    # Expected without having measured loans.
    assert default_settings(replace(WINDOW, low=-0.1), mean_score=0.02).most_difference == pytest.approx(0.4)


def test_a_window_as_wide_as_can_be_is_expected_and_tolerated() -> None:
    bounds = default_settings(replace(WINDOW, low=-1.0, high=1.0, flag_low=-1.0, flag_high=1.0)).bounds
    assert {astuple(bounds[guard]) for guard in ("flagged", "mean_score", "score_difference")} == {(-0.999, 0.999)}


def test_settings_survive_being_stored() -> None:
    settings = default_settings(WINDOW, 0.02, {"flips": 0.05})
    assert GuardSettings.from_document(json.loads(json.dumps(settings.to_document()))) == settings


@pytest.mark.parametrize(
    ("tolerances", "message"),
    [
        ({"flip": 0.1}, "there is no guard 'flip'; there are failed_answers, crashes, "),
        ({"crashes": 0}, "the tolerance of crashes is 0, not above 0 and below 1"),
        ({"flips": float("nan")}, "the tolerance of flips is nan"),
        ({"failed_answers": 5}, "the tolerance of failed_answers is 5"),
    ],
)
def test_a_tolerance_that_can_not_be_meant_is_refused(tolerances, message) -> None:
    with pytest.raises(ValueError, match=message):
        default_settings(tolerances=tolerances)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"error_rate": 1.5}, "'error_rate' is 1.5, not above 0 and up to 1"),
        ({"most_score": 0}, "'most_score' is 0.0, not above 0 and up to 1"),
        ({"least_in_step": 0}, "'least_in_step' isn't a whole number of at least 1"),
        ({"bounds": {}}, "bounds are needed for crashes, failed_answers, "),
        ({"bounds": {"crashes": {"low": None, "high": 0}}}, "the tolerated difference is 0.0, not above 0"),
        ({"bounds": {"flagged": {"low": 0.2, "high": 0.1}}}, "the tolerated difference is 0.2 to 0.1, not a window"),
    ],
)
def test_stored_settings_that_can_not_be_used_are_refused(change, message) -> None:
    with pytest.raises(ValueError, match=message):
        GuardSettings.from_document(default_settings().to_document() | change)
