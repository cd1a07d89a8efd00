"""Counts loans by bins of their probability: for calibration and lift, and as a reference for later scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from model_watch.intervals import Interval, wilson
from model_watch.outcome_figures import Floats
from training.evidence.tally import Labels

BINS = 10


@dataclass(frozen=True)
class ScoreBins:
    """Loans, late loans and the sum of the probabilities (``expected``) by bins of probability, lowest first.

    The ``edges``, one fewer than the bins, ascend. A probability equal to an edge is in the bin above it.
    """

    edges: Floats
    loans: Floats
    late: Floats
    expected: Floats

    def to_dict(self) -> dict[str, Any]:
        """Return it as a training record keeps it."""
        return {
            "edges": self.edges.tolist(),
            "loans": self.loans.astype(int).tolist(),
            "late": self.late.astype(int).tolist(),
            "expected": [round(value, 3) for value in self.expected.tolist()],
        }


def quantile_edges(values: Floats, bins: int = BINS) -> Floats:
    """Return the edges that cut values into bins of equal size, as nearly as ties allow, without empty bins."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1], method="higher"))
    return np.asarray(edges[edges > values.min()], dtype=np.float64)


def count_bins(target: Labels, probabilities: Floats, edges: Floats) -> ScoreBins:
    """Count loans by bins of their probability."""
    place = np.searchsorted(edges, probabilities, side="right")
    n_bins = len(edges) + 1
    return ScoreBins(
        edges=edges,
        loans=np.bincount(place, minlength=n_bins).astype(np.float64),
        late=np.bincount(place, weights=target, minlength=n_bins).astype(np.float64),
        expected=np.bincount(place, weights=probabilities, minlength=n_bins).astype(np.float64),
    )


@dataclass(frozen=True)
class Decile:
    """One of ten groups of the loans in order of probability, 1 the highest.

    Tied loans on a border are shared out, so ``loans`` and ``late`` can be fractions. ``lift`` is its late rate over
    that of all loans; the interval treats the latter as exact. ``capture`` is the share of all late loans in this
    decile and those above it.
    """

    number: int
    loans: float
    late: float
    lift: Interval
    capture: Interval


def deciles(target: Labels, probabilities: Floats, bins: int = BINS) -> tuple[Decile, ...]:
    """Return the deciles, highest probability first.

    Loans of equal probability have no order: where a border falls among them, each side gets its share of those that
    are late.
    """
    values, group = np.unique(-probabilities, return_inverse=True)
    loans = np.bincount(group, minlength=len(values)).cumsum()
    late = np.bincount(group, weights=target, minlength=len(values)).cumsum()
    borders = np.linspace(0, len(target), bins + 1)
    captured = np.interp(borders, np.concatenate(([0], loans)), np.concatenate(([0.0], late)))
    rate = float(late[-1] / loans[-1])
    size = float(borders[1])
    groups = []
    for number in range(bins):
        of_decile = float(captured[number + 1] - captured[number])
        share = wilson(of_decile, size)
        lift = Interval(share.value / rate, share.low / rate, share.high / rate)
        groups.append(Decile(number + 1, size, of_decile, lift, wilson(float(captured[number + 1]), float(late[-1]))))
    return tuple(groups)
