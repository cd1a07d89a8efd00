"""Computes intervals by bootstrap, and writes intervals in words. ``model_watch.intervals`` has those by formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from model_watch.intervals import LEVEL, Interval
from model_watch.outcome_figures import Floats, Tally
from training.evidence.tally import Labels, ScoredLoans

ROUNDS = 1000
SEED = 0

# From this many loans on, fewer draws give steady ends.
_MANY_LOANS = 50_000
_ROUNDS_FOR_MANY = 200


def in_words(figure: Interval | Mapping[str, float | None], digits: int = 2, *, percent: bool = False) -> str:
    """Write a figure with its interval, ``0.75 [0.70, 0.79]``, or a dash if it is unknown."""
    ends = figure.to_dict() if isinstance(figure, Interval) else figure
    value, low, high = (
        "–" if ends[name] is None else f"{ends[name] * (100 if percent else 1):.{digits}f}"  # type: ignore[operator]
        for name in ("value", "low", "high")
    )
    unit = "%" if percent else ""
    return f"{value}{unit} [{low}, {high}]" if value != "–" else value


def rounds_for(n_rows: int) -> int:
    """Return how many draws a bootstrap of so many loans takes."""
    return ROUNDS if n_rows < _MANY_LOANS else _ROUNDS_FOR_MANY


def percentile_interval(value: float, draws: Floats, level: float = LEVEL) -> Interval:
    """Return a percentile bootstrap interval; draws that are NaN are left out."""
    finite = draws[np.isfinite(draws)]
    if not len(finite):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


def bootstrap(
    target: Labels,
    probabilities: Floats,
    figures: Callable[[Tally], Mapping[str, float]],
    *,
    rounds: int | None = None,
    seed: int = SEED,
) -> dict[str, Interval]:
    """Compute figures and their intervals, drawing whole loans with replacement.

    ``figures`` gives figures by name for counted loans. Draws without a late or an on-time loan are left out. There are
    1000 ``rounds`` by default, or 200 where loans are many.
    """
    loans = ScoredLoans(target, probabilities)
    random = np.random.default_rng(seed)
    n_rows = len(target)
    tallies = (loans.tally(random.integers(n_rows, size=n_rows)) for _ in range(rounds or rounds_for(n_rows)))
    draws = [figures(counts) for counts in tallies if counts.has_both]
    return {
        name: percentile_interval(value, np.array([draw[name] for draw in draws], dtype=np.float64))
        for name, value in figures(loans.tally()).items()
    }
