"""For each gate: which figures pass, which fail, and that the verdict names them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model_watch.intervals import Interval
from training.evidence.comparison import Comparison
from training.evidence.contest import Contest
from training.evidence.sweeps import Sweep
from training.gates import Requirement, failures, judge

BETTER, NO_WORSE = Requirement.BETTER_THAN, Requirement.NO_WORSE_THAN
NAN = float("nan")


def _comparison(low: float, high: float, loss: tuple[float, float] = (-0.01, 0.01)) -> Comparison:
    middle = Interval((low + high) / 2, low, high)
    return Comparison(loans=6000, late=90, roc_auc=middle, log_loss=Interval(sum(loss) / 2, *loss))


GOOD = Contest(
    is_held_out=True,
    whole=_comparison(0.02, 0.10),
    slope=Interval(1.05, 0.85, 1.3),
    over_expected=Interval(1.0, 0.8, 1.2),
    sweeps=(Sweep("int_rate", 1, 50, 200, 0, 0.0), Sweep("annual_inc", -1, 50, 200, 0, 0.0)),
    segments={"grade C": _comparison(-0.05, 0.1)},
)


def _failed(contest: Contest, requirement: Requirement = BETTER) -> list[str]:
    return [verdict.rule for verdict in failures(judge(requirement, contest))]


def test_a_good_candidate_passes_every_rule() -> None:
    verdicts = judge(BETTER, GOOD)
    assert [verdict.rule for verdict in verdicts] == [
        "held-out-loans",
        "better-than",
        "calibration-slope",
        "observed-over-expected",
        "monotonicity",
        "segments",
    ]
    assert all(verdict.passed and verdict.figures for verdict in verdicts)


@pytest.mark.parametrize(
    ("low", "high", "better", "no_worse"),
    [
        (0.02, 0.10, True, True),
        (0.0, 0.0, False, True),
        (-0.005, 0.03, False, True),
        (-0.01, 0.03, False, False),
        (-0.009, -0.001, False, True),
        (-0.10, -0.02, False, False),
        (NAN, NAN, False, False),
    ],
)
def test_the_gain_must_be_shown_or_no_loss_beyond_the_margin(low, high, better, no_worse) -> None:
    contest = replace(GOOD, whole=_comparison(low, high))
    assert _failed(contest, BETTER) == ([] if better else ["better-than"])
    assert _failed(contest, NO_WORSE) == ([] if no_worse else ["no-worse-than"])


@pytest.mark.parametrize(
    ("slope", "passed"),
    [
        (Interval(1.0, 0.95, 1.05), True),
        (Interval(0.7, 0.5, 0.9), True),
        (Interval(0.7, 0.5, 0.89), False),
        (Interval(1.5, 1.2, 1.8), True),
        (Interval(1.5, 1.21, 1.8), False),
        (Interval(0.1, 0.05, 0.2), False),
        (Interval(NAN, NAN, NAN), False),
    ],
)
def test_the_slope_must_be_able_to_be_in_its_band(slope: Interval, passed: bool) -> None:
    assert _failed(replace(GOOD, slope=slope)) == ([] if passed else ["calibration-slope"])


@pytest.mark.parametrize(
    ("ratio", "passed"),
    [
        (Interval(0.6, 0.5, 0.79), False),
        (Interval(0.7, 0.5, 0.8), True),
        (Interval(1.4, 1.25, 1.6), True),
        (Interval(1.5, 1.26, 1.8), False),
    ],
)
def test_late_over_expected_must_be_able_to_be_in_its_band(ratio: Interval, passed: bool) -> None:
    assert _failed(replace(GOOD, over_expected=ratio)) == ([] if passed else ["observed-over-expected"])


@pytest.mark.parametrize(
    ("slope", "word"),
    [
        (Interval(1.0, 0.95, 1.05), "passed"),
        (Interval(1.0, 0.85, 1.1), "passed"),
        (Interval(1.0, 0.85, 1.3), "could not be told"),
        (Interval(0.7, 0.5, 0.89), "FAILED"),
        (Interval(NAN, NAN, NAN), "FAILED"),
    ],
)
def test_an_interval_that_leaves_the_band_on_both_sides_tells_nothing(slope: Interval, word: str) -> None:
    verdicts = {verdict.rule: verdict for verdict in judge(BETTER, replace(GOOD, slope=slope))}
    assert verdicts["calibration-slope"].word == word
    says_too_wide = verdicts["calibration-slope"].figures.endswith("this one reaches beyond both ends")
    assert says_too_wide == (word == "could not be told")


def test_a_step_against_lending_sense_is_named_with_its_size() -> None:
    contest = replace(GOOD, sweeps=(*GOOD.sweeps, Sweep("grade", 1, 7, 200, 12, 0.034)))
    (verdict,) = failures(judge(BETTER, contest))
    assert verdict.rule == "monotonicity"
    assert "as grade rises the probability falls for 12 of 200 loans, by up to 0.0340" in verdict.figures


@pytest.mark.parametrize(
    ("comparison", "passed"),
    [
        (_comparison(-0.2, 0.01), True),
        (_comparison(-0.2, -0.01), False),
        (_comparison(-0.1, 0.1, loss=(0.001, 0.02)), False),
        (_comparison(-0.1, 0.1, loss=(-0.02, -0.001)), True),
        (_comparison(NAN, NAN), True),
    ],
)
def test_a_segment_must_not_be_shown_to_be_worse(comparison: Comparison, passed: bool) -> None:
    contest = replace(GOOD, segments={**GOOD.segments, "purpose car": comparison})
    assert _failed(contest) == ([] if passed else ["segments"])
    if not passed:
        assert "purpose car (6,000 loans, 90 late)" in failures(judge(BETTER, contest))[0].figures


@pytest.mark.parametrize(("is_held_out", "passed"), [(True, True), (False, False), (None, False)])
def test_the_loans_must_be_held_out_by_the_record(is_held_out, passed: bool) -> None:
    assert _failed(replace(GOOD, is_held_out=is_held_out)) == ([] if passed else ["held-out-loans"])


def test_every_broken_rule_is_named() -> None:
    bad = replace(
        GOOD,
        whole=_comparison(-0.2, -0.1),
        slope=Interval(0.1, 0.05, 0.2),
        sweeps=(Sweep("int_rate", 1, 50, 200, 200, 0.1),),
    )
    assert _failed(bad) == ["better-than", "calibration-slope", "monotonicity"]
    assert judge(BETTER, bad)[1].figures.startswith("ROC-AUC gained -0.150 [-0.200, -0.100]")


def test_the_verdict_names_who_says_what_it_was_trained_on() -> None:
    verdict = judge(BETTER, replace(GOOD, claimed_by="alice"))[0]
    assert verdict.figures == "alice says that it was trained on other loans"
