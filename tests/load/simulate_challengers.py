"""Simulates years of a challenger in the champion's shadow, looked at each night: `make simulate-challengers`.

It prints how often one of two versions that are equally good is called better, and how many late loans it takes until a
better one is. The lender is the one of ``simulate_monitor``: 75 loans a day, of which one in 72 is late.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.random import Generator

from model_monitor.evidence.log_loss import log_loss_evidence
from model_monitor.joined.maturity import LATE, ON_TIME
from model_monitor.joined.pair_tally import PairTally, tally_pairs
from model_monitor.settings import default_settings
from model_watch.outcome_figures import Floats, logistic

SEED = 20261129
YEAR = 365
LOANS_A_DAY = 75
MEAN_LOG_ODDS, SPREAD = -4.55, 0.79
FIRST_DAY = date(2026, 1, 1)
SETTINGS = default_settings()

Version = Callable[[Generator, Floats], Floats]


def right(_random: Generator, log_odds: Floats) -> Floats:
    """Give each loan its true log-odds."""
    return log_odds


def blurred(random: Generator, log_odds: Floats) -> Floats:
    """Give each loan log-odds that are off by about 0.4, which costs about 0.02 of ROC-AUC."""
    return log_odds + random.normal(0, 0.4, len(log_odds))


def too_high(_random: Generator, log_odds: Floats) -> Floats:
    """Give each loan odds that are 1.64 times too high, as the uncorrected model's are on the real test quarter."""
    return log_odds + math.log(1 / 0.61)


CASES: dict[str, tuple[Version, Version]] = {
    "equally blurred": (blurred, blurred),
    "the champion's odds are 1.64 times too high": (too_high, right),
    "the champion is blurred": (blurred, right),
}


def simulate_year(random: Generator, champion: Version, challenger: Version) -> dict[date, PairTally]:
    """Return the tallies of a year, by day."""
    days = {}
    for day in range(YEAR):
        log_odds = random.normal(MEAN_LOG_ODDS, SPREAD, LOANS_A_DAY)
        is_late = random.random(LOANS_A_DAY) < logistic(log_odds)
        scores = logistic(champion(random, log_odds)), logistic(challenger(random, log_odds))
        flags = scores[0] > 1, scores[1] > 1
        outcomes = np.where(is_late, LATE, ON_TIME).astype(np.int8)
        days[FIRST_DAY + timedelta(days=day)] = tally_pairs(scores, flags, outcomes)
    return days


def late_until(days: dict[date, PairTally], shown_on: date) -> int:
    """Return how many late loans were known when the verdict came."""
    last = shown_on - timedelta(days=SETTINGS.outcome_window_days)
    return sum(int(pairs.swaps[:, :, 1].sum()) for day, pairs in days.items() if day <= last)


def simulate(years: int, champion: Version, challenger: Version) -> dict[str, Any]:
    """Return in how many years the challenger is called better, and worse, and after how many late loans."""
    random = np.random.default_rng(SEED)
    better, worse, late = 0, 0, []
    for _ in range(years):
        days = simulate_year(random, champion, challenger)
        tests = log_loss_evidence(days, SETTINGS)
        better, worse = better + tests[0].is_rejected, worse + tests[1].is_rejected
        if tests[0].rejected_on:
            late.append(late_until(days, tests[0].rejected_on))
    return {"better": better, "worse": worse, "median_late": int(np.median(late)) if late else None}


def main() -> None:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=300, help="how many years of each case")
    years = parser.parse_args().years
    print(f"{years} years of each case; called better, called worse, late loans until half of those called better are")
    for name, versions in CASES.items():
        figures = simulate(years, *versions)
        print(f"{name:45} {figures['better']:5} {figures['worse']:5} {figures['median_late'] or '-':>6}")


if __name__ == "__main__":
    main()
