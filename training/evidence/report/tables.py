"""The report's tables of figures that were measured on the next quarter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from training.evidence.costs import ThresholdRow
from training.evidence.gathering import Evidence
from training.evidence.intervals import in_words
from training.evidence.report.table import Table, table_of
from training.evidence.segments import LEAST_LATE, LEAST_LOANS
from training.evidence.summary import MONOTONE_COMMAND, is_claimed

# The metrics' names in the record, with their names for people and their digits.
_FIGURES: Mapping[str, tuple[str, int]] = {
    "roc_auc": ("ROC-AUC", 3),
    "gini": ("Gini", 3),
    "ks": ("KS", 3),
    "pr_auc": ("PR-AUC", 3),
    "brier": ("Brier score", 4),
    "log_loss": ("Log loss", 4),
    "calibration_slope": ("Calibration slope", 2),
    "observed_over_expected": ("Observed / expected", 2),
}


def headline(evidence: Evidence) -> Mapping[str, str]:
    """Return the main figures with their intervals, by name."""
    metrics = evidence.metrics
    return {
        "ROC-AUC": in_words(metrics["roc_auc"], 3),
        "Observed / expected": in_words(metrics["observed_over_expected"], 2),
        "Calibration slope": in_words(metrics["calibration_slope"], 2),
        f"Late loans found by flagging {metrics['flagged_share']['value']:.1%}": in_words(
            metrics["recall"], 0, percent=True
        ),
    }


def headline_note(evidence: Evidence) -> str:
    """Say which loans the headline was measured on."""
    part = "which played no part in training or selection" if evidence.is_own_data else "which training may have seen"
    return (
        f"On {evidence.test.rows:,} loans of the next quarter, {evidence.test.late:,} of them late, {part}. "
        f"In brackets: {evidence.metrics['interval']}."
    )


def monotonicity(evidence: Evidence) -> Table:
    """Return the table of the sweeps."""
    return table_of(
        evidence.sweeps,
        {
            "Column rises, probability": lambda sweep: sweep.column,
            "by lending sense": lambda sweep: "never falls" if sweep.direction > 0 else "never rises",
            "The gate": lambda sweep: "requires it" if sweep.is_required else "–",
            "Loans x values": lambda sweep: f"{sweep.loans} x {sweep.values}",
            "Loans against it": lambda sweep: str(sweep.loans_against),
            "Largest step against": lambda sweep: f"{sweep.largest_step_against:.2g}",
            "Result": lambda sweep: "monotone" if sweep.is_monotone else "not monotone",
        },
        "All other columns stay as they are.",
        lambda sweep: not sweep.is_monotone,
    )


def monotone_offer(evidence: Evidence) -> list[str]:
    """Say what to do where the probability moves against lending sense, and what that costs; empty where it doesn't."""
    against = [sweep.column for sweep in evidence.sweeps if not sweep.is_monotone]
    if not against:
        return []
    recorded = evidence.manifest.metrics
    price = "Its price isn't known: this version's training has no record of one."
    if offered := recorded.get("alternative"):
        claimed = _claimed(recorded, "alternative")
        price = (
            f"It costs {in_words(offered['roc_auc'], 3)} of ROC-AUC on the next quarter, measured at training{claimed}."
        )
    return [
        f"For some loans the probability moves against lending sense in {', '.join(against)}, so a reason may say the "
        f"opposite of what a borrower expects. A model that never does: {MONOTONE_COMMAND}. {price}"
    ]


def figures(evidence: Evidence) -> Table:
    """Return the table of the test quarter's metrics beside the training file's."""
    recorded = evidence.manifest.metrics
    origins = {"cross_validation": "cross-validation", "out_of_bag": "out of bag", "in_sample": "seen in training"}
    origin = next((name for name in origins if name in recorded), None)
    unseen = recorded[origin] if origin else None
    of_training = origins[origin] + _claimed(recorded, origin) if origin else "not recorded"
    note = f"In brackets: {evidence.metrics['interval']}"
    note += f"; for the training file {unseen['interval']}." if unseen else "."
    if "calibration" in recorded:
        note += (
            " The intercept is set for the next quarter. In the training file, whose older loans are late more often, "
            "observed / expected is above 1 by design."
        )
    return table_of(
        _FIGURES.items(),
        {
            "Metric": lambda figure: figure[1][0],
            "Next quarter": lambda figure: in_words(evidence.metrics[figure[0]], figure[1][1]),
            f"Training file ({of_training})": lambda figure: (
                in_words(unseen[figure[0]], figure[1][1]) if unseen else "–"
            ),
        },
        note,
    )


