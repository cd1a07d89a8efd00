"""Computes intervals: by bootstrap for metrics, by formula for shares and for late over expected loans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from scipy.stats import chi2, norm

from training.evidence.tally import Floats, Labels, ScoredLoans, Tally

LEVEL = 0.95
ROUNDS = 1000
SEED = 0

# From this many loans on, fewer draws give steady ends.
_MANY_LOANS = 50_000
_ROUNDS_FOR_MANY = 200


@dataclass(frozen=True)
class Interval:
    """A figure with the ends of its interval; NaN where it can't be computed."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        """Return it as JSON takes it: None for NaN."""
        return {name: number if np.isfinite(number) else None for name, number in asdict(self).items()}


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


def wilson(successes: float, trials: float, level: float = LEVEL) -> Interval:
    """Return a share with its score interval (Wilson 1927), which holds for rare events too.

    As ``scipy.stats.binomtest(…).proportion_ci(method="wilson")``, which takes whole counts only: deciles share tied
    loans out.
    """
    if not trials:
        return Interval(float("nan"), 0.0, 1.0)
    z = float(norm.ppf((1 + level) / 2))
    share = successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    # Without successes, and without failures, that end is exact; rounding would put it beside the share.
    low = 0.0 if successes == 0 else float(middle - half)
    return Interval(share, low, 1.0 if successes == trials else float(middle + half))


def over_expected(late: float, expected: float, level: float = LEVEL) -> Interval:
    """Return late over expected loans with the exact interval of a Poisson count (Garwood 1936)."""
    if not expected:
        return Interval(float("nan"), 0.0, float("nan"))
    low = float(chi2.ppf((1 - level) / 2, 2 * late)) / 2 if late else 0.0
    high = float(chi2.ppf((1 + level) / 2, 2 * (late + 1))) / 2
    return Interval(late / expected, low / expected, high / expected)
