"""Simulates years of nightly looks at a model, with the monitor's defaults: `make simulate-monitor`.

It prints how often a model that stays right has any alarm in a year, how often one has that is as wrong as is
tolerated, and how soon harm is found. The lender is as large as the one of the real data: 75 loans a day, of which one
in 72 is late.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from model_monitor.evidence import calibration, discrimination, inputs
from model_monitor.evidence.daily import log_e_by_day
from model_monitor.settings import MonitorSettings, default_settings
from model_watch.outcome_figures import Floats, Tally, logistic, roc_auc

SEED = 20261129
YEAR = 365
LOANS_A_DAY = 75
LATE_RATE = 0.0139
# The spread of the improved model's log-odds, in bins of a fifth.
LOG_ODDS = np.arange(-8.0, 0.0, 0.2)
SPREAD = 0.79
# So much below the ROC-AUC is the low end of its interval, in a manifest of about 2,500 late loans.
HALF_INTERVAL = 0.01
# So many years at a time: their arrays take some hundred megabytes.
CHUNK = 50

# The training loans' shares of each column's bins, the last two of them missing and unseen: six numbers, the purpose,
# the grade, the length of employment, the home ownership, and the score.
TENTHS = (*[0.0999] * 10, 0.001, 0.0)
COLUMNS: Sequence[tuple[float, ...]] = (
    *[TENTHS] * 6,
    (0.55, 0.2, 0.06, 0.05, 0.04, 0.03, 0.02, 0.02, 0.01, 0.01, 0.005, 0.005, 0.0, 0.0),
    (0.17, 0.28, 0.28, 0.15, 0.08, 0.03, 0.01, 0.0, 0.0),
    (0.08, 0.07, 0.09, 0.08, 0.06, 0.06, 0.05, 0.05, 0.05, 0.04, 0.3, 0.07, 0.0),
    (0.49, 0.4, 0.11, 0.0, 0.0),
    TENTHS,
)
FLAGGED, WARNED = 0.1, 0.005


@dataclass(frozen=True)
class World:
    """How loans become late, as multiples of what the model says.

    ``level`` multiplies the late rate. ``slope`` is that of the outcomes on the model's log-odds: below 1 the model
    ranks worse. ``more`` is how many of the first column's records have moved into its first bin.
    """

    level: float = 1.0
    slope: float = 1.0
    more: float = 0.0

    @property
    def late_probabilities(self) -> Floats:
        """The true probability of being late by bin of ``LOG_ODDS``."""
        return _with_mean(self.slope * SCORES, self.level * LATE_RATE)

    @property
    def auc(self) -> float:
        """The model's true ROC-AUC."""
        late = LOANS * self.late_probabilities
        return roc_auc(Tally(logistic(SCORES), late, LOANS - late))


def _with_mean(log_odds: Floats, mean: float) -> Floats:
    low, high = -20.0, 20.0
    while high - low > 1e-10:
        middle = (low + high) / 2
        low, high = (middle, high) if np.dot(LOANS, logistic(log_odds + middle)) < mean else (low, middle)
    return logistic(log_odds + low)


def _shares(median: float) -> Floats:
    heights = np.exp(-(((LOG_ODDS - median) / SPREAD) ** 2) / 2)
    return np.asarray(heights / heights.sum(), dtype=np.float64)


