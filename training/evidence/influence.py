"""Measures which columns move the probabilities: permutation importance and partial dependence.

Both change one column and leave the others, which makes unreal loans where columns go together. Interest rate and
grade do: they are the lender's own pricing, and are also permuted together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model_artifact.pipeline import late_probabilities
from model_artifact.reasons.players import PRICING_FIELDS
from model_artifact.schema import FIELD_NAMES, FIELDS
from model_watch.intervals import Interval
from model_watch.outcome_figures import Floats, roc_auc
from training.evidence.intervals import percentile_interval
from training.evidence.sweeps import curves
from training.evidence.tally import Labels, ScoredLoans

REPEATS = 5
SEED = 0

_DRAWS = 300
_LOANS = 500
_VALUES = 30


@dataclass(frozen=True)
class Importance:
    """How much ROC-AUC is lost when the columns' values are shuffled among the loans."""

    columns: tuple[str, ...]
    loss: Interval

    @property
    def name(self) -> str:
        """The columns' names, joined."""
        return " + ".join(self.columns)


@dataclass(frozen=True)
class Dependence:
    """The mean probability of a sample of loans as one column takes each value.

    ``low`` and ``high`` are the tenth and the ninetieth percentile of the loans' probabilities; ``ticks`` are the
    column's deciles, empty for a category.
    """

    column: str
    values: tuple[Any, ...]
    mean: Floats
    low: Floats
    high: Floats
    ticks: tuple[float, ...]


def permutation_importance(
    pipeline: Any, features: pd.DataFrame, target: Labels, *, seed: int = SEED
) -> tuple[Importance, ...]:
    """Return the importance of each column and of the pricing as a whole, the largest first.

    The loans are some that the fitted pipeline was not trained on. ``seed`` is that of the permutations and of the
    bootstrap; the interval includes the randomness of both.
    """
    random = np.random.default_rng(seed)
    original = ScoredLoans(target, late_probabilities(pipeline, features))
    draws = [random.integers(len(target), size=len(target)) for _ in range(_DRAWS)]
    groups: Sequence[tuple[str, ...]] = [*((name,) for name in FIELD_NAMES), PRICING_FIELDS]
    importances = []
    for columns in groups:
        shuffled = [ScoredLoans(target, _shuffled(pipeline, features, columns, random)) for _ in range(REPEATS)]
        loss = float(np.mean([_loss(original, permuted) for permuted in shuffled]))
        drawn_losses = [_loss(original, shuffled[number % REPEATS], rows) for number, rows in enumerate(draws)]
        importances.append(Importance(columns, percentile_interval(loss, np.array(drawn_losses))))
    return tuple(sorted(importances, key=lambda importance: -importance.loss.value))


def partial_dependence(pipeline: Any, features: pd.DataFrame, *, seed: int = SEED) -> tuple[Dependence, ...]:
    """Return the dependence on each column, measured on a sample of the loans."""
    sample = features.sample(min(_LOANS, len(features)), random_state=seed)
    dependences = []
    for field in FIELDS:
        values, ticks = _values(features[field.name], field.type, field.order)
        probabilities = curves(pipeline, sample, field.name, values)
        low, high = np.quantile(probabilities, [0.1, 0.9], axis=0)
        dependences.append(Dependence(field.name, tuple(values), probabilities.mean(axis=0), low, high, ticks))
    return tuple(dependences)


def _shuffled(pipeline: Any, features: pd.DataFrame, columns: Sequence[str], random: np.random.Generator) -> Floats:
    order = random.permutation(len(features))
    changed = features.copy()
    for column in columns:
        changed[column] = features[column].to_numpy()[order]
    return late_probabilities(pipeline, changed)


def _loss(original: ScoredLoans, shuffled: ScoredLoans, rows: NDArray[np.int64] | None = None) -> float:
    counts = original.tally(rows)
    return roc_auc(counts) - roc_auc(shuffled.tally(rows)) if counts.has_both else float("nan")


def _values(column: pd.Series, kind: str, order: Sequence[str]) -> tuple[list[Any], tuple[float, ...]]:
    present = column.dropna()
    if kind == "category":
        distinct_labels = set(present)
        labels = [label for label in order if label in distinct_labels] + sorted(distinct_labels - set(order))
        return [*labels, np.nan] if column.isna().any() else labels, ()
    numbers = present.to_numpy(dtype=np.float64)
    # The outermost percent on each side has too few loans to show.
    low, high = np.quantile(numbers, [0.01, 0.99])
    distinct = np.unique(numbers[(numbers >= low) & (numbers <= high)])
    values = distinct if len(distinct) <= _VALUES else np.linspace(low, high, _VALUES)
    return values.tolist(), tuple(np.quantile(numbers, np.linspace(0.1, 0.9, 9)).tolist())
