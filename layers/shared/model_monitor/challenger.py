"""The version in charge (the champion) against a shadow version (the challenger), on the loans that both scored. Pure.

All differences are the challenger's figure less the champion's, loan by loan: what makes a quarter easy or hard for one
makes it so for the other, and drops out.

Two tests say whether the challenger's log loss is better, or worse (``evidence.log_loss``). Both may be looked at each
night, and of twenty challengers they are wrong about one. They decide; the intervals are for reading.

Source: DeLong, DeLong and Clarke-Pearson (1988), "Comparing the areas under two or more correlated receiver operating
characteristic curves", Biometrics 44.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import reduce
from operator import add
from typing import Any, Final, Literal

import numpy as np

from model_monitor.evidence.daily import Evidence
from model_monitor.evidence.log_loss import log_loss_evidence
from model_monitor.joined.outcome_tally import OutcomeTally
from model_monitor.joined.pair_tally import LOSS_UNIT, PairTally
from model_monitor.settings import MonitorSettings
from model_watch.intervals import UNKNOWN, Interval, two_sided_z
from model_watch.outcome_figures import sum_of_products
from model_watch.tally import SCORE_BINS

Kind = Literal["better", "worse", "no difference shown", "not enough data"]

# A cost difference is that of so many loans.
COST_LOANS: Final = 1000
_Z: Final = two_sided_z()


@dataclass(frozen=True)
class CallCosts:
    """What a late payer costs who wasn't called, and what a call costs, in one unit."""

    missed_late: float
    call: float

    @classmethod
    def of_metrics(cls, metrics: Mapping[str, Any]) -> CallCosts | None:
        """Return the costs by which a manifest's threshold was set; None if it was set otherwise."""
        rule = metrics.get("threshold")
        if not isinstance(rule, Mapping):
            return None
        missed_late, call = rule.get("cost_missed_late"), rule.get("cost_call")
        if not isinstance(missed_late, int | float) or not isinstance(call, int | float):
            return None
        return cls(float(missed_late), float(call))


@dataclass(frozen=True)
class SwapSet:
    """Loans that only one of both versions calls late, and how many of them were late."""

    only_champion: int
    only_champion_late: int
    only_challenger: int
    only_challenger_late: int


@dataclass(frozen=True)
class Challenger:
    """A shadow version beside the version in charge.

    Attributes
    ----------
    version : int
    loans, late : int
        Mature loans with a known outcome that both scored in one request, and those of them that were late.
    auc_difference, log_loss_difference : Interval
        Of 95 % for this number of loans alone: the tests hold at each look. A lower log loss is better.
    swaps : SwapSet
    cost_difference : Interval or None
        Calls made and late payers missed, for a thousand loans; None if the threshold wasn't set by costs.
    costs : CallCosts or None
    better, worse : Evidence
        The tests of the log loss.
    kind : str
        What they show.
    reason : str
        The same in one sentence.
    """

    version: int
    loans: int
    late: int
    auc_difference: Interval
    log_loss_difference: Interval
    swaps: SwapSet
    cost_difference: Interval | None
    costs: CallCosts | None
    better: Evidence
    worse: Evidence
    kind: Kind
    reason: str

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "version": self.version,
            "loans": self.loans,
            "late": self.late,
            "auc_difference": self.auc_difference.to_dict(),
            "log_loss_difference": self.log_loss_difference.to_dict(),
            "swaps": asdict(self.swaps),
            "cost_difference": self.cost_difference and self.cost_difference.to_dict(),
            "costs": self.costs and asdict(self.costs),
            "e_value": self.better.e_value,
            "e_value_worse": self.worse.e_value,
            "threshold": self.better.threshold,
            "verdict": {"kind": self.kind, "reason": self.reason},
        }


def compare_challengers(
    outcomes: Mapping[date, OutcomeTally], champion: int, metrics: Mapping[str, Any], settings: MonitorSettings
) -> tuple[Challenger, ...]:
    """Compare each shadow version with the version in charge, in the order of the versions' numbers.

    Parameters
    ----------
    outcomes : mapping of date to OutcomeTally
        What became of the loans that the version in charge scored, by the day of scoring.
    champion : int
        The version in charge.
    metrics : mapping
        Those of its manifest, which say what calls and missed late payers cost.
    settings : MonitorSettings
        The error rate, and after how many days a prediction is mature.
    """
    costs = CallCosts.of_metrics(metrics)
    challengers = sorted({version for tally in outcomes.values() for version in tally.pairs})
    return tuple(
        _compare(
            {day: tally.pairs[version] for day, tally in outcomes.items() if version in tally.pairs},
            (champion, version),
            costs,
            settings,
        )
        for version in challengers
    )


