"""The report's tables as values: the page and the model card show the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_artifact.reasons.codes import CODES_VERSION, TEXTS
from model_artifact.reasons.explain import Explanation
from training.evidence.gathering import Evidence
from training.evidence.intervals import Interval
from training.evidence.segments import LEAST_LATE, LEAST_LOANS

# Name in the metrics, name for people, digits.
_FIGURES: Sequence[tuple[str, str, int]] = (
    ("roc_auc", "ROC-AUC", 3),
    ("gini", "Gini", 3),
    ("ks", "KS", 3),
    ("pr_auc", "PR-AUC", 3),
    ("brier", "Brier score", 4),
    ("log_loss", "Log loss", 4),
    ("calibration_slope", "Calibration slope", 2),
    ("observed_over_expected", "Observed / expected", 2),
)


@dataclass(frozen=True)
class Table:
    """Rows of text; the first column names the row. ``marked`` are the places of highlighted rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    marked: frozenset[int] = frozenset()


def number(interval: Interval | Mapping[str, float | None], digits: int = 2, *, percent: bool = False) -> str:
    """Write a figure with its interval, ``0.75 [0.70, 0.79]``, or a dash if it is unknown."""
    parts = interval.to_dict() if isinstance(interval, Interval) else interval
    value, low, high = (_one(parts[name], digits, percent=percent) for name in ("value", "low", "high"))
    unit = "%" if percent and value != "–" else ""
    return f"{value}{unit} [{low}, {high}]" if value != "–" else value


def figures(evidence: Evidence) -> Table:
    """The test quarter's metrics, and those of cross-validation beside them."""
    recorded = evidence.manifest.metrics
    unseen = next((name for name in ("cross_validation", "out_of_bag") if name in recorded), None)
    rows = [
        (
            title,
            number(evidence.metrics[name], digits),
            number(recorded[unseen][name], digits) if unseen else "–",
        )
        for name, title, digits in _FIGURES
    ]
    how = {"cross_validation": "cross-validation", "out_of_bag": "out of bag", None: "not recorded"}[unseen]
    return Table(
        ("Metric", "Next quarter", f"Training file ({how})"),
        tuple(rows),
        f"In brackets: {evidence.metrics['interval']}"
        + (f"; for the training file {recorded[unseen]['interval']}." if unseen else ".")
        + (
            " The intercept is set for the next quarter: in the training file, whose older loans are late more often, "
            "observed / expected is above 1 by design."
            if "calibration" in recorded
            else ""
        ),
    )


def comparisons(evidence: Evidence) -> Table:
    """Paired differences to other models: what was recorded at training, and what was measured now."""
    rows = []
    recorded = evidence.manifest.metrics.get("comparison")
    if recorded:
        rows.append((recorded["against"], number(recorded["roc_auc"], 3), number(recorded["log_loss"], 4)))
    rows += [(name, number(one.roc_auc, 3), number(one.log_loss, 4)) for name, one in evidence.comparisons]
    return Table(
        ("This version against", "ROC-AUC gained", "Log loss added"),
        tuple(rows),
        "On the same loans of the next quarter; 95% paired bootstrap. More ROC-AUC and less log loss is better.",
    )


def selection(metrics: Mapping[str, Any]) -> Table | None:
    """The contenders of the selection; None where none was recorded."""
    recorded = metrics.get("selection")
    if not recorded:
        return None
    rows = tuple(
        (
            one["description"],
            f"{one['roc_auc']:.4f}",
            f"{one['below_best']:.4f}" if one["below_best"] else "best",
            f"{one['standard_error']:.4f}" if one["below_best"] else "–",
            f"{one['log_loss']:.5f}",
        )
        for one in recorded["contenders"]
    )
    chosen = [place for place, one in enumerate(recorded["contenders"]) if one["name"] == recorded["chosen"]]
    folds = recorded["folds"][:1].upper() + recorded["folds"][1:]
    return Table(
        ("Model, simplest first", "Mean ROC-AUC", "Below the best", "Standard error of that", "Mean log loss"),
        rows,
        f"{folds}; the test quarter played no part. Rule: {recorded['rule']}",
        frozenset(chosen),
    )


def deciles(evidence: Evidence) -> Table:
    """Lift and capture by decile."""
    rows = tuple(
        (
            str(one.number),
            f"{one.loans:,.0f}",
            f"{one.late:.1f}".removesuffix(".0"),
            number(one.lift),
            number(one.capture, 0, percent=True),
        )
        for one in evidence.deciles
    )
    return Table(
        ("Decile, highest probability first", "Loans", "Late", "Lift", "Late loans captured so far"),
        rows,
        "Loans of equal probability on a border are shared out. Intervals: Wilson's, 95%.",
    )


