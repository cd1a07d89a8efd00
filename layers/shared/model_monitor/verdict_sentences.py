"""The sentences that say why a version has its verdict. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from model_monitor.evidence.daily import Evidence
from model_monitor.joined.outcome_tally import OutcomeTally
from model_monitor.mature_figures import MatureFigures
from model_monitor.settings import EnoughData, MonitorSettings
from model_watch.intervals import Interval

OF_NOTHING_MATURE: Final = "No prediction is mature yet."


def of_refit(figures: MatureFigures, test: Evidence, promised: float) -> str:
    """Say that a version ranks worse than promised; ``figures`` are of the loans since ``test.since``."""
    return (
        f"Since {test.since} late loans are ranked worse than promised: ROC-AUC {_interval(figures.auc)}, and the "
        f"manifest promises {promised:.2f} at least; {_loans(figures)}."
    )


def of_recalibrate(figures: MatureFigures, test: Evidence, settings: MonitorSettings) -> str:
    """Say what is off with a version's probabilities; ``figures`` are of the loans since ``test.since``."""
    ratio = figures.observed_over_expected
    if settings.level.low <= ratio.value <= settings.level.high:
        if settings.slope.low <= figures.slope.value <= settings.slope.high:
            return (
                f"Since {test.since} the probabilities were off for a time; of all loans since then, "
                f"{_loans(figures)}, {_interval(ratio)} times the expected {figures.expected_late:,.1f}."
            )
        how = "far apart" if figures.slope.value < 1 else "close together"
        return (
            f"Since {test.since} the probabilities are too {how}: slope {_interval(figures.slope)}; {_loans(figures)}."
        )
    how = "high" if ratio.value < 1 else "low"
    return (
        f"Since {test.since} the probabilities are too {how}: {_loans(figures)}, {_interval(ratio)} times the expected "
        f"{figures.expected_late:,.1f}."
    )


def of_look(tests: Sequence[Evidence]) -> str:
    """Say which inputs have changed, and that nobody knows yet whether that does harm."""
    changes = ", ".join(f"{test.name} since {test.since}" for test in tests)
    return f"The inputs have changed ({changes}), and too few outcomes are known yet to say whether that does harm."


def of_ok(figures: MatureFigures, changed: Sequence[Evidence], *, is_ranking_judged: bool) -> str:
    """Say that a version is right, and of which loans."""
    ranking = f"ROC-AUC {_interval(figures.auc)}"
    if not is_ranking_judged:
        ranking += ", which the manifest has no figure to compare with"
    inputs = f"; so it is since the inputs changed ({', '.join(test.name for test in changed)})" if changed else ""
    return (
        f"No test finds harm: {_loans(figures)}, {_interval(figures.observed_over_expected)} times the "
        f"expected {figures.expected_late:,.1f}; "
        f"{ranking}{inputs}."
    )


def of_unknown_outcomes(recent: OutcomeTally, enough: EnoughData) -> str:
    """Say that too many outcomes aren't known."""
    needed = f"{enough.known_share:.0%}"
    return f"The outcomes of {recent.known:,} of {recent.mature:,} mature loans are known, and {needed} are needed."


def of_few_late_loans(recent: OutcomeTally, enough: EnoughData) -> str:
    """Say that a harm wouldn't show yet."""
    return (
        f"Of {recent.known:,} loans whose outcome is known, {recent.expected_late:.1f} were expected to be late; "
        f"harm shows from {enough.expected_late:.0f} on."
    )


def _loans(figures: MatureFigures) -> str:
    return f"{figures.late:,} of {figures.loans:,} mature loans were late"


def _interval(figure: Interval) -> str:
    return f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]"
