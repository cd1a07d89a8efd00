"""A training from the data to the candidate: fit, choose the threshold, evaluate once on the test quarter, pickle."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from model_artifact.reasons.codes import CODES_VERSION
from model_artifact.reasons.reference import typical_record
from model_artifact.scoring import late_probabilities
from model_registry.candidate import Candidate
from model_registry.manifest import Reasons, Threshold
from training import basic_model, improved_model
from training.data import Quarter, Quarters
from training.evaluate import evaluate
from training.probes import PROBE_RECORDS
from training.progress import Progress, StageProgress, silent
from training.record import input_schema

# zlib level 3: the forest's 82 MB become 16, and unpacking them takes less time than reading them would.
COMPRESSION = 3


class _Fit(Protocol):
    def __call__(
        self, quarter: Quarter, n_estimators: int, *, seed: int, progress: Progress
    ) -> tuple[Pipeline, NDArray[np.float64]]: ...


@dataclass(frozen=True)
class Recipe:
    """One of the models that can be trained.

    ``fit`` returns the pipeline and the training rows' probabilities from fits that did not see them; ``unseen`` says
    in the metrics what kind of fits these are.
    """

    name: str
    description: str
    default_trees: int
    default_seed: int
    unseen: str
    fit: _Fit
    choose_threshold: Callable[[NDArray[np.float64]], Threshold]


RECIPES: dict[str, Recipe] = {
    module.NAME: Recipe(
        name=module.NAME,
        description=module.DESCRIPTION,
        default_trees=module.DEFAULT_TREES,
        default_seed=module.DEFAULT_SEED,
        unseen=unseen,
        fit=module.fit,
        choose_threshold=module.choose_threshold,
    )
    for module, unseen in ((basic_model, "out_of_bag"), (improved_model, "cross_validation"))
}


@dataclass(frozen=True)
class TrainingResult:
    """A trained model, ready for ``record.write`` or for publishing."""

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
    git_commit: str | None = None,
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
    git_commit : str, optional
        The code's commit, for the record.
    progress : callable
        Takes a stage's name, how much of it is done, and how much there is.

    Returns
    -------
    TrainingResult
        The same for the same arguments, down to the pickle's bytes.
    """
    recipe = RECIPES[name]
    n_estimators = n_estimators or recipe.default_trees
    seed = recipe.default_seed if seed is None else seed
    # Boosted trees remember how many threads they had: with one, the pickle is the same on every machine. On a busy
    # machine it is faster too, since OpenMP's threads wait for each other by spinning.
    with threadpool_limits(limits=1, user_api="openmp"):
        pipeline, unseen = recipe.fit(
            quarters.train, n_estimators, seed=seed, progress=lambda done, total: progress("training", done, total)
        )
        progress("evaluating", 0, 1)
        on_test = late_probabilities(pipeline, quarters.test.features)
    threshold = recipe.choose_threshold(unseen)
    metrics = {
        recipe.unseen: _metrics(quarters.train, unseen, threshold),
        "test": _metrics(quarters.test, on_test, threshold),
    }
    progress("evaluating", 1, 1)
    candidate = Candidate(
        pickle=_pickled(pipeline),
        input_schema=input_schema(quarters.train.features),
        threshold=threshold,
        metrics=metrics,
        data={
            "train": quarters.train.fingerprint.to_dict(),
            "test": quarters.test.fingerprint.to_dict(),
            "is_sample": quarters.is_sample,
        },
        probe_records=PROBE_RECORDS,
        git_commit=git_commit,
        description=f"{recipe.description} {n_estimators} trees, seed {seed}.",
        reasons=Reasons(CODES_VERSION, _typical_on_time_loan(quarters.train)),
    )
    return TrainingResult(name, pipeline, candidate, quarters.source)


def _metrics(quarter: Quarter, probabilities: NDArray[np.float64], threshold: Threshold) -> dict[str, Any]:
    # Out of bag, a row that every tree saw has no probability: that happens to forests of a few trees.
    known = np.isfinite(probabilities)
    figures = evaluate(quarter.target[known], probabilities[known], threshold.value)
    return {**figures, "rows": int(known.sum()), "data": quarter.fingerprint.to_dict()}


def _typical_on_time_loan(quarter: Quarter) -> dict[str, Any]:
    on_time = quarter.features[quarter.target == 0]
    return typical_record({name: on_time[name].tolist() for name in on_time})


def _pickled(pipeline: Pipeline) -> bytes:
    file = io.BytesIO()
    joblib.dump(pipeline, file, compress=COMPRESSION)
    return file.getvalue()