def comparisons(evidence: Evidence) -> Table:
    """Return the table of paired differences to other models, recorded at training and measured now."""
    recorded = evidence.manifest.metrics.get("comparison")
    rows = []
    if recorded:
        name = recorded["against"] + _claimed(evidence.manifest.metrics, "comparison")
        rows.append((name, recorded["roc_auc"], recorded["log_loss"]))
    rows += [(name, comparison.roc_auc, comparison.log_loss) for name, comparison in evidence.comparisons]
    return table_of(
        rows,
        {
            "This version against": lambda row: row[0],
            "ROC-AUC gained": lambda row: in_words(row[1], 3),
            "Log loss added": lambda row: in_words(row[2], 4),
        },
        "On the same loans of the next quarter; 95% paired bootstrap. More ROC-AUC and less log loss is better.",
    )


def _claimed(metrics: Mapping[str, Any], name: str) -> str:
    """Return a mark for a figure that was claimed and not measured."""
    return ", claimed" if is_claimed(metrics, name) else ""


def deciles(evidence: Evidence) -> Table:
    """Return the table of lift and capture by decile."""
    return table_of(
        evidence.deciles,
        {
            "Decile, highest probability first": lambda decile: str(decile.number),
            "Loans": lambda decile: f"{decile.loans:,.0f}",
            "Late": lambda decile: f"{decile.late:.1f}".removesuffix(".0"),
            "Lift": lambda decile: in_words(decile.lift),
            "Late loans captured so far": lambda decile: in_words(decile.capture, 0, percent=True),
        },
        "Loans of equal probability on a border are shared out. Intervals: Wilson's, 95%.",
    )


def thresholds(evidence: Evidence) -> Table:
    """Return the table of thresholds: the loans flagged, the late ones among them, and the costs."""
    costs: dict[str, Callable[[Any], str]] = {
        f"Cost at {ratio:g}:1": lambda row, place=place: in_words(row.costs[place], 0)  # type: ignore[misc]
        for place, ratio in enumerate(evidence.cost_ratios)
    }
    call = evidence.call_cost
    if call is not None:
        costs["In money"] = lambda row: f"{row.costs[0].value * call:,.0f}"
    return table_of(
        evidence.thresholds,
        {
            "Threshold": _threshold,
            "Which": _which,
            "Loans flagged": lambda row: f"{row.flagged.value:.1%}",
            "Late loans found": lambda row: in_words(row.recall, 0, percent=True),
            "Flagged loans late": lambda row: in_words(row.precision, 1, percent=True),
            **costs,
        },
        "Costs are in calls for every thousand loans: one for each flagged loan, and the stated number for each late "
        "loan that was not flagged"
        + (f"; in money, at {call:,g} a call. " if call is not None else ". ")
        + f"Highlighted: the version's own threshold. {evidence.manifest.threshold.how} "
        "The cheapest ones are chosen on these very loans; on others their neighbours may be cheaper. "
        "Intervals: Wilson's, 95%, for the number of loans flagged.",
        lambda row: bool(row.is_chosen),
    )


def _threshold(row: ThresholdRow) -> str:
    if row.flagged.value == 0:
        return "nobody flagged"
    return "everybody flagged" if row.flagged.value == 1 else f"{row.threshold:.4f}"


def _which(row: ThresholdRow) -> str:
    words = ["this version"] if row.is_chosen else []
    if row.cheapest_at:
        words.append(f"cheapest at {', '.join(f'{ratio:g}:1' for ratio in row.cheapest_at)}")
    return ", ".join(words) or "–"


def stability(evidence: Evidence) -> Table:
    """Return the table of the PSI of the score and of each column."""
    return table_of(
        evidence.stability,
        {
            "Column": lambda column: column.name,
            "PSI": lambda column: f"{column.psi:.4f}",
            "By chance, mean": lambda column: f"{column.by_chance:.4f}",
            "By chance, 95% limit": lambda column: f"{column.limit:.4f}",
            "Bins": lambda column: str(len(column.bins)),
            "Result": lambda column: column.verdict,
        },
        "By chance: what two samples of these sizes from one distribution give. A shift above the limit is real; "
        "whether it matters is another question, for which .1 and .25 are customary."
        + ("" if evidence.score else " No reference for the score was recorded from other loans."),
    )


def segments(evidence: Evidence, column: str) -> Table:
    """Return the table of one column's segments."""
    return table_of(
        [segment for segment in evidence.segments if segment.column == column],
        {
            column: lambda segment: segment.label,
            "Loans": lambda segment: f"{segment.loans:,}",
            "Late": lambda segment: str(segment.late),
            "Late rate": lambda segment: in_words(segment.rate, 1, percent=True),
            "Expected late": lambda segment: f"{segment.expected:.1f}",
            "Observed / expected": lambda segment: in_words(segment.over_expected, 2),
            "ROC-AUC": lambda segment: in_words(segment.roc_auc, 2) if segment.roc_auc else "too few",
            "Flagged": lambda segment: f"{segment.flagged / segment.loans:.0%}",
        },
        f"ROC-AUC where there are at least {LEAST_LOANS} loans and {LEAST_LATE} late ones. The plot leaves out "
        "segments with less than one expected late loan.",
    )
