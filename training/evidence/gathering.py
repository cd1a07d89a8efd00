"""Measures everything that the report and the model card show of a version, on the loans at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from model_artifact.pipeline import late_probabilities
from model_artifact.reasons.explain import Explainer, Explanation
from model_artifact.serving_form.parity import Parity
from model_artifact.serving_form.parity import compare as compare_forms
from model_artifact.serving_form.scorers.record_scorer import Scorer, load_scorer
from model_registry.manifest import Manifest
from model_watch.intervals import Interval, wilson
from model_watch.outcome_figures import Floats
from model_watch.stability import Stability
from training.data import Fingerprint, Quarter, Quarters
from training.evidence.bins import Decile, ScoreBins, count_bins, deciles, quantile_edges
from training.evidence.comparison import Comparison, compare
from training.evidence.costs import RATIOS, ThresholdRow, threshold_rows
from training.evidence.evaluation import evaluate
from training.evidence.influence import Dependence, Importance, partial_dependence, permutation_importance
from training.evidence.reason_counts import ReasonCounts, count_reasons
from training.evidence.segments import Segment, segment_results
from training.evidence.stability import column_stability, score_stability
from training.evidence.sweeps import LENDING_SENSE, Sweep, sweep_all
from training.evidence.tally import Labels
from training.holdout import records_of

# The training file is cut into so many parts, oldest first, to show their late rates.
_FILE_PARTS = 10

# A recorded figure and the one measured again may differ in the last bits between machines.
_SAME = 1e-9


@dataclass(frozen=True)
class Rival:
    """Another model that the version is compared with."""

    name: str
    pipeline: Any


@dataclass(frozen=True)
class Evidence:
    """All measurements of a version.

    Attributes
    ----------
    manifest : Manifest
        The version's description, with its training's record.
    is_sample : bool
        Whether the loans are generated.
    train, test : Fingerprint
        The two quarters' fingerprints.
    is_own_data : bool
        Whether the loans are those that the version was trained and tested on.
    is_reproduced : bool or None
        Whether the ROC-AUC is the recorded one again; None where nothing comparable was recorded.
    metrics : mapping
        As ``evaluate`` gives them, for the test quarter.
    target, probabilities : ndarray of shape (n_rows,)
        The test quarter's outcomes and the version's probabilities.
    call_cost : float or None
        What a call costs, where costs were stated in money.
    calibration : ScoreBins
        The test quarter by tenths of its own probabilities.
    file_rates : tuple of Interval
        The late rate of each tenth of the training file, oldest first, and of the test quarter.
    score : Stability or None
        None where no reference was recorded, or the test quarter itself is the reference.
    form_parity : Parity or None
        How far the serving form's probabilities are from the pickle's; None where the pickle serves.
    explained : tuple or None
        A probe record, the reference and the explanation; None for a version without a serving form or reasons.
    reason_counts : ReasonCounts or None
        The codes that some loans of the test quarter get; None likewise.
    """

    manifest: Manifest
    is_sample: bool
    train: Fingerprint
    test: Fingerprint
    is_own_data: bool
    is_reproduced: bool | None
    metrics: Mapping[str, Any]
    target: Labels
    probabilities: Floats
    deciles: tuple[Decile, ...]
    calibration: ScoreBins
    thresholds: tuple[ThresholdRow, ...]
    cost_ratios: tuple[float, ...]
    call_cost: float | None
    comparisons: tuple[tuple[str, Comparison], ...]
    importance: tuple[Importance, ...]
    dependence: tuple[Dependence, ...]
    sweeps: tuple[Sweep, ...]
    columns: tuple[Stability, ...]
    score: Stability | None
    segments: tuple[Segment, ...]
    file_rates: tuple[Interval, ...]
    form_parity: Parity | None
    explained: tuple[Mapping[str, Any], Mapping[str, Any], Explanation] | None
    reason_counts: ReasonCounts | None

    @property
    def recorded_training(self) -> Mapping[str, Any] | None:
        """The identity of the loans that somebody says the version was trained on; None if nobody does."""
        recorded = self.manifest.data.get("train")
        return recorded if isinstance(recorded, Mapping) and "sha256" in recorded else None

    @property
    def stability(self) -> tuple[Stability, ...]:
        """The stability of the score, where it is known, and of the columns."""
        return (*([self.score] if self.score else []), *self.columns)


def gather(
    pipeline: Any,
    manifest: Manifest,
    quarters: Quarters,
    rivals: Sequence[Rival] = (),
    cost_ratios: Sequence[float] | None = None,
    serving_form: bytes | None = None,
    call_cost: float | None = None,
) -> Evidence:
    """Measure a version.

    Parameters
    ----------
    pipeline : object
        The version's model, verified.
    manifest : Manifest
        Its description.
    quarters : Quarters
        The loans.
    rivals : sequence of Rival
        Models to compare it with.
    cost_ratios : sequence of float, optional
        Costs of a missed late payer in calls; by default those that its threshold was chosen by, else a range.
    serving_form : bytes, optional
        The version's serving form, if it has one.
    call_cost : float, optional
        What a call costs in money; by default as stated when the threshold was chosen.
    """
    test = quarters.test
    features, target = test.features, test.target
    stated_ratios, stated_call = _stated_costs(manifest)
    ratios = tuple(cost_ratios or stated_ratios or RATIOS)
    scorer = load_scorer(serving_form) if serving_form else None
    explainer = _explainer(manifest, scorer) if scorer else None
    # As in training: more threads cost time on a busy machine.
    with threadpool_limits(limits=1):
        scores = late_probabilities(pipeline, features)
        metrics = evaluate(target, scores, manifest.threshold.value)
        return Evidence(
            manifest=manifest,
            is_sample=quarters.is_sample,
            train=quarters.train.fingerprint,
            test=test.fingerprint,
            is_own_data=_is_own(manifest, quarters),
            is_reproduced=_is_reproduced(manifest, test.fingerprint, metrics),
            metrics=metrics,
            target=target,
            probabilities=scores,
            deciles=deciles(target, scores),
            calibration=count_bins(target, scores, quantile_edges(scores)),
            thresholds=threshold_rows(target, scores, manifest.threshold.value, ratios),
            cost_ratios=ratios,
            call_cost=call_cost if cost_ratios else stated_call,
            comparisons=tuple(
                (rival.name, compare(target, scores, late_probabilities(rival.pipeline, features))) for rival in rivals
            ),
            importance=permutation_importance(pipeline, features, target),
            dependence=partial_dependence(pipeline, features),
            sweeps=sweep_all(pipeline, features, LENDING_SENSE),
            columns=column_stability(quarters.train.features, features),
            score=_score_stability(manifest.metrics.get("score_bins"), scores, test.fingerprint),
            segments=segment_results(features, target, scores, manifest.threshold.value),
            file_rates=(*_file_rates(quarters.train), wilson(int(target.sum()), len(target))),
            form_parity=compare_forms(pipeline, scorer, records_of(features)) if scorer else None,
            explained=_explain_riskiest(manifest, explainer) if explainer else None,
            reason_counts=count_reasons(explainer, features) if explainer else None,
        )


def _score_stability(score_bins: Any, scores: Floats, test: Fingerprint) -> Stability | None:
    if not isinstance(score_bins, Mapping) or score_bins.get("data_sha256") == test.sha256:
        return None
    return score_stability(score_bins, scores)


def _explainer(manifest: Manifest, scorer: Scorer) -> Explainer | None:
    if manifest.reasons is None:
        return None
    reasons = manifest.reasons
    return Explainer(scorer, reasons.reference, codes_version=reasons.codes_version, wording=reasons.wording)


def _explain_riskiest(
    manifest: Manifest, explainer: Explainer
) -> tuple[Mapping[str, Any], Mapping[str, Any], Explanation] | None:
    """Explain the riskiest probe record, which has the most to explain."""
    if manifest.reasons is None or not manifest.probes:
        return None
    record = max(manifest.probes, key=lambda probe: probe.late_probability).record
    return record, manifest.reasons.reference, explainer.explain(record)


def _stated_costs(manifest: Manifest) -> tuple[tuple[float, ...], float | None]:
    rule = manifest.metrics.get("threshold")
    if not isinstance(rule, Mapping) or "cost_call" not in rule:
        return (), None
    return (float(rule["cost_missed_late"]) / float(rule["cost_call"]),), float(rule["cost_call"])


def _is_own(manifest: Manifest, quarters: Quarters) -> bool:
    recorded = [manifest.data.get(name, {}) for name in ("train", "test")]
    here = [quarters.train.fingerprint, quarters.test.fingerprint]
    return [data.get("sha256") for data in recorded] == [fingerprint.sha256 for fingerprint in here]


def _is_reproduced(manifest: Manifest, test: Fingerprint, metrics: Mapping[str, Any]) -> bool | None:
    recorded = manifest.metrics.get("test")
    if not isinstance(recorded, Mapping) or recorded.get("data", {}).get("sha256") != test.sha256:
        return None
    return bool(abs(recorded["roc_auc"]["value"] - metrics["roc_auc"]["value"]) <= _SAME)


def _file_rates(train: Quarter) -> list[Interval]:
    """Return the late rates along the training file, which runs newest first, from its end to its beginning."""
    parts = np.array_split(train.target[::-1], _FILE_PARTS)
    return [wilson(int(part.sum()), len(part)) for part in parts]
