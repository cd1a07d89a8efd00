"""How well two versions rank and are calibrated where outcomes are known, and the outcomes of the loans that flip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from peerloan.comparing.paired_scores import Flags, PairedScores
from training.evidence.bins import ScoreBins, count_bins, quantile_edges
from training.evidence.comparison import Comparison, compare
from training.evidence.evaluation import evaluate


@dataclass(frozen=True)
class OutcomeFigures:
    """Figures of the loans with a known outcome.

    Attributes
    ----------
    loans, late : int
        How many there are, and how many of them are late.
    main, candidate : mapping of str to figure
        Each version's metrics with their intervals; see ``training.evidence.evaluation``.
    difference : Comparison
        The candidate's metrics minus the main version's.
    main_bins, candidate_bins : ScoreBins
        Late and expected loans by tenths of each version's probability.
    to_late, to_on_time : tuple of int
        The loans that flip each way: how many there are, and how many of them are late.
    """

    loans: int
    late: int
    main: Mapping[str, Any]
    candidate: Mapping[str, Any]
    difference: Comparison
    main_bins: ScoreBins
    candidate_bins: ScoreBins
    to_late: tuple[int, int]
    to_on_time: tuple[int, int]

    def to_document(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "loans": self.loans,
            "late": self.late,
            "main": dict(self.main),
            "candidate": dict(self.candidate),
            "difference": self.difference.to_dict(),
            "to_late": dict(zip(("loans", "late"), self.to_late, strict=True)),
            "to_on_time": dict(zip(("loans", "late"), self.to_on_time, strict=True)),
        }


def find_outcome_figures(scores: PairedScores) -> OutcomeFigures | None:
    """Return the figures, or None unless at least one loan is known to be late and one to be on time."""
    if scores.outcomes is None:
        return None
    is_known = ~np.isnan(scores.outcomes)
    target = scores.outcomes[is_known].astype(np.int64)
    if not 0 < target.sum() < len(target):
        return None
    versions = (scores.main, scores.candidate)
    main, candidate = (version.probabilities[is_known] for version in versions)

    def flips(flags: Flags) -> tuple[int, int]:
        return int(flags[is_known].sum()), int(target[flags[is_known]].sum())

    return OutcomeFigures(
        loans=len(target),
        late=int(target.sum()),
        main=evaluate(target, main, scores.main.threshold),
        candidate=evaluate(target, candidate, scores.candidate.threshold),
        difference=compare(target, candidate, main),
        main_bins=count_bins(target, main, quantile_edges(main)),
        candidate_bins=count_bins(target, candidate, quantile_edges(candidate)),
        to_late=flips(scores.to_late),
        to_on_time=flips(scores.to_on_time),
    )
