"""The comparison's tables and sentences, which the terminal and the page show alike."""

from __future__ import annotations

import numpy as np

from model_artifact.reasons.codes import TEXTS
from peerloan.comparing.findings import Findings
from peerloan.comparing.logged_scores import LoggedSides
from peerloan.comparing.paired_scores import QUANTILES, Floats, PairedScores, quantile_name
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
    flagged = [float(version.is_late.mean()) for version in (scores.main, scores.candidate)]
    return Table(
        ("", *_names(scores), "Difference by loan"),
        (
            *_score_rows(scores.main.probabilities, scores.candidate.probabilities, scores.differences),
            ("Called late", *(_percent(share, 2) for share in (*flagged, flagged[1] - flagged[0]))),
            ("Threshold", _percent(scores.main.threshold, 3), _percent(scores.candidate.threshold, 3), ""),
        ),
        "A quantile of the difference is over the loans' own differences, not the difference of two quantiles.",
    )


def logged_table(sides: LoggedSides) -> Table:
    """Return means, quantiles and the share that is flagged, of two versions that answered different loans."""
    versions = (sides.main, sides.candidate)
    points = {name: end and end * 100 for name, end in sides.mean_difference.to_dict().items()}
    return Table(
        ("", *_names(sides)),
        (
            ("Loans", *(f"{len(version.probabilities):,}" for version in versions)),
            *_score_rows(sides.main.probabilities, sides.candidate.probabilities),
            ("Called late", *(_percent(float(version.is_late.mean()), 2) for version in versions)),
        ),
        f"Difference of the means, percentage points: {in_words(points, 3)}. The loans are different ones.",
    )


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
    main, candidate = scores.main.version, scores.candidate.version
    late_of = (outcomes.to_late, outcomes.to_on_time) if outcomes else (None, None)
    rows = []
    for name, flags, known in (
        (f"On time by version {main}, late by {candidate}", scores.to_late, late_of[0]),
        (f"Late by version {main}, on time by {candidate}", scores.to_on_time, late_of[1]),
    ):
        late = () if known is None else (f"{known[1]:,} of {known[0]:,}",)
        rows.append((name, f"{int(flags.sum()):,}", _percent(float(flags.mean()), 2), *late))
    return Table(("Decision", "Loans", "Share", *(("Were late",) if outcomes else ())), tuple(rows))


def reasons_title(findings: Findings, *, to_late: bool) -> str:
    """Return the title above the reasons of the loans that flip one way."""
    scores = findings.scores
    only = scores.candidate.version if to_late else scores.main.version
    return f"Reasons that changed most, where only version {only} says late"


def reasons_table(findings: Findings, *, to_late: bool) -> Table | None:
    """Return the reasons that changed most among the loans that flip one way; None without such reasons."""
    changes = findings.to_late_reasons if to_late else findings.to_on_time_reasons
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
    scores = findings.scores
    note = (
        f"Counted among {changes.loans:,} of these loans. The effect is by how much more the reason raises the "
        f"probability in version {scores.candidate.version}, in percentage points, the mean over the loans."
    )
    by = (f"By version {scores.main.version}", f"By version {scores.candidate.version}")
    return Table(("Reason", *by, "Effect, points", "Meaning"), rows, note)


def outcomes_table(findings: Findings) -> Table | None:
    """Return how well both versions rank and are calibrated; None where no outcomes are known."""
    outcomes = findings.outcomes
    if outcomes is None:
        return None
    differences = {"roc_auc": outcomes.difference.roc_auc, "log_loss": outcomes.difference.log_loss}
    rows = tuple(
        (
            name,
            *(in_words(figures[key], digits) for figures in (outcomes.main, outcomes.candidate)),
            in_words(differences[key], digits) if key in differences else "",
        )
        for name, (key, digits) in _FIGURES.items()
    )
    note = f"{outcomes.loans:,} loans with a known outcome, {outcomes.late:,} of them late; 95% bootstrap intervals."
    return Table(("", *_names(findings.scores), "Difference"), rows, note)


def _names(scores: PairedScores | LoggedSides) -> tuple[str, str]:
    return f"Version {scores.main.version}", f"Version {scores.candidate.version}"


def _score_rows(*columns: Floats) -> list[tuple[str, ...]]:
    """Return the rows of means and quantiles."""
    quantiles = np.array([[column.mean(), *np.quantile(column, QUANTILES)] for column in columns]).T
    names = ("Mean probability", *(f"Quantile {quantile_name(quantile)}" for quantile in QUANTILES))
    return [(name, *(_percent(value, 3) for value in row)) for name, row in zip(names, quantiles.tolist(), strict=True)]


def _percent(share: float, digits: int) -> str:
    return f"{share * 100:.{digits}f}%"
