"""The report's tables of what was recorded: data, selection, gates, reasons, and the version's files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_artifact.reasons.codes import TEXTS
from model_registry.manifest import Wording
from training.data import Fingerprint
from training.evidence.gathering import Evidence
from training.evidence.reason_counts import is_against_sense
from training.evidence.report.table import Table, table_of


def data(evidence: Evidence) -> Table:
    """Return the table of the two loan files."""
    files: list[tuple[str, Fingerprint]] = [("Next quarter, held out", evidence.test)]
    if recorded := evidence.recorded_training:
        is_the_same = recorded["sha256"] == evidence.train.sha256
        files.insert(0, ("Training" if is_the_same else "Earlier loans at hand", evidence.train))
    return table_of(
        files,
        {
            "Role": lambda file: file[0],
            "File": lambda file: file[1].name,
            "Loans": lambda file: f"{file[1].rows:,}",
            "Late": lambda file: f"{file[1].late:,}",
            "Late rate": lambda file: f"{file[1].late / file[1].rows:.2%}",
            "sha256 begins": lambda file: file[1].sha256[:12],
        },
        f"Source: {'generated' if evidence.is_sample else 'files'}."
        + (" The training file runs newest loans first." if evidence.recorded_training else ""),
    )


def claims(evidence: Evidence) -> list[str]:
    """Return a sentence for each claim about the version that nobody has measured."""
    sentences = []
    if training := evidence.recorded_training:
        if by := training.get("claimed_by"):
            sentences.append(f"{by} says that the version was trained on {training['name']}. Nobody can measure that.")
    else:
        sentences.append(
            "Nobody says which loans the version was trained on. If it saw some of these, the figures are too good."
        )
    if claimed := evidence.manifest.metrics.get("claimed"):
        names = ", ".join(name.replace("_", " ") for name in claimed["what"])
        sentences.append(f"Claimed by {claimed['by']}, and not measured when the version was published: {names}.")
    return sentences


def selection(metrics: Mapping[str, Any]) -> Table | None:
    """Return the table of the selection's contenders, or None if no selection was recorded."""
    recorded = metrics.get("selection")
    if not recorded:
        return None
    folds = recorded["folds"][:1].upper() + recorded["folds"][1:]
    return table_of(
        recorded["contenders"],
        {
            "Model, simplest first": lambda model: model["description"],
            "Mean ROC-AUC": lambda model: f"{model['roc_auc']:.4f}",
            "Below the best": _below_best,
            "Standard error of that": lambda model: f"{model['standard_error']:.4f}" if model["below_best"] else "–",
            "Mean log loss": lambda model: f"{model['log_loss']:.5f}",
            "Not monotone in": lambda model: ", ".join(model.get("not_monotone_in", ())) or "–",
        },
        f"{folds}; the test quarter played no part. Rule: {recorded['rule']}",
        lambda model: bool(model["name"] == recorded["chosen"]),
    )


def _below_best(model: Mapping[str, Any]) -> str:
    if model.get("not_monotone_in"):
        return "left out"
    return f"{model['below_best']:.4f}" if model["below_best"] else "best"


def reason_codes(evidence: Evidence) -> Table:
    """Return the table of all reason codes, how many loans get each, and which say the opposite of lending sense."""
    counts, reasons = evidence.reason_counts, evidence.manifest.reasons
    assert counts is not None
    assert reasons is not None
    wording = reasons.wording or Wording({}, ())
    return table_of(
        TEXTS,
        {
            "Code": str,
            "Text": lambda code: wording.texts.get(code, TEXTS[code]),
            f"Of {counts.loans} loans": lambda code: (
                "left out" if code in wording.excluded else str(counts.codes.get(code, 0))
            ),
            "Lending sense": lambda code: "against it" if is_against_sense(code) else "–",
        },
        f"Version {reasons.codes_version} of the table. A code's last word compares the loan's value with the "
        f"reference's. Counted: the reasons of {counts.loans} loans of {evidence.test.name}. Highlighted: codes that "
        "some of them get and that call a risk what lending sense calls the opposite.",
        lambda code: code in counts.codes and is_against_sense(code),
    )


