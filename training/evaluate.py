"""How good a model's probabilities are, with an interval for what rests on few late loans.

Accuracy is left out on purpose: with 98.6 % on time, "always on time" scores as well as any model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

BOOTSTRAP_ROUNDS = 1000
BOOTSTRAP_SEED = 0
INTERVAL_LEVEL = 0.95

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def evaluate(target: Labels, probabilities: Floats, threshold: float) -> dict[str, Any]:
    """Return the metrics of one data file.

    Parameters
    ----------
    target : ndarray of shape (n_rows,)
        1 where the loan is late, else 0.
    probabilities : ndarray of shape (n_rows,)
        P(is_late = 1), of rows that the model did not see in training.
    threshold : float
        A loan is called late from this probability on.

    Returns
    -------
    dict
        ``roc_auc`` with its bootstrap interval; ``pr_auc``, ``brier``, ``log_loss``; ``observed_over_expected``, the
        late loans over the sum of the probabilities; ``flagged_share``, ``recall`` and ``precision`` at the threshold.
    """
    low, high = bootstrap_roc_auc(target, probabilities)
    flagged = probabilities >= threshold
    hits = float(np.sum(target[flagged]))
    return {
        "roc_auc": {"value": float(roc_auc_score(target, probabilities)), "low": low, "high": high},
        "interval": f"{INTERVAL_LEVEL:.0%} percentile bootstrap, {BOOTSTRAP_ROUNDS} rounds",
        "pr_auc": float(average_precision_score(target, probabilities)),
        "brier": float(brier_score_loss(target, probabilities)),
        # A forest says 0 of loans that are late all the same; scikit-learn clips, so that the loss stays finite.
        "log_loss": float(log_loss(target, probabilities)),
        "observed_over_expected": float(np.sum(target) / np.sum(probabilities)),
        "flagged_share": float(np.mean(flagged)),
        "recall": hits / float(np.sum(target)),
        "precision": hits / float(np.sum(flagged)) if flagged.any() else None,
    }


def bootstrap_roc_auc(target: Labels, probabilities: Floats, *, seed: int = BOOTSTRAP_SEED) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the ROC-AUC, drawing whole rows.

    Parameters
    ----------
    target, probabilities
        As in ``evaluate``.
    seed : int
        Of the draws.

    Returns
    -------
    low, high : float
    """
    random = np.random.default_rng(seed)
    _, tie_group = np.unique(probabilities, return_inverse=True)
    n_groups, n_rows = int(tie_group.max()) + 1, len(target)
    late_group, on_time_group = tie_group[target == 1], tie_group[target == 0]
    n_late, n_on_time = len(late_group), len(on_time_group)
    aucs = []
    for n_late_drawn in random.binomial(n_rows, n_late / n_rows, BOOTSTRAP_ROUNDS):
        # Drawing rows is drawing how many are late, then which: without a late one there is no AUC.
        if not 0 < n_late_drawn < n_rows:
            continue
        late = np.bincount(late_group[random.integers(n_late, size=n_late_drawn)], minlength=n_groups)
        drawn = random.integers(n_on_time, size=n_rows - n_late_drawn)
        on_time = np.bincount(on_time_group[drawn], minlength=n_groups)
        # Mann-Whitney: an on-time loan below a late one counts 1, beside it 1/2.
        below = np.cumsum(on_time) - on_time / 2
        aucs.append(float(np.dot(late, below)) / (n_late_drawn * (n_rows - n_late_drawn)))
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = np.quantile(aucs, [tail, 1 - tail])
    return float(low), float(high)