def _compare(
    by_day: Mapping[date, PairTally], versions: tuple[int, int], costs: CallCosts | None, settings: MonitorSettings
) -> Challenger:
    pairs = reduce(add, by_day.values(), PairTally())
    late = int(pairs.swaps[:, :, 1].sum())
    loss = log_loss_difference(pairs)
    better, worse = log_loss_evidence(by_day, settings)
    kind, shown_since = _shown(pairs, better, worse)
    return Challenger(
        version=versions[1],
        loans=pairs.loans,
        late=late,
        auc_difference=auc_difference(pairs),
        log_loss_difference=loss,
        swaps=_swap_set(pairs),
        cost_difference=None if costs is None else cost_difference(pairs, costs),
        costs=costs,
        better=better,
        worse=worse,
        kind=kind,
        reason=_sentence(kind, versions, shown_since, loss, f"{pairs.loans:,} loans, {late:,} of them late"),
    )


def auc_difference(pairs: PairTally) -> Interval:
    """Return the difference of the ROC-AUC with the interval of DeLong for two models on the same loans."""
    bins = np.divmod(pairs.cells, SCORE_BINS)
    on_time, late = pairs.counts.astype(np.float64).T
    n_on_time, n_late = on_time.sum(), late.sum()
    if not n_on_time or not n_late:
        return UNKNOWN
    of_late, of_on_time = np.zeros(len(late)), np.zeros(len(late))
    for sign, places in zip((-1, 1), bins, strict=True):
        late_by_bin, on_time_by_bin = (np.bincount(places, loans, SCORE_BINS) for loans in (late, on_time))
        of_late += sign * ((np.cumsum(on_time_by_bin) - on_time_by_bin / 2) / n_on_time)[places]
        of_on_time += sign * (1 - (np.cumsum(late_by_bin) - late_by_bin / 2) / n_late)[places]
    value = float(sum_of_products(late, of_late) / n_late)
    variance = 0.0
    for loans, placements in ((late, of_late), (on_time, of_on_time)):
        variance += _variance_of_mean(
            float(loans.sum()), sum_of_products(loans, placements), sum_of_products(loans, placements**2)
        )
    return _around(value, variance)


def log_loss_difference(pairs: PairTally) -> Interval:
    """Return the mean difference of the log loss, in nats a loan, with the interval of a mean."""
    return _mean(pairs.loans, pairs.loss_difference * LOSS_UNIT, pairs.squared_loss_difference * LOSS_UNIT)


def cost_difference(pairs: PairTally, costs: CallCosts) -> Interval:
    """Return the difference of the costs of a thousand loans: a call for each flagged loan, and late payers missed.

    A call is taken to save the whole cost of a missed late payer, as for the threshold.
    """
    of_call = np.array([costs.call, costs.call - costs.missed_late])
    # By: flagged by the champion, flagged by the challenger, late.
    values = np.array([[[0.0, 0.0], of_call], [-of_call, [0.0, 0.0]]]) * COST_LOANS
    return _mean(pairs.loans, float(np.sum(pairs.swaps * values)), float(np.sum(pairs.swaps * values**2)))


def _shown(pairs: PairTally, better: Evidence, worse: Evidence) -> tuple[Kind, date | None]:
    """Return what the tests show, and since when; if it has turned, what was shown of the later loans."""
    shown: list[tuple[date, Kind]] = []
    if better.since:
        shown.append((better.since, "better"))
    if worse.since:
        shown.append((worse.since, "worse"))
    if shown:
        since, kind = max(shown)
        return kind, since
    return ("no difference shown" if pairs.loans else "not enough data"), None


def _sentence(kind: Kind, versions: tuple[int, int], since: date | None, loss: Interval, loans: str) -> str:
    champion, challenger = versions
    if kind == "not enough data":
        return f"No loan that both version {champion} and version {challenger} scored has a known outcome yet."
    figures = f"log loss {loss.value:+.4f} [{loss.low:+.4f}, {loss.high:+.4f}] on {loans}"
    if since is None:
        return f"Neither version {champion} nor version {challenger} is shown to predict better: {figures}."
    return f"Since {since} version {challenger} predicts {kind} than version {champion}: {figures}."


def _swap_set(pairs: PairTally) -> SwapSet:
    champion, challenger = pairs.swaps[1, 0].tolist(), pairs.swaps[0, 1].tolist()
    return SwapSet(sum(champion), champion[1], sum(challenger), challenger[1])


def _mean(n: int, total: float, total_of_squares: float) -> Interval:
    return _around(total / n, _variance_of_mean(n, total, total_of_squares)) if n else UNKNOWN


def _variance_of_mean(n: float, total: float, total_of_squares: float) -> float:
    return max(total_of_squares - total * total / n, 0.0) / (n - 1) / n if n > 1 else math.nan


def _around(value: float, variance: float) -> Interval:
    half = _Z * math.sqrt(variance)
    return Interval(value, value - half, value + half)
