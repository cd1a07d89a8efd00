"""Sets a fitted model's intercept, so that its mean probability is the late rate of the newest loans.

The late rate falls towards the newest loans, and the next quarter is newer still. The slope stays as fitted: it is
right, and a calibrator around the pipeline would change it and double the time of a prediction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.pipeline import Pipeline

from model_artifact.opening.recalibration import set_line

NEWEST_ROWS = 10_000

# The bound of the search, in log-odds. Every real model is nearer to the observed rate.
_LARGEST_SHIFT = 50.0


def intercept_shift(probabilities: NDArray[np.float64], target: NDArray[np.int64]) -> float:
    """Return what must be added to the log-odds for the mean out-of-sample probability to be the observed late rate.

    0 if the rows are all late or all on time: no finite shift fits them.
    """
    observed = float(np.mean(target))
    if observed in (0.0, 1.0):
        return 0.0

    def excess(shift: float) -> float:
        return float(np.mean(shifted(probabilities, shift))) - observed

    return float(brentq(excess, -_LARGEST_SHIFT, _LARGEST_SHIFT, xtol=1e-12))


def shifted(probabilities: NDArray[np.float64], shift: float) -> NDArray[np.float64]:
    """Return the probabilities with ``shift`` added to their log-odds."""
    return np.asarray(expit(logit(probabilities) + shift))


def shift_intercept(pipeline: Pipeline, shift: float) -> None:
    """Add ``shift`` to every log-odds that a fitted pipeline gives."""
    if not set_line(pipeline, shift, 1.0):
        raise TypeError(f"A {type(pipeline[-1]).__name__} has no intercept that could be set.")
