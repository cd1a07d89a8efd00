"""Setting a fitted model's intercept, so that its mean probability is the late rate of the newest loans.

The late rate falls towards the newest loans, and the next quarter is newer still. The slope is left alone: it is right,
and a calibrator around the pipeline would move it and double the time of a prediction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

NEWEST_ROWS = 10_000


def intercept_shift(probabilities: NDArray[np.float64], target: NDArray[np.int64]) -> float:
    """Return what must be added to the log-odds for the mean probability to be the observed late rate.

    Parameters
    ----------
    probabilities : ndarray of shape (n_rows,)
        Of rows that the model did not see.
    target : ndarray of shape (n_rows,)
        1 where the loan is late.

    Returns
    -------
    float
        0 if the rows are all late or all on time, which says too little.
    """
    observed = float(np.mean(target))
    if observed in (0.0, 1.0):
        return 0.0
    low, high = -10.0, 10.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        if float(np.mean(shifted(probabilities, middle))) < observed:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def shifted(probabilities: NDArray[np.float64], shift: float) -> NDArray[np.float64]:
    """Return the probabilities with ``shift`` added to their log-odds."""
    odds = probabilities / (1 - probabilities) * np.exp(shift)
    return np.asarray(odds / (1 + odds))


def shift_intercept(pipeline: Pipeline, shift: float) -> None:
    """Add to every log-odds that a fitted pipeline gives.

    For boosted trees scikit-learn has no public name for what every tree adds to. The tests hold that every log-odds
    moves by exactly this.
    """
    model = pipeline[-1]
    if isinstance(model, HistGradientBoostingClassifier):
        model._baseline_prediction = model._baseline_prediction + shift
    elif isinstance(model, LogisticRegression):
        model.intercept_ = model.intercept_ + shift
    else:
        raise TypeError(f"A {type(model).__name__} has no intercept that could be set.")
