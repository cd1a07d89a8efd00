"""Loans counted by what a model said of them: all metrics follow from these counts, and so do their bootstrap draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

# A forest says 0 and 1, whose log-odds are infinite: no loan is taken to be beyond one in a million.
SMALLEST_PROBABILITY = 1e-6

_NEWTON_STEPS = 50
_LARGEST_STEP = 1.0


@dataclass(frozen=True)
class Tally:
    """Loans by probability.

    Attributes
    ----------
    probabilities : ndarray of shape (n_groups,)
        The different probabilities that the model gave, ascending.
    late, on_time : ndarray of shape (n_groups,)
        How many loans got each and were late, or on time; whole numbers, kept as floats.
    """

    probabilities: Floats
    late: Floats
    on_time: Floats

    @property
    def loans(self) -> Floats:
        """Loans by probability, of shape (n_groups,)."""
        return self.late + self.on_time

    @property
    def has_both(self) -> bool:
        """Whether some loan is late and some is on time: without, most metrics mean nothing."""
        return bool(self.late.any() and self.on_time.any())


def tally(target: Labels, probabilities: Floats) -> Tally:
    """Count loans.

    Parameters
    ----------
    target : ndarray of shape (n_rows,)
        1 where the loan is late, else 0.
    probabilities : ndarray of shape (n_rows,)
        What the model said of each.
    """
    values, group = np.unique(probabilities, return_inverse=True)
    late = np.bincount(group, weights=target, minlength=len(values)).astype(np.float64)
    return Tally(values, late, np.bincount(group, minlength=len(values)).astype(np.float64) - late)


def roc_auc(counts: Tally) -> float:
    """Return the share of pairs, one late and one on time, in which the late one has the higher probability.

    Ties count one half (Mann and Whitney 1947).
    """
    below = np.cumsum(counts.on_time) - counts.on_time / 2
    return float(np.dot(counts.late, below) / (counts.late.sum() * counts.on_time.sum()))


def average_precision(counts: Tally) -> float:
    """Return the area under the precision-recall curve, as a sum of steps: precision after each times recall gained."""
    late = counts.late[::-1]
    flagged = np.cumsum(counts.loans[::-1])
    # A draw leaves groups without loans: the first of them may have nothing flagged yet.
    precision = np.divide(np.cumsum(late), flagged, out=np.zeros_like(flagged), where=flagged > 0)
    return float(np.dot(late, precision) / late.sum())


def kolmogorov_smirnov(counts: Tally) -> float:
    """Return the largest distance between the distributions of the probabilities of late and of on-time loans."""
    late = np.cumsum(counts.late) / counts.late.sum()
    on_time = np.cumsum(counts.on_time) / counts.on_time.sum()
    return float(np.max(np.abs(on_time - late)))


def brier(counts: Tally) -> float:
    """Return the mean squared difference between probability and outcome."""
    p = counts.probabilities
    return float((np.dot(counts.late, (1 - p) ** 2) + np.dot(counts.on_time, p**2)) / counts.loans.sum())


def log_loss(counts: Tally) -> float:
    """Return the mean negative log-likelihood, in nats a loan."""
    p = np.clip(counts.probabilities, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return float(-(np.dot(counts.late, np.log(p)) + np.dot(counts.on_time, np.log1p(-p))) / counts.loans.sum())


def observed_over_expected(counts: Tally) -> float:
    """Return the late loans over the sum of the probabilities; above 1 the model said too little."""
    expected = float(np.dot(counts.loans, counts.probabilities))
    return float(counts.late.sum()) / expected if expected else float("nan")


def calibration_line(counts: Tally, start: tuple[float, float] | None = None) -> tuple[float, float]:
    """Fit outcome on the model's log-odds by logistic regression (Cox 1958).

    Parameters
    ----------
    counts : Tally
        With late and on-time loans.
    start : (float, float), optional
        Where to start from; by default the late rate for every loan.

    Returns
    -------
    intercept, slope : float
        (0, 1) is perfect; a slope below 1 says that the probabilities are too far apart. NaN if nothing can be fitted.
    """
    p = np.clip(counts.probabilities, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    loans = counts.loans
    log_odds = np.log(p / (1 - p))
    # Around their mean, intercept and slope hardly depend on each other, and Newton's steps go straight.
    mean = float(np.dot(loans, log_odds) / loans.sum())
    x = log_odds - mean
    rate = counts.late.sum() / loans.sum()
    level, slope = (start[0] + start[1] * mean, start[1]) if start else (float(np.log(rate / (1 - rate))), 0.0)
    for _ in range(_NEWTON_STEPS):
        fitted = 1 / (1 + np.exp(-np.clip(level + slope * x, -30, 30)))
        residual = counts.late - loans * fitted
        weight = loans * fitted * (1 - fitted)
        wx = weight * x
        a, b, c = weight.sum(), wx.sum(), np.dot(wx, x)
        determinant = a * c - b * b
        if not determinant > 1e-12 * a * c:
            return float("nan"), float("nan")
        gradient = residual.sum(), np.dot(residual, x)
        step = np.array([c * gradient[0] - b * gradient[1], a * gradient[1] - b * gradient[0]]) / determinant
        largest = np.abs(step).max()
        step *= min(1.0, _LARGEST_STEP / largest) if largest else 1.0
        level, slope = level + float(step[0]), slope + float(step[1])
        if largest < 1e-9:
            return level - slope * mean, slope
    return float("nan"), float("nan")
