"""Says a candidate's main figures in a few lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_registry.candidate import Candidate, Inspection
from model_registry.manifest import HoldoutParity
from training.evidence.intervals import in_words

MONOTONE_COMMAND = "peerloan train improved --contender monotone"

# The metrics of whole files, the best evidence first, with what they are called.
_FILES = {"test": "next quarter", "in_sample": "training data"}


def summarise(candidate: Candidate, inspection: Inspection | None = None) -> list[str]:
    """Return the lines: how good it is, its gain over the basic model, its threshold, and how it serves.

    ``inspection`` says why the model has no arrays, where they weren't compared on loans.
    """
    metrics = candidate.metrics
    lines = [candidate.description]
    file = next((name for name in _FILES if name in metrics), None)
    if file is not None:
        lines += _figures(_FILES[file], metrics[file])
    if file == "in_sample":
        lines.append("                 which the model has seen: on other loans it is worse")
    if gain := metrics.get("comparison"):
        claimed = " (claimed)" if is_claimed(metrics, "comparison") else ""
        lines.append(f"  ROC-AUC gain   {in_words(gain['roc_auc'], 3)} over the {gain['against']}{claimed}")
    if offered := metrics.get("alternative"):
        claimed = " (claimed)" if is_claimed(metrics, "alternative") else ""
        lines += [
            f"  against sense  in {', '.join(offered['against_sense_in'])}, for some loans; the monotone variant costs",
            f"                 {in_words(offered['roc_auc'], 3)} of ROC-AUC{claimed}: {MONOTONE_COMMAND}",
        ]
    flagged = f". {candidate.threshold.how}" if file is None else _flagged(metrics[file])
    return [
        *lines,
        f"  threshold      {candidate.threshold.value:.4f}{flagged}",
        f"  serving form   {_serving(candidate.holdout_parity, inspection)}",
    ]


def is_claimed(metrics: Mapping[str, Any], name: str) -> bool:
    """Return whether one of a record's metrics was claimed and not measured."""
    return name in metrics.get("claimed", {}).get("what", ())


def _figures(title: str, figures: Mapping[str, Any]) -> list[str]:
    loans = figures["data"]
    return [
        f"  {title:<13}  ROC-AUC {in_words(figures['roc_auc'], 3)}, PR-AUC {in_words(figures['pr_auc'], 3)}",
        f"                 observed/expected {in_words(figures['observed_over_expected'], 2)}, "
        f"calibration slope {in_words(figures['calibration_slope'], 2)}",
        f"                 on {loans['name']}: {loans['rows']:,} loans, {loans['late']} of them late",
    ]


def _flagged(figures: Mapping[str, Any]) -> str:
    return (
        f" flags {figures['flagged_share']['value']:.1%} of them; recall {in_words(figures['recall'], 2)}, "
        f"precision {in_words(figures['precision'], 3)}"
    )


def _serving(parity: HoldoutParity | None, inspection: Inspection | None) -> str:
    if parity is not None:
        status = "as arrays" if parity.is_proven else "NOT proven, so the pickle will serve"
        return f"{status}: differs by {parity.largest_difference:.2g} at most on the {parity.rows:,} loans"
    if inspection is None:
        return "none: this pipeline can't be compiled, so its pickle will serve"
    if inspection.serving_form is None:
        return f"none, so its pickle will serve: {inspection.why_no_serving_form}"
    return "as arrays: proven on made-up records and on their own edges"