def effects(evidence: Evidence) -> Table:
    """Return the table of the explained record's effects, the largest first; its reasons are highlighted."""
    assert evidence.explained is not None
    record, reference, explanation = evidence.explained
    codes = {reason.feature: reason.code for reason in explanation.reasons}

    def values(loan: Mapping[str, Any], player: str) -> str:
        return ", ".join("missing" if loan[name] is None else str(loan[name]) for name in player.split("+"))

    return table_of(
        sorted(explanation.effects, key=lambda player: -explanation.effects[player]),
        {
            "Feature": str,
            "This loan": lambda player: values(record, player),
            "Reference": lambda player: values(reference, player),
            "Effect on the probability": lambda player: f"{explanation.effects[player]:+.5f}",
            "Code given": lambda player: codes.get(player, "–"),
        },
        f"Probability {explanation.late_probability:.5f}, that of the reference "
        f"{explanation.reference_probability:.5f}; the effects, exact Shapley values, add up to the difference.",
        codes.__contains__,
    )


def gates(metrics: Mapping[str, Any]) -> Table | None:
    """Return the table of the gates' verdicts at publication, or None if no gate was required."""
    recorded = metrics.get("gates")
    if not recorded:
        return None
    return table_of(
        recorded["verdicts"],
        {
            "Rule": lambda verdict: verdict["rule"],
            "Verdict": _verdict,
            "Figures": lambda verdict: verdict["figures"],
        },
        f"Required: {recorded['requirement']}, when that pointed at version {recorded['against_version']}.",
        lambda verdict: not verdict["passed"],
    )


def _verdict(verdict: Mapping[str, Any]) -> str:
    if not verdict["passed"]:
        return "failed"
    return "passed" if verdict.get("is_told", True) else "could not be told"


def implementation(evidence: Evidence) -> Table:
    """Return the table of the version's files, data and libraries, and whether its figures were reproduced."""
    manifest, training = evidence.manifest, evidence.recorded_training
    reproduced = {
        True: "Measured again from the pickle and the data: the ROC-AUC is the recorded one.",
        False: "Measured again from the pickle and the data: the ROC-AUC is not the recorded one.",
        None: "No figure of these data was recorded that could be measured again.",
    }[evidence.is_reproduced]
    rows = {
        "Model and version": f"{manifest.model} {manifest.version}",
        "Description": manifest.description,
        "Published": f"{manifest.created_at} by {manifest.created_by}",
        "Git commit": manifest.git_commit or "unknown",
        "Pickle": f"{manifest.artifact.size_bytes:,} bytes, sha256 {manifest.artifact.sha256}",
        "Training data": f"{training['name']}, sha256 {training['sha256']}" if training else "not recorded",
        "Test data": f"{evidence.test.name}, sha256 {evidence.test.sha256}",
        **_serving_form(evidence),
        "Threshold": f"{manifest.threshold.value:.6g}. {manifest.threshold.how}",
        **manifest.environment,
        "Reproduction": reproduced,
    }
    return Table(("What", "Value"), tuple(rows.items()))


def _serving_form(evidence: Evidence) -> dict[str, str]:
    manifest = evidence.manifest
    if manifest.serving_form is None:
        why = manifest.why_no_serving_form
        return {"Serves as": f"pickle: {why}" if why else "pickle: no other form was proven equal to it."}
    rows = {
        "Serves as": f"arrays, {manifest.serving_form.size_bytes:,} bytes, sha256 {manifest.serving_form.sha256}; the "
        "pickle is not opened. Proven equal at publication on probe records and on the form's edges."
    }
    if parity := manifest.holdout_parity:
        rows["Arrays and pickle, at training"] = (
            f"{parity.rows:,} loans of {parity.data_name}, sha256 {parity.data_sha256}: largest difference "
            f"{parity.largest_difference:.2g}, allowed {parity.tolerance:.0e}."
        )
    if here := evidence.form_parity:
        rows["Arrays and pickle, here"] = (
            f"{here.rows:,} loans of {evidence.test.name}: largest difference {here.largest_difference:.2g}."
        )
    return rows
