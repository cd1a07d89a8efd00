"""Two models on the same loans: differences with paired bootstrap intervals, so that the luck of the draw cancels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evidence.intervals import LEVEL, ROUNDS, SEED, Interval, percentile_interval
from training.evidence.tally import SMALLEST_PROBABILITY, Floats, Labels, Tally, roc_auc


@dataclass(frozen=True)
class Comparison:
    """One model less the other, on the same loans.

    ``roc_auc`` above 0 and ``log_loss`` below 0 are in favour of the first.
    """

    loans: int
    late: int
    roc_auc: Interval
    log_loss: Interval

    def to_dict(self) -> dict[str, Any]:
        """Return it as a training record keeps it."""
        return {
            "loans": self.loans,
            "late": self.late,
            "roc_auc": self.roc_auc.to_dict(),
            "log_loss": self.log_loss.to_dict(),
            "interval": f"{LEVEL:.0%} paired percentile bootstrap, {ROUNDS} rounds",
        }


def compare(
    target: Labels, first: Floats, second: Floats, *, level: float = LEVEL, rounds: int = ROUNDS, seed: int = SEED
) -> Comparison:
    """Compare two models' probabilities of the same loans.

    Parameters
    ----------
    target : ndarray of shape (n_rows,)
        1 where the loan is late; both outcomes happen.
    first, second : ndarray of shape (n_rows,)
        What the two models said.
    level : float
        Of the intervals.
    rounds, seed : int
        Of the bootstrap; each draw takes the same loans for both.
    """
    random = np.random.default_rng(seed)
    n_rows = len(target)
    sides = [Side(target, probabilities) for probabilities in (first, second)]
    loss = _loss(target, first) - _loss(target, second)
    auc_draws, loss_draws = np.full(rounds, np.nan), np.empty(rounds)
    for number in range(rounds):
        rows = random.integers(n_rows, size=n_rows)
        tallies = [side.draw(rows) for side in sides]
        if tallies[0].has_both:
            auc_draws[number] = roc_auc(tallies[0]) - roc_auc(tallies[1])
        loss_draws[number] = loss[rows].mean()
    whole = np.arange(n_rows)
    auc = roc_auc(sides[0].draw(whole)) - roc_auc(sides[1].draw(whole))
    return Comparison(
        loans=n_rows,
        late=int(target.sum()),
        roc_auc=percentile_interval(auc, auc_draws, level),
        log_loss=percentile_interval(float(loss.mean()), loss_draws, level),
    )


class Side:
    """One model's loans, each with the cell that it is counted in, so that draws of rows are counted fast.

    Parameters
    ----------
    target, probabilities : ndarray of shape (n_rows,)
    """

    def __init__(self, target: Labels, probabilities: Floats) -> None:
        self._probabilities, group = np.unique(probabilities, return_inverse=True)
        self._cell = group + len(self._probabilities) * target

    def draw(self, rows: NDArray[np.int64]) -> Tally:
        """Count these rows, which may be named more than once."""
        n_groups = len(self._probabilities)
        counts = np.bincount(self._cell[rows], minlength=2 * n_groups).astype(np.float64)
        return Tally(self._probabilities, counts[n_groups:], counts[:n_groups])


def _loss(target: Labels, probabilities: Floats) -> Floats:
    p = np.clip(probabilities, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return np.asarray(-np.where(target == 1, np.log(p), np.log1p(-p)))
