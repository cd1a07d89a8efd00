"""Compares two models on the same loans by paired bootstrap: both get the same draws, so the draws' luck cancels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from model_watch.intervals import LEVEL, Interval
from model_watch.outcome_figures import Floats, clipped, roc_auc
from training.evidence.intervals import ROUNDS, SEED, percentile_interval
from training.evidence.tally import Labels, ScoredLoans


@dataclass(frozen=True)
class Comparison:
    """The first model's metrics minus the second's, on the same loans.

    ``roc_auc`` above 0 and ``log_loss`` below 0 are in favour of the first model.
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
    """Compare two models' probabilities of the same loans, among which both outcomes occur.

    Each of the bootstrap's ``rounds`` takes the same loans for both models. ``level`` is the intervals' confidence.
    """
    random = np.random.default_rng(seed)
    n_rows = len(target)
    scored = [ScoredLoans(target, probabilities) for probabilities in (first, second)]
    loss = _loss(target, first) - _loss(target, second)
    auc_draws, loss_draws = np.full(rounds, np.nan), np.empty(rounds)
    for number in range(rounds):
        rows = random.integers(n_rows, size=n_rows)
        tallies = [loans.tally(rows) for loans in scored]
        if tallies[0].has_both:
            auc_draws[number] = roc_auc(tallies[0]) - roc_auc(tallies[1])
        loss_draws[number] = loss[rows].mean()
    auc = roc_auc(scored[0].tally()) - roc_auc(scored[1].tally())
    return Comparison(
        loans=n_rows,
        late=int(target.sum()),
        roc_auc=percentile_interval(auc, auc_draws, level),
        log_loss=percentile_interval(float(loss.mean()), loss_draws, level),
    )


def _loss(target: Labels, probabilities: Floats) -> Floats:
    p = clipped(probabilities)
    return np.asarray(-np.where(target == 1, np.log(p), np.log1p(-p)))
