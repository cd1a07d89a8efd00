"""Runs a whole training: fit, choose the threshold, evaluate once on the test quarter, pickle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from model_artifact.opening.pickling import pickled
from model_artifact.pipeline import late_probabilities
from model_artifact.serving_form.compiling.pipelines import compile_pipeline
from model_artifact.serving_form.errors import NotCompilableError
from model_registry.candidate import Candidate
from training.data import Quarters
from training.evidence.comparison import compare
from training.measuring import Measurements, Scores, measure
from training.probe_records import PROBE_RECORDS
from training.recipes import basic_model, improved_model
from training.recipes.recipe import DEFAULT_SEED, Alternative, Recipe, silent
from training.thresholds import FlagShare, ThresholdRule

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
    contender: str | None = None,
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
    contender : str, optional
        One of the recipe's contenders, instead of the one that it would choose.
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
        named = {"contender": contender} if contender else {}
        fit = recipe.fit(quarters.train, n_estimators, seed, partial(progress, "training"), **named)
        baseline = _baseline_on_test(quarters, progress) if is_compared and name != BASELINE else None
        progress("evaluating", 0, 1)
        whose = f"training loans with the highest {recipe.out_of_sample_in_words}"
        measured = measure(
            fit.pipeline,
            quarters.train,
            quarters.test,
            rule,
            serving_form=_compiled(fit.pipeline),
            unseen=Scores(recipe.out_of_sample, whose, quarters.train, fit.out_of_sample),
        )
        metrics = {**fit.evidence, **measured.metrics}
        if baseline is not None:
            assert measured.on_test is not None
            comparison = compare(quarters.test.target, measured.on_test, baseline)
            metrics["comparison"] = {"against": f"{BASELINE} model, trained on the same loans", **comparison.to_dict()}
        if fit.alternative is not None:
            metrics["alternative"] = _price(fit.alternative, quarters, measured)
        progress("evaluating", 1, 1)
    assert measured.input_schema is not None
    candidate = Candidate(
        pickle=pickled(fit.pipeline),
        input_schema=measured.input_schema,
        threshold=measured.threshold,
        metrics=metrics,
        data={
            **measured.data,
            "is_sample": quarters.is_sample,
            # What another training needs to do the same with other loans (`peerloan retrain`). A contender that was
            # chosen isn't named: the next training chooses again.
            "recipe": {
                "name": name,
                "contender": contender,
                "estimators": n_estimators,
                "seed": seed,
                "threshold": rule.to_dict(),
            },
        },
        probe_records=PROBE_RECORDS,
        git_commit=git_commit,
        description=f"{fit.description} {n_estimators} trees, seed {seed}.",
        reasons=measured.reasons,
        holdout_parity=measured.holdout_parity,
        profile=measured.profile,
    )
    return TrainingResult(name, fit.pipeline, candidate, quarters.source)


def _baseline_on_test(quarters: Quarters, progress: StageProgress) -> NDArray[np.float64]:
    """Return the probabilities of the test quarter by the baseline, trained with its own defaults."""
    recipe = RECIPES[BASELINE]
    fit = recipe.fit(quarters.train, recipe.default_trees, DEFAULT_SEED, partial(progress, "baseline"))
    return late_probabilities(fit.pipeline, quarters.test.features)


def _price(alternative: Alternative, quarters: Quarters, measured: Measurements) -> dict[str, Any]:
    """Return what taking the other model costs on the test quarter, as a training record keeps it."""
    assert measured.on_test is not None
    theirs = late_probabilities(alternative.pipeline, quarters.test.features)
    return {
        "contender": alternative.contender,
        "against_sense_in": list(alternative.columns),
        **compare(quarters.test.target, measured.on_test, theirs).to_dict(),
    }


def _compiled(pipeline: Pipeline) -> bytes | None:
    try:
        return compile_pipeline(pipeline).to_bytes()
    except NotCompilableError:
        return None
