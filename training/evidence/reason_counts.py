"""Counts the reasons that a version gives for some loans, and tells those that say the opposite of lending sense."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from model_artifact.reasons.explain import Explainer
from training.evidence.sweeps import LENDING_SENSE
from training.holdout import records_of

# A large forest takes 45 ms a loan.
LOANS = 200
SEED = 0

_WAYS = {"HIGH": 1, "LOW": -1}


@dataclass(frozen=True)
class ReasonCounts:
    """To how many of some ``loans`` each code was given; codes that none of them got are left out."""

    loans: int
    codes: Mapping[str, int]


def count_reasons(explainer: Explainer, features: pd.DataFrame, *, loans: int = LOANS) -> ReasonCounts:
    """Explain some loans drawn from ``features``, the same ones each time, and count their codes."""
    drawn = features.sample(min(loans, len(features)), random_state=SEED)
    explanations = [explainer.explain(record) for record in records_of(drawn)]
    codes = Counter(reason.code for explanation in explanations for reason in explanation.reasons)
    return ReasonCounts(len(drawn), dict(sorted(codes.items())))


def is_against_sense(code: str) -> bool:
    """Return whether a code names a value as raising the risk that lowers it by lending sense.

    ``DTI_LOW`` does, for example: by lending sense the risk rises with dti.
    """
    column, _, way = code.rpartition("_")
    return LENDING_SENSE.get(column.lower(), 0) * _WAYS.get(way, 0) < 0
