"""Runs a whole training: fit, choose the threshold, evaluate once on the test quarter, pickle."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from model_artifact.pipeline import late_probabilities
from model_artifact.reasons import CODES_VERSION
from model_artifact.reasons.reference import typical_record
from model_registry.candidate import Candidate
from model_registry.manifest import Reasons
from training.candidate_folder import input_schema
from training.data import Quarter, Quarters
from training.evidence.bins import count_bins, quantile_edges
from training.evidence.comparison import compare
from training.evidence.evaluation import evaluate
from training.evidence.sweeps import sweep_all
from training.holdout import prove_on_holdout
from training.probe_records import PROBE_RECORDS
from training.recipes import basic_model, improved_model
from training.recipes.recipe import DEFAULT_SEED, Recipe, silent
from training.thresholds import FlagShare, ThresholdRule

# zlib level 3: the forest's 82 MB become 16 MB, and unpacking them takes less time than reading 82 MB.
COMPRESSION = 3

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (basic_model.RECIPE, improved_model.RECIPE)}

# Every other model is compared with this one.
BASELINE = basic_model.RECIPE.name


# Takes a stage's name, how many parts of it are done, and how many there are.
StageProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TrainingResult:
    """A trained model, ready to be written to a folder or published; ``source`` says which data it was trained on."""

    name: str
    pipeline: Pipeline
    candidate: Candidate
    source: str


def train(
    name: str,
    quarters: Quarters,
    *,
    n_estimators: int | None = None,
    seed: int | None = None,
    threshold_rule: ThresholdRule | None = None,
    git_commit: str | None = None,
    is_compared: bool = True,
    progress: StageProgress = silent,
) -> TrainingResult:
    """Train a model.

    Parameters
    ----------
    name : str
        A key of ``RECIPES``.
    quarters : Quarters
        The data.
    n_estimators, seed : int, optional
        The recipe's own by default.
    threshold_rule : ThresholdRule, optional
        How the decision threshold is chosen; by default a stated share of the loans is flagged.
    git_commit : str, optional
        The code's commit, for the record.
    is_compared : bool
        Whether the baseline is trained too and compared on the test quarter.
    progress : StageProgress
        Gets the stages ``training``, ``baseline`` and ``evaluating``.

    Returns
    -------
    TrainingResult
        The same for the same arguments, down to the pickle's bytes.
    """
    recipe = RECIPES[name]
    n_estimators = n_estimators or recipe.default_trees
    seed = DEFAULT_SEED if seed is None else seed
    rule = threshold_rule or FlagShare()
    # Boosted trees remember how many threads they had: with one, the pickle is the same on every machine. On a busy
    # machine one is also faster, since OpenMP's threads wait for each other by spinning.
    with threadpool_limits(limits=1):
        fit = recipe.fit(quarters.train, n_estimators, seed, partial(progress, "training"))
        on_test = late_probabilities(fit.pipeline, quarters.test.features)
        baseline = _baseline_on_test(quarters, progress) if is_compared and name != BASELINE else None
        progress("evaluating", 0, 1)
        threshold = rule.threshold(fit.out_of_sample, recipe.out_of_sample_in_words)
        metrics = {
            **fit.evidence,
            recipe.out_of_sample: _metrics(quarters.train, fit.out_of_sample, threshold.value),
            "test": _metrics(quarters.test, on_test, threshold.value),
            "threshold": rule.to_dict(),
            "score_bins": _score_bins(quarters.train, fit.out_of_sample),
            "monotonicity": {
                sweep.column: sweep.to_dict() for sweep in sweep_all(fit.pipeline, quarters.test.features)
            },
        }
        if baseline is not None:
            comparison = compare(quarters.test.target, on_test, baseline)
            metrics["comparison"] = {"against": f"{BASELINE} model, trained on the same loans", **comparison.to_dict()}
        parity = prove_on_holdout(fit.pipeline, quarters.test)
        progress("evaluating", 1, 1)
    candidate = Candidate(
        pickle=_pickled(fit.pipeline),
        input_schema=input_schema(quarters.train.features),
        threshold=threshold,
        metrics=metrics,
        data={
            "train": asdict(quarters.train.fingerprint),
            "test": asdict(quarters.test.fingerprint),
            "is_sample": quarters.is_sample,
        },
        probe_records=PROBE_RECORDS,
        git_commit=git_commit,
        description=f"{fit.description} {n_estimators} trees, seed {seed}.",
        reasons=Reasons(CODES_VERSION, _typical_on_time_loan(quarters.train)),
        holdout_parity=parity,
    )
    return TrainingResult(name, fit.pipeline, candidate, quarters.source)


def _baseline_on_test(quarters: Quarters, progress: StageProgress) -> NDArray[np.float64]:
    """Return the probabilities of the test quarter by the baseline, trained with its own defaults."""
    recipe = RECIPES[BASELINE]
    fit = recipe.fit(quarters.train, recipe.default_trees, DEFAULT_SEED, partial(progress, "baseline"))
    return late_probabilities(fit.pipeline, quarters.test.features)


def _metrics(quarter: Quarter, probabilities: NDArray[np.float64], threshold: float) -> dict[str, Any]:
    # A row that every tree of a small forest saw has no out-of-bag probability.
    has_probability = np.isfinite(probabilities)
    figures = evaluate(quarter.target[has_probability], probabilities[has_probability], threshold)
    return {**figures, "rows": int(has_probability.sum()), "data": asdict(quarter.fingerprint)}


def _typical_on_time_loan(quarter: Quarter) -> dict[str, Any]:
    on_time = quarter.features[quarter.target == 0]
    return typical_record({name: on_time[name].tolist() for name in on_time})


def _score_bins(quarter: Quarter, out_of_sample: NDArray[np.float64]) -> dict[str, Any]:
    """Count the training loans by out-of-sample probability, as a reference for the scores of later quarters."""
    has_probability = np.isfinite(out_of_sample)
    probabilities = out_of_sample[has_probability]
    return count_bins(quarter.target[has_probability], probabilities, quantile_edges(probabilities)).to_dict()


def _pickled(pipeline: Pipeline) -> bytes:
    file = io.BytesIO()
    joblib.dump(pipeline, file, compress=COMPRESSION)
    return file.getvalue()
