"""Measures a fitted model on its loans: the same figures whether training fitted it or somebody handed it over.

The model may be a pipeline, or the process that holds a handed-over pickle: it has ``predict_proba``, ``classes_`` and
``feature_names_in_``. What isn't known is left out: without training loans the ranges, the profile and the reference
for reasons, without test loans the figures of unseen loans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from model_artifact.pipeline import late_probabilities
from model_artifact.reasons import CODES_VERSION
from model_artifact.reasons.reference import typical_record
from model_registry.manifest import FieldSchema, HoldoutParity, Reasons, Threshold, TrainingProfile
from training.candidate_folder import input_schema
from training.data import Quarter
from training.errors import DataRefusedError
from training.evidence.bins import count_bins, quantile_edges
from training.evidence.evaluation import evaluate
from training.evidence.sweeps import LENDING_SENSE, sweep_all
from training.holdout import prove_on_holdout
from training.thresholds import ThresholdRule
from training.training_profile import training_profile

IN_SAMPLE = "in_sample"


@dataclass(frozen=True)
class Scores:
    """A quarter's loans with their probabilities, from which the threshold and ``score_bins`` are taken.

    Attributes
    ----------
    name : str
        The figures' name among the metrics.
    whose : str
        Names the loans and their order in the threshold's text.
    quarter : Quarter
        The loans.
    probabilities : ndarray of shape (n_rows,)
        P(is_late = 1); NaN where it isn't known.
    """

    name: str
    whose: str
    quarter: Quarter
    probabilities: NDArray[np.float64]


@dataclass(frozen=True)
class Measurements:
    """What was measured of a model; None for what the loans at hand can't tell.

    ``metrics`` and ``data`` are entries of a training record. ``on_test`` are the test loans' probabilities.
    """

    threshold: Threshold
    metrics: Mapping[str, Any]
    data: Mapping[str, Any]
    input_schema: tuple[FieldSchema, ...] | None
    profile: TrainingProfile | None
    reasons: Reasons | None
    holdout_parity: HoldoutParity | None
    on_test: NDArray[np.float64] | None


def measure(
    model: Any,
    train: Quarter | None,
    test: Quarter | None,
    rule: ThresholdRule,
    *,
    serving_form: bytes | None,
    unseen: Scores | None = None,
) -> Measurements:
    """Measure a fitted model.

    Parameters
    ----------
    model : object
        A fitted classifier that ``check_pipeline`` accepted, or a ``ModelProcess``.
    train, test : Quarter or None
        The loans that it was trained on, and loans that it hasn't seen; at least one of them.
    rule : ThresholdRule
        How the threshold is chosen.
    serving_form : bytes or None
        The model's arrays, which are compared with it on the test loans.
    unseen : Scores, optional
        Probabilities of the training loans by fits that didn't see them, which only training has. Without them the
        threshold and ``score_bins`` are taken from the test loans, else from the training loans.
    """
    # Boosted trees use as many threads as there are processors, which wait for each other by spinning.
    with threadpool_limits(limits=1):
        on_test = None if test is None else late_probabilities(model, test.features)
        scores = [unseen] if unseen else _scores(model, train, test, on_test)
        threshold = rule.threshold(scores[0].probabilities, scores[0].whose)
        metrics = {of.name: _metrics(of.quarter, of.probabilities, threshold.value) for of in scores}
        if test is not None and on_test is not None and "test" not in metrics:
            metrics["test"] = _metrics(test, on_test, threshold.value)
        metrics["threshold"] = rule.to_dict()
        metrics["score_bins"] = _score_bins(scores[0])
        swept = test or train
        assert swept is not None
        sweeps = sweep_all(model, swept.features, LENDING_SENSE)
        metrics["monotonicity"] = {sweep.column: sweep.to_dict() for sweep in sweeps}
        parity = None
        if test is not None and serving_form is not None:
            parity = prove_on_holdout(model, serving_form, test)
    quarters = {"train": train, "test": test}
    return Measurements(
        threshold=threshold,
        metrics=metrics,
        data={name: asdict(quarter.fingerprint) for name, quarter in quarters.items() if quarter},
        input_schema=None if train is None else input_schema(train.features),
        profile=None if train is None else _profile(train, scores[0]),
        reasons=None if train is None else Reasons(CODES_VERSION, _typical_on_time_loan(train)),
        holdout_parity=parity,
        on_test=on_test,
    )


def _scores(
    model: Any, train: Quarter | None, test: Quarter | None, on_test: NDArray[np.float64] | None
) -> list[Scores]:
    """Return the scores of a model that somebody else fitted, the least biased first."""
    scores = []
    if test is not None and on_test is not None:
        whose = f"loans of {test.fingerprint.name} with the highest probability"
        scores.append(Scores("test", whose, test, on_test))
    if train is not None:
        whose = f"loans of {train.fingerprint.name}, which the model saw in training, with the highest probability"
        scores.append(Scores(IN_SAMPLE, whose, train, late_probabilities(model, train.features)))
    return scores


def _metrics(quarter: Quarter, probabilities: NDArray[np.float64], threshold: float) -> dict[str, Any]:
    # A row that every tree of a small forest saw has no out-of-bag probability.
    has_probability = np.isfinite(probabilities)
    figures = evaluate(quarter.target[has_probability], probabilities[has_probability], threshold)
    return {**figures, "rows": int(has_probability.sum()), "data": asdict(quarter.fingerprint)}


def _profile(train: Quarter, scores: Scores) -> TrainingProfile:
    """Return the training loans' profile; the score's is of loans that the model didn't see, and else left out."""
    return training_profile(train.features, None if scores.name == IN_SAMPLE else scores.probabilities)


def _typical_on_time_loan(quarter: Quarter) -> dict[str, Any]:
    on_time = quarter.features[quarter.target == 0]
    try:
        return typical_record({name: on_time[name].tolist() for name in on_time})
    except ValueError as error:
        raise DataRefusedError(quarter.fingerprint.name, str(error)) from error


def _score_bins(scores: Scores) -> dict[str, Any]:
    """Count loans by their probability; later quarters' probabilities are compared with these counts."""
    has_probability = np.isfinite(scores.probabilities)
    probabilities = scores.probabilities[has_probability]
    target = scores.quarter.target[has_probability]
    bins = count_bins(target, probabilities, quantile_edges(probabilities)).to_dict()
    return {**bins, "data_sha256": scores.quarter.fingerprint.sha256}
