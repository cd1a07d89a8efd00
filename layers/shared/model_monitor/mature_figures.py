"""How a version's mature predictions came true: each figure with its interval by formula, and the loss in parts. Pure.

The log loss is made of three parts (Murphy, 1973; Bröcker, 2009):

    log loss = uncertainty - discrimination + miscalibration

Uncertainty is the loss of giving each loan the late rate. Discrimination is what the model gains over that once its
probabilities are recalibrated by a line in log-odds, and miscalibration is what recalibrating gains.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from model_monitor.joined.outcome_tally import OutcomeTally
from model_watch.intervals import UNKNOWN, Interval, over_expected, two_sided_z
from model_watch.outcome_figures import (
    Floats,
    Tally,
    brier,
    calibration_line,
    clipped,
    log_loss,
    log_odds,
    logistic,
    roc_auc,
    sum_of_products,
)
from model_watch.tally import PROBABILITY_UNIT

_Z: Final = two_sided_z()


@dataclass(frozen=True)
class Decomposition:
    """The parts of the log loss, in nats a loan; see the module."""

    uncertainty: float
    discrimination: float
    miscalibration: float


@dataclass(frozen=True)
class MatureFigures:
    """The figures of loans whose outcome is known. Intervals are of 95 %; a figure that can't be computed is NaN.

    ``decomposition`` is None if no line can be fitted.
    """

    loans: int
    late: int
    expected_late: float
    observed_over_expected: Interval
    intercept: Interval
    slope: Interval
    auc: Interval
    brier: Interval
    log_loss: Interval
    decomposition: Decomposition | None

    def to_document(self) -> dict[str, Any]:
        """Return them as JSON values, without the numbers of loans."""
        names = ("observed_over_expected", "intercept", "slope", "auc", "brier", "log_loss")
        figures: dict[str, Any] = {name: getattr(self, name).to_dict() for name in names}
        figures["decomposition"] = None if self.decomposition is None else asdict(self.decomposition)
        return figures


def scored_tally(outcomes: OutcomeTally) -> Tally:
    """Return the loans with a known outcome by the mean probability of their score bin."""
    loans = outcomes.late + outcomes.on_time
    filled = np.flatnonzero(loans)
    means = outcomes.probability_sum[filled] * PROBABILITY_UNIT / loans[filled]
    return Tally(means, outcomes.late[filled].astype(np.float64), outcomes.on_time[filled].astype(np.float64))


def measure(counts: Tally) -> MatureFigures:
    """Return the figures of counted loans."""
    late, loans = float(counts.late.sum()), float(counts.loans.sum())
    expected = sum_of_products(counts.loans, counts.probabilities)
    line = calibration_line(counts) if counts.has_both else (math.nan, math.nan)
    intercept, slope = _line_intervals(counts, line)
    return MatureFigures(
        loans=int(loans),
        late=int(late),
        expected_late=expected,
        observed_over_expected=over_expected(late, expected),
        intercept=intercept,
        slope=slope,
        auc=auc_interval(counts) if counts.has_both else UNKNOWN,
        brier=_brier_interval(counts) if loans else UNKNOWN,
        log_loss=_log_loss_interval(counts) if loans else UNKNOWN,
        decomposition=_decomposition(counts, line),
    )


def auc_interval(counts: Tally) -> Interval:
    """Return the ROC-AUC with the interval of DeLong (1988), in log-odds, so that its ends are between 0 and 1."""
    value = roc_auc(counts)
    n_late, n_on_time = counts.late.sum(), counts.on_time.sum()
    of_late = (np.cumsum(counts.on_time) - counts.on_time / 2) / n_on_time
    of_on_time = 1 - (np.cumsum(counts.late) - counts.late / 2) / n_late
    variance = _variance_of_mean(counts.late, of_late) + _variance_of_mean(counts.on_time, of_on_time)
    if not 0 < value < 1 or not np.isfinite(variance):
        return Interval(value, math.nan, math.nan)
    half = _Z * math.sqrt(variance) / (value * (1 - value))
    middle = math.log(value / (1 - value))
    return Interval(value, float(logistic(middle - half)), float(logistic(middle + half)))


def _variance_of_mean(loans: Floats, values: Floats) -> float:
    n = float(loans.sum())
    if n < 2:
        return math.nan
    mean = sum_of_products(loans, values) / n
    return sum_of_products(loans, (values - mean) ** 2) / (n - 1) / n


def _mean_interval(counts: Tally, value: float, of_late: Floats, of_on_time: Floats) -> Interval:
    """Return the interval of a mean over all loans, whose value depends on probability and outcome."""
    loans, values = np.concatenate([counts.late, counts.on_time]), np.concatenate([of_late, of_on_time])
    half = _Z * math.sqrt(_variance_of_mean(loans, values))
    return Interval(value, max(value - half, 0.0) if math.isfinite(half) else math.nan, value + half)


def _brier_interval(counts: Tally) -> Interval:
    p = counts.probabilities
    return _mean_interval(counts, brier(counts), (1 - p) ** 2, p**2)


def _log_loss_interval(counts: Tally) -> Interval:
    p = clipped(counts.probabilities)
    return _mean_interval(counts, log_loss(counts), -np.log(p), -np.log1p(-p))


def _line_intervals(counts: Tally, line: tuple[float, float]) -> tuple[Interval, Interval]:
    """Return intercept and slope with the intervals of the likelihood's curvature (Wald)."""
    if not np.isfinite(line).all():
        return UNKNOWN, UNKNOWN
    x = log_odds(counts.probabilities)
    fitted = logistic(line[0] + line[1] * x)
    weights = counts.loans * fitted * (1 - fitted)
    a, b, c = float(weights.sum()), sum_of_products(weights, x), sum_of_products(weights, x * x)
    determinant = a * c - b * b
    halves = (_Z * math.sqrt(c / determinant), _Z * math.sqrt(a / determinant))
    intercept, slope = (Interval(value, value - half, value + half) for value, half in zip(line, halves, strict=True))
    return intercept, slope


def _decomposition(counts: Tally, line: tuple[float, float]) -> Decomposition | None:
    if not np.isfinite(line).all():
        return None
    rate = np.full_like(counts.probabilities, counts.late.sum() / counts.loans.sum())
    uncertainty = log_loss(Tally(rate, counts.late, counts.on_time))
    fitted = logistic(line[0] + line[1] * log_odds(counts.probabilities))
    recalibrated = log_loss(Tally(fitted, counts.late, counts.on_time))
    return Decomposition(uncertainty, uncertainty - recalibrated, log_loss(counts) - recalibrated)
