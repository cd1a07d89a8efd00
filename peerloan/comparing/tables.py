"""The comparison's tables and sentences, which the terminal and the page show alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from model_artifact.reasons.codes import TEXTS
from peerloan.comparing.findings import Findings
from peerloan.comparing.logged_scores import LoggedSides
from peerloan.comparing.paired_scores import QUANTILES, quantile_name
from training.evidence.intervals import in_words
from training.evidence.report.table import Table

_SHOWN_REASONS = 5
_FIGURES = {
    "ROC-AUC": ("roc_auc", 3),
    "Late over expected loans": ("observed_over_expected", 2),
    "Calibration slope": ("calibration_slope", 2),
    "Log loss": ("log_loss", 4),
    "Recall at its threshold": ("recall", 2),
    "Precision at its threshold": ("precision", 2),
}


def title(findings: Findings) -> str:
    """Return the comparison's title."""
    scores = findings.scores
    return f"Version {scores.candidate.version} beside version {scores.main.version}"


def loans_line(findings: Findings) -> str:
    """Return the sentence about the loans."""
    scores = findings.scores
    left_out = f"; {scores.rejected:,} rows that the API would refuse were left out" if scores.rejected else ""
    return f"{len(scores):,} loans of {scores.source}{left_out}"


def headline(findings: Findings) -> dict[str, str]:
    """Return the figures that a rollout's plan announces, with their intervals."""
    window = findings.window
    mean = {"value": window.mean_difference, "low": window.low, "high": window.high}
    flips = {"value": window.flip_share, "low": window.flip_low, "high": window.flip_high}
    return {
        "Mean difference, percentage points": in_words({name: end * 100 for name, end in mean.items()}, 3),
        "Decisions that flip": in_words(flips, 2, percent=True),
        "Loans whose probability differs": _percent(findings.scores.differing_share, 1),
    }


def headline_note(findings: Findings) -> str:
    """Return the sentence below the headline."""
    return (
        f"Intervals at {findings.window.level:.0%}. They are the window that a rollout's plan announces: live loans "
        "should show the difference that these loans show."
    )


def scores_table(findings: Findings) -> Table:
    """Return means, quantiles and the share that is flagged, of both versions and of the difference by loan."""
    scores = findings.scores
    versions = (scores.main, scores.candidate)
    sides = [version.probabilities for version in versions]
    rows = [("Mean probability", *(_percent(float(values.mean()), 3) for values in (*sides, scores.differences)))]
    for quantile in QUANTILES:
        values = (float(np.quantile(side, quantile)) for side in (*sides, scores.differences))
        rows.append((f"Quantile {quantile_name(quantile)}", *(_percent(value, 3) for value in values)))
    flagged = [float(version.is_late.mean()) for version in versions]
    rows.append(("Called late", _percent(flagged[0], 2), _percent(flagged[1], 2), _percent(flagged[1] - flagged[0], 2)))
    rows.append(("Threshold", *(_percent(version.threshold, 3) for version in versions), ""))
    return Table(
        ("", *(f"Version {version.version}" for version in versions), "Difference by loan"),
        tuple(rows),
        "A quantile of the difference is over the loans' own differences, not the difference of two quantiles.",
    )


def logged_table(sides: LoggedSides) -> Table:
    """Return means, quantiles and the share that is flagged, of two versions that answered different loans."""
    versions = (sides.main, sides.candidate)
    rows = [("Loans", *(f"{len(version.probabilities):,}" for version in versions))]
    rows.append(("Mean probability", *(_percent(float(version.probabilities.mean()), 3) for version in versions)))
    for quantile in QUANTILES:
        values = (float(np.quantile(version.probabilities, quantile)) for version in versions)
        rows.append((f"Quantile {quantile_name(quantile)}", *(_percent(value, 3) for value in values)))
    rows.append(("Called late", *(_percent(float(version.is_late.mean()), 2) for version in versions)))
    points = {name: end and end * 100 for name, end in sides.mean_difference.to_dict().items()}
    note = f"Difference of the means, percentage points: {in_words(points, 3)}. The loans are different ones."
    return Table(("", *(f"Version {version.version}" for version in versions)), tuple(rows), note)


