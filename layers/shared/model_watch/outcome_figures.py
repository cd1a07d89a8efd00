"""Metrics of a model from how many loans of each probability were late or on time. NumPy alone.

scikit-learn's metrics take rows and check them at each call, which makes a thousand draws of a bootstrap fifty times as
slow; and a monitor has counts, not rows. The tests hold that both give the same figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# A forest gives 0 and 1, whose log-odds are infinite: probabilities are taken to be at least this far from both.
SMALLEST_PROBABILITY = 1e-6

# A fit takes about ten steps. Where a probability separates late from on-time loans, the slope grows without end.
_NEWTON_STEPS = 25
_LARGEST_STEP = 1.0


@dataclass(frozen=True)
class Tally:
    """How many loans of each distinct probability, ascending, were late or on time: whole numbers, stored as floats."""

    probabilities: Floats
    late: Floats
    on_time: Floats

    @property
    def loans(self) -> Floats:
        """Loans by probability, of shape (n_groups,)."""
        return self.late + self.on_time

    @property
    def has_both(self) -> bool:
        """Whether at least one loan is late and one on time; most metrics need both."""
        return bool(self.late.any() and self.on_time.any())


def sum_of_products(weights: Floats, values: Floats) -> float:
    """Return the sum of the weighted values.

    ``np.dot`` leaves it to a BLAS library, which adds in an order that the processor and ``OPENBLAS_…`` variables
    choose: a report would have another last digit on another machine.
    """
    return float(np.sum(weights * values))


def roc_auc(counts: Tally) -> float:
    """Return the share of pairs, one late and one on time, in which the late loan has the higher probability.

    Ties count one half (Mann and Whitney 1947).
    """
    below = np.cumsum(counts.on_time) - counts.on_time / 2
    return float(sum_of_products(counts.late, below) / (counts.late.sum() * counts.on_time.sum()))


def brier(counts: Tally) -> float:
    """Return the mean squared difference between probability and outcome."""
    p = counts.probabilities
    total = sum_of_products(counts.late, (1 - p) ** 2) + sum_of_products(counts.on_time, p**2)
    return float(total / counts.loans.sum())


def log_loss(counts: Tally) -> float:
    """Return the mean negative log-likelihood, in nats a loan."""
    p = clipped(counts.probabilities)
    total = sum_of_products(counts.late, np.log(p)) + sum_of_products(counts.on_time, np.log1p(-p))
    return float(-total / counts.loans.sum())


def observed_over_expected(counts: Tally) -> float:
    """Return the late loans over the sum of the probabilities; above 1 the probabilities are too low."""
    expected = sum_of_products(counts.loans, counts.probabilities)
    return float(counts.late.sum()) / expected if expected else float("nan")


def calibration_line(counts: Tally, start: tuple[float, float] | None = None) -> tuple[float, float]:
    """Fit outcome on the model's log-odds by logistic regression (Cox 1958), by Newton's method.

    ``LogisticRegression(C=np.inf)`` gives the same line in a hundred times the time, which a bootstrap can't afford.

    It begins at the line ``start``, which saves a bootstrap draw most of its steps; by default, or if that is NaN, at a
    flat line at the late rate. Intercept 0 and slope 1 are perfect; a slope below 1 means that the probabilities are
    too far apart. Both are NaN if no line can be fitted.
    """
    loans = counts.loans
    x = log_odds(counts.probabilities)
    # Standardised, the log-odds of every model suit one bound on the steps, and intercept and slope hardly depend on
    # each other: Newton's method takes few steps.
    mean = float(np.average(x, weights=loans))
    spread = float(np.sqrt(np.average((x - mean) ** 2, weights=loans)))
    x = (x - mean) / (spread or 1.0)
    level, slope = float(log_odds(counts.late.sum() / loans.sum())), 0.0
    if start is not None and np.isfinite(start).all():
        level, slope = start[0] + start[1] * mean, start[1] * spread
    for _ in range(_NEWTON_STEPS):
        fitted = logistic(level + slope * x)
        weights = loans * fitted * (1 - fitted)
        residuals = counts.late - loans * fitted
        # The curvature of the likelihood, [[a, b], [b, c]]; singular where there is one probability only.
        a, b, c = float(weights.sum()), sum_of_products(weights, x), sum_of_products(weights, x * x)
        determinant = a * c - b * b
        if not determinant > 1e-12 * a * c:
            break
        u, v = float(residuals.sum()), sum_of_products(residuals, x)
        level_step, slope_step = (c * u - b * v) / determinant, (a * v - b * u) / determinant
        largest = max(abs(level_step), abs(slope_step))
        bound = _LARGEST_STEP / max(largest, _LARGEST_STEP)
        level, slope = level + level_step * bound, slope + slope_step * bound
        if largest < 1e-9:
            return level - slope * mean / spread, slope / spread
    return float("nan"), float("nan")


def clipped(probabilities: Floats) -> Floats:
    """Return the probabilities, clipped to be at least ``SMALLEST_PROBABILITY`` away from 0 and 1."""
    return np.clip(probabilities, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)


def log_odds(probabilities: ArrayLike) -> Floats:
    """Return the log-odds of probabilities, of which those near 0 and 1 are clipped."""
    p = clipped(np.asarray(probabilities, dtype=np.float64))
    return np.asarray(np.log(p) - np.log1p(-p), dtype=np.float64)


def logistic(x: ArrayLike) -> Floats:
    """Return the probabilities of log-odds.

    A bootstrap takes many millions of them: ``serving_form.encoding.expit_of_many``, which gives each number as alone
    to the last bit, would take ten times as long.
    """
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-np.asarray(x, dtype=np.float64))), dtype=np.float64)
