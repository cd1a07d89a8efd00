"""Measures how good a model's probabilities are: metrics, each with its interval, since late loans are few.

Accuracy is left out on purpose: with 98.6 % on time, "always on time" scores as well as any model.
"""

from __future__ import annotations

from typing import Any

from model_watch import outcome_figures
from model_watch.intervals import LEVEL
from model_watch.outcome_figures import Floats, Tally
from training.evidence import tally
from training.evidence.intervals import bootstrap, rounds_for
from training.evidence.tally import Labels


def evaluate(target: Labels, probabilities: Floats, threshold: float) -> dict[str, Any]:
    """Return the metrics of one data file.

    Parameters
    ----------
    target : ndarray of shape (n_rows,)
        1 where the loan is late, else 0.
    probabilities : ndarray of shape (n_rows,)
        P(is_late = 1) of loans that the model did not see in training.
    threshold : float
        A loan is called late from this probability on.

    Returns
    -------
    dict
        ``{"value", "low", "high"}`` for each of ``roc_auc``, ``gini``, ``ks``, ``pr_auc``, ``brier``, ``log_loss``,
        ``calibration_slope``, ``observed_over_expected`` (the late loans over the sum of the probabilities), and
        ``flagged_share``, ``recall`` and ``precision`` at the threshold; ``interval`` says what low and high are. A
        figure that can't be computed from these loans is None.
    """
    line = outcome_figures.calibration_line(tally.tally(target, probabilities))
    intervals = bootstrap(target, probabilities, lambda counts: _figures(counts, threshold, line))
    how = f"{LEVEL:.0%} percentile bootstrap, {rounds_for(len(target))} rounds"
    return {**{name: interval.to_dict() for name, interval in intervals.items()}, "interval": how}


def _figures(counts: Tally, threshold: float, line: tuple[float, float]) -> dict[str, float]:
    auc = outcome_figures.roc_auc(counts)
    flagged = counts.probabilities >= threshold
    n_flagged, hits = float(counts.loans[flagged].sum()), float(counts.late[flagged].sum())
    return {
        "roc_auc": auc,
        "gini": 2 * auc - 1,
        "ks": tally.kolmogorov_smirnov(counts),
        "pr_auc": tally.average_precision(counts),
        "brier": outcome_figures.brier(counts),
        "log_loss": outcome_figures.log_loss(counts),
        "calibration_slope": outcome_figures.calibration_line(counts, line)[1],
        "observed_over_expected": outcome_figures.observed_over_expected(counts),
        "flagged_share": n_flagged / float(counts.loans.sum()),
        "recall": hits / float(counts.late.sum()),
        "precision": hits / n_flagged if n_flagged else float("nan"),
    }
