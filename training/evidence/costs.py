"""Computes what follows from a threshold: the loans flagged, the late ones among them, and costs at given ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evidence.intervals import Interval, wilson
from training.evidence.tally import Floats, Labels

SHARES = (0.01, 0.02, 0.05, 0.10, 0.15, 0.20, 0.30)

# Costs of a missed late payer in calls, where none is stated.
RATIOS = (20.0, 50.0, 100.0)


@dataclass(frozen=True)
class ThresholdRow:
    """What follows from calling a loan late from ``threshold`` on.

    ``is_chosen`` says whether it is the version's own threshold. ``recall`` is the share of the late loans that are
    flagged, ``precision`` that of the flagged ones that are late. ``costs`` are, for each ratio, calls made and late
    payers missed, in calls for every thousand loans.
    """

    threshold: float
    is_chosen: bool
    flagged: Interval
    recall: Interval
    precision: Interval
    costs: tuple[Interval, ...]


def threshold_rows(
    target: Labels, probabilities: Floats, chosen: float, ratios: Sequence[float] = RATIOS
) -> tuple[ThresholdRow, ...]:
    """Return the rows for the version's own threshold and for those that flag round shares, strictest first.

    ``ratios`` are costs of a missed late payer, in calls.
    """
    thresholds = {float(np.quantile(probabilities, 1 - share, method="higher")) for share in SHARES} | {chosen}
    return tuple(
        _row(target, probabilities, threshold, threshold == chosen, ratios)
        for threshold in sorted(thresholds, reverse=True)
    )


def cost_per_thousand(target: Labels, flagged: NDArray[np.bool_], ratio: float) -> Interval:
    """Return calls made and late payers missed, in calls for every thousand loans.

    The interval is that of the share of late loans missed; the number of flagged loans is exact.
    """
    missed = wilson(int(target[~flagged].sum()), len(target))
    calls = float(np.mean(flagged))
    return Interval(*((calls + ratio * share) * 1000 for share in (missed.value, missed.low, missed.high)))


def _row(
    target: Labels, probabilities: Floats, threshold: float, is_chosen: bool, ratios: Sequence[float]
) -> ThresholdRow:
    flagged = probabilities >= threshold
    hits = int(target[flagged].sum())
    return ThresholdRow(
        threshold=threshold,
        is_chosen=is_chosen,
        flagged=wilson(int(flagged.sum()), len(target)),
        recall=wilson(hits, int(target.sum())),
        precision=wilson(hits, int(flagged.sum())),
        costs=tuple(cost_per_thousand(target, flagged, ratio) for ratio in ratios),
    )
