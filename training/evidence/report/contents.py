"""The report's contents in order: sections of texts, lists, tables and plots, which the page and the card lay out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from training.evidence.gathering import Evidence
from training.evidence.report import plots, record_tables, statements, tables
from training.evidence.report.drawing import Plot
from training.evidence.report.table import Table, number

# A tuple is a list of statements.
Block = str | tuple[str, ...] | Table | Plot


@dataclass(frozen=True)
class Section:
    """A section; ``name`` is its anchor in the page. Its parts are blocks by title; "" is the section's beginning."""

    name: str
    title: str
    parts: Mapping[str, tuple[Block, ...]]


@dataclass(frozen=True)
class Contents:
    """The whole report.

    Attributes
    ----------
    model, description : str
        The model's name and version, and its description.
    warnings : tuple of str
        Warnings that come before everything else.
    headline : mapping
        The main figures with their intervals; ``headline_note`` says which loans they were measured on.
    sections : tuple of Section
        Everything else, in order.
    """

    model: str
    description: str
    warnings: tuple[str, ...]
    headline: Mapping[str, str]
    headline_note: str
    sections: tuple[Section, ...]


def contents(evidence: Evidence) -> Contents:
    """Return the report's contents, plots drawn."""
    manifest = evidence.manifest
    return Contents(
        model=f"{manifest.model} version {manifest.version}",
        description=manifest.description,
        warnings=statements.warnings(evidence),
        headline=_headline(evidence),
        headline_note=_headline_note(evidence),
        sections=(
            _use(),
            _development(evidence),
            _soundness(evidence),
            _outcomes(evidence),
            _segments(evidence),
            *_reasons(evidence),
            _monitoring(evidence),
            Section("limits", "Limits", {"": (statements.items("limits"), statements.text("not_compliance"))}),
            _implementation(evidence),
        ),
    )


def _headline(evidence: Evidence) -> Mapping[str, str]:
    metrics = evidence.metrics
    recall = number(metrics["recall"], 0, percent=True)
    return {
        "ROC-AUC": number(metrics["roc_auc"], 3),
        "Observed / expected": number(metrics["observed_over_expected"], 2),
        "Calibration slope": number(metrics["calibration_slope"], 2),
        f"Late loans found by flagging {metrics['flagged_share']['value']:.1%}": recall,
    }


def _headline_note(evidence: Evidence) -> str:
    part = "which played no part in training or selection" if evidence.is_own_data else "which training may have seen"
    return (
        f"On {evidence.test.rows:,} loans of the next quarter, {evidence.test.late:,} of them late, {part}. "
        f"In brackets: {evidence.metrics['interval']}."
    )


def _use() -> Section:
    parts: dict[str, tuple[Block, ...]] = {
        "": (statements.text("purpose"),),
        "Intended use": (statements.items("intended_use"),),
        "Not intended": (statements.items("other_use"),),
        "Materiality": (statements.text("materiality"),),
    }
    return Section("use", "Purpose, use and materiality", parts)


def _development(evidence: Evidence) -> Section:
    selection = record_tables.selection(evidence.manifest.metrics)
    parts: dict[str, tuple[Block, ...]] = {
        "Data": (record_tables.data(evidence), plots.file_rates(evidence)),
        "Selection": (selection or "No selection was recorded: the model was defined as it is.",),
        "Assumptions": (statements.assumptions(evidence),),
    }
    return Section("development", "Development: data and selection", parts)


def _soundness(evidence: Evidence) -> Section:
    parts: dict[str, tuple[Block, ...]] = {
        "Direction of effects": (tables.monotonicity(evidence),),
        "What the model rests on": (plots.importance(evidence),),
        "Partial dependence": (plots.dependence(evidence),),
    }
    return Section("soundness", "Conceptual soundness", parts)


def _outcomes(evidence: Evidence) -> Section:
    comparisons = tables.comparisons(evidence)
    parts: dict[str, tuple[Block, ...]] = {
        "Metrics": (tables.figures(evidence), *((comparisons,) if comparisons.rows else ())),
        "Discrimination": (plots.ranking(evidence), plots.scores(evidence)),
        "Calibration": (plots.calibration(evidence),),
        "Lift and capture": (plots.lift(evidence), tables.deciles(evidence)),
        "Thresholds and costs": (tables.thresholds(evidence),),
    }
    return Section("outcomes", "Outcomes analysis", parts)


def _segments(evidence: Evidence) -> Section:
    parts: dict[str, tuple[Block, ...]] = {
        "": (plots.segments(evidence),),
        "By grade": (tables.segments(evidence, "grade"),),
        "By purpose": (tables.segments(evidence, "purpose"),),
        "By home ownership": (tables.segments(evidence, "home_ownership"),),
    }
    return Section("segments", "Results by segment", parts)


def _reasons(evidence: Evidence) -> tuple[Section, ...]:
    reasons = evidence.manifest.reasons
    if reasons is None or evidence.served is None or evidence.served.explained is None:
        return ()
    record, explanation = evidence.served.explained
    parts: dict[str, tuple[Block, ...]] = {
        "": (statements.items("reasons"),),
        "An example": (record_tables.effects(record, reasons.reference, explanation),),
        "All codes": (record_tables.reason_codes(),),
    }
    return (Section("reasons", "Reasons", parts),)


def _monitoring(evidence: Evidence) -> Section:
    parts: dict[str, tuple[Block, ...]] = {
        "Between the quarters": (plots.stability(evidence), tables.stability(evidence)),
        "What to watch": (statements.items("monitoring"),),
    }
    return Section("monitoring", "Stability and ongoing monitoring", parts)


def _implementation(evidence: Evidence) -> Section:
    gates = record_tables.gates(evidence.manifest.metrics)
    parts: dict[str, tuple[Block, ...]] = {"": (record_tables.implementation(evidence),)}
    if gates:
        parts["Gates at publication"] = (gates,)
    return Section("implementation", "Implementation and versions", parts)
