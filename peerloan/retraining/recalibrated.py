"""Makes the recalibrated model of a version: its pickle with another intercept and slope, and the record of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from model_artifact.loading import load_pickle
from model_artifact.opening.inspection import open_candidate
from model_monitor.joined.outcome_tally import OutcomeTally
from model_monitor.joined.vintages import refresh_vintages
from model_monitor.settings import MonitorSettings
from model_monitor.verdict import judge
from model_registry.candidate import Candidate, Inspection
from model_registry.manifest import Manifest, Threshold, TrainingProfile
from model_watch.outcome_figures import SMALLEST_PROBABILITY, Tally, log_odds
from peerloan.comparing.announced import announced_window
from peerloan.errors import CommandError
from peerloan.retraining.document import Retraining
from peerloan.retraining.outcome_line import JudgedLine, Line, fit_and_judge, outcomes_of
from peerloan.workplace import Workplace
from training import candidate_folder
from training.gates import Verdict, failures

# Figures of a data file that don't depend on the order of the loans alone; the last three if the threshold stays.
_OF_PROBABILITIES = ("brier", "log_loss", "calibration_slope", "observed_over_expected")
_OF_THE_THRESHOLD = ("flagged_share", "recall", "precision")
_UNKNOWN = {"value": None, "low": None, "high": None}
# A table around a model is off by less; see ``opening.recalibration``.
_LARGEST_DIFFERENCE = 0.01


class RecalibrationRefusedError(CommandError):
    """The line of the outcomes failed a rule; ``failed`` are the verdicts."""

    def __init__(self, failed: tuple[Verdict, ...]) -> None:
        rules = "\n".join(f"  {verdict.rule}: {verdict.figures}" for verdict in failed)
        super().__init__(
            f"The recalibrated model failed on the newer half of the outcomes; nothing was published.\n{rules}\n"
            "Choose the outcomes with --since DATE, or train anew: --data FILE."
        )
        self.failed = failed


@dataclass(frozen=True)
class Outcomes:
    """Which outcomes a model is recalibrated on.

    ``since`` is the first day of predictions; None takes the day from which on the monitor finds the probabilities off,
    or all days if it doesn't.
    """

    today: date
    settings: MonitorSettings
    since: date | None = None

    def line_of(self, workplace: Workplace, manifest: Manifest) -> JudgedLine:
        """Return the line of a version's outcomes; raise ``TooFewLateError`` if they say too little."""
        store, log_store = workplace.model_store(), workplace.log_store()
        vintages = refresh_vintages(store, log_store, workplace.model, self.settings, self.today)
        outcomes = outcomes_of(vintages, manifest.version)
        return fit_and_judge(outcomes, self.since or self.find_begin(outcomes))

    def find_begin(self, outcomes: Mapping[date, OutcomeTally]) -> date:
        """Return the day from which on the monitor finds the probabilities off; else the first possible one."""
        tests = judge(outcomes, {}, None, {}, self.settings, self.today).tests
        return next((test.since for test in tests if test.name == "calibration"), None) or date.min


def recalibrate(
    workplace: Workplace, retraining: Retraining, folder: Path, outcomes: Outcomes
) -> tuple[str, dict[str, Any]]:
    """Write the recalibrated model to a folder as training writes one; return a sentence and the facts.

    A line that an earlier run has written down is taken as it is.

    Raises
    ------
    TooFewLateError
        If there are too few late loans.
    RecalibrationRefusedError
        If the line fails a rule.
    UntrustedVersionError
        If no trusted publisher has signed the version: whoever recalibrates it signs its pickle.
    CommandError
        If the recalibrated model isn't what it should be.
    """
    manifest = workplace.reader().get_manifest(retraining.main)
    trained = retraining.find_stage("trained")
    if trained is not None:
        told, facts = trained.told, dict(trained.facts)
    else:
        judged = outcomes.line_of(workplace, manifest)
        if failed := failures(judged.verdicts):
            raise RecalibrationRefusedError(failed)
        told, facts = judged.sentence, _facts(judged, manifest)
    line = Line(**facts["line"])
    pickle = _pickle(workplace, manifest, line)
    candidate_folder.write(folder, recalibrated_candidate(manifest, pickle, line, facts))
    return told, facts


def _facts(judged: JudgedLine, manifest: Manifest) -> dict[str, Any]:
    threshold = _threshold(manifest, judged.line)
    return {
        "line": asdict(judged.line),
        "since": judged.since.isoformat(),
        "until": judged.until.isoformat(),
        "loans": int(judged.counts.loans.sum()),
        "late": int(judged.counts.late.sum()),
        "newer_half": {
            "since": judged.newer_since.isoformat(),
            "before": judged.before.to_document(),
            "after": judged.after.to_document(),
        },
        "verdicts": [asdict(verdict) for verdict in judged.verdicts],
        "expect": _expected(judged.counts, judged.line, manifest.threshold.value, threshold.value),
    }


