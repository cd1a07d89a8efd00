"""Computes what follows from a threshold: the loans flagged, the late ones among them, and costs at given ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_watch.intervals import Interval, wilson
from model_watch.outcome_figures import Floats
from training.evidence.tally import Labels, tally

SHARES = (0.01, 0.02, 0.05, 0.10, 0.15, 0.20, 0.30, 0.50)

# Costs of a missed late payer in calls, where none is stated.
RATIOS = (20.0, 50.0, 100.0)


@dataclass(frozen=True)
class ThresholdRow:
    """What follows from calling a loan late from ``threshold`` on.

    ``is_chosen`` says whether it is the version's own threshold. ``recall`` is the share of the late loans that are
    flagged, ``precision`` that of the flagged ones that are late. ``costs`` are, for each ratio, calls made and late
    payers missed, in calls for every thousand loans. ``cheapest_at`` are the ratios at which no other threshold costs
    less on these loans.
    """

    threshold: float
    is_chosen: bool
    cheapest_at: tuple[float, ...]
    flagged: Interval
    recall: Interval
    precision: Interval
    costs: tuple[Interval, ...]


def threshold_rows(
    target: Labels, probabilities: Floats, chosen: float, ratios: Sequence[float] = RATIOS
) -> tuple[ThresholdRow, ...]:
    """Return the rows from flagging nobody to flagging everybody, strictest first.

    Among them are the version's own threshold, the cheapest at each of the ``ratios`` (costs of a missed late payer, in
    calls), and those that flag round shares.
    """
    cheapest = {ratio: _cheapest(target, probabilities, ratio) for ratio in ratios}
    thresholds = {float(np.quantile(probabilities, 1 - share, method="higher")) for share in SHARES}
    thresholds |= {chosen, *cheapest.values(), float(probabilities.min()), _above(probabilities)}
    # Thresholds that flag the same loans are one row: the version's own where it is among them.
    rows: dict[int, float] = {}
    for threshold in sorted(thresholds):
        flagged = int(np.count_nonzero(probabilities >= threshold))
        if rows.get(flagged) != chosen:
            rows[flagged] = threshold
    places = {ratio: int(np.count_nonzero(probabilities >= value)) for ratio, value in cheapest.items()}
    return tuple(
        _row(target, probabilities, threshold, chosen, [ratio for ratio in ratios if places[ratio] == flagged], ratios)
        for flagged, threshold in sorted(rows.items())
    )


def cost_per_thousand(target: Labels, flagged: NDArray[np.bool_], ratio: float) -> Interval:
    """Return calls made and late payers missed, in calls for every thousand loans.

    The interval is that of the share of late loans missed; the number of flagged loans is exact.
    """
    missed = wilson(int(target[~flagged].sum()), len(target))
    calls = float(np.mean(flagged))
    return Interval(*((calls + ratio * share) * 1000 for share in (missed.value, missed.low, missed.high)))


def _above(probabilities: Floats) -> float:
    """Return a threshold that flags nobody."""
    return float(np.nextafter(probabilities.max(), np.inf))


def _cheapest(target: Labels, probabilities: Floats, ratio: float) -> float:
    """Return the threshold with the lowest cost on these loans; of equals, the strictest."""
    counts = tally(target, probabilities)
    # From the strictest threshold to the one that flags everybody; the first flags nobody.
    flagged = np.append(0.0, counts.loans[::-1].cumsum())
    missed = counts.late.sum() - np.append(0.0, counts.late[::-1].cumsum())
    place = int(np.argmin(flagged + ratio * missed))
    return float(counts.probabilities[::-1][place - 1]) if place else _above(probabilities)


def _row(
    target: Labels,
    probabilities: Floats,
    threshold: float,
    chosen: float,
    cheapest_at: Sequence[float],
    ratios: Sequence[float],
) -> ThresholdRow:
    flagged = probabilities >= threshold
    hits = int(target[flagged].sum())
    return ThresholdRow(
        threshold=threshold,
        is_chosen=threshold == chosen,
        cheapest_at=tuple(cheapest_at),
        flagged=wilson(int(flagged.sum()), len(target)),
        recall=wilson(hits, int(target.sum())),
        precision=wilson(hits, int(flagged.sum())),
        costs=tuple(cost_per_thousand(target, flagged, ratio) for ratio in ratios),
    )
