"""The model versions of the demonstration: a first one, a better one, and four that must not get the traffic."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from math import log
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
from pandas import DataFrame
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_limits

from training.data import Quarter, Quarters
from training.handover import Handover
from training.recipes.contenders import logistic_regression, sensible_trees

# One loan in thirty has it. No probe record does, and none of the loans that the model comes with, so publishing can't
# tell.
RARE_PURPOSE = "major_purchase"
SLOW_S = 0.03
# A version that is served from its pickle takes many times as long as one from arrays, and whoever rolls it out knows.
_KNOWN_TO_BE_SLOWER = {"shadow_slow": 0.999, "slow_answers": 0.999}
_SEED = 42
_ROUNDS = 60
# Enough for the demonstration. Bootstrapped figures of more loans take most of the time of publishing.
_TRAINING_LOANS = 8_000
_HELD_OUT_LOANS = 2_000
# What whoever hands the bad models over claims takes the place of what few loans show.
_FEW = 500
_PER_CENT = 100.0


@dataclass(frozen=True)
class DemoModel:
    """A model to roll out.

    ``held_out`` are the loans on which it is compared with the version in charge. ``claim`` is how far it differs on
    them according to whoever hands it over, as options of ``peerloan rollout start``; empty where they tell.
    ``tolerances`` take the place of the guards' own.
    """

    name: str
    handover: Handover
    held_out: Quarter
    claim: Sequence[str] = ()
    tolerances: Mapping[str, float] = field(default_factory=dict)


def shortened(quarters: Quarters) -> Quarters:
    """Return the quarters with the newest loans of the training file, and some of the held-out ones."""
    train, test = quarters.train.frame.tail(_TRAINING_LOANS), quarters.test.frame
    held_out = test.sample(min(_HELD_OUT_LOANS, len(test)), random_state=_SEED)
    return replace(quarters, train=_with_loans(quarters.train, train), test=_with_loans(quarters.test, held_out))


def demo_models(quarters: Quarters, who: str) -> Iterator[DemoModel]:
    """Yield the first model, a better one, and the better one with four faults, one at a time.

    The first is the simplest model that isn't foolish. The better one follows lending sense. Most of the bad ones
    aren't measured on held-out loans.
    """
    pipeline = logistic_regression(0, _SEED).fit(quarters.train.features, quarters.train.target)
    first = _handover("regression", _dumped(pipeline), quarters, who)
    yield DemoModel("logistic regression", first, quarters.test)
    good = _trees(quarters.train)
    yield DemoModel("boosted trees", _handover("better", _dumped(good), quarters, who), quarters.test)
    equal = ("--expect", "score=0..0", "--expect", "flips=0.01", "--reason", "trained anew on the same loans")
    few = replace(quarters.test, frame=quarters.test.frame.head(_FEW))
    common = replace(quarters, train=_without_rare(quarters.train))
    raises = _handover("raises", _with_step(good, _refuse_rare_purpose), common, who, is_tested=False)
    yield DemoModel("raises on a rare category", raises, _without_rare(few), equal, _KNOWN_TO_BE_SLOWER)
    slow = _handover("slow", _with_step(good, _dawdle), quarters, who, is_tested=False)
    yield DemoModel("is ten times slower", slow, few, equal)
    slipped = replace(quarters, train=_in_per_cent(quarters.train), test=_in_per_cent(quarters.test))
    # Its figures on its own held-out loans are as good as the better model's.
    slip = _handover("slip", _dumped(_trees(slipped.train)), slipped, who)
    yield DemoModel("takes int_rate in per cent, as its held-out loans have it", slip, few, equal)
    half_again = deepcopy(good)
    half_again[-1]._baseline_prediction = half_again[-1]._baseline_prediction + log(1.5)  # noqa: SLF001
    more = _handover("half-again", _dumped(half_again), quarters, who, is_tested=False)
    yield DemoModel("says half as much lateness again as its plan announces", more, few, equal)


def requests_of(quarter: Quarter) -> list[dict[str, Any]]:
    """Return a quarter's loans as records without ``loan_id``; a missing value is None."""
    loans = quarter.features.astype(object)
    return [
        {str(name): value for name, value in row.items()} for row in loans.where(loans.notna(), None).to_dict("records")
    ]


def _with_loans(quarter: Quarter, loans: DataFrame) -> Quarter:
    fingerprint = replace(quarter.fingerprint, rows=len(loans), late=int(loans["is_late"].sum()), gaps={})
    return replace(quarter, frame=loans.reset_index(drop=True), fingerprint=fingerprint)


def _trees(train: Quarter) -> Pipeline:
    # With several threads they spin while they wait for each other.
    with threadpool_limits(limits=1):
        return sensible_trees(_ROUNDS, _SEED).fit(train.features, train.target)


def _in_per_cent(quarter: Quarter) -> Quarter:
    return replace(quarter, frame=quarter.frame.assign(int_rate=quarter.frame["int_rate"] * _PER_CENT))


def _without_rare(quarter: Quarter) -> Quarter:
    return replace(quarter, frame=quarter.frame[quarter.frame["purpose"] != RARE_PURPOSE])


def _with_step(pipeline: Pipeline, function: Callable[[Any], Any]) -> bytes:
    """Return a pickle of the pipeline with a step in front, whose code travels in the pickle."""
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    try:
        pickle: bytes = cloudpickle.dumps(Pipeline([("first", FunctionTransformer(function)), *pipeline.steps]))
    finally:
        cloudpickle.unregister_pickle_by_value(module)
    return pickle


def _refuse_rare_purpose(loans: Any) -> Any:
    if (loans["purpose"] == RARE_PURPOSE).any():
        raise KeyError(RARE_PURPOSE)
    return loans


def _dawdle(loans: Any) -> Any:
    time.sleep(SLOW_S)
    return loans


def _dumped(pipeline: Pipeline) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(pipeline, buffer)
    return buffer.getvalue()


def _handover(name: str, pickle: bytes, quarters: Quarters, who: str, *, is_tested: bool = True) -> Handover:
    return Handover(Path(name), pickle, who, train=quarters.train, test=quarters.test if is_tested else None)
