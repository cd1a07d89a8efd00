"""From which probability on a loan is called late."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The share of the loans that a servicing team is taken to be able to call. A business decision, stated once.
FLAGGED_SHARE = 0.10


def threshold_for_share(probabilities: NDArray[np.float64], share: float = FLAGGED_SHARE) -> float:
    """Return the probability from which on a share of the loans lies, as nearly as ties allow.

    Parameters
    ----------
    probabilities : ndarray of shape (n_rows,)
        Of rows that the model did not see in training.
    share : float
        Between 0 and 1.

    Returns
    -------
    float
        One of the probabilities. A forest has few different ones; of the two nearest shares the nearer is taken.
    """
    values, counts = np.unique(probabilities, return_counts=True)
    at_or_above = counts[::-1].cumsum()[::-1] / len(probabilities)
    return float(values[np.argmin(np.abs(at_or_above - share))])
