"""A figure with its interval, and intervals of counts by formula. Standard library alone."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from statistics import NormalDist

LEVEL = 0.95

# From here on the first guess of a quantile is right to one in a million.
_LARGE_SHAPE = 10_000
_NEWTON_STEPS = 50


@dataclass(frozen=True)
class Interval:
    """A figure with the ends of its interval; NaN where it can't be computed."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        """Return it as JSON takes it: None for NaN."""
        return {name: number if math.isfinite(number) else None for name, number in asdict(self).items()}


UNKNOWN = Interval(math.nan, math.nan, math.nan)


def wilson(successes: float, trials: float, level: float = LEVEL) -> Interval:
    """Return a share with its score interval (Wilson 1927), which holds for rare events too.

    As ``scipy.stats.binomtest(…).proportion_ci(method="wilson")``, which takes whole counts only: deciles share tied
    loans out.
    """
    if not trials:
        return Interval(math.nan, 0.0, 1.0)
    z = two_sided_z(level)
    share = successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    # Without successes, and without failures, that end is exact; rounding would put it beside the share.
    low = 0.0 if successes == 0 else middle - half
    return Interval(share, low, 1.0 if successes == trials else middle + half)


def two_sided_z(level: float = LEVEL) -> float:
    """Return how many standard errors a normal interval of this level reaches to either side."""
    return NormalDist().inv_cdf((1 + level) / 2)


def chi_squared_quantile(probability: float, degrees_of_freedom: float) -> float:
    """Return a quantile of the chi-squared distribution, as ``scipy.stats.chi2.ppf``, for at least half a degree."""
    return 2 * _gamma_quantile(probability, degrees_of_freedom / 2)


def over_expected(late: float, expected: float, level: float = LEVEL) -> Interval:
    """Return late over expected loans with the exact interval of a Poisson count (Garwood 1936)."""
    if not expected:
        return Interval(math.nan, 0.0, math.nan)
    low = _gamma_quantile((1 - level) / 2, late) if late else 0.0
    high = _gamma_quantile((1 + level) / 2, late + 1)
    return Interval(late / expected, low / expected, high / expected)


@lru_cache(maxsize=4096)
def _gamma_quantile(probability: float, shape: float) -> float:
    """Return ``x`` such that a gamma distribution of this shape lies below it with this probability."""
    # Wilson and Hilferty (1931): the cube root is nearly normal. For large shapes nothing has to be added.
    ninth = 1 / (9 * shape)
    x = shape * max(1 - ninth + NormalDist().inv_cdf(probability) * math.sqrt(ninth), 1e-2) ** 3
    if shape > _LARGE_SHAPE:
        return x
    for _ in range(_NEWTON_STEPS):
        log_density = (shape - 1) * math.log(x) - x - math.lgamma(shape)
        # In log x, and at most a factor of two at a time: x stays positive.
        step = (_gamma_share(x, shape) - probability) / max(math.exp(log_density) * x, 1e-300)
        x *= math.exp(-max(min(step, 0.7), -0.7))
        if abs(step) < 1e-12:
            break
    return x


def _gamma_share(x: float, shape: float) -> float:
    """Return which share of a gamma distribution lies below ``x``: its power series, whose terms are all positive."""
    term = math.exp(shape * math.log(x) - x - math.lgamma(shape + 1))
    total, divisor = 0.0, shape
    while term > 1e-17 * total:
        total += term
        divisor += 1
        term *= x / divisor
    return total