def shifts_table(sides: LoggedSides) -> Table | None:
    """Return how far the loans of two versions differ by column; None where their profiles can't be compared."""
    if not sides.shifts:
        return None
    rows = tuple((shift.name, f"{shift.psi:.4f}", f"{shift.limit:.4f}", shift.verdict) for shift in sides.shifts)
    note = "The index (PSI) of the loans' profiles. Sampling alone exceeds the limit in one case of twenty."
    return Table(("Column", "PSI", "Limit", "Verdict"), rows, note)


def swap_table(findings: Findings) -> Table:
    """Return how many loans flip each way, and how many of them were late where that is known."""
    scores, outcomes = findings.scores, findings.outcomes
    ways = (
        (f"On time by version {scores.main.version}, late by {scores.candidate.version}", scores.to_late, "to_late"),
        (
            f"Late by version {scores.main.version}, on time by {scores.candidate.version}",
            scores.to_on_time,
            "to_on_time",
        ),
    )
    rows = []
    for name, flags, attribute in ways:
        row = [name, f"{int(flags.sum()):,}", _percent(float(flags.mean()), 2)]
        if outcomes:
            loans, late = getattr(outcomes, attribute)
            row.append(f"{late:,} of {loans:,}")
        rows.append(tuple(row))
    return Table(("Decision", "Loans", "Share", *(("Were late",) if outcomes else ())), tuple(rows))


def reasons_title(findings: Findings, *, to_late: bool) -> str:
    """Return the title above the reasons of the loans that flip one way."""
    scores = findings.scores
    only = scores.candidate.version if to_late else scores.main.version
    return f"Reasons that changed most, where only version {only} says late"


def reasons_table(findings: Findings, *, to_late: bool) -> Table | None:
    """Return the reasons that changed most among the loans that flip one way; None without such reasons."""
    comparison, scores = findings.comparison, findings.scores
    changes = comparison.to_late_reasons if to_late else comparison.to_on_time_reasons
    if changes is None or not changes.changes:
        return None
    rows = tuple(
        (
            change.code,
            f"{change.main}",
            f"{change.candidate}",
            f"{change.effect * 100:+.2f}",
            TEXTS.get(change.code, ""),
        )
        for change in changes.changes[:_SHOWN_REASONS]
    )
    by = (f"By version {scores.main.version}", f"By version {scores.candidate.version}")
    columns = ("Reason", *by, "Effect, points", "Meaning")
    note = (
        f"Counted among {changes.loans:,} of these loans. The effect is by how much more the reason raises the "
        f"probability in version {scores.candidate.version}, in percentage points, the mean over the loans."
    )
    return Table(columns, rows, note)


def outcomes_table(findings: Findings) -> Table | None:
    """Return how well both versions rank and are calibrated; None where no outcomes are known."""
    outcomes, scores = findings.outcomes, findings.scores
    if outcomes is None:
        return None
    differences = {"roc_auc": outcomes.difference.roc_auc, "log_loss": outcomes.difference.log_loss}
    rows = tuple(
        (
            name,
            in_words(_ends(outcomes.main, key), digits),
            in_words(_ends(outcomes.candidate, key), digits),
            in_words(differences[key], digits) if key in differences else "",
        )
        for name, (key, digits) in _FIGURES.items()
    )
    note = f"{outcomes.loans:,} loans with a known outcome, {outcomes.late:,} of them late; 95% bootstrap intervals."
    names = (f"Version {scores.main.version}", f"Version {scores.candidate.version}")
    return Table(("", *names, "Difference"), rows, note)


def _ends(figures: Mapping[str, Any], key: str) -> Mapping[str, float | None]:
    ends: Mapping[str, float | None] = figures[key]
    return ends


def _percent(share: float, digits: int) -> str:
    return f"{share * 100:.{digits}f}%"
