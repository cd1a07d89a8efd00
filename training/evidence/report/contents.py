"""The report's contents in order: sections of texts, lists, tables and plots, which the page and the card lay out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from training.data import Fingerprint
from training.evidence.gathering import Evidence
from training.evidence.report import model_plots, plots, statements, tables
from training.evidence.report.drawing import Plot
from training.evidence.report.tables import Table
from training.evidence.segments import SEGMENT_COLUMNS


@dataclass(frozen=True)
class Bullets:
    """A list of statements."""

    items: tuple[str, ...]


Block = str | Bullets | Table | Plot


@dataclass(frozen=True)
class Part:
    """A part of a section; without a title it is the section's beginning."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Section:
    """A section; ``name`` is its anchor in the page."""

    name: str
    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Contents:
    """The whole report.

    Attributes
    ----------
    model, description : str
        The model's name and version, and its description.
    warnings : tuple of str
        What a reader must know first.
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
            _limits(),
            _implementation(evidence),
        ),
    )


def _headline(evidence: Evidence) -> Mapping[str, str]:
    metrics = evidence.metrics
    recall = tables.number(metrics["recall"], 0, percent=True)
    return {
        "ROC-AUC": tables.number(metrics["roc_auc"], 3),
        "Observed / expected": tables.number(metrics["observed_over_expected"], 2),
        "Calibration slope": tables.number(metrics["calibration_slope"], 2),
        f"Late loans found by flagging {metrics['flagged_share']['value']:.1%}": recall,
    }


def _headline_note(evidence: Evidence) -> str:
    part = "which played no part in training or selection" if evidence.is_own_data else "as far as is known held out"
    return (
        f"On {evidence.test.rows:,} loans of the next quarter, {evidence.test.late:,} of them late, {part}. "
        f"In brackets: {evidence.metrics['interval']}."
    )


def _use() -> Section:
    return Section(
        "use",
        "Purpose, use and materiality",
        (
            Part("", (statements.PURPOSE,)),
            Part("Intended use", (Bullets(statements.INTENDED_USE),)),
            Part("Not intended", (Bullets(statements.OTHER_USE),)),
            Part("Materiality", (statements.MATERIALITY,)),
        ),
    )


def _development(evidence: Evidence) -> Section:
    chosen = tables.selection(evidence.manifest.metrics)
    return Section(
        "development",
        "Development: data and selection",
        (
            Part("Data", (_data(evidence), model_plots.file_rates(evidence))),
            Part(
                "Selection",
                (chosen,) if chosen else ("No selection was recorded: the model was defined as it is.",),
            ),
            Part("Assumptions", (Bullets(statements.assumptions(evidence)),)),
        ),
    )


def _soundness(evidence: Evidence) -> Section:
    return Section(
        "soundness",
        "Conceptual soundness",
        (
            Part("Direction of effects", (tables.monotonicity(evidence),)),
            Part("What the model rests on", (model_plots.importance(evidence),)),
            Part("Partial dependence", (model_plots.dependence(evidence),)),
        ),
    )


def _outcomes(evidence: Evidence) -> Section:
    compared = tables.comparisons(evidence)
    return Section(
        "outcomes",
        "Outcomes analysis",
        (
            Part("Metrics", (tables.figures(evidence), *((compared,) if compared.rows else ()))),
            Part("Discrimination", (plots.ranking(evidence), plots.scores(evidence))),
            Part("Calibration", (plots.calibration(evidence),)),
            Part("Lift and capture", (plots.lift(evidence), tables.deciles(evidence))),
            Part("Thresholds and costs", (tables.thresholds(evidence),)),
        ),
    )


def _segments(evidence: Evidence) -> Section:
    names = {"grade": "By grade", "purpose": "By purpose", "home_ownership": "By home ownership"}
    parts = [Part(names[column], (tables.segments(evidence, column),)) for column in SEGMENT_COLUMNS]
    return Section("segments", "Results by segment", (Part("", (model_plots.segments(evidence),)), *parts))


def _monitoring(evidence: Evidence) -> Section:
    return Section(
        "monitoring",
        "Stability and ongoing monitoring",
        (
            Part("Between the quarters", (model_plots.stability(evidence), tables.stability(evidence))),
            Part("What to watch", (Bullets(statements.MONITORING),)),
        ),
    )


def _reasons(evidence: Evidence) -> tuple[Section, ...]:
    reasons = evidence.manifest.reasons
    if reasons is None or evidence.served is None or evidence.served.explained is None:
        return ()
    record, explanation = evidence.served.explained
    return (
        Section(
            "reasons",
            "Reasons",
            (
                Part("", (Bullets(statements.REASONS),)),
                Part("An example", (tables.effects(record, reasons.reference, explanation),)),
                Part("All codes", (tables.reason_codes(),)),
            ),
        ),
    )


def _serving_form(evidence: Evidence) -> list[tuple[str, str]]:
    manifest = evidence.manifest
    if manifest.serving_form is None:
        return [("Serves as", "pickle: there is no other form that was proven equal to it.")]
    rows = [
        (
            "Serves as",
            f"arrays, {manifest.serving_form.size_bytes:,} bytes, sha256 {manifest.serving_form.sha256}; the pickle "
            "is not opened. Proven equal at publication on probe records and on the form's edges.",
        )
    ]
    if parity := manifest.holdout_parity:
        rows.append(
            (
                "Arrays and pickle, at training",
                f"{parity.rows:,} loans of {parity.data_name}, sha256 {parity.data_sha256}: largest difference "
                f"{parity.largest_difference:.2g}, allowed {parity.tolerance:.0e}.",
            )
        )
    if evidence.served:
        here = evidence.served.parity
        rows.append(
            (
                "Arrays and pickle, here",
                f"{here.rows:,} loans of {evidence.test.name}: largest difference {here.largest_difference:.2g}.",
            )
        )
    return rows


def _limits() -> Section:
    return Section("limits", "Limits", (Part("", (Bullets(statements.LIMITS), statements.NOT_COMPLIANCE)),))


def _implementation(evidence: Evidence) -> Section:
    manifest = evidence.manifest
    reproduced = {
        True: "Measured again from the pickle and the data: the ROC-AUC is the recorded one.",
        False: "Measured again from the pickle and the data: the ROC-AUC is not the recorded one.",
        None: "No figure of these data was recorded that could be measured again.",
    }[evidence.is_reproduced]
    rows = [
        ("Model and version", f"{manifest.model} {manifest.version}"),
        ("Description", manifest.description),
        ("Published", f"{manifest.created_at} by {manifest.created_by}"),
        ("Code", manifest.git_commit or "unknown"),
        ("Pickle", f"{manifest.artifact.size_bytes:,} bytes, sha256 {manifest.artifact.sha256}"),
        ("Training data", f"{evidence.train.name}, sha256 {evidence.train.sha256}"),
        ("Test data", f"{evidence.test.name}, sha256 {evidence.test.sha256}"),
        *_serving_form(evidence),
        ("Threshold", f"{manifest.threshold.value:.6g}. {manifest.threshold.how}"),
        *((name, version) for name, version in manifest.environment.items()),
        ("Reproduction", reproduced),
    ]
    gates = tables.gates(manifest.metrics)
    return Section(
        "implementation",
        "Implementation and versions",
        (
            Part("", (Table(("What", "Value"), tuple(rows)),)),
            *((Part("Gates at publication", (gates,)),) if gates else ()),
        ),
    )


def _data(evidence: Evidence) -> Table:
    def row(role: str, fingerprint: Fingerprint) -> tuple[str, ...]:
        rate = f"{fingerprint.late / fingerprint.rows:.2%}"
        return role, fingerprint.name, f"{fingerprint.rows:,}", f"{fingerprint.late:,}", rate, fingerprint.sha256[:12]

    return Table(
        ("Role", "File", "Loans", "Late", "Late rate", "sha256 begins"),
        (row("Training", evidence.train), row("Next quarter, held out", evidence.test)),
        f"Source: {'generated' if evidence.is_sample else 'files'}. The training file runs newest loans first.",
    )