def thresholds(evidence: Evidence) -> Table:
    """Thresholds: the loans flagged, the late ones among them, and the costs."""
    ratios = [f"Cost at {ratio:g}:1" for ratio in evidence.cost_ratios]
    rows = tuple(
        (
            f"{row.threshold:.4f}",
            f"{row.flagged.value:.1%}",
            number(row.recall, 0, percent=True),
            number(row.precision, 1, percent=True),
            *(number(cost, 0) for cost in row.costs),
        )
        for row in evidence.thresholds
    )
    chosen = frozenset(place for place, row in enumerate(evidence.thresholds) if row.is_chosen)
    return Table(
        ("Threshold", "Loans flagged", "Late loans found", "Flagged loans late", *ratios),
        rows,
        "Costs are in calls for every thousand loans: one for each flagged loan, and the stated number for each late "
        f"loan that was not flagged. Set off: the version's own threshold. {evidence.manifest.threshold.how} "
        "Intervals: Wilson's, 95%, for the number of loans flagged.",
        chosen,
    )


def monotonicity(evidence: Evidence) -> Table:
    """The sweeps."""
    rows = tuple(
        (
            sweep.column,
            "never falls" if sweep.direction > 0 else "never rises",
            f"{sweep.loans} x {sweep.values}",
            f"{sweep.loans_against}",
            f"{sweep.largest_step_against:.2g}",
            "monotone" if sweep.is_monotone else "not monotone",
        )
        for sweep in evidence.sweeps
    )
    against = frozenset(place for place, sweep in enumerate(evidence.sweeps) if not sweep.is_monotone)
    return Table(
        (
            "Column rises, probability",
            "asked for",
            "Loans x values",
            "Loans against it",
            "Largest step against",
            "Result",
        ),
        rows,
        "All other columns stay as they are.",
        against,
    )


def stability(evidence: Evidence) -> Table:
    """The PSI of the score and of each column."""
    found = ([evidence.score] if evidence.score else []) + list(evidence.columns)
    rows = tuple(
        (one.name, f"{one.psi:.4f}", f"{one.by_chance:.4f}", f"{one.limit:.4f}", str(len(one.bins)), one.verdict)
        for one in found
    )
    return Table(
        ("Column", "PSI", "By chance, mean", "By chance, 95% limit", "Bins", "Result"),
        rows,
        "By chance: what two samples of these sizes from one distribution give. A shift above the limit is real; "
        "whether it matters is another question, for which .1 and .25 are customary."
        + ("" if evidence.score else " The training recorded no reference for the score."),
    )


def segments(evidence: Evidence, column: str) -> Table:
    """The results of one column's segments."""
    rows = tuple(
        (
            one.label,
            f"{one.loans:,}",
            str(one.late),
            number(one.rate, 1, percent=True),
            f"{one.expected:.1f}",
            number(one.over_expected, 2),
            number(one.roc_auc, 2) if one.roc_auc else "too few",
            f"{one.flagged / one.loans:.0%}",
        )
        for one in evidence.segments
        if one.column == column
    )
    return Table(
        (column, "Loans", "Late", "Late rate", "Expected late", "Observed / expected", "ROC-AUC", "Flagged"),
        rows,
        f"ROC-AUC where there are at least {LEAST_LOANS} loans and {LEAST_LATE} late ones. The plot leaves out "
        "segments with less than one expected late loan.",
    )


def reason_codes() -> Table:
    """All reason codes."""
    return Table(
        ("Code", "Text"),
        tuple(TEXTS.items()),
        f"Version {CODES_VERSION} of the table. A code ends in how the loan's value stands to the reference's.",
    )


def effects(record: Mapping[str, Any], reference: Mapping[str, Any], explanation: Explanation) -> Table:
    """One record's explanation: every effect, the largest first; those given as reasons are highlighted."""
    codes = {reason.feature: reason.code for reason in explanation.reasons}
    players = sorted(explanation.effects, key=lambda player: -explanation.effects[player])

    def values(of: Mapping[str, Any], player: str) -> str:
        return ", ".join("missing" if of[name] is None else str(of[name]) for name in player.split("+"))

    return Table(
        ("Feature", "This loan", "Reference", "Effect on the probability", "Code given"),
        tuple(
            (
                player,
                values(record, player),
                values(reference, player),
                f"{explanation.effects[player]:+.5f}",
                codes.get(player, "–"),
            )
            for player in players
        ),
        f"Probability {explanation.late_probability:.5f}, that of the reference "
        f"{explanation.reference_probability:.5f}; the effects, exact Shapley values, add up to the difference.",
        frozenset(place for place, player in enumerate(players) if player in codes),
    )


def gates(metrics: Mapping[str, Any]) -> Table | None:
    """The verdicts of the gates at publication; None where no gate was asked for."""
    recorded = metrics.get("gates")
    if not recorded:
        return None
    verdicts = recorded["verdicts"]
    return Table(
        ("Rule", "Verdict", "Figures"),
        tuple((one["rule"], "passed" if one["passed"] else "failed", one["figures"]) for one in verdicts),
        f"Required: {recorded['requirement']}, which was version {recorded['against_version']}.",
        frozenset(place for place, one in enumerate(verdicts) if not one["passed"]),
    )


def _one(value: float | None, digits: int, *, percent: bool) -> str:
    if value is None:
        return "–"
    return f"{value * (100 if percent else 1):.{digits}f}"