# The share of the loans with each score, and the scores of a model that is right.
LOANS = _shares(np.log(0.0105))
PROBABILITIES = _with_mean(LOG_ODDS, LATE_RATE)
SCORES = np.log(PROBABILITIES / (1 - PROBABILITIES))
RIGHT = World()
# Each harm with the verdict that it must lead to.
HARMS = {
    "late rate -40 %": (World(level=0.6), "recalibrate"),
    "late rate +50 %": (World(level=1.5), "recalibrate"),
    "late rate halved": (World(level=0.5), "recalibrate"),
    "late rate doubled": (World(level=2.0), "recalibrate"),
    "ROC-AUC -0.05": (World(slope=0.735), "refit"),
    "ROC-AUC -0.10": (World(slope=0.468), "refit"),
    "ROC-AUC -0.15": (World(slope=0.27), "refit"),
    "ROC-AUC 0.5": (World(slope=0.0), "refit"),
    "a tenth of a column's values move into one bin": (World(more=0.1), "look"),
    "a fifth of them": (World(more=0.2), "look"),
    "half of them": (World(more=0.5), "look"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=1_000, help="years of a model that stays right")
    parser.add_argument("--harmed", type=int, default=200, help="models of each row of the table")
    options = parser.parse_args(arguments)
    for line in report(np.random.default_rng(SEED), default_settings(), options.years, options.harmed):
        print(line, flush=True)
    return 0


def report(random: Generator, settings: MonitorSettings, years: int, harmed: int) -> Iterator[str]:
    """Yield the lines of the report."""
    alarms = first_alarms(random, settings, [RIGHT] * YEAR, years)
    changed = first_changes(random, settings, [RIGHT] * YEAR, years)
    any_alarm = np.minimum.reduce([*alarms.values(), changed]) < YEAR
    yield f"monitor: false_alarms ratio={any_alarm.mean():.4f} years={years}"
    for name, world, test in (
        ("late rate at the lower edge", World(level=settings.level.low), "recalibrate"),
        ("late rate at the upper edge", World(level=settings.level.high), "recalibrate"),
        ("ROC-AUC at the edge", _with_auc(RIGHT.auc - HALF_INTERVAL - settings.discrimination.margin), "refit"),
    ):
        found = first_alarms(random, settings, [world] * YEAR, harmed)[test] < YEAR
        yield f"monitor: alarms_at_the_tolerance ratio={found.mean():.4f} years={harmed} harm={name!r}"
    yield ""
    yield "| harm | verdict | since | found within a year | loans until then, median | four in five |"
    yield "|---|---|---|---|---|---|"
    for name, (world, verdict) in HARMS.items():
        for good, since in ((0, "the start"), (YEAR, "a good year")):
            worlds = [RIGHT] * good + [world] * YEAR
            if verdict == "look":
                days = first_changes(random, settings, worlds, harmed)
            else:
                days = first_alarms(random, settings, worlds, harmed)[verdict]
            yield f"| {name} | {verdict} | {since} | {_end_of_row(days - good)} |"


def _end_of_row(days: NDArray[np.int64]) -> str:
    is_found = (days >= 0) & (days < YEAR)
    until = [np.quantile(np.where(is_found, days + 1, 10 * YEAR), share, method="higher") for share in (0.5, 0.8)]
    loans = (f"{day * LOANS_A_DAY:,.0f}" if day <= YEAR else "" for day in until)
    return " | ".join((f"{is_found.mean():.0%}", *loans))


def first_alarms(
    random: Generator, settings: MonitorSettings, worlds: Sequence[World], count: int
) -> dict[str, NDArray[np.int64]]:
    """Return on which day each of ``count`` models has its first alarm from outcomes; ``len(worlds)`` if on none."""
    days = np.arange(len(worlds))
    late_probabilities = {world: world.late_probabilities for world in set(worlds)}
    least_auc = RIGHT.auc - HALF_INTERVAL - settings.discrimination.margin
    found: dict[str, list[NDArray[np.int64]]] = {"recalibrate": [], "refit": []}
    for begin in range(0, count, CHUNK):
        years = min(CHUNK, count - begin)
        loans = random.multinomial(LOANS_A_DAY, LOANS, size=(years, len(days)))
        late = random.binomial(loans, np.array([late_probabilities[world] for world in worlds])).astype(np.float64)
        rows = late.reshape(-1, len(LOANS)), loans.reshape(-1, len(LOANS)).astype(np.float64)
        for test, factors, prior in (
            ("recalibrate", calibration.log_factors(*rows, PROBABILITIES, settings), calibration.PRIOR),
            ("refit", discrimination.log_factors(rows[0], rows[1] - rows[0], least_auc), discrimination.PRIOR),
        ):
            log_e = log_e_by_day(factors.reshape(years, len(days), -1), prior, days)
            found[test].append(_first(log_e, settings.threshold(test)))
    return {test: np.concatenate(chunks) for test, chunks in found.items()}


def first_changes(
    random: Generator, settings: MonitorSettings, worlds: Sequence[World], count: int
) -> NDArray[np.int64]:
    """Return on which day each of ``count`` models has its first alarm from inputs; ``len(worlds)`` if on none."""
    days = np.arange(len(worlds))
    threshold = settings.threshold("look") * (len(COLUMNS) + 2)
    found = []
    for begin in range(0, count, CHUNK):
        years = min(CHUNK, count - begin)
        firsts = [
            _first(log_e_by_day(factors, inputs.prior(factors.shape[-1]), days), threshold)
            for factors in _input_factors(random, settings, worlds, years)
        ]
        found.append(np.minimum.reduce(firsts))
    return np.concatenate(found)


def _input_factors(
    random: Generator, settings: MonitorSettings, worlds: Sequence[World], years: int
) -> Iterator[Floats]:
    tolerance, size = settings.inputs, (years, len(worlds))
    records = np.full(size, float(LOANS_A_DAY))
    for number, training in enumerate(COLUMNS):
        shares = np.array(training) / sum(training)
        highest = np.array([tolerance.highest(share) for share in shares])
        more = np.array([world.more if number == 0 else 0.0 for world in worlds])[:, None]
        counts = random.multinomial(LOANS_A_DAY, (1 - more) * shares + more * np.eye(len(shares))[0], size=size)
        yield inputs.share_factors(counts, records, highest, tolerance)
    flagged, warned = (random.binomial(LOANS_A_DAY, share, size=size) for share in (FLAGGED, WARNED))
    yield inputs.flag_factors(flagged, records, (FLAGGED, FLAGGED), tolerance)
    yield inputs.share_factors(warned[..., None], records, np.array([tolerance.highest(0.0)]), tolerance)


def _first(log_e: Floats, threshold: float) -> NDArray[np.int64]:
    is_enough = log_e >= np.log(threshold)
    return np.where(is_enough.any(axis=1), is_enough.argmax(axis=1), log_e.shape[1])


def _with_auc(auc: float) -> World:
    slopes = np.linspace(0, 1, 401)
    return World(slope=float(np.interp(auc, [World(slope=slope).auc for slope in slopes], slopes)))


if __name__ == "__main__":
    sys.exit(main())
