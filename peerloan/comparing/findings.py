"""Everything that a comparison of two versions found; the summary, the JSON document and the page are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from model_rollout.window import AnnouncedWindow
from peerloan.comparing.outcome_figures import OutcomeFigures, find_outcome_figures
from peerloan.comparing.paired_scores import PairedScores, quantiles_of
from peerloan.comparing.reason_changes import ReasonChanges


@dataclass(frozen=True)
class Findings:
    """Both versions' scores, and how the reasons differ among the loans that flip; None if a version gives none."""

    scores: PairedScores
    to_late_reasons: ReasonChanges | None = None
    to_on_time_reasons: ReasonChanges | None = None

    @cached_property
    def window(self) -> AnnouncedWindow:
        """What the plan of a rollout announces."""
        return self.scores.window()

    @cached_property
    def outcomes(self) -> OutcomeFigures | None:
        """Figures of the loans with a known outcome; None where no outcomes are known."""
        return find_outcome_figures(self.scores)

    def to_document(self) -> dict[str, Any]:
        """Return it as the JSON document."""
        scores, window = self.scores, self.window
        reasons = {"to_late": self.to_late_reasons, "to_on_time": self.to_on_time_reasons}
        return {
            "loans": len(scores),
            "rejected": scores.rejected,
            "source": scores.source,
            "main": scores.main.to_document(),
            "candidate": scores.candidate.to_document(),
            "difference": {
                "mean": window.mean_difference,
                "quantiles": quantiles_of(scores.differences),
                "differing_share": scores.differing_share,
            },
            "swap_set": {
                "to_late": int(scores.to_late.sum()),
                "to_on_time": int(scores.to_on_time.sum()),
                "reasons": {way: changes.to_document() if changes else None for way, changes in reasons.items()},
            },
            "window": window.to_document(),
            "outcomes": self.outcomes.to_document() if self.outcomes else None,
        }