def _expected(counts: Tally, line: Line, main_threshold: float, threshold: float) -> list[str]:
    """Return how far the recalibrated version is meant to differ on live loans, as --expect takes it."""
    scores = np.repeat(counts.probabilities, counts.loans.astype(np.int64))
    window = announced_window(scores, line.of(scores), main_threshold=main_threshold, candidate_threshold=threshold)
    return [
        f"score={window.low:.6f}..{window.high:.6f}",
        f"flags={window.flag_low:.6f}..{window.flag_high:.6f}",
        f"flips={window.flip_high:.6f}",
    ]


def _pickle(workplace: Workplace, manifest: Manifest, line: Line) -> bytes:
    """Return the version's pickle recalibrated in the process that opens it, after a look at the result."""
    trust = workplace.keyring().trust()
    trust.check(manifest)
    process = load_pickle(workplace.reader(), manifest.version, trust).pipeline
    assert process is not None
    with process:
        pickle = process.recalibrated(line.intercept, line.slope)
    with open_candidate(pickle, [probe.record for probe in manifest.probes]) as (_, inspection):
        _check(manifest, inspection, line)
    return pickle


def _check(manifest: Manifest, inspection: Inspection, line: Line) -> None:
    former = np.array([probe.late_probability for probe in manifest.probes])
    differences = log_odds(line.of(former)) - log_odds(np.array(inspection.probe_probabilities))
    # Beyond these the log-odds are clipped, here and in a table.
    is_inside = np.minimum(former, 1 - former) > 10 * SMALLEST_PROBABILITY
    largest = float(np.abs(differences[is_inside]).max(initial=0.0))
    if not largest <= _LARGEST_DIFFERENCE:
        raise CommandError(
            f"Version {manifest.version} can't be recalibrated: the log-odds of a probe record are {largest:.3g} off "
            "the line. Train it anew: --data FILE."
        )
    if manifest.serving_form is not None and inspection.serving_form is None:
        raise CommandError(
            f"Version {manifest.version} is served from arrays, and recalibrated it would have none: "
            f"{inspection.why_no_serving_form}. Train it anew: --data FILE."
        )


def recalibrated_candidate(manifest: Manifest, pickle: bytes, line: Line, facts: Mapping[str, Any]) -> Candidate:
    """Return the record of a recalibrated version. What depends on the order of the loans alone stays as it was."""
    threshold = _threshold(manifest, line)
    return Candidate(
        pickle=pickle,
        input_schema=manifest.input_schema,
        threshold=threshold,
        metrics={**_metrics(manifest, line), "recalibration": {**facts, "of_version": manifest.version}},
        data=dict(manifest.data),
        probe_records=tuple(probe.record for probe in manifest.probes),
        git_commit=manifest.git_commit,
        description=(
            f"Version {manifest.version} recalibrated on {facts['loans']:,} loans from {facts['since']} to "
            f"{facts['until']}: intercept {line.intercept:+.3f}, slope {line.slope:.3f}."
        ),
        reasons=manifest.reasons,
        profile=manifest.profile and _profile(manifest.profile, line),
    )


def _keeps_share(manifest: Manifest) -> bool:
    rule = manifest.metrics.get("threshold")
    return isinstance(rule, Mapping) and "flag_share" in rule


def _threshold(manifest: Manifest, line: Line) -> Threshold:
    """Return the threshold: where a share of the loans is flagged, the same loans are; else it stays."""
    former = manifest.threshold
    if not _keeps_share(manifest):
        return former
    value = float(line.of(former.value))
    return Threshold(
        value, f"{former.value:.4g} of version {manifest.version}, recalibrated: the same loans are flagged."
    )


def _metrics(manifest: Manifest, line: Line) -> dict[str, Any]:
    dropped = _OF_PROBABILITIES if _keeps_share(manifest) else (*_OF_PROBABILITIES, *_OF_THE_THRESHOLD)
    metrics = {
        name: {**figures, **dict.fromkeys(dropped, _UNKNOWN)}
        for name, figures in manifest.metrics.items()
        if isinstance(figures, Mapping) and "roc_auc" in figures and "rows" in figures
    }
    rule, bins = (manifest.metrics.get(name) for name in ("threshold", "score_bins"))
    if rule is not None:
        metrics["threshold"] = rule
    if isinstance(bins, Mapping) and "edges" in bins:
        edges = line.of(np.array(bins["edges"], dtype=np.float64)).tolist()
        metrics["score_bins"] = {name: value for name, value in bins.items() if name != "expected"} | {"edges": edges}
    return metrics


def _profile(profile: TrainingProfile, line: Line) -> TrainingProfile:
    score = profile.score
    if score is None or score.edges is None:
        return profile
    return replace(profile, score=replace(score, edges=tuple(line.of(np.array(score.edges)).tolist())))
